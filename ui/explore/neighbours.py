"""The training faces nearest in the latent space, each beside its reconstruction."""

__all__ = ["show"]

import numpy as np
import streamlit as st

from ui import library
from ui.library import Choice, Stored
from ui.pictures import data_url
from vae import images, latent
from vae.datasets.faces import Faces

NEIGHBOURS = 6

# How wide a pair is, in CSS pixels.
WIDTH = 120


def show(choice: Choice, z: np.ndarray) -> None:
    """Draw those nearest to a latent point, (K,), or say why there are none."""
    training = library.training_faces(choice)
    if training is None:
        st.caption(
            "The training faces nearest to this point are shown where the model's data set is on "
            "this machine: the page Reconstruct says how to get it."
        )
        return
    data, places, means = training
    nearest = latent.nearest(means, z, NEIGHBOURS).tolist()
    numbers = places[nearest].tolist()
    distances = np.linalg.norm(means[nearest] - z, axis=1)
    st.subheader("Nearest training faces")
    st.caption(
        "Nearest in the latent space, by the mean of their posterior: the original, and the "
        "decoder's reconstruction."
    )
    # One element for all: an element costs a server more than a picture does.
    with st.container(key="neighbours"):
        st.image(
            _beside_reconstructions(choice.stored, numbers, nearest, data.sha256, data),
            [
                f"#{number} · {distance:.2f} away"
                for number, distance in zip(numbers, distances, strict=True)
            ],
            width=WIDTH,
            alt=[f"Face {number} and its reconstruction" for number in numbers],
        )


@st.cache_data(max_entries=500, show_spinner=False)
def _beside_reconstructions(
    stored: Stored, numbers: list[int], rows: list[int], sha256: str, _data: Faces
) -> list[str]:
    """Pictures of training faces, each beside what the decoder makes of its posterior mean.

    Arguments:
        stored: The model.
        numbers: The faces' places in the data set, which is the one it was trained on.
        rows: Their rows among the posterior means.
        sha256: The data set's, to know it by.
    """
    checkpoint = library.load(stored)
    means = library.posterior_means(stored)[rows]
    reconstructions = images.to_uint8(latent.decode(checkpoint.model, means)[0])
    return [
        data_url(images.side_by_side(_data.images[number], reconstruction, gap=1), scale=6)
        for number, reconstruction in zip(numbers, reconstructions, strict=True)
    ]
