"""The grid of decoded faces, and its picture for print."""

__all__ = ["drawn", "offer_download"]

from math import ceil

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import charts, library
from ui.library import Stored
from ui.manifold import overlays
from ui.tint import Tint
from vae import images, latent

# Printed at 300 dots an inch, the picture is 20 cm wide or more: enough for a page's column.
DPI = 300
WIDTH = 20 / 2.54 * DPI


@st.cache_resource(max_entries=32, show_spinner=False)
def drawn(
    stored: Stored,
    count: int,
    tail: float,
    axes: tuple[int, int],
    centre: np.ndarray,
    overlay: str,
    equal: bool,
    mark: str,
    _tint: Tint | None,
) -> tuple[go.Figure, np.ndarray]:
    """The grid as a chart, and its faces, uint8, (R, C, H, W) or (R, C, H, W, 3).

    Drawn once for all visitors who look at the same.
    """
    checkpoint = library.load(stored)
    if equal:
        z = overlays.warped(stored, tail, count, axes, centre)
    else:
        z = latent.manifold_sheet(count, tail, checkpoint.model.latent_dim, axes, centre)
    faces = latent.draw(checkpoint.model, z)
    figure = charts.manifold(images.tile(faces), z, axes)
    return overlays.lay_over(figure, overlay, stored, z, axes, _tint), faces


def offer_download(faces: np.ndarray, gap: int, name: str) -> None:
    """A button for the picture, made when it is pressed, and how large it prints."""
    rows, columns, height, width = faces.shape[:4]
    # Of the picture, in pixels of the faces.
    high, wide = rows * (height + gap) - gap, columns * (width + gap) - gap
    scale = ceil(WIDTH / wide)
    st.download_button(
        "Download for print",
        lambda: images.png(images.tile(faces, gap), scale, DPI),
        f"{name}-manifold.png",
        "image/png",
        icon=":material/download:",
        width="stretch",
    )
    across, down = (scale * side * 2.54 / DPI for side in (wide, high))
    st.caption(f"PNG, {DPI} dpi, {across:.0f} × {down:.0f} cm")
