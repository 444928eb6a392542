"""Faces beside their reconstructions, each with its figures."""

__all__ = ["Gallery", "draw", "tell_errors", "tell_figures"]

from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import words
from vae.latent.arrays import Reconstructions
from vae.latent.evidence import MOST_LATENTS, Evidence

COLUMNS = 2


class Gallery(NamedTuple):
    """Places in the page.

    Arguments:
        captions: Where the figures of each face belong.
        waiting: Where to say that something is being computed.
    """

    captions: list[DeltaGenerator]
    waiting: DeltaGenerator


def draw(pictures: list[str], chosen: np.ndarray) -> Gallery:
    """Original, reconstruction and difference of each face, and places for its figures."""
    st.caption(
        "Original, reconstruction, and where the reconstruction is :red[brighter] or "
        ":blue[darker]."
    )
    captions = []
    columns = st.columns(COLUMNS)
    for place, number in enumerate(chosen):
        with columns[place % COLUMNS].container(border=True, gap="small"):
            st.image(
                pictures[place],
                width="stretch",
                alt=f"Face {number}: original, reconstruction and difference",
            )
            captions.append(st.empty())
    return Gallery(captions, st.empty())


def tell_errors(gallery: Gallery, chosen: np.ndarray, errors: np.ndarray, why: str) -> None:
    """How far each reconstruction is from its original, of a model that tells nothing in nats.

    Arguments:
        gallery: Where that belongs.
        chosen: The faces' places in the data set.
        errors: Their mean squared errors, (n,).
        why: Why there are no nats, in a sentence.
    """
    for caption, number, error in zip(gallery.captions, chosen, errors, strict=True):
        caption.caption(f"**#{number}** · {words.signal_to_noise(float(error))}")
    gallery.waiting.caption(words.plain(why))


def tell_figures(
    gallery: Gallery,
    chosen: np.ndarray,
    judgement: Reconstructions,
    evidence: Evidence | None,
    likelihood: str,
) -> None:
    """The figures of each face: the ELBO at once, the others as soon as there is evidence."""
    terms = ["ELBO", "log-likelihood", "KL divergence", "refined ELBO", "log p(x)", "nats"]
    if likelihood != "gaussian":
        terms.insert(0, "likelihood")
    is_integral = judgement.z_mean.shape[1] <= MOST_LATENTS
    for place, caption in enumerate(gallery.captions):
        elbo = judgement.elbo[place]
        # As many words as there will be, so that nothing moves then.
        beyond = f"refined ELBO … · log p(x) {'=' if is_integral else 'is at least about'} …"
        if evidence is not None:
            elbo = evidence.encoder_elbo[place]
            beyond = (
                f"refined ELBO {words.number(evidence.refined_elbo[place])} · "
                f"{words.log_px(evidence.log_px[place], evidence.is_integral)}"
            )
        caption.caption(
            f"**#{chosen[place]}** · {words.figure('ELBO', likelihood)} "
            f"**{words.number(elbo)}** nats  \n"
            f"log-likelihood {words.number(elbo + judgement.kl[place])} · "
            f"KL {words.number(judgement.kl[place], 1)}  \n{beyond}",
            help=words.meaning(*terms),
        )
