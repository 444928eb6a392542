"""The camera on the manifold: its picture goes through the encoder in the visitor's browser."""

__all__ = ["show"]

import functools
import struct
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from ui import browser, link
from ui.latent_pad import COMPARED, LARGEST_DECODER, MOST_PINS, is_large, is_point, laid_out
from ui.library import Choice, Stored
from vae.latent.packed import pack, pack_encoder, portable, portable_encoder
from vae.latent.rounding import HALF_A_GREY_LEVEL, decoder_rounds, encoder_rounds
from vae.models.checkpoint import Checkpoint


def show(choice: Choice, checkpoint: Checkpoint) -> None:
    """The camera, what the model makes of its picture, and the pad that follows it."""
    model = checkpoint.model
    payload = packed(choice.stored, checkpoint)
    if payload is None:
        st.info(
            "This model can't be run in the browser, which the live picture needs: choose "
            "another, or *Webcam* for a single picture."
        )
        return
    height, width = model.image_shape[:2]
    result = _component(model.latent_dim, width / height)(
        key=f"live-{model.latent_dim}-{height}x{width}",
        data=payload,
        on_chosen_change=_nothing,
    )
    chosen = result.get("chosen")
    if isinstance(chosen, dict) and is_point(chosen.get("z"), model.latent_dim):
        pins = chosen.get("pins")
        points = [chosen["z"], *(pins if isinstance(pins, list) else [])]
        points = [point for point in points if is_point(point, model.latent_dim)]
        z, *kept = np.array(points, dtype=float)
        link.open_explore(choice.name, z, kept[:MOST_PINS])


@st.cache_resource(show_spinner=False, max_entries=4)
def packed(stored: Stored, _checkpoint: Checkpoint) -> bytes | None:
    """The decoder, after its length as uint32, and the encoder; None where no browser runs them
    or they are too large to send."""
    carried, seen = portable(_checkpoint.model), portable_encoder(_checkpoint.model)
    if carried is None or seen is None:
        return None
    half = is_large(carried[1]) and decoder_rounds(_checkpoint, HALF_A_GREY_LEVEL, COMPARED)
    decoder = pack(_checkpoint, "live", "live", str(hash(stored)), half)
    half = is_large(seen[1]) and encoder_rounds(_checkpoint, HALF_A_GREY_LEVEL, COMPARED)
    encoder = pack_encoder(_checkpoint, half)
    if encoder is None or decoder is None or len(encoder) + len(decoder) > LARGEST_DECODER:
        return None
    # The encoder's numbers begin at a multiple of four.
    decoder += b"\0" * (-len(decoder) % 4)
    return struct.pack("<I", len(decoder)) + decoder + encoder


@functools.cache
def _component(latent_dim: int, aspect: float) -> Any:
    """The component, with the pad's room laid out before any script runs."""
    return component(
        f"visage_live_{latent_dim}_{aspect:.4f}",
        html=browser.read("live.html").replace("$pad", laid_out(latent_dim, aspect)),
        css="\n".join(browser.read(f"{name}.css") for name in ("pad", "own_face", "live")),
        js=browser.script("live.js"),
    )


def _nothing() -> None:
    """Streamlit keeps a component's word only where there is a callback for it."""
