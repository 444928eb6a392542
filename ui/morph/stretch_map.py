"""The map of how much the decoder stretches the latent space; a click on it chooses a face."""

__all__ = ["draw"]

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import charts, library, paths, session, tint, words
from ui.library import Choice, Stored
from ui.morph import settings
from ui.tint import Tint
from vae.latent.metric import log_magnification
from vae.models.architecture import BROUGHT
from vae.models.checkpoint import Checkpoint

# Points a side of a map: finer than a screen shows.
SIDE = 120

# Points a side of a map whose decoder may be slow.
COARSE = 12

# A map reaches at least this far, in standard deviations of the prior.
REACH = 3.0


class Plane(NamedTuple):
    """A regular grid over two latents, or along the only one.

    Arguments:
        x: Values across, (C,).
        y: Values upwards, rising, (R,); empty for a single latent.
        z: The latent points, (R, C, K); (C, 1) for a single latent.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray


def plane_through(means: np.ndarray, stops: np.ndarray, axes: tuple[int, int]) -> Plane:
    """The plane through the middle of some faces that holds them and the data.

    Arguments:
        means: Posterior means, (N, K).
        stops: The faces, (n, K).
        axes: The latents that run across and upwards.
    """
    both = np.concatenate([means, stops])

    def side(axis: int) -> np.ndarray:
        low, high = both[:, axis].min() - 0.3, both[:, axis].max() + 0.3
        return np.linspace(min(low, -REACH), max(high, REACH), SIDE)

    x = side(axes[0])
    if stops.shape[1] == 1:
        return Plane(x, np.zeros(0), x[:, None])
    y = side(axes[1])
    z = np.empty((SIDE, SIDE, stops.shape[1]))
    z[:] = stops.mean(axis=0)
    z[..., axes[0]], z[..., axes[1]] = np.meshgrid(x, y)
    return Plane(x, y, z)


def draw(choice: Choice, checkpoint: Checkpoint, stops: np.ndarray) -> np.ndarray | None:
    """Draw the magnification factor with the data and paths between faces on it.

    Arguments:
        choice: The model.
        checkpoint: The same.
        stops: The faces, (n, K).

    Returns:
        The latent point that was clicked on, (K,), or None.
    """
    latent_dim = checkpoint.model.latent_dim
    axes = session.pick_axes(latent_dim)
    count = len(library.posterior_means(choice.stored))
    coloured_by = tint.choose(choice, lambda: charts.rows_drawn(count)) if latent_dim > 1 else None
    clicked = st.plotly_chart(
        _figure(choice.stored, stops, axes, tint.mark_of(coloured_by), coloured_by),
        height=320 if latent_dim == 1 else 620 if coloured_by else 520,
        # A click stays selected for as long as the chart is the same one.
        key=f"plane_{choice.name}_{axes}_{hash(stops.tobytes())}_{tint.mark_of(coloured_by)}",
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False},
        alt="The magnification factor over the latent space, and the paths on it",
    )
    st.caption(
        "The denser the grey, the more a step changes the face. A click adds the face there."
        if latent_dim > 1
        else "The higher the line, the more a step changes the face.",
        help=words.meaning("magnification", "metric", "posterior mean"),
    )
    if not paths.surface(choice.stored).knows_data:
        st.caption(
            "This checkpoint does not say where its training faces lie, so samples of the prior "
            "stand in for them."
        )
    if not clicked.selection.points:
        return None
    z = stops.mean(axis=0)
    z[axes[0]] = clicked.selection.points[0]["x"]
    if latent_dim > 1:
        z[axes[1]] = clicked.selection.points[0]["y"]
    return z


@st.cache_resource(max_entries=32, show_spinner=False)
def _figure(
    stored: Stored, stops: np.ndarray, axes: tuple[int, int], mark: str, _tint: Tint | None
) -> go.Figure:
    """The map with the paths through the faces, (n, K), drawn once for all visitors."""
    means = library.posterior_means(stored)
    plane = plane_through(means, stops, axes)
    return charts.stretch(
        magnification(stored, plane.z, axes),
        plane.x,
        plane.y,
        means,
        stops,
        {kind: paths.route(stored, stops, kind).points for kind in settings.KINDS},
        axes,
        _tint,
    )


@st.cache_data(max_entries=16, show_spinner=False)
def magnification(stored: Stored, z: np.ndarray, axes: tuple[int, int]) -> np.ndarray:
    """log₁₀ of the magnification factor over a plane's points, or along the only latent."""
    surface = paths.surface(stored)
    if z.shape[-1] == 1:
        return log_magnification(surface, z) / np.log(10)
    if library.load(stored).model.architecture.network.kind not in BROUGHT:
        return log_magnification(surface, z, axes) / np.log(10)
    # Nobody knows how long a model from elsewhere takes: some points, and what lies between them.
    rows, columns = (
        np.unique(np.linspace(0, side - 1, COARSE).astype(int)) for side in z.shape[:2]
    )
    some = log_magnification(surface, z[np.ix_(rows, columns)], axes) / np.log(10)
    across = [np.interp(np.arange(z.shape[1]), columns, row) for row in some]
    return np.stack(
        [np.interp(np.arange(z.shape[0]), rows, column) for column in np.transpose(across)], axis=1
    )
