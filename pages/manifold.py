"""The paper's Figure 4: a grid of decoded faces across the latent space."""

from math import ceil

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import charts, header, library, session
from ui.library import Stored
from ui.manifold import overlays
from vae import images, latent
from vae.models.checkpoint import Checkpoint

# Printed at 300 dots an inch, the picture is 20 cm wide or more: enough for a page's column.
DPI = 300
WIDTH = 20 / 2.54 * DPI

# Faces a side.
FEWEST, MOST = 10, 40


def main() -> None:
    header.open_page("Manifold", explain)
    choice, checkpoint = session.chosen()
    controls, canvas = st.columns([1, 3], gap="large")
    with controls:
        count, tail, gap = choose_grid(checkpoint)
        overlay, equal = overlays.choose(checkpoint)
        axes, centre = choose_plane(checkpoint)
    figure, faces = drawn(choice.stored, count, tail, axes, centre, overlay, equal)
    with canvas:
        draw(figure, len(faces) > 1)
    with controls:
        offer_download(faces, gap, choice.name)


def explain() -> None:
    st.markdown(
        "Every face here was drawn by the decoder alone, from a point of a grid. "
        "The grid is evenly spaced in probability: steps on the unit square pass through the "
        "inverse of the Gaussian's cumulative distribution function, so that each face "
        "stands for an equal share of the prior. "
        "Neighbours look alike because the decoder is a smooth function, and so the whole "
        "sheet shows the two-dimensional surface of faces that the model has learnt."
    )
    st.latex(
        r"z_{ij} = \left(\Phi^{-1}(u_i),\, \Phi^{-1}(u_j)\right), \qquad "
        r"\text{face}_{ij} = \mu_\theta(z_{ij}) = E_{p_\theta(x \mid z_{ij})}[x]"
    )
    st.caption(
        "Kingma & Welling, *Auto-Encoding Variational Bayes* (2014), Figure 4: "
        "[arXiv 1312.6114](https://arxiv.org/abs/1312.6114)"
    )


def choose_grid(checkpoint: Checkpoint) -> tuple[int, float, int]:
    """Faces a side, the probability left out at either end, and pixels between printed faces."""
    is_plane = checkpoint.model.latent_dim > 1
    most = latent.faces_a_side(checkpoint.model, MOST)
    count = st.slider(
        "Faces a side" if is_plane else "Faces",
        min(FEWEST, most - 1),
        most,
        min(20, most),
        # Another range is another slider.
        key="manifold_count" if most == MOST else f"manifold_count_{most}",
        persist_state="session",
    )
    if most < MOST:
        sides = "×".join(map(str, checkpoint.model.image_shape[:2]))
        st.caption(f"With images of {sides} the picture holds up to {most}.")
    tail = st.select_slider(
        "Reach into the tails",
        [0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001],
        0.05,
        key="manifold_tail",
        persist_state="session",
        format_func=lambda tail: f"{100 * tail:g} – {100 - 100 * tail:g} %",
        help="The part of the prior's probability that the grid spans along each latent.",
    )
    gap = st.toggle("Gaps in print", key="manifold_gap", persist_state="session")
    return count, tail, int(gap)


def choose_plane(checkpoint: Checkpoint) -> tuple[tuple[int, int], np.ndarray]:
    """The two latents that the grid runs over, and the values of the others, (K,)."""
    latent_dim = checkpoint.model.latent_dim
    centre = np.zeros(latent_dim)
    if latent_dim < 3:
        return (0, latent_dim - 1), centre
    axes = session.pick_axes(latent_dim)
    with st.expander("The other latents"):
        for axis in set(range(latent_dim)) - set(axes):
            centre[axis] = st.slider(
                charts.latent_name(axis),
                -3.0,
                3.0,
                0.0,
                0.1,
                key=f"manifold_z{axis}",
                persist_state="session",
            )
    return axes, centre


@st.cache_resource(max_entries=32, show_spinner=False)
def drawn(
    stored: Stored,
    count: int,
    tail: float,
    axes: tuple[int, int],
    centre: np.ndarray,
    overlay: str,
    equal: bool,
) -> tuple[go.Figure, np.ndarray]:
    """The grid as a chart, and its faces, uint8, (R, C, H, W) or (R, C, H, W, 3).

    Drawn once for all visitors who look at the same.
    """
    checkpoint = library.load(stored)
    if equal:
        z = overlays.warped(stored, tail, count, axes, centre)
    else:
        z = grid(checkpoint, count, tail, axes, centre)
    faces = latent.draw(checkpoint.model, z)
    figure = charts.manifold(images.tile(faces), z, axes)
    return overlays.lay_over(figure, overlay, stored, z, axes), faces


def grid(
    checkpoint: Checkpoint, count: int, tail: float, axes: tuple[int, int], centre: np.ndarray
) -> np.ndarray:
    """Latent points, (R, C, K); a single latent gives one line of faces, broken into rows."""
    latent_dim = checkpoint.model.latent_dim
    if latent_dim > 1:
        return latent.manifold_grid(count, tail, latent_dim, axes, centre)
    return latent.manifold_axis(count, tail).reshape(1, count, 1)


def draw(figure: go.Figure, square: bool) -> None:
    with st.container(key="grid" if square else "strip"):
        st.plotly_chart(
            figure,
            height="stretch",
            config={"displayModeBar": False},
            alt="A grid of decoded faces",
        )


def offer_download(faces: np.ndarray, gap: int, name: str) -> None:
    picture = images.tile(faces, gap)
    scale = ceil(WIDTH / picture.shape[1])
    st.download_button(
        "Download for print",
        lambda: images.png(picture, scale, DPI),
        f"{name}-manifold.png",
        "image/png",
        icon=":material/download:",
        width="stretch",
    )
    height, width = (scale * side * 2.54 / DPI for side in picture.shape[:2])
    st.caption(f"PNG, {DPI} dpi, {width:.0f} × {height:.0f} cm")


main()
