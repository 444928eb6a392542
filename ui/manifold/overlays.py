"""What can be laid over the manifold, and the grid on which every cell changes as much."""

__all__ = ["MEANS", "NOTHING", "WORDS", "choose", "key", "lay_over", "offered", "warped"]


import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import charts, library, paths, words
from ui.library import Stored
from ui.tint import Tint
from vae import latent
from vae.latent.grids import equal_area_grid, positions_on_grid
from vae.latent.metric import log_magnification
from vae.latent.posteriors import aggregate_posterior
from vae.models.checkpoint import Checkpoint

NOTHING = "nothing"
STRETCH = "magnification"
MEANS = "posterior means"
DENSITY = "data against prior"

# What each is called in the address.
WORDS = {NOTHING: "nothing", STRETCH: "magnification", MEANS: "means", DENSITY: "density"}

# Points a side at which the change is measured that cells share out.
FINE = 150


def offered(checkpoint: Checkpoint) -> list[str]:
    """What can be laid over this model's faces."""
    if checkpoint.posterior is None:
        return [NOTHING, STRETCH]
    means = [MEANS] if checkpoint.model.latent_dim > 1 else []
    return [NOTHING, STRETCH, *means, DENSITY]


def key(checkpoint: Checkpoint) -> str:
    """The widget's: models that offer the same share what was chosen."""
    return f"manifold_overlay_{len(offered(checkpoint))}"


def choose(checkpoint: Checkpoint) -> tuple[str, bool]:
    """What lies over the faces, and whether the grid is one of equal change."""
    overlay = st.selectbox(
        "Overlay",
        offered(checkpoint),
        key=key(checkpoint),
        persist_state="session",
        help="Data against prior, log q(z) − log p(z), is red where the prior promises faces "
        "that the data never had.\n\n"
        + words.meaning("magnification", "posterior mean", "aggregate posterior", "prior", "nats"),
    )
    equal = st.toggle(
        "Equal change",
        key="manifold_equal",
        persist_state="session",
        help="Spaces the grid so that each cell covers the same amount of change of the picture, "
        "in place of the same share of the prior.",
    )
    return overlay, equal


@st.cache_data(max_entries=32, show_spinner=False)
def warped(
    stored: Stored, tail: float, count: int, axes: tuple[int, int], centre: np.ndarray
) -> np.ndarray:
    """The grid of equal change over the same part of the plane, (count, count, K)."""
    surface = paths.surface(stored)
    if surface.latent_dim > 1:
        fine = latent.manifold_grid(FINE, tail, surface.latent_dim, axes, centre)
    else:
        fine = latent.manifold_axis(FINE, tail).reshape(1, FINE, 1)
    return equal_area_grid(surface, fine, count, axes)


def lay_over(
    figure: go.Figure,
    overlay: str,
    stored: Stored,
    z: np.ndarray,
    axes: tuple[int, int],
    tint: Tint | None = None,
) -> go.Figure:
    """Add what was chosen to the figure of a manifold.

    Arguments:
        figure: The manifold.
        overlay: What :func:`choose` returned.
        stored: The model.
        z: The latent points of the faces, (R, C, K).
        axes: The latents that run across and upwards.
        tint: What colours the posterior means.
    """
    checkpoint = library.load(stored)
    face = checkpoint.model.image_shape[:2]
    if z.shape[-1] > 1 and np.ptp(z[..., axes[1]], axis=1).max() > 1e-9:
        # Each column has heights of its own: hovering tells them.
        figure.update_yaxes(showticklabels=False)
    if overlay == STRETCH:
        surface = paths.surface(stored)
        plane = axes if z.shape[-1] > 1 else None
        values = log_magnification(surface, z, plane, std=False) / np.log(10)
        return charts.manifold_overlay(figure, values, face, "log₁₀ √det M")
    if overlay == DENSITY and checkpoint.posterior is not None:
        values = aggregate_posterior(z, checkpoint.posterior) - latent.log_prior(z)
        title = "log q(z) − log p(z), nats"
        return charts.manifold_overlay(figure, values, face, title, diverging=True)
    if overlay == MEANS:
        means = library.posterior_means(stored)
        means = means[charts.rows_drawn(len(means))]
        return charts.manifold_points(figure, positions_on_grid(z, means, axes), face, tint)
    return figure
