"""Faces beside their reconstructions, and where their posteriors lie in the latent space."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import charts, header, library, missing_data, photo, session, tint, words
from ui.library import Choice
from ui.reconstruct import judged
from vae import limits
from vae.datasets.faces import Faces
from vae.latent.arrays import Reconstructions
from vae.latent.evidence import MOST_LATENTS, Evidence

FACES, PHOTO = "Faces of the data set", "Your own photo"

COLUMNS = 2


def main() -> None:
    header.open_page("Reconstruct", explain)
    choice, checkpoint = session.chosen()
    if choose_source() == PHOTO:
        photo.show(choice, checkpoint)
        return
    data = missing_data.find_or_offer(choice)
    if data is None:
        return
    part, order = choose_faces(library.parts(checkpoint.card, data))
    chosen = judged.ranked(choice, part, order, st.session_state.get("draw", 0))
    judgement = judged.reconstructed(choice.stored, chosen, data.sha256, data)
    gallery, plane = st.columns([4, 3], gap="large")
    likelihood = checkpoint.card.likelihood
    with gallery:
        pictures = judged.triples(choice.stored, chosen, data.sha256, data)
        waiting, captions = draw_gallery(pictures, chosen)
        tell_figures(captions, chosen, judgement, None, likelihood)
    with plane:
        draw_posteriors(choice, chosen, judgement)
    credit(data)
    # Everything else stands by now: with many latents this takes seconds.
    with waiting:
        evidence = judged.evidence(choice.stored, chosen, data.sha256, data)
    tell_figures(captions, chosen, judgement, evidence, likelihood)


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
            help="Best and worst by the ELBO of each face.",
        )
        if order == "random" and st.button("Draw others", icon=":material/shuffle:"):
            st.session_state.draw = st.session_state.get("draw", 0) + 1
    return parts[part], order


def draw_gallery(
    pictures: list[str], chosen: np.ndarray
) -> tuple[DeltaGenerator, list[DeltaGenerator]]:
    """Original, reconstruction and difference of each face.

    Returns:
        Where to say that something is being computed, and where each face's figures belong.
    """
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
    return st.empty(), captions


def tell_figures(
    captions: list[DeltaGenerator],
    chosen: np.ndarray,
    judgement: Reconstructions,
    evidence: Evidence | None,
    likelihood: str,
) -> None:
    """The figures of each face: the ELBO at once, the others as soon as there is evidence."""
    terms = ["ELBO", "log-likelihood", "KL divergence", "refined ELBO", "log p(x)", "nats"]
    if likelihood != "gaussian":
        terms.insert(0, "likelihood")
    for place, caption in enumerate(captions):
        elbo = judgement.elbo[place]
        # As many words as there will be, so that nothing moves then.
        is_integral = judgement.z_mean.shape[1] <= MOST_LATENTS
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


def draw_posteriors(choice: Choice, chosen: np.ndarray, judgement: Reconstructions) -> None:
    """Where the faces lie in the latent space."""
    latent_dim = judgement.z_mean.shape[1]
    axes = session.pick_axes(latent_dim) if latent_dim > 2 else (0, latent_dim - 1)
    means = library.posterior_means(choice.stored)
    coloured_by = tint.choose(choice, charts.rows_drawn(len(means))) if latent_dim > 1 else None
    mark = tint.mark_of(coloured_by)
    z_mean, z_std = judgement.z_mean, judgement.z_std
    with st.container(key="plane_coloured" if coloured_by else "plane"):
        st.plotly_chart(
            judged.plane(choice.stored, chosen, axes, z_mean, z_std, mark, coloured_by),
            height="stretch",
            config={"displayModeBar": False},
            alt="The posteriors of the faces in the latent space",
        )
    st.caption(
        "The posterior of each face, mean ± one standard deviation"
        + (", over the means of the training set." if len(means) else ".")
    )


def credit(data: Faces) -> None:
    if data.credit:
        st.caption(f"Faces: {data.credit}.")


main()
