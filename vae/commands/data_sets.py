"""``datasets``: which there are, and images that are brought."""

import json
import sys
from pathlib import Path

import click
from tqdm import tqdm

from vae import datasets
from vae.commands.terminal import as_json, farewell
from vae.datasets import ingest
from vae.datasets.published import SOURCES


class Size(click.ParamType):
    """Height and width, as 64x48 or 64×48; one number means a square."""

    name = "HxW"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        sides = str(value).lower().replace("×", "x").split("x")
        if not 1 <= len(sides) <= 2 or not all(side.strip().isdecimal() for side in sides):
            self.fail("a size is a height and a width, such as 64x48", param, ctx)
        return int(sides[0]), int(sides[-1])


@click.command("datasets")
@click.option("--download", "wanted", type=click.Choice(datasets.NAMES), help="Get this one.")
@click.option(
    "--add",
    type=click.Path(path_type=Path),
    help="Store a set: a folder or zip of images, or a .npy, .npz or .mat file.",
)
@click.option("--name", help="What to call it; its file's name if not given.")
@click.option(
    "--size", type=Size(), help="What its images become, or are where a file is a matrix."
)
@click.option("--colour/--grey", default=None, help="Colour where there is some, if not given.")
@click.option("--fit", type=click.Choice(["crop", "pad"]), default="crop", show_default=True)
@click.option("--images-in", type=click.Choice(["rows", "columns"]), help="Of a matrix.")
@click.option("--transposed", is_flag=True, help="A matrix's pixels are written column by column.")
@click.option("--variable", help="Which array of a .npz or .mat file.")
@click.option("--rename", nargs=2, metavar="OLD NEW", help="Rename a stored set.")
@click.option("--remove", metavar="NAME", help="Remove a stored set; it is kept for a day.")
@click.option("--restore", metavar="NAME", help="Bring back a set that was removed.")
@as_json
def list_datasets(
    wanted: str | None,
    add: Path | None,
    rename: tuple[str, str] | None,
    remove: str | None,
    restore: str | None,
    as_json: bool,
    name: str | None,
    size: tuple[int, int] | None,
    colour: bool | None,
    fit: str,
    images_in: str | None,
    transposed: bool,
    variable: str | None,
) -> None:
    """List the data sets: names, sizes, where each comes from, whether it is here."""
    if wanted:
        datasets.download(wanted, progress=sys.stderr.isatty())
    if add:
        layout = ingest.Layout(size, images_in, transposed, variable)
        store(add, name, layout, ingest.Choices(size, colour, fit))
    if rename:
        click.echo(f"{rename[0]} is now {ingest.rename(*rename)}.", err=True)
    if remove:
        click.echo(farewell(ingest.delete(remove), f"datasets --restore {remove}"), err=True)
    if restore:
        click.echo(f"{ingest.restore(restore)} is back.", err=True)
    rows = []
    for known in datasets.names():
        here = datasets.is_here(known)
        row = {"name": known, "here": here, "from": datasets.where_from(known)}
        if here:
            faces = datasets.load(known)
            row |= {"images": len(faces), "image_shape": list(faces.image_shape)}
        rows.append(row)
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        shape = "×".join(map(str, row.get("image_shape", ())))
        held = f"{row['images']:,} images of {shape}" if row["here"] else why_not(row["name"])
        click.echo(f"{row['name']:<10} {held:<28} {row['from']}")


def why_not(name: str) -> str:
    """Why a data set that Visage knows is not here, in a few words."""
    return "not drawn here yet" if SOURCES[name].making else "not on this machine"


def store(
    path: Path,
    name: str | None = None,
    layout: ingest.Layout | None = None,
    choices: ingest.Choices | None = None,
) -> str:
    """Store a set and say what is in it and what became of it; its name."""
    with tqdm(
        total=100, unit="%", disable=not sys.stderr.isatty(), dynamic_ncols=True, leave=False
    ) as bar:
        found = ingest.look(path, layout, lambda share: bar.update(30 * share - bar.n))
        tqdm.write(f"{path.name or path}: {found.summary}.", file=sys.stderr)
        for sentence in filter(None, (found.cut_short, found.known, *found.remarks)):
            tqdm.write(sentence, file=sys.stderr)
        stored = ingest.store(
            found, name, choices, lambda share: bar.update(30 + 70 * share - bar.n)
        )
    shape = "×".join(map(str, stored.faces.image_shape))
    click.echo(
        f"{stored.faces.name} is stored already, of these very images."
        if stored.was_there
        else f"{stored.faces.name} holds {len(stored.faces):,} images of {shape} now.",
        err=True,
    )
    for skipped, why in stored.skipped[:20]:
        click.echo(f"  skipped {skipped}: {why}", err=True)
    if stored.skipped_count > 20:
        click.echo(f"  … and {stored.skipped_count - 20:,} more", err=True)
    if found.ignored:
        click.echo(f"  ignored {found.ignored:,} links and paths that lead elsewhere", err=True)
    return stored.faces.name
