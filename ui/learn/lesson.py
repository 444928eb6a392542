"""The lesson: the paper in steps, each done by hand in the visitor's own browser.

Like the pad it is a component whose model travels to the browser once; what happens there is told
to nobody, but for the step that is shown, which the address keeps.
"""

__all__ = ["draw", "draw_journeys", "draw_recordings", "subject"]

import functools
import hashlib
import json
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from ui import address, browser, library, paths
from ui.library import Choice, Stored
from vae.errors import VisageError
from vae.latent.lesson import is_teachable
from vae.latent.lesson import journeys as find_journeys
from vae.latent.packed import pack, pack_encoder

# Faces of the data that can be explained, beside those that the model makes.
DATA_FACES = 8


def subject(choice: Choice) -> Choice:
    """The model that is taught with: the chosen one if the lesson can be told with it, and the one
    that a visitor sees first if not.

    Raises:
        VisageError: That one is not there.
    """
    if teachable(choice):
        return choice
    shipped = library.models().get(library.DEFAULT)
    if shipped is None or not teachable(shipped):
        raise VisageError(
            f"The lesson needs the model {library.DEFAULT}, which ships with Visage: get the "
            "checkpoints again, or choose a model with two latents."
        )
    return shipped


def teachable(choice: Choice) -> bool:
    """Whether the lesson can be told with it: it stands still, and all that is needed is there."""
    # One that is being trained would change under the hand.
    if choice.card is None or choice.is_running:
        return False
    if not is_teachable(library.load(choice.stored).model):
        return False
    return packed(choice.stored, "") is not None


def draw(choice: Choice) -> None:
    """Draw the lesson, told with a model that can be taught with."""
    payload = packed(choice.stored, choice.dataset)
    result = _component()(
        key="lesson", data=payload, default={"step": None}, on_step_change=_nothing
    )
    step = result.get("step")
    if isinstance(step, int | float) and step > 0:
        address.keep({"step": "" if step == 1 else f"{int(step)}"})


def draw_recordings() -> None:
    """Bring the recorded runs, which are the same whatever the model: after the lesson itself,
    whose first steps need not wait for them."""
    _later()(key="lesson_recordings", data=recordings())


def draw_journeys(choice: Choice) -> None:
    """Bring what the last step is told with: after the lesson itself, since it takes seconds."""
    _later()(key="lesson_later", data={"journeys": journeys(choice.stored)})


@st.cache_data(max_entries=8, show_spinner=False)
def journeys(stored: Stored) -> list[dict]:
    """Ways between some faces, as :func:`vae.latent.lesson.journeys` finds them; none where the
    model carries no posterior."""
    posterior = library.load(stored).posterior
    if posterior is None:
        return []
    return find_journeys(paths.surface(stored), np.asarray(posterior.mean))


@st.cache_resource(max_entries=4, show_spinner=False)
def packed(stored: Stored, dataset: str) -> bytes | None:
    """What the lesson needs of a model, and of its data where they are on this machine.

    Little-endian: the length of a JSON header as uint32, the header, and the parts that it names.

    Returns:
        The bytes, or None where a weight is infinite or not a number.
    """
    checkpoint = library.load(stored)
    decoder, encoder = pack(checkpoint, "lesson", "lesson", "1"), pack_encoder(checkpoint)
    if decoder is None or encoder is None:
        return None
    parts = {"decoder": decoder, "encoder": encoder}
    if (images := faces(stored, dataset)) is not None:
        parts["faces"] = images.tobytes()
    return packet(parts)


@functools.cache
def recordings() -> bytes:
    """The recorded runs as they travel."""
    return packet(browser.recordings())


def packet(parts: dict[str, bytes]) -> bytes:
    """Several parts as one, as ``packet.js`` opens it."""
    digest = hashlib.sha256(b"".join(parts.values())).hexdigest()
    header = {"id": digest, "parts": [(name, len(part)) for name, part in parts.items()]}
    text = json.dumps(header).encode()
    return b"".join([np.array(len(text), "<u4").tobytes(), text, *parts.values()])


def faces(stored: Stored, dataset: str) -> np.ndarray | None:
    """Images that the model has not been trained on, uint8, (n, H, W) or (n, H, W, 3); None where
    the data are not on this machine, or are others than it was trained on."""
    if not dataset or not library.dataset_is_here(dataset):
        return None
    checkpoint = library.load(stored)
    try:
        data = library.faces(dataset)
        if library.difference_in_data(checkpoint.card, data):
            return None
        parts = library.parts(checkpoint.card, data)
    except VisageError:
        # The lesson is told without them.
        return None
    unseen = np.concatenate([part for name, part in parts.items() if name != "training"])
    if not len(unseen):
        return None
    chosen = unseen[np.linspace(0, len(unseen) - 1, min(DATA_FACES, len(unseen))).astype(int)]
    return np.ascontiguousarray(data.images[chosen])


@functools.cache
def _component() -> Any:
    return component(
        "visage_lesson",
        html=browser.read("learn.html"),
        css=browser.read("learn.css"),
        js=browser.script("learn.js"),
    )


@functools.cache
def _later() -> Any:
    """A component that shows nothing and brings the lesson something."""
    return component("visage_lesson_later", js=browser.script("lesson_later.js"))


def _nothing() -> None:
    """Streamlit keeps a component's state only where there is a callback for it."""
