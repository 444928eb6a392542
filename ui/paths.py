"""The geometry of the chosen model's latent space, computed once and kept."""

__all__ = ["directions", "route", "surface"]


import numpy as np
import streamlit as st

from ui import library
from ui.latent_pad import Arrow
from ui.library import Stored
from vae.latent import paths
from vae.latent.metric import principal_directions
from vae.latent.paths import LatentPath
from vae.latent.surface import DecoderSurface

# The longest arrow on the pad, in standard deviations of the prior.
ARROW = 0.9


@st.cache_resource(max_entries=4, show_spinner="Measuring the latent space…")
def surface(stored: Stored) -> DecoderSurface:
    """The surface of a checkpoint's decoder.

    Raises:
        VisageError: Its weights are not finite numbers.
    """
    checkpoint = library.load(stored)
    return DecoderSurface(checkpoint.model, checkpoint.posterior)


@st.cache_resource(max_entries=500, show_spinner=False)
def directions(stored: Stored, z: np.ndarray) -> list[Arrow]:
    """Arrows in which the face changes most and least at z, (K,), as long as it changes."""
    change, vectors = principal_directions(surface(stored), z)
    if change[0] <= 0:
        return []
    ends = ((0, "most"), (-1, "least")) if len(z) > 1 else ((0, "most"),)
    # An eigenvector has no sign of its own: its largest component points up or right.
    return [
        Arrow(
            ARROW
            * max(change[index] / change[0], 0.3)
            * vectors[index]
            * np.sign(vectors[index][np.abs(vectors[index]).argmax()]),
            z,
            label,
        )
        for index, label in ends
    ]


def route(stored: Stored, stops: np.ndarray, kind: str) -> LatentPath:
    """A path of one kind through the faces, (n, K); with one more, the others' legs are known."""
    return paths.join([_leg(stored, stops[leg : leg + 2], kind) for leg in range(len(stops) - 1)])


@st.cache_data(max_entries=1024, show_spinner=False)
def _leg(stored: Stored, ends: np.ndarray, kind: str) -> LatentPath:
    return paths.route(surface(stored), ends, kind)
