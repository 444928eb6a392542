"""Where images lie in the latent space: their posteriors over the means of the training set."""

__all__ = ["chart", "draw"]

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import charts, library, session, tint
from ui.library import Choice, Stored
from ui.tint import Tint


def draw(
    choice: Choice, labels: Sequence[str], z_mean: np.ndarray, z_std: np.ndarray, whose: str
) -> None:
    """Draw the posteriors of a few images, over latents and in colours that the visitor chooses.

    Arguments:
        choice: The model.
        labels: What each image is called.
        z_mean: The images' posterior means, of shape (n, K).
        z_std: Their standard deviations, of shape (n, K).
        whose: What the images are called in a sentence.
    """
    latent_dim = z_mean.shape[1]
    axes = session.pick_axes(latent_dim)
    count = len(library.posterior_means(choice.stored))
    coloured_by = tint.choose(choice, lambda: charts.rows_drawn(count)) if latent_dim > 1 else None
    mark = tint.mark_of(coloured_by)
    with st.container(key="plane_coloured" if coloured_by else "plane"):
        st.plotly_chart(
            chart(choice.stored, labels, axes, z_mean, z_std, mark, coloured_by),
            height="stretch",
            config={"displayModeBar": False},
            alt=f"The posterior of {whose} in the latent space",
        )
    st.caption(
        f"The posterior of {whose}, mean ± one standard deviation"
        + (", over the means of the training set." if count else ".")
    )


@st.cache_resource(max_entries=96, show_spinner=False)
def chart(
    stored: Stored,
    labels: Sequence[str],
    axes: tuple[int, int],
    z_mean: np.ndarray,
    z_std: np.ndarray,
    mark: str,
    _tint: Tint | None,
) -> go.Figure:
    """The posteriors as :func:`draw` shows them, drawn once for all visitors.

    Arguments:
        mark: The tint's.
    """
    means = library.posterior_means(stored)
    return charts.posteriors(means, z_mean, z_std, labels, axes, _tint)
