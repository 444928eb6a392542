"""The paper's Figure 4: a grid of decoded faces across the latent space."""

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import address, charts, header, library, session, tint
from ui.manifold import grid, overlays, settings, traversals

GRID, LATENTS = "The plane", "Each latent"


def main() -> None:
    line = header.open_page("Manifold", explain)
    choice, checkpoint = session.chosen()
    if traversals.offered(checkpoint) and choose_view(line) == LATENTS:
        traversals.show(choice, checkpoint)
        return
    # The grid comes first, and on a phone its controls below it.
    canvas, controls = st.columns([3, 1], gap="large")
    with controls:
        count, tail, gap, overlay, equal, axes, centre = settings.choose(checkpoint)
        coloured_by = None
        if overlay == overlays.MEANS:
            means = library.posterior_means(choice.stored)
            coloured_by = tint.choose(choice, lambda: charts.rows_drawn(len(means)))
    mark = tint.mark_of(coloured_by)
    figure, faces = grid.drawn(
        choice.stored, count, tail, axes, centre, overlay, equal, mark, coloured_by
    )
    with canvas:
        draw(figure, len(faces) > 1)
    with controls:
        grid.offer_download(faces, gap, choice.name)


def choose_view(line: DeltaGenerator) -> str:
    """The grid over two latents, or a row for each of them all."""
    address.take_up({"view": address.one_of({"latents": LATENTS}, "manifold_view")})
    view = line.segmented_control(
        "View",
        [GRID, LATENTS],
        default=GRID,
        required=True,
        key="manifold_view",
        persist_state="session",
        label_visibility="collapsed",
    )
    address.keep({"view": "latents" if view == LATENTS else ""})
    return view


def explain() -> None:
    st.markdown(
        "Every face here was drawn by the decoder alone, from a point of a grid – or of a line, "
        "with a single latent. "
        "It is evenly spaced in probability: steps on the unit square pass through the "
        "inverse of the Gaussian's cumulative distribution function, so that each face "
        "stands for an equal share of the prior. "
        "Neighbours look alike because the decoder is a smooth function, and so the whole "
        "sheet shows the surface of faces that the model has learnt."
    )
    st.latex(
        r"z_{ij} = \left(\Phi^{-1}(u_i),\, \Phi^{-1}(u_j)\right), \qquad "
        r"\text{face}_{ij} = \mu_\theta(z_{ij}) = E_{p_\theta(x \mid z_{ij})}[x]"
    )
    st.caption(
        "Kingma & Welling, *Auto-Encoding Variational Bayes* (2014), Figure 4: "
        "[arXiv 1312.6114](https://arxiv.org/abs/1312.6114)"
    )


def draw(figure: go.Figure, square: bool) -> None:
    with st.container(key="grid" if square else "strip"):
        st.plotly_chart(
            figure,
            height="stretch",
            config={"displayModeBar": False},
            alt="A grid of decoded faces" if square else "A row of decoded faces",
        )


main()
