"""What is made of the faces of a path: its ways through the latent space, and films along them."""

__all__ = ["Journey", "play", "show_strips", "travelled"]

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import charts, library, paths, words
from ui.library import Stored
from ui.morph import film, settings
from ui.morph.film import Film
from vae import latent
from vae.latent.metric import image_change
from vae.latent.paths import LatentPath, frames


class Journey(NamedTuple):
    """What is made of some faces.

    Arguments:
        films: The film along the path of each kind.
        changes: How much the picture changes in each step, as a chart.
    """

    films: dict[str, Film]
    changes: go.Figure


@st.cache_resource(max_entries=64, show_spinner=False)
def travelled(stored: Stored, stops: np.ndarray, count: int, steady: bool) -> Journey:
    """The paths through the faces, (n, K), and what is seen along them, once for all visitors."""
    surface, model = paths.surface(stored), library.load(stored).model
    routes = {kind: paths.route(stored, stops, kind) for kind in settings.KINDS}
    z = {kind: frames(surface, path, count, steady) for kind, path in routes.items()}
    whole = routes["straight"].length
    films = {
        kind: Film(
            latent.draw(model, z[kind]),
            f"along the {kind} path",
            kind.capitalize(),
            lengths(kind, path, whole),
        )
        for kind, path in routes.items()
    }
    changes = {kind: image_change(surface, points) for kind, points in z.items()}
    return Journey(films, charts.step_changes(changes))


def lengths(kind: str, path: LatentPath, whole: float) -> tuple[str, ...]:
    """How long a path is, and against one of this length."""
    lines = [f"length {path.length:.2f}"]
    if kind != "straight":
        share = f"{round(100 * path.length / whole - 100) if whole > 0 else 0:+d} %"
        lines.append(share.replace("-", "−"))
    if not path.converged:
        lines.append("search not finished")
    return tuple(lines)


def play(journey: Journey) -> None:
    """The films side by side, with the lengths of their paths."""
    film.play(list(journey.films.values()), "morph_films")
    st.caption(
        "Lengths in the decoder's metric, and against the straight path's",
        help=words.meaning("metric", "geodesic", "spherical"),
    )


def show_strips(journey: Journey) -> None:
    """The films as strips, below each other."""
    with st.container(gap="xsmall"):
        for shown in journey.films.values():
            st.caption(shown.name)
            film.show_strip(shown)
