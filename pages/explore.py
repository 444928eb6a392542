"""Drag through the latent space and watch the face change."""

import numpy as np
import streamlit as st

from ui import header, library, link, paths, session, share, tint, words
from ui.latent_pad import colour_points, draw_arrows, latent_pad, name_axes
from ui.library import Choice, Stored
from ui.morph import marks
from ui.pictures import data_url
from vae import images, latent
from vae.datasets.faces import Faces
from vae.latent import packed

NEIGHBOURS = 6

# How often a model that is being trained is looked at for new weights.
SECONDS = 1.5


def main() -> None:
    header.open_page("Explore", explain)
    choice, checkpoint = session.chosen()
    link.read_start(checkpoint.model.latent_dim)
    st.fragment(explore, run_every=SECONDS if choice.is_running else None)(choice)


def explain() -> None:
    st.markdown(
        "A variational autoencoder has learnt to describe each face by a few numbers, the "
        "latent z, and to draw a face from any such description. "
        "You hold z: the decoder turns it into a Gaussian for every pixel, and the picture is "
        "that Gaussian's mean. "
        "The points are the faces it was trained on, each at the mean of its posterior; "
        "between them lie faces that no camera has seen. *Sample* adds the noise that the model "
        "expects: of a Gaussian's independent pixels it looks like snow; a model whose likelihood "
        "is correlated knows how neighbours deviate together, and its samples look like a "
        "camera's noise and shadows."
    )
    st.latex(
        r"z \sim p(z) = \mathcal{N}(0, I), \qquad "
        r"p_\theta(x \mid z) = \mathcal{N}\!\left(x;\, \mu_\theta(z),\, "
        r"\operatorname{diag} \sigma_\theta^2(z)\right)"
    )
    st.caption(
        "Kingma & Welling, *Auto-Encoding Variational Bayes* (2014), section 3 and appendix "
        "C.2: [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)"
    )


@words.sentences()
def explore(choice: Choice) -> None:
    """The pad and what the server adds to it; a run's new weights arrive here while it trains."""
    now = library.models().get(choice.name)
    if now is None or now.state != choice.state:
        st.rerun()
    choice = now
    checkpoint = library.load(choice.stored)
    start = link.starting_point(checkpoint.model.latent_dim)
    pad = latent_pad(
        checkpoint,
        key="explore",
        model_id=choice.name,
        version=str(choice.version),
        z=start.z,
        z_version=start.version,
        pins=start.pins,
        axes=start.axes,
    )
    axes = marks.kept(choice, checkpoint.model.latent_dim)
    name_axes("explore", choice.name, axes)
    link.write_state(pad)
    with st.container(horizontal=True, vertical_alignment="center"):
        coloured_by = tint.choose(choice, packed.rows_of(checkpoint))
        tell_density(pad.z)
        if not choice.is_running:
            share.offer(choice, checkpoint, axes)
    colour_points("explore", choice.name, coloured_by)
    show_neighbours(choice, pad.z)
    # Measuring a model takes seconds, once: last, and not at every step of one in training.
    if pad.arrows and not choice.is_running:
        draw_arrows("explore", choice.name, paths.directions(choice.stored, pad.z))


def tell_density(z: np.ndarray) -> None:
    here, peak = latent.log_prior(np.stack([z, np.zeros_like(z)]))
    st.markdown(
        f"**log p(z) = {words.number(here, 2)} nats**, the log-density of the prior at this "
        f"point; at the origin, its peak, it is {words.number(peak, 2)}.",
        help=words.meaning("log p(z)", "σ", "nats"),
    )


def show_neighbours(choice: Choice, z: np.ndarray) -> None:
    """The training faces nearest in the latent space, each beside its reconstruction."""
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
    pairs = beside_reconstructions(choice.stored, numbers, nearest, data.sha256, data)
    st.subheader("Nearest training faces")
    st.caption(
        "Nearest in the latent space, by the mean of their posterior: the original, and the "
        "decoder's reconstruction."
    )
    with st.container(horizontal=True):
        for place, pair in zip(nearest, pairs, strict=True):
            number = places[place]
            distance = np.linalg.norm(means[place] - z)
            st.image(
                pair,
                f"#{number} · {distance:.2f} away",
                width=120,
                alt=f"Face {number} and its reconstruction",
            )


@st.cache_data(max_entries=500, show_spinner=False)
def beside_reconstructions(
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


main()
