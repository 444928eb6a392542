"""Faces through the encoder and back, and pictures of that, made once for all visitors."""

__all__ = ["errors", "evidence", "ranked", "reconstructed", "triples"]

import numpy as np
import streamlit as st

from ui import library
from ui.library import Choice, Stored
from ui.pictures import data_url
from vae import images, latent
from vae.datasets.faces import Faces
from vae.latent.arrays import Reconstructions
from vae.latent.evidence import Evidence, judge

# Faces shown at a time.
COUNT = 8

# The difference from an original that gets the full colour.
LIMIT = 0.5


def ranked(choice: Choice, part: np.ndarray, order: str, draw: int) -> np.ndarray:
    """The places in the data set of the faces to show.

    Arguments:
        part: The places to choose from.
        order: ``best`` or ``worst`` by the ELBO, or ``random``.
        draw: Which random ones.
    """
    count = min(COUNT, len(part))
    if order == "random":
        return np.random.default_rng(draw).permutation(part)[:count]
    elbo, looked_at = library.ranking(choice, part)
    places = np.argsort(elbo)[:count] if order == "worst" else np.argsort(-elbo)[:count]
    return looked_at[places]


@st.cache_resource(max_entries=64, show_spinner=False)
def reconstructed(
    stored: Stored, chosen: np.ndarray, sha256: str, _data: Faces
) -> Reconstructions:
    """The chosen faces through the encoder and back, once for all visitors."""
    return latent.reconstruct(library.load(stored).model, _data.pixels(chosen))


@st.cache_resource(max_entries=64, show_spinner=False)
def errors(stored: Stored, chosen: np.ndarray, sha256: str, _data: Faces) -> np.ndarray:
    """The mean squared error of each chosen face's reconstruction, (n,)."""
    return latent.squared_errors(library.load(stored).model, _data.pixels(chosen))


@st.cache_resource(max_entries=64, show_spinner="Looking for all that explains each face…")
def evidence(stored: Stored, chosen: np.ndarray, sha256: str, _data: Faces) -> Evidence:
    """The ELBO of the chosen faces, the refined ELBO and log p(x), once for all visitors."""
    return judge(library.load(stored).model, _data.pixels(chosen))


@st.cache_resource(max_entries=64, show_spinner=False)
def triples(stored: Stored, chosen: np.ndarray, sha256: str, _data: Faces) -> list[str]:
    """Each chosen face, its reconstruction and their difference as one picture, a data URL."""
    originals = _data.images[chosen]
    mean = reconstructed(stored, chosen, sha256, _data).mean
    difference = images.differences(originals, mean, LIMIT)
    rows = zip(originals, images.to_uint8(mean), difference, strict=True)
    return [data_url(images.side_by_side(*row, gap=2), scale=6) for row in rows]
