"""What is made of the faces of a path: its ways through the latent space, and films along them."""

__all__ = ["Journey", "play", "show_strips", "travelled"]

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import charts, library, paths, words
from ui.library import Stored
from ui.morph import film, settings
from vae import latent
from vae.latent.metric import image_change
from vae.latent.paths import LatentPath, frames


class Journey(NamedTuple):
    """What is made of some faces.

    Arguments:
        routes: The path of each kind.
        faces: The film along each, uint8, (T, H, W) or (T, H, W, 3).
        changes: How much the picture changes in each step, as a chart.
    """

    routes: dict[str, LatentPath]
    faces: dict[str, np.ndarray]
    changes: go.Figure


@st.cache_resource(max_entries=64, show_spinner=False)
def travelled(stored: Stored, stops: np.ndarray, count: int, steady: bool) -> Journey:
    """The paths through the faces, (n, K), and what is seen along them, once for all visitors."""
    surface, model = paths.surface(stored), library.load(stored).model
    routes = {kind: paths.route(stored, stops, kind) for kind in settings.KINDS}
    z = {kind: frames(surface, path, count, steady) for kind, path in routes.items()}
    faces = {kind: latent.draw(model, points) for kind, points in z.items()}
    changes = {kind: image_change(surface, points) for kind, points in z.items()}
    return Journey(routes, faces, charts.step_changes(changes))


def play(journey: Journey) -> None:
    """The films side by side, with the lengths of their paths."""
    whole = journey.routes["straight"].length
    films = []
    for kind, path in journey.routes.items():
        lines = [f"length {path.length:.2f}"]
        if kind != "straight":
            share = f"{round(100 * path.length / whole - 100) if whole > 0 else 0:+d} %"
            lines.append(share.replace("-", "−"))
        if not path.converged:
            lines.append("search not finished")
        said = f"Film along the {kind} path"
        films.append(film.Film(journey.faces[kind], said, kind.capitalize(), tuple(lines)))
    film.play(films, "morph_films")
    st.caption(
        "Lengths in the decoder's metric, and against the straight path's",
        help=words.meaning("metric", "geodesic", "spherical"),
    )


def show_strips(journey: Journey) -> None:
    """The films as strips, below each other."""
    with st.container(gap="xsmall"):
        for kind, film_faces in journey.faces.items():
            st.caption(kind.capitalize())
            film.strip(film_faces, f"Film strip of the {kind} path")
