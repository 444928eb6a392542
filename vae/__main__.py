"""The command line: ``python -m vae``.

Errors are one sentence on stderr and exit code 2.
"""

import dataclasses
import json
import math
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from tqdm import tqdm

from vae import datasets, images, runs, trash
from vae.datasets import ingest
from vae.datasets.faces import SPLITS
from vae.errors import VisageError
from vae.files import replacing
from vae.latent.arrays import active_units, decode, encode, manifold_sheet
from vae.models import onnx
from vae.models.card import Split
from vae.models.checkpoint import load_checkpoint, read_card
from vae.runs import trainer
from vae.training import distributed
from vae.training.loop import choose_device
from vae.training.recipes import RECIPES, THE_RECIPES, TrainingConfig


class Commands(click.Group):
    """A group whose commands turn errors into a sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except VisageError as error:
            click.echo(str(error), err=True)
            sys.exit(2)


class SpreadOptions(click.Command):
    """A command whose repeatable options also take several values: ``--hidden 200 200``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        repeatable = {
            name
            for option in self.params
            if getattr(option, "multiple", False)
            for name in option.opts
        }
        spread: list[str] = []
        option = None
        for argument in args:
            if option and not argument.startswith("-") and spread[-1] != option:
                spread.append(option)
            elif argument.startswith("-"):
                option = argument if argument in repeatable else None
            spread.append(argument)
        return super().parse_args(ctx, spread)


as_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
checkpoint_argument = click.argument("checkpoint", type=click.Path(path_type=Path))


@click.group(cls=Commands)
def main() -> None:
    """Train, judge and draw variational autoencoders of faces."""


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


@main.command("datasets")
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
        held = f"{row['images']:,} images of {shape}" if row["here"] else "not on this machine"
        click.echo(f"{row['name']:<10} {held:<28} {row['from']}")


def farewell(deleted: trash.Deleted, command: str) -> str:
    """Where something went, and how to get it back."""
    return (
        f"{deleted.name} is gone. For {trash.KEPT_HOURS} hours it lies in {deleted.path}; to get "
        f"it back: python -m vae {command}"
    )


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
        for sentence in filter(None, (found.cut_short, found.not_kept)):
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


@main.command("train", cls=SpreadOptions)
@click.option(
    "--dataset",
    default="frey",
    show_default=True,
    help="A name, or the path of whatever 'datasets --add' takes, which is stored first.",
)
@click.option("--latent-dim", type=int, default=2, show_default=True)
@click.option("--hidden", type=int, multiple=True, help="Units of each hidden layer: 200 200.")
@click.option("--batch-size", type=int, default=100, show_default=True)
@click.option("--steps", type=int, help="Optimiser steps; the recipe's if not given.")
@click.option("--learning-rate", type=float, help="The highest; the recipe's if not given.")
@click.option(
    "--holdout",
    type=float,
    default=0.1,
    show_default=True,
    help="The validation set's share, which the best step is chosen on.",
)
@click.option(
    "--test",
    type=float,
    help="The test set's share, which nothing sees before training is over; 0 for none. If not "
    "given, 0.1 of random images, else 0.2.",
)
@click.option("--split", default="random", show_default=True, help=", ".join(SPLITS))
@click.option("--split-seed", type=int, default=0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--recipe", default="default", show_default=True, help=", ".join(RECIPES))
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--out", type=click.Path(path_type=Path), help="The new run's folder.")
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with the run there.")
@as_json
def train_command(
    resume: Path | None,
    out: Path | None,
    as_json: bool,
    dataset: str,
    latent_dim: int,
    hidden: tuple[int, ...],
    batch_size: int,
    steps: int | None,
    learning_rate: float | None,
    holdout: float,
    test: float | None,
    split: str,
    split_seed: int,
    seed: int,
    recipe: str,
    device: str,
) -> None:
    """Train a model, and keep all that happens in a run's folder."""
    where = runs.Run(resume).config.device if resume else device
    with distributed.joined(choose_device(where)):
        # Where torchrun started several processes, the first prepares the run and tells where.
        path = Path()
        if distributed.rank() == 0:
            if resume:
                run = runs.Run(resume)
                if steps is not None:
                    run.extend(steps)
            else:
                config = TrainingConfig(
                    dataset=name_of(dataset),
                    latent_dim=latent_dim,
                    hidden_dims=hidden or THE_RECIPES,
                    batch_size=batch_size,
                    steps=THE_RECIPES if steps is None else steps,
                    learning_rate=THE_RECIPES if learning_rate is None else learning_rate,
                    holdout=holdout,
                    test=THE_RECIPES if test is None else test,
                    split=split,
                    split_seed=split_seed,
                    seed=seed,
                    recipe=recipe,
                    device=device,
                )
                run = runs.create(config, out)
            path = run.path
        run = runs.Run(distributed.from_first_rank(path))
        follow(run)
    if distributed.rank() == 0:
        report(run, as_json)


def name_of(dataset: str) -> str:
    """What training may call a data set that is given by a name or a path; stored, if need be."""
    path = Path(dataset)
    if dataset in datasets.names() or datasets.is_here(dataset) or not path.exists():
        return dataset
    # A file of bytes is used where it lies, however large it is.
    return dataset if is_used_in_place(path) else store(path)


def is_used_in_place(path: Path) -> bool:
    """Whether a file is a .npy of images that needs no conversion."""
    if path.suffix != ".npy" or not path.is_file():
        return False
    try:
        datasets.load(path)
    except VisageError:
        return False
    return True


def follow(run: runs.Run) -> None:
    """Train a run with a progress bar on the terminal."""
    news = {}
    silent = distributed.rank() > 0 or not sys.stderr.isatty()
    with tqdm(total=run.config.steps, unit="step", disable=silent, dynamic_ncols=True) as bar:

        def finishing(share: float) -> None:
            bar.set_description(f"judging the model, {100 * share:.0f} %")

        for progress in trainer.trained(run, say_place, finishing):
            bar.update(progress.step - bar.n)
            news["ELBO"] = f"{progress.elbo:.1f}"
            if progress.heldout_elbo is not None:
                news["validation"] = f"{progress.heldout_elbo:.1f}"
            bar.set_postfix(news)


def say_place(place: int) -> None:
    """Tell on the terminal why nothing happens yet."""
    waits_for = "another run" if place == 1 else f"{place} other runs"
    tqdm.write(
        f"This machine is training already: waiting for {waits_for} to end. VISAGE_MAX_RUNS "
        "says how many may train at once.",
        file=sys.stderr,
    )


def report(run: runs.Run, as_json: bool) -> None:
    """Print how a run ended."""
    status = run.status()
    if not run.last.exists():
        raise VisageError(
            f"{status.state.capitalize()} before there was a first checkpoint. Go on with: "
            f"python -m vae train --resume {run.path}"
        )
    last = read_card(run.last)
    best = read_card(run.best) if run.best.exists() else last
    steps, seconds = last.step or 0, last.seconds or 0.0
    found = {
        "run": str(run.path),
        "steps": steps,
        "seconds": seconds,
        "steps_per_second": steps / seconds if seconds else 0.0,
        "train_elbo": last.train.elbo,
        "train_elbo_error": last.train.elbo_error,
        "heldout_elbo": last.heldout.elbo,
        "heldout_elbo_error": last.heldout.elbo_error,
        "best_heldout_elbo": best.heldout.elbo,
        "best_heldout_elbo_error": best.heldout.elbo_error,
        "test_elbo": last.test.elbo,
        "test_elbo_error": last.test.elbo_error,
        "best_test_elbo": best.test.elbo,
        "best_test_elbo_error": best.test.elbo_error,
        # The whole of what is known of the model that is kept.
        "test": None if best.test.elbo is None else dataclasses.asdict(best.test),
        "checkpoint": str(run.last),
        "best_checkpoint": str(run.best if run.best.exists() else run.last),
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(
        f"{status.state.capitalize()} after {steps:,} steps in {seconds:.1f} s "
        f"({found['steps_per_second']:.0f} steps/s).\n"
        f"ELBO, nats an image   {f'best, at step {best.step or 0:,}':<24} at the end"
    )
    has_test = run.config.test > 0
    for label, of_best, of_last in (
        ("training", best.train, last.train),
        ("validation" if has_test else "held-out", best.heldout, last.heldout),
        ("test", best.test, last.test),
    ):
        if of_best.elbo is not None or of_last.elbo is not None:
            click.echo(
                f"  {label:<19} {nats(of_best.elbo, of_best.elbo_error):<24} "
                f"{nats(of_last.elbo, of_last.elbo_error)}"
            )
    judged = best.quality
    if judged.importance_weighted is not None:
        bound = nats(judged.importance_weighted, judged.importance_weighted_error)
        count = f"{judged.importance_images or 0:,}"
        click.echo(f"log p(x) about {bound} on {count} {best.measured_on} images")
    if best.measured_on != "test":
        click.echo(
            "The test set is looked at when training has come to its end."
            if has_test
            else "The held-out images also chose the step: --test would set others aside."
        )
    click.echo(
        f"{best.active_units} of {best.latent_dim} latents in use.\n{found['best_checkpoint']}"
    )
    if status.state == "stopped":
        click.echo(f"Go on with: python -m vae train --resume {run.path}")


def nats(value: float | None, error: float | None = None) -> str:
    """A figure as the terminal shows it, with its standard error where that is known."""
    if value is None:
        return "unknown"
    return f"{value:.1f}" if error is None else f"{value:.1f} ± {error:.1f}"


@main.group("runs", invoke_without_command=True)
@as_json
@click.pass_context
def runs_group(context: click.Context, as_json: bool) -> None:
    """List the runs, or stop, resume, extend, rename, remove and restore one."""
    if context.invoked_subcommand:
        return
    rows = [row_of(run) for run in runs.all_runs()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo(f"There are no runs in {runs.folder()}/: start one with 'python -m vae train'.")
    for row in rows:
        elbo, test = row["best_heldout_elbo"], row["best_test_elbo"]
        best = ""
        if elbo is not None:
            best = f"  validation ELBO {elbo:,.1f} at step {row['best_step'] or 0:,}"
        if test is not None:
            best += f", test {nats(test, row['best_test_elbo_error'])}"
        place = f", {row['place']} before it" if row["place"] else ""
        state = row["state"] + place
        click.echo(f"{row['run']:<32} {state:<12} {row['step']:>9,} of {row['steps']:,}{best}")
        if row["error"]:
            click.echo(f"{'':<32} {row['error']}")


def row_of(run: runs.Run) -> dict:
    """What the list says of a run."""
    status, card = run.status(), run.results()
    return {
        "run": run.name,
        "state": status.state,
        "place": status.place,
        "step": status.step,
        "steps": run.config.steps,
        "best_step": card and card.step,
        "best_heldout_elbo": card and card.heldout.elbo,
        "best_test_elbo": card and card.test.elbo,
        "best_test_elbo_error": card and card.test.elbo_error,
        "error": status.error,
        "path": str(run.path),
    }


run_argument = click.argument("name")


@runs_group.command("stop")
@run_argument
def stop_command(name: str) -> None:
    """Ask a run to save and stop, and wait until it has."""
    run = runs.find(name)
    run.stop()
    while run.status().is_alive:
        time.sleep(0.1)
    status = run.status()
    click.echo(f"{status.state.capitalize()} at step {status.step:,}.")


@runs_group.command("resume")
@run_argument
def resume_command(name: str) -> None:
    """Go on with a run, in a process of its own."""
    launch(runs.find(name))


@runs_group.command("extend")
@run_argument
@click.option("--steps", type=int, required=True, help="The step to train up to.")
def extend_command(name: str, steps: int) -> None:
    """Give a run more steps and go on with it, in a process of its own."""
    run = runs.find(name)
    run.extend(steps)
    launch(run)


def launch(run: runs.Run) -> None:
    """Start a run and say where to look."""
    run.launch()
    click.echo(f"{run.name} goes on in the background: 'python -m vae runs' shows how it does.")


@runs_group.command("rename")
@run_argument
@click.argument("new_name")
def rename_command(name: str, new_name: str) -> None:
    """Give a run another name."""
    click.echo(str(runs.find(name).rename(new_name).path))


@runs_group.command("rm")
@run_argument
def remove_command(name: str) -> None:
    """Remove a run and all that it recorded; it is kept for a day."""
    click.echo(farewell(runs.find(name).delete(), f"runs restore {shlex.quote(name)}"))


@runs_group.command("restore")
@run_argument
def restore_command(name: str) -> None:
    """Bring back a run that was removed within the last day."""
    click.echo(str(runs.restore(name).path))


@main.command("evaluate")
@checkpoint_argument
@click.option("--dataset", help="Another data set than the checkpoint names.")
@click.option("--samples", type=click.IntRange(1), default=16, show_default=True)
@click.option("--importance-samples", type=click.IntRange(1), default=128, show_default=True)
@as_json
def evaluate_command(
    checkpoint: Path, dataset: str | None, samples: int, importance_samples: int, as_json: bool
) -> None:
    """Judge a model on the training, validation and test images of its split."""
    loaded = load_checkpoint(checkpoint)
    model, card = loaded.model, loaded.card
    name = dataset or card.dataset
    if not name:
        raise VisageError(f"{checkpoint} does not say what it was trained on: give --dataset.")
    faces = datasets.load(name)
    if faces.image_shape != model.image_shape:
        raise VisageError(
            f"{checkpoint} is a model of images of {'×'.join(map(str, model.image_shape))}; those "
            f"of {name} are of {'×'.join(map(str, faces.image_shape))}."
        )
    split = card.split or Split("random", 0.1, 0)
    parts = faces.splits_indices(split.holdout, split.test, split.how, split.seed)
    training = faces.pixels(parts.training)
    found: dict[str, Any] = {
        "train": trainer.summary(model, training, samples, importance_samples),
        "heldout": trainer.summary(
            model, faces.pixels(parts.validation), samples, importance_samples
        ),
        "test": None,
    }
    if len(parts.test):
        tested = trainer.spread(parts.test, trainer.TESTED_IMAGES)
        found["test"] = trainer.summary(model, faces.pixels(tested), samples, importance_samples)
        found["test"]["images"] = len(tested)
    active = active_units(encode(model, training))
    if as_json:
        click.echo(json.dumps(found | {"active_units": active}))
        return
    # The words of the split, where a test set is part of it.
    labels = {"train": "training", "heldout": "validation" if found["test"] else "held-out"}
    for part, figures in found.items():
        if figures is not None:
            terms = ("elbo", "log_likelihood", "kl", "importance_weighted")
            told = (
                f"{term} {nats(figures[term], figures.get(f'{term}_error'))}" for term in terms
            )
            click.echo(f"{labels.get(part, part):<11} " + "  ".join(told))
    if not found["test"]:
        click.echo("The held-out images also chose the step: this model has no test set.")
    click.echo(f"{active} of {model.latent_dim} latents in use")


@main.command("manifold")
@checkpoint_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A PNG file.")
@click.option("--grid", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--tail", type=float, default=0.01, show_default=True)
@click.option("--scale", type=click.IntRange(1, 20), default=2, show_default=True)
def manifold_command(checkpoint: Path, out: Path, grid: int, tail: float, scale: int) -> None:
    """Draw the decoded manifold (the paper's Figure 4)."""
    model = load_checkpoint(checkpoint).model
    z = manifold_sheet(grid, tail, model.latent_dim)
    write_picture(out, decode(model, z)[0], scale)


@main.command("sample")
@checkpoint_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A PNG file.")
@click.option("-n", "count", type=click.IntRange(1, 10_000), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--scale", type=click.IntRange(1, 20), default=2, show_default=True)
def sample_command(checkpoint: Path, out: Path, count: int, seed: int, scale: int) -> None:
    """Draw faces at random points of the prior (the paper's Figure 5)."""
    model = load_checkpoint(checkpoint).model
    z = np.random.default_rng(seed).standard_normal((count, model.latent_dim))
    faces = decode(model, z)[0]
    columns = math.ceil(math.sqrt(count))
    canvas = np.ones((math.ceil(count / columns) * columns, *faces.shape[1:]))
    canvas[:count] = faces
    write_picture(out, canvas.reshape(-1, columns, *faces.shape[1:]), scale)


@main.command("export")
@checkpoint_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder.")
def export_command(checkpoint: Path, out: Path) -> None:
    """Write encoder.onnx and decoder.onnx, checked against the model."""
    model = load_checkpoint(checkpoint).model
    for name, content in (("encoder", onnx.encoder(model)), ("decoder", onnx.decoder(model))):
        if content is None:
            raise VisageError(f"The {name} of {checkpoint} has no form in ONNX.")
        with replacing(out / f"{name}.onnx") as beside:
            beside.write_bytes(content)
        click.echo(str(out / f"{name}.onnx"))


def write_picture(out: Path, faces: np.ndarray, scale: int) -> None:
    """Write faces (R, C, H, W[, 3]) as one PNG."""
    with replacing(out) as beside:
        beside.write_bytes(images.png(images.tile(images.to_uint8(faces)), scale))
    click.echo(str(out))


if __name__ == "__main__":
    # Adam's squared gradients of weights that hardly matter sink below what a float holds
    # normally, and processors take many times as long over such numbers. For this process alone,
    # and before torch starts its threads, which inherit it.
    torch.set_flush_denormal(True)
    main(prog_name="python -m vae")
