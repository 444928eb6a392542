"""The camera on the manifold: its picture goes through the encoder in the visitor's browser."""

__all__ = ["show"]

import functools
import struct
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from ui import browser, link
from ui.latent_pad import LARGEST_DECODER, MOST_PINS, ROOMY_SLIDERS
from ui.library import Choice, Stored
from vae.latent.packed import pack, pack_encoder
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
    if isinstance(chosen, dict) and (z := _point(chosen.get("z"), model.latent_dim)) is not None:
        pins = chosen.get("pins")
        points = [_point(pin, model.latent_dim) for pin in pins] if isinstance(pins, list) else []
        kept = [point for point in points if point is not None][:MOST_PINS]
        link.open_explore(choice.name, z, kept)


@st.cache_resource(show_spinner=False, max_entries=4)
def packed(stored: Stored, _checkpoint: Checkpoint) -> bytes | None:
    """The decoder, after its length as uint32, and the encoder; None where no browser runs them
    or they are too large to send."""
    encoder = pack_encoder(_checkpoint)
    decoder = None
    if encoder is not None:
        decoder = pack(_checkpoint, "live", "live", str(hash(stored)))
    if encoder is None or decoder is None or len(encoder) + len(decoder) > LARGEST_DECODER:
        return None
    # The encoder's numbers begin at a multiple of four.
    decoder += b"\0" * (-len(decoder) % 4)
    return struct.pack("<I", len(decoder)) + decoder + encoder


@functools.cache
def _component(latent_dim: int, aspect: float) -> Any:
    """The component, with the pad's room laid out before any script runs."""
    row = 42 if latent_dim <= ROOMY_SLIDERS else 25
    room = f"--latents: {latent_dim}; --row: {row}px; --aspect: {min(max(aspect, 0.6), 1.25):.4f}"
    pad = browser.read("pad.html").replace("--latents: 2; --row: 42px; --aspect: 0.7143", room)
    return component(
        f"visage_live_{latent_dim}_{aspect:.4f}",
        html=browser.read("live.html").replace("$pad", pad),
        css="\n".join(browser.read(f"{name}.css") for name in ("pad", "own_face", "live")),
        js=browser.script("live.js"),
    )


def _point(said: Any, latent_dim: int) -> np.ndarray | None:
    """What a browser says, or None unless it is a latent point."""
    if not isinstance(said, list) or len(said) != latent_dim:
        return None
    if not all(isinstance(number, int | float) for number in said):
        return None
    point = np.array(said, dtype=float)
    return point if np.isfinite(point).all() else None


def _nothing() -> None:
    """Streamlit keeps a component's word only where there is a callback for it."""
