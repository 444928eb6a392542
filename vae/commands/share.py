"""``share``: one HTML file of models, to send to anyone."""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from vae import datasets, page, runs
from vae.datasets.labels import Labels
from vae.errors import VisageError
from vae.latent.lesson import is_teachable, journeys
from vae.latent.packed import MOST_AXES, NamedAxis
from vae.latent.posteriors import label_direction, training_places
from vae.latent.surface import DecoderSurface
from vae.limits import in_words
from vae.models import collection
from vae.models.checkpoint import Checkpoint, load_checkpoint

# What runs in a browser lies beside the packages here or, installed, in the app's folder.
_HERE = Path(__file__).resolve().parents[2]
BROWSER = (_HERE / "ui" / "browser", _HERE / "visage_app" / "ui" / "browser")

# What a lesson is called that was given no title: the paper's own.
LESSON = "Auto-Encoding Variational Bayes, by hand"


@click.command("share")
@click.argument("models", metavar="MODEL…", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="An HTML file.")
@click.option(
    "--title", default="", help="The page's title; made of the data's name if not given."
)
@click.option(
    "--with-encoder", is_flag=True, help="So that visitors can try a face of their own: larger."
)
@click.option(
    "--axis",
    "labels",
    metavar="LABEL[=KIND]",
    multiple=True,
    help="A slider for the direction that goes with a label of the data, such as smile, or with "
    "one kind of it, such as beard=full; may be repeated.",
)
@click.option("--learn", is_flag=True, help="The lesson of the page Learn, told with one model.")
def share_command(
    models: tuple[str, ...],
    out: Path,
    title: str,
    with_encoder: bool,
    labels: tuple[str, ...],
    learn: bool,
) -> None:
    """Write a page of one or more models: one file that opens anywhere, with no server.

    MODEL is a checkpoint's file, a run's folder, or the name of a run, of a model that ships, or
    of one that was brought.
    """
    named: dict[str, Checkpoint] = {}
    for model in models:
        path, name = found(model)
        others = sum(other == name or other.startswith(f"{name} (") for other in named)
        named[f"{name} ({others + 1})" if others else name] = load_checkpoint(path)
    if learn and labels:
        raise VisageError("A lesson has no sliders for named axes: leave out --axis or --learn.")
    if learn:
        title = title or LESSON
        size = page.write(out, named, parts("lesson_parts"), title, True, lesson(named))
    else:
        size = page.write(out, named, parts(), title, with_encoder, axes=axes_of(named, labels))
    click.echo(f"{out}: {in_words(size)}. To show it in another page:", err=True)
    click.echo(page.iframe(out.name, title or page.title_of(named)))


def found(model: str) -> tuple[Path, str]:
    """The checkpoint that a word of the command line means, and what to call it."""
    path = Path(model)
    if path.is_file():
        return path, path.stem
    if path.is_dir():
        best = next(
            filter(Path.is_file, (path / "best.safetensors", path / "checkpoint.safetensors")),
            None,
        )
        if best is None:
            raise VisageError(f"{path} is no run with a checkpoint: give a run's folder.")
        return best, path.resolve().name
    for known in (*collection.SHIPPED.glob(f"*{collection.SUFFIX}"), *collection.brought()):
        if known.stem == model:
            return known, model
    for run in runs.all_runs():
        if run.name == model:
            return found(str(run.path))
    raise VisageError(
        f"There is no model '{model[:200]}': give a .safetensors file, a run's folder, or the "
        "name of a model or run."
    )


def axes_of(named: Mapping[str, Checkpoint], wanted: Sequence[str]) -> dict[str, list[NamedAxis]]:
    """Directions of labels of the faces that models were trained on, by the models' names: each
    has those of the labels that are known of its faces.

    Arguments:
        named: The models.
        wanted: Labels, or a label, =, and one of its kinds.

    Raises:
        VisageError: Of none of the models there is a direction of a label; why not of the first.
    """
    if len(wanted) > MOST_AXES:
        raise VisageError(f"A page has sliders for {MOST_AXES} named axes at most.")
    axes: dict[str, list[NamedAxis]] = {}
    problems: dict[str, list[VisageError]] = {label: [] for label in wanted}
    for name, checkpoint in named.items() if wanted else ():
        axes[name] = []
        try:
            means, labels = labelled(name, checkpoint)
        except VisageError as problem:
            for label in wanted:
                problems[label].append(problem)
            continue
        for label in wanted:
            try:
                axes[name].append(named_axis(means, labels, label))
            except VisageError as problem:
                problems[label].append(problem)
    for met in problems.values():
        if len(met) == len(named):
            raise met[0]
    return axes


def labelled(name: str, checkpoint: Checkpoint) -> tuple[np.ndarray, Labels]:
    """The posterior means of a model's training faces, (N, K), and what is known of each.

    Raises:
        VisageError: The data set is not here, or nothing is known of its faces.
    """
    card, posterior = checkpoint.card, checkpoint.posterior
    if not card.dataset or posterior is None:
        raise VisageError(f"{name} does not say where its training faces lie, nor of which data.")
    data = datasets.load(card.dataset, fetch=False)
    means = np.asarray(posterior.mean)
    is_it = card.dataset_sha256 in ("", data.sha256) and card.image_shape == data.image_shape
    places = training_places(card, data, len(means)) if is_it and len(means) else None
    if places is None:
        raise VisageError(f"The {data.name} on this machine is not the one {name} learnt from.")
    if data.labels is None:
        raise VisageError(f"Nothing is known of the faces of {data.name}, so no axis has a name.")
    return means, data.labels.at(places)


def named_axis(means: np.ndarray, labels: Labels, wanted: str) -> NamedAxis:
    """The direction of a label, or of a kind of one, as ``--axis`` names it."""
    label, _, kind = (wanted, "", "") if wanted in labels.names else wanted.partition("=")
    if label not in labels.names:
        raise VisageError(
            f"There is no label '{label[:100]}': --axis takes {', '.join(labels.names)[:500]}."
        )
    column = labels[label]
    if not column.is_categorical:
        if kind:
            raise VisageError(f"{label} is a number and has no kinds: --axis {label}.")
        return NamedAxis(label, *label_direction(means, column))
    if kind not in column.kinds:
        raise VisageError(
            f"{label} is one of {', '.join(column.kinds)[:500]}: --axis '{label}=KIND' takes one."
        )
    place = column.kinds.index(kind)
    return NamedAxis(kind, *label_direction(means, column, place))


def lesson(named: dict[str, Checkpoint]) -> str:
    """What a lesson is told with beside its model, as JSON.

    Raises:
        VisageError: There is not one model, or it is none that the lesson can be told with.
    """
    if len(named) != 1:
        raise VisageError("A lesson is told with one model: name one with --learn.")
    ((name, checkpoint),) = named.items()
    if not is_teachable(checkpoint.model):
        raise VisageError(
            f"The lesson can't be told with {name}: it takes a model with two latents, the "
            "gaussian likelihood and perceptrons with tanh, such as frey-2d."
        )
    page.check(name, checkpoint, encoder=True)
    posterior = checkpoint.posterior
    found = (
        []
        if posterior is None
        else journeys(DecoderSurface(checkpoint.model, posterior), np.asarray(posterior.mean))
    )
    return json.dumps({"journeys": found})


def parts(which: str = "page_parts") -> page.Parts:
    """What a page is made of, from the room of the app that keeps it.

    This half of the house knows nothing of the other but where it lies: that room is read by its
    path, and imports nothing itself.
    """
    for folder in BROWSER:
        door = importlib.util.spec_from_file_location("visage_browser", folder / "__init__.py")
        if (folder / "__init__.py").is_file() and door is not None and door.loader is not None:
            room = importlib.util.module_from_spec(door)
            door.loader.exec_module(room)
            return page.Parts(**getattr(room, which)())
    raise VisageError(
        "The app is not here, and a shared page is made of its parts: install Visage whole, with "
        "'pip install .' in its folder."
    )
