"""Faces beside their reconstructions, and where their posteriors lie in the latent space."""

import numpy as np
import streamlit as st

from ui import header, library, missing_data, photo, posteriors, session, words
from ui.reconstruct import gallery, judged
from vae import limits

FACES, PHOTO = "Faces of the data set", "Your own photo"


def main() -> None:
    header.open_page("Reconstruct", explain)
    choice, checkpoint = session.chosen()
    if not checkpoint.model.can_encode:
        st.info(
            "This model came without an encoder, so no image has a place among its latents: open "
            "it again with its encoder (*Data*, *Models*). Explore, Manifold and Morph show what "
            "its decoder draws.",
            icon=":material/info:",
        )
        return
    if choose_source() == PHOTO:
        photo.show(choice, checkpoint)
        return
    data = missing_data.find_or_offer(choice)
    if data is None:
        return
    part, order = choose_faces(library.parts(checkpoint.card, data))
    chosen = judged.ranked(choice, part, order, st.session_state.get("draw", 0))
    judgement = judged.reconstructed(choice.stored, chosen, data.sha256, data)
    likelihood = checkpoint.card.likelihood
    has_nats = not checkpoint.model.why_no_nats
    faces, plane = st.columns([4, 3], gap="large")
    with faces:
        pictures = judged.triples(choice.stored, chosen, data.sha256, data)
        drawn = gallery.draw(pictures, chosen)
        if has_nats:
            gallery.tell_figures(drawn, chosen, judgement, None, likelihood)
        else:
            errors = judged.errors(choice.stored, chosen, data.sha256, data)
            gallery.tell_errors(drawn, chosen, errors, checkpoint.model.why_no_nats)
    with plane:
        labels = [f"#{number}" for number in chosen]
        posteriors.draw(choice, labels, judgement.z_mean, judgement.z_std, "each face")
    if data.credit:
        st.caption(f"Faces: {data.credit}.")
    if not has_nats:
        return
    # Everything else stands by now: with many latents this takes seconds.
    with drawn.waiting:
        evidence = judged.evidence(choice.stored, chosen, data.sha256, data)
    gallery.tell_figures(drawn, chosen, judgement, evidence, likelihood)


def explain() -> None:
    st.markdown(
        "The encoder turns each face into a posterior, a small Gaussian cloud of latent "
        "points, and the decoder draws the face at the cloud's mean. "
        "The difference shows where the two disagree: red where the reconstruction is "
        "brighter than the original, blue where it is darker. "
        "The ELBO judges each face in nats: how well it is explained by what its posterior "
        "decodes to, less what it costs to tell that posterior from the prior. "
        "It is a lower bound on log p(x). What lies between has two parts: the amortisation gap, "
        "which a posterior refined for this very face closes, and the approximation gap, which "
        "no Gaussian can."
    )
    st.latex(
        r"\mathcal{L}(\theta, \phi; x) = "
        r"\underbrace{E_{q_\phi(z \mid x)}[\log p_\theta(x \mid z)]}_{\text{log-likelihood}}"
        r" - \underbrace{D_{KL}(q_\phi(z \mid x) \,\|\, p(z))}_{\text{KL divergence}}"
        r" \;\le\; \log p_\theta(x)"
    )
    st.caption(
        "Kingma & Welling, *Auto-Encoding Variational Bayes* (2014), equations 3 and 10: "
        "[arXiv 1312.6114](https://arxiv.org/abs/1312.6114)"
    )


def choose_source() -> str:
    """Faces of the data set or, where uploads are taken, the visitor's own."""
    if limits.read_only():
        return FACES
    return st.segmented_control(
        "Whose face",
        [FACES, PHOTO],
        default=FACES,
        required=True,
        key="reconstruct_source",
        label_visibility="collapsed",
        persist_state="session",
    )


def choose_faces(parts: dict[str, np.ndarray]) -> tuple[np.ndarray, str]:
    """The part of the data set to choose from, as places in it, and which of it to show."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = st.segmented_control(
            "Faces",
            list(parts),
            default=next(iter(parts)),
            required=True,
            format_func=lambda part: f"{part} · {len(parts[part]):,}",
            help=words.meaning(*(part for part in parts if part != "all")) or None,
            key="reconstruct_part",
            persist_state="session",
        )
        order = st.segmented_control(
            "Show",
            ["random", "best", "worst"],
            default="random",
            required=True,
            key="reconstruct_order",
            persist_state="session",
            help="Best and worst by the ELBO of each face; of a model that tells no nats, by the "
            "error of its reconstruction.",
        )
        if order == "random" and st.button("Draw others", icon=":material/shuffle:"):
            st.session_state.draw = st.session_state.get("draw", 0) + 1
    return parts[part], order


main()
