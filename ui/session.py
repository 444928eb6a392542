"""Which model a visitor has chosen, and which of its latents."""

__all__ = ["be_in_the_app", "choose", "choose_run", "chosen", "pick_axes", "picked_model"]

import contextlib
from collections.abc import Iterator
from pathlib import Path

import streamlit as st

from ui import library
from ui.charts import latent_name
from ui.library import Choice
from ui.navigation import navigate
from ui.words import figure, meaning, plain, with_error
from vae.errors import VisageError
from vae.models import collection
from vae.models.checkpoint import Checkpoint


@contextlib.contextmanager
def picked_model() -> Iterator[None]:
    """Draw the sidebar's model picker; inside, :func:`chosen` is the model that it shows.

    The choice is kept in the session and in the URL.

    Raises:
        VisageError: There is no model at all.
    """
    choices = library.models()
    if not choices:
        raise VisageError(
            f"There is no model in {library.SHIPPED} and no run: get the checkpoints again."
        )
    healthy = next((choice for choice in choices.values() if not choice.problem), None)
    default = (healthy or next(iter(choices.values()))).name
    asked = st.query_params.get("model")
    # What the URL says counts when it is new, as in a link or after the Back button.
    if asked is not None and asked != st.session_state.get("model_in_url"):
        st.session_state.model = asked
    wanted = st.session_state.setdefault("model", default)
    if wanted not in choices:
        st.session_state.model = default
        st.toast(f"The model that this link names is not here; this is {plain(default)}.")
    with st.sidebar:
        st.selectbox(
            "Model", list(choices), key="model", format_func=lambda name: _label(choices[name])
        )
        choice = choices[st.session_state.model]
        st.caption(
            _description(choice),
            help=None
            if choice.card is None
            else meaning(choice.card.measured_on, "ELBO", "likelihood", "log p(x)", "±", "nats"),
        )
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


def choose_run(folder: Path) -> None:
    """Choose the model of a run, whatever the picker calls it, as the callback of a button."""
    for choice in library.models().values():
        if choice.path.parent == folder:
            st.session_state.model = choice.name


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
    return choice, library.load(choice.stored)


def pick_axes(latent_dim: int) -> tuple[int, int]:
    """The latents that run across and upwards: of more than two, by two selectors."""
    if latent_dim < 3:
        return 0, latent_dim - 1
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


def _label(choice: Choice) -> str:
    if choice.problem:
        return f"{choice.name} (damaged)"
    return f"{choice.name} (training)" if choice.is_running else choice.name


def _description(choice: Choice) -> str:
    card = choice.card
    if card is None:
        return plain(choice.problem)
    latents = card.latent_dim
    dataset = plain(Path(choice.dataset).name[:60]) or "faces"
    lines = [f"{latents} latent{'s' if latents > 1 else ''} of {dataset}"]
    if card.likelihood == "none":
        lines.append("no likelihood is stated, so there are no nats")
    elif card.likelihood != "gaussian":
        lines.append(f"{card.likelihood} likelihood")
    found, images = card.quality, card.measured_on
    if found.elbo is not None:
        name = figure(f"{images} ELBO", card.likelihood)
        lines.append(f"{name} {with_error(found.elbo, found.elbo_error)} nats")
    if found.importance_weighted is not None:
        bound = with_error(found.importance_weighted, found.importance_weighted_error)
        name = figure(f"{images} log p(x)", card.likelihood)
        lines.append(f"{name} at least about {bound} nats")
    if found.elbo is not None and images != "test":
        lines.append(f"{images} images also chose the step")
    brought = choice.path.parent == collection.folder()
    lines.append("your run" if choice.state else "uploaded" if brought else "shipped")
    if (when := card.trained_at) is not None:
        lines[-1] += f", trained {when.day} {when:%B %Y}"
    if choice.dataset and not library.dataset_is_here(choice.dataset):
        lines.append(
            f"its data set {dataset} is not on this machine: Reconstruct needs it, and Explore "
            "and Morph show its faces where it is"
        )
    return "  \n".join(line[0].upper() + line[1:] for line in lines)
