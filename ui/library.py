"""The models and data sets on this machine: listed, and read once for all visitors."""

__all__ = [
    "DEFAULT",
    "Choice",
    "Stored",
    "dataset_is_here",
    "difference_in_data",
    "faces",
    "load",
    "models",
    "parts",
    "posterior_means",
    "ranking",
    "training_faces",
]

import dataclasses
import functools
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st

from vae import datasets, latent, runs
from vae.datasets import sources
from vae.datasets.faces import Faces
from vae.errors import VisageError
from vae.latent.posteriors import training_places
from vae.models import collection
from vae.models.card import ModelCard
from vae.models.checkpoint import Checkpoint, load_checkpoint, read_card

SHIPPED = collection.SHIPPED

# To find the best and the worst of a large set, this many images of it are looked at.
MOST_RANKED = 5_000

# What a visitor sees first.
DEFAULT = "frey-2d"


class Stored(NamedTuple):
    """A checkpoint at one version of its file: what all that is made of it is kept by.

    Of plain values, which Streamlit's caches look up ten times as fast as a path: a page does so
    dozens of times.

    Arguments:
        file: The path of the file.
        version: Its modification time in nanoseconds.
    """

    file: str
    version: int

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file)

    @classmethod
    def of(cls, path: Path) -> "Stored":
        """A file as it is now.

        Raises:
            OSError: There is none.
        """
        return cls(str(path), path.stat().st_mtime_ns)


@dataclass(frozen=True)
class Choice:
    """A model that can be chosen.

    Arguments:
        name: What the picker and the URL call it.
        path: Its checkpoint.
        version: The modification time of that in nanoseconds.
        card: What the checkpoint says of itself; None where it can't be read.
        problem: Why it can't be read, as a sentence; empty where it can.
        state: The state of the run that it comes from; empty for one that ships or was brought.
        dataset: The name or path of the data set it was trained on; empty where unknown.
    """

    name: str
    path: Path
    version: int
    card: ModelCard | None = None
    problem: str = ""
    state: str = ""
    dataset: str = ""

    @property
    def is_running(self) -> bool:
        """Whether it is being trained now, so that its file changes every few seconds."""
        return self.state == "running"

    @property
    def stored(self) -> Stored:
        """Its file as it is now."""
        return Stored(str(self.path), self.version)


def models() -> dict[str, Choice]:
    """Every model by its name: those that ship, the default first, then runs, newest first, then
    those that were brought."""
    shipped = sorted(SHIPPED.glob("*.safetensors"), key=lambda path: (path.stem != DEFAULT, path))
    found = [_choice(path.stem, path) for path in shipped]
    for run in runs.all_runs():
        state = run.status().state
        # A running model is shown as it is now; a finished one at its best.
        paths = (run.last, run.best) if state == "running" else (run.best, run.last)
        path = next((path for path in paths if path.is_file()), None)
        if path is not None:
            found.append(_choice(run.name, path, state, str(run.config.dataset)))
    found += [_choice(path.stem, path) for path in collection.brought()]
    named: dict[str, Choice] = {}
    for choice in filter(None, found):
        name = choice.name
        # Folders of an earlier day, or copied there by hand, may have one that is taken.
        suffix = "run" if choice.state else "uploaded"
        for place in itertools.count(2):
            if name not in named:
                break
            name = f"{choice.name} ({suffix})"
            suffix = f"{'run' if choice.state else 'uploaded'} {place}"
        named[name] = dataclasses.replace(choice, name=name)
    return named


# Streamlit's cache reads a file once, however many ask at the same time, and looks through the
# function's signature whenever it is asked; Python's, before it, finds at once what has been read.
@functools.lru_cache(maxsize=8)
@st.cache_resource(max_entries=8, show_spinner=False)
def load(stored: Stored) -> Checkpoint:
    """A checkpoint, read once for each version of its file."""
    return load_checkpoint(stored.path)


def dataset_is_here(name: str) -> bool:
    """Whether a data set, named or given by a path, can be loaded without a download."""
    try:
        return datasets.is_here(name) or (name.endswith(".npy") and Path(name).is_file())
    except OSError:
        # Beyond a folder that may not be entered, say.
        return False


def faces(name: str) -> Faces:
    """A data set that is on this machine, read once for each version of its file.

    Raises:
        VisageError: It is not here, or damaged.
    """
    file = sources.file_of(name)
    version = file.stat().st_mtime_ns if file is not None and file.is_file() else 0
    return _faces(name, file, version)


def difference_in_data(card: ModelCard, data: Faces) -> str:
    """How a data set differs from the one a model was trained on, as a sentence; or nothing."""
    if card.image_shape != data.image_shape:
        sizes = " and ".join(
            "×".join(map(str, shape)) for shape in (data.image_shape, card.image_shape)
        )
        return f"The {data.name} on this machine and this model's images differ in size: {sizes}."
    if card.dataset_sha256 not in ("", data.sha256):
        return (
            f"The {data.name} on this machine is not the one this model was trained on: "
            "its images differ, so read the figures with care."
        )
    return ""


def parts(card: ModelCard, data: Faces) -> dict[str, np.ndarray]:
    """The places in a data set of a model's test, validation and training images.

    Of a model without a test set, the validation images are called held-out, as ever. Where it
    doesn't say how the set was split, there is one part: all images.

    Raises:
        VisageError: The split that the model records can't be made.
    """
    split = card.split
    if split is None:
        return {"all": np.arange(len(data))}
    sets = data.splits_indices(split.holdout, split.test, split.how, split.seed)
    sets = sets.learning_from(split.training_images)
    if not len(sets.test):
        return {"held-out": sets.validation, "training": sets.training}
    return {"test": sets.test, "validation": sets.validation, "training": sets.training}


@functools.lru_cache(maxsize=8)
@st.cache_resource(max_entries=8, show_spinner=False)
def posterior_means(stored: Stored) -> np.ndarray:
    """The posterior means of a model's training set, (N, K); N = 0 where they are unknown."""
    checkpoint = load(stored)
    if checkpoint.posterior is None:
        return np.zeros((0, checkpoint.model.latent_dim), dtype=np.float32)
    return np.asarray(checkpoint.posterior.mean)


def training_faces(choice: Choice) -> tuple[Faces, np.ndarray, np.ndarray] | None:
    """A model's training images, where they are here and the ones it was trained on.

    Returns:
        The data set, the places in it of training images, (N,), and their posterior means, (N, K);
        or None.
    """
    means = posterior_means(choice.stored)
    card = choice.card
    if card is None or not len(means) or not choice.dataset:
        return None
    if not dataset_is_here(choice.dataset):
        return None
    try:
        data = faces(choice.dataset)
        places = training_places(card, data, len(means))
    except VisageError:
        # Damaged; the page Reconstruct says so.
        return None
    if places is None or difference_in_data(card, data):
        return None
    return data, places, means


def ranking(choice: Choice, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ELBO of a part of a model's data set, in nats, to find the best and the worst by.

    Arguments:
        choice: The model, whose data set is here.
        part: Places in the data set.

    Returns:
        The ELBO of each image that was looked at, and these images' places in the data set: all
        of the part or, of a large one, evenly chosen ones.
    """
    looked_at = part[:: 1 + len(part) // MOST_RANKED]
    data = faces(choice.dataset)
    return _elbo(choice.stored, looked_at, data.sha256, data), looked_at


@st.cache_data(max_entries=16, show_spinner="Judging every face…")
def _elbo(stored: Stored, looked_at: np.ndarray, sha256: str, _data: Faces) -> np.ndarray:
    model = load(stored).model
    if model.why_no_nats:
        # The best are those whose reconstructions are nearest then.
        return -latent.squared_errors(model, _data.pixels(looked_at))
    return latent.evaluate(model, _data.pixels(looked_at))["elbo"]


def _choice(name: str, path: Path, state: str = "", dataset: str = "") -> Choice | None:
    try:
        stored = Stored.of(path)
    except OSError:
        # Deleted between the listing and now.
        return None
    card, problem = _card(stored)
    if card is not None and not dataset:
        dataset = card.dataset
        if path.parent == collection.folder() and dataset != Path(dataset).name:
            # A path on the machine of whoever trained it: here it would be another's file.
            dataset = ""
    return Choice(name, path, stored.version, card, problem, state, dataset)


@functools.lru_cache(maxsize=1000)
def _card(stored: Stored) -> tuple[ModelCard | None, str]:
    try:
        return read_card(stored.path), ""
    except VisageError as error:
        return None, str(error)


@functools.lru_cache(maxsize=4)
@st.cache_resource(max_entries=4, show_spinner=False)
def _faces(name: str, file: Path | None, version: int) -> Faces:
    return datasets.load(name, fetch=False)
