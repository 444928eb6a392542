"""Which model and data a visitor has chosen, and cached loading of both."""

__all__ = [
    "Choice",
    "be_in_the_app",
    "choose",
    "chosen",
    "dataset_is_here",
    "difference_in_data",
    "faces",
    "figure",
    "load",
    "models",
    "number",
    "parts",
    "pick_axes",
    "picked_model",
    "plain",
    "posterior_means",
    "ranking",
    "read_only",
    "sentences",
    "training_faces",
]

import contextlib
import gc
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import streamlit as st

from ui.charts import latent_name
from ui.navigation import navigate
from vae import datasets, latent, runs
from vae.datasets import sources
from vae.datasets.sources import Faces
from vae.errors import VisageError
from vae.models import collection
from vae.models.checkpoint import Checkpoint, load_checkpoint, read_info
from vae.runs.run import read_only

# Streamlit collects garbage after every run of every visitor's script, which takes 0.13 s of CPU
# time with the objects of the libraries to go through. None of those will ever be garbage.
gc.collect()
gc.freeze()

SHIPPED = Path(__file__).resolve().parents[1] / "checkpoints"

# To find the best and the worst of a large set, this many images of it are looked at.
MOST_RANKED = 5_000

# What a visitor sees first.
DEFAULT = "frey-2d"


@dataclass(frozen=True)
class Choice:
    """A model that can be chosen.

    Arguments:
        name: What the picker and the URL call it.
        path: Its checkpoint.
        version: The checkpoint's modification time in nanoseconds: what caches are keyed by.
        info: What the checkpoint says of itself; empty where it can't be read.
        problem: Why it can't be read, as a sentence; empty where it can.
        state: The state of the run that it comes from; empty for one that ships or was brought.
        dataset: The name or path of the data set it was trained on; empty where unknown.
    """

    name: str
    path: Path
    version: int
    info: dict = field(default_factory=dict, hash=False)
    problem: str = ""
    state: str = ""
    dataset: str = ""

    @property
    def is_running(self) -> bool:
        """Whether it is being trained now, so that its file changes every few seconds."""
        return self.state == "running"


def figure(figures: object, name: str) -> float | None:
    """A number out of what a checkpoint says of itself, which may be anything."""
    value = figures.get(name) if isinstance(figures, dict) else None
    return value if isinstance(value, (int, float)) else None


def number(value: float, digits: int = 0) -> str:
    """A figure as people read it: thousands apart, and a minus sign that is one."""
    return f"{value:,.{digits}f}".replace("-", "−")


def plain(text: str) -> str:
    """A text for Markdown as it stands: a stranger's file may say anything of itself."""
    return re.sub(r"([\\`*\[\]<$])", r"\\\1", text)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Show a :class:`VisageError` as the sentence it is; also usable as a decorator."""
    try:
        yield
    except VisageError as error:
        st.error(plain(str(error)), icon=":material/error:")


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
        # Of two with one name, the one that nobody had to bring.
        named.setdefault(choice.name, choice)
    return named


@contextlib.contextmanager
def picked_model() -> Iterator[None]:
    """Draw the sidebar's model picker; inside, :func:`chosen` is the model that it shows.

    The choice is kept in the session and in the URL.

    Raises:
        VisageError: There is no model at all.
    """
    choices = models()
    if not choices:
        raise VisageError(f"There is no model in {SHIPPED} and no run: get the checkpoints again.")
    healthy = next((choice for choice in choices.values() if not choice.problem), None)
    default = (healthy or next(iter(choices.values()))).name
    asked = st.query_params.get("model")
    # What the URL says counts when it is new, as in a link or after the Back button.
    if asked is not None and asked != st.session_state.get("model_in_url"):
        st.session_state.model = asked
    wanted = st.session_state.setdefault("model", default)
    if wanted not in choices:
        st.session_state.model = default
        st.toast(f"The model that this link names is not here; this is {default}.")
    with st.sidebar:
        st.selectbox(
            "Model", list(choices), key="model", format_func=lambda name: _label(choices[name])
        )
        choice = choices[st.session_state.model]
        st.caption(_description(choice))
    st.session_state.model_in_url = choice.name
    if st.query_params.get("model") != choice.name:
        st.query_params["model"] = choice.name
    st.session_state.choice = choice
    try:
        yield
    finally:
        del st.session_state.choice


def choose(name: str) -> None:
    """Choose a model from a page, as the callback of a button."""
    st.session_state.model = name


def be_in_the_app() -> None:
    """See to it that a page is shown by ``app.py``: for pages that ask for no model."""
    if "choice" not in st.session_state:
        # The first visit to a fresh server, if it asks for /manifold, say: Streamlit runs
        # pages/manifold.py alone, as it did in its old days, until it has seen a navigation.
        navigate("hidden")
        st.rerun()


def chosen() -> tuple[Choice, Checkpoint]:
    """The chosen model.

    Raises:
        VisageError: Its checkpoint can't be read.
    """
    be_in_the_app()
    choice = st.session_state.choice
    return choice, load(choice.path, choice.version)


@st.cache_resource(max_entries=8, show_spinner=False)
def load(path: Path, version: int) -> Checkpoint:
    """A checkpoint, read once for each version of its file."""
    return load_checkpoint(path)


def dataset_is_here(name: str) -> bool:
    """Whether a data set, named or given by a path, can be loaded without a download."""
    return datasets.is_here(name) or (name.endswith(".npy") and Path(name).is_file())


def faces(name: str) -> Faces:
    """A data set that is on this machine, read once for each version of its file.

    Raises:
        VisageError: It is not here, or damaged.
    """
    file = sources.file_of(name)
    return _faces(name, file, file.stat().st_mtime_ns if file.is_file() else 0)


def difference_in_data(info: dict, data: Faces) -> str:
    """How a data set differs from the one a model was trained on, as a sentence; or nothing."""
    if tuple(info["image_shape"]) != data.image_shape:
        sizes = " and ".join(
            "×".join(map(str, shape)) for shape in (data.image_shape, info["image_shape"])
        )
        return f"The {data.name} on this machine and this model's images differ in size: {sizes}."
    if info.get("dataset_sha256") not in (None, data.sha256):
        return (
            f"The {data.name} on this machine is not the one this model was trained on: "
            "its images differ, so read the figures with care."
        )
    return ""


def parts(info: dict, data: Faces) -> dict[str, np.ndarray]:
    """The places in a data set of a model's held-out and training images.

    Where the model doesn't say how the set was split, there is one part: all images.

    Raises:
        VisageError: The split that the model records can't be made.
    """
    split = info.get("split")
    if not isinstance(split, dict):
        return {"all": np.arange(len(data))}
    train, heldout = data.split_indices(
        figure(split, "holdout") or 0, str(split.get("how")), int(figure(split, "seed") or 0)
    )
    return {"held-out": heldout, "training": train}


def pick_axes(latent_dim: int) -> tuple[int, int]:
    """Two selectors for which of more than two latents run across and upwards."""
    left, right = st.columns(2)
    axes = range(latent_dim)
    across = left.selectbox(
        "Across",
        axes,
        key=f"across_{latent_dim}",
        format_func=latent_name,
        persist_state="session",
    )
    others = [axis for axis in axes if axis != across]
    upwards = right.selectbox(
        "Upwards",
        others,
        key=f"upwards_{latent_dim}",
        format_func=latent_name,
        persist_state="session",
    )
    return across, upwards


@st.cache_resource(max_entries=8, show_spinner=False)
def posterior_means(path: Path, version: int) -> np.ndarray:
    """The posterior means of a model's training set, (N, K); N = 0 where they are unknown."""
    checkpoint = load(path, version)
    if checkpoint.posterior is None:
        return np.zeros((0, checkpoint.model.latent_dim), dtype=np.float32)
    return np.asarray(checkpoint.posterior.mean)


def training_faces(choice: Choice) -> tuple[Faces, np.ndarray, np.ndarray] | None:
    """A model's training images, where they are here and the ones it was trained on.

    Returns:
        The data set, the places in it of training images, (N,), and their posterior means, (N, K);
        or None.
    """
    means = posterior_means(choice.path, choice.version)
    if not len(means) or not choice.dataset or not dataset_is_here(choice.dataset):
        return None
    try:
        data = faces(choice.dataset)
        places = parts(choice.info, data).get("training")
    except VisageError:
        # Damaged; the page Reconstruct says so.
        return None
    if places is None or difference_in_data(choice.info, data):
        return None
    # While a run goes on, its checkpoints hold the posterior of a part of a large set.
    places = places[:: -(-len(places) // len(means))]
    return (data, places, means) if len(places) == len(means) else None


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
    return _elbo(choice.path, choice.version, looked_at, data.sha256, data), looked_at


@st.cache_data(max_entries=16, show_spinner="Judging every face…")
def _elbo(
    path: Path, version: int, looked_at: np.ndarray, sha256: str, _data: Faces
) -> np.ndarray:
    return latent.evaluate(load(path, version).model, _data.pixels(looked_at))["elbo"]


def _choice(name: str, path: Path, state: str = "", dataset: str = "") -> Choice | None:
    try:
        version = path.stat().st_mtime_ns
    except OSError:
        # Deleted between the listing and now.
        return None
    info, problem = _info(path, version)
    return Choice(
        name, path, version, info, problem, state, dataset or str(info.get("dataset", ""))
    )


@st.cache_data(max_entries=1000, show_spinner=False)
def _info(path: Path, version: int) -> tuple[dict, str]:
    try:
        return read_info(path), ""
    except VisageError as error:
        return {}, str(error)


@st.cache_resource(max_entries=4, show_spinner=False)
def _faces(name: str, file: Path, version: int) -> Faces:
    return datasets.load(name, fetch=False)


def _label(choice: Choice) -> str:
    if choice.problem:
        return f"{choice.name} (damaged)"
    return f"{choice.name} (training)" if choice.is_running else choice.name


def _description(choice: Choice) -> str:
    if choice.problem:
        return plain(choice.problem)
    info = choice.info
    latents = info["latent_dim"]
    dataset = plain(Path(choice.dataset).name[:60]) or "faces"
    lines = [f"{latents} latent{'s' if latents > 1 else ''} of {dataset}"]
    elbo = figure(info.get("heldout"), "elbo")
    if elbo is not None:
        lines.append(f"held-out ELBO {number(elbo)} nats")
    log_p = figure(info.get("heldout"), "importance_weighted")
    if log_p is not None:
        lines.append(f"held-out log p(x) ≈ {number(log_p)} nats")
    brought = choice.path.parent == collection.folder()
    lines.append("your run" if choice.state else "uploaded" if brought else "shipped")
    when = _date(info.get("trained_at"))
    if when:
        lines[-1] += f", trained {when}"
    if choice.dataset and not dataset_is_here(choice.dataset):
        lines.append(f"{dataset} itself is not on this machine: only Reconstruct needs it")
    return "  \n".join(line[0].upper() + line[1:] for line in lines)


def _date(written: object) -> str:
    try:
        date = datetime.fromisoformat(written)
        return f"{date.day} {date:%B %Y}"
    except (TypeError, ValueError):
        return ""
