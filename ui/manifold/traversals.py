"""Traversals: a row of faces a latent, which alone changes along it; what tells most is first."""

__all__ = ["offered", "show"]

from math import ceil
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import address, charts, library, words
from ui.library import Choice, Stored
from ui.morph import film
from vae import images, latent
from vae.latent.grids import traversals
from vae.models.checkpoint import Checkpoint

# Rows at most: of more latents, those that tell most.
MOST_ROWS = 32

# Faces a row, and frames of the film from one end to the other.
COUNTS = (7, 9, 11, 15)
USUAL = 9
FRAMES = 24

# Pixels of the film at most, of all its frames.
LARGEST_FILM = 2**23

# The prior's probability left out at either end.
TAIL = 0.02

# How much higher than wide the picture's room is, whatever the window's width: in the style sheet.
SHAPES = {"flat": 0.3, "low": 0.6, "square": 1.1, "high": 1.8, "tall": 3.0}

ORIGIN, FACE = "the origin", "a training face"


class Drawn(NamedTuple):
    """What there is of a model's traversals.

    Arguments:
        figure: The chart.
        faces: uint8, (rows, C, H, W) or (rows, C, H, W, 3).
        latents: Which latent changes along each row, (rows,).
        by_kl: Whether those come first that tell most.
    """

    figure: go.Figure
    faces: np.ndarray
    latents: np.ndarray
    by_kl: bool


def offered(checkpoint: Checkpoint) -> bool:
    """Whether a model has more than one latent to be held beside each other."""
    return checkpoint.model.latent_dim > 1


def show(choice: Choice, checkpoint: Checkpoint) -> None:
    """The traversals, what they start from, and their files."""
    canvas, controls = st.columns([3, 1], gap="large")
    with controls:
        count, centre = choose(choice, checkpoint)
    drawn = _drawn(choice.stored, count, centre)
    with canvas:
        draw(drawn)
    with controls:
        offer_files(choice, drawn, centre)


def choose(choice: Choice, checkpoint: Checkpoint) -> tuple[int, np.ndarray]:
    """How many faces a row, and the latent point that all rows pass by, (K,)."""
    address.take_up(
        {"along": address.one_of({str(count): count for count in COUNTS}, "traversal_count")}
    )
    count = st.select_slider(
        "Faces a row", COUNTS, USUAL, key="traversal_count", persist_state="session"
    )
    address.keep({"along": "" if count == USUAL else str(count)})
    centre = np.zeros(checkpoint.model.latent_dim)
    means = library.posterior_means(choice.stored)
    if not len(means):
        return count, centre
    start = st.segmented_control(
        "The other latents are those of",
        [ORIGIN, FACE],
        default=ORIGIN,
        required=True,
        key="traversal_start",
        persist_state="session",
    )
    if start == FACE:
        draw = st.session_state.setdefault("traversal_draw", 0)
        if st.button("Another face", icon=":material/shuffle:", width="stretch"):
            draw = st.session_state.traversal_draw = draw + 1
        centre = means[np.random.default_rng(draw).integers(len(means))].astype(float)
    return count, centre


@st.cache_resource(max_entries=16, show_spinner=False)
def _drawn(stored: Stored, count: int, centre: np.ndarray) -> Drawn:
    checkpoint = library.load(stored)
    model, posterior = checkpoint.model, checkpoint.posterior
    latents = np.arange(model.latent_dim)
    kl = None
    if posterior is not None:
        kl = latent.kl_per_latent(posterior)
        latents = np.argsort(-kl, kind="stable")
    latents = latents[:MOST_ROWS]
    z = traversals(latents, count, centre, TAIL)
    faces = latent.draw(model, z)
    names = [charts.latent_name(axis) for axis in latents]
    if kl is not None:
        names = [
            f"{name} · {words.number(float(kl[axis]), 1)}"
            for name, axis in zip(names, latents, strict=True)
        ]
    along = latent.manifold_axis(count, TAIL)
    return Drawn(
        charts.traversals(images.tile(faces, 1), names, along), faces, latents, kl is not None
    )


def draw(drawn: Drawn) -> None:
    rows, count, height, width = drawn.faces.shape[:4]
    tall = rows * height / (count * width)
    shape = min(SHAPES, key=lambda shape: abs(np.log(tall / SHAPES[shape])))
    with st.container(key=f"traversals_{shape}"):
        st.plotly_chart(
            drawn.figure,
            height="stretch",
            config={"displayModeBar": False},
            alt="A row of decoded faces for each latent, which alone changes along it",
        )
    st.caption(
        "Along a row one latent alone changes, across 2 to 98 % of the prior."
        + (
            " Above are those that tell most of an image: beside each its KL divergence in nats, "
            "the mean over the training images. One near 0 is not in use, and changes little."
            if drawn.by_kl
            else " This checkpoint does not say which tell most, so they stand in their order."
        ),
        help=words.meaning("KL divergence", "latents in use", "prior", "nats"),
    )


def offer_files(choice: Choice, drawn: Drawn, centre: np.ndarray) -> None:
    """The picture, and a film: a face a latent, all going there and back."""
    st.download_button(
        "PNG",
        lambda: images.png(images.tile(drawn.faces, 1), _scale(drawn.faces)),
        f"{choice.name}-traversals.png",
        "image/png",
        icon=":material/download:",
        width="stretch",
        on_click="ignore",
    )
    st.download_button(
        "GIF",
        lambda: _film(choice.stored, drawn.latents, centre),
        f"{choice.name}-traversals.gif",
        "image/gif",
        icon=":material/download:",
        width="stretch",
        on_click="ignore",
        help="A face a latent, in the order of the rows, all going there and back.",
    )


def _scale(faces: np.ndarray) -> int:
    """How large a pixel is in the file: about 2,000 pixels across."""
    return max(1, 2_000 // (faces.shape[1] * faces.shape[3]))


@st.cache_data(max_entries=8, show_spinner=False)
def _film(stored: Stored, latents: np.ndarray, centre: np.ndarray) -> bytes:
    model = library.load(stored).model
    height, width, *_ = model.image_shape
    count = int(np.clip(LARGEST_FILM // (len(latents) * height * width), 6, FRAMES))
    faces = latent.draw(model, traversals(latents, count, centre, TAIL))
    across = ceil(np.sqrt(len(faces)))
    # White where the last row has no more faces.
    missing = np.full((-len(faces) % across, *faces.shape[1:]), 255, dtype=np.uint8)
    faces = np.concatenate([faces, missing])
    frames = np.stack(
        [
            images.tile(faces[:, frame].reshape(-1, across, *faces.shape[2:]), 1)
            for frame in range(count)
        ]
    )
    there_and_back = np.concatenate([frames, frames[-2:0:-1]])
    scale = max(1, 600 // frames.shape[2])
    return images.animation(there_and_back, "GIF", film.MILLISECONDS, scale)
