"""Drag through the latent space and watch the face change."""

import numpy as np
import streamlit as st

from ui import header, library, link, paths, session, share, tint, words
from ui.explore import neighbours
from ui.latent_pad import colour_points, draw_arrows, latent_pad, name_axes
from ui.library import Choice
from ui.morph import marks
from vae import latent
from vae.latent import packed

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
    link.write_state(pad)
    with st.container(horizontal=True, vertical_alignment="center"):
        coloured_by = tint.choose(choice, lambda: packed.rows_of(checkpoint))
        tell_density(pad.z)
        if not choice.is_running:
            share.offer(choice, checkpoint, axes)
    neighbours.show(choice, pad.z)
    # What isn't always there comes last, where it moves nothing else on the page.
    name_axes("explore", choice.name, axes)
    colour_points("explore", choice.name, coloured_by)
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


main()
