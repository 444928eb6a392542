"""Learn: the paper in steps, each done with one's own hands."""

import streamlit as st

from ui import header, session
from ui.learn import lesson


def main() -> None:
    session.be_in_the_app()
    header.open_page("Learn", explain)
    choice = st.session_state.choice
    taught = lesson.subject(choice)
    st.fragment(lesson.draw)(taught)
    if taught is not choice:
        st.caption(
            f"The lesson is told with **{taught.name}**: it needs two latents, the paper's "
            "likelihood, perceptrons with tanh, and a model that is not being trained just now."
        )

    lesson.draw_recordings()
    # The way across takes seconds to find, once: the lesson has long been there.
    lesson.draw_journeys(taught)


def explain() -> None:
    st.markdown(
        "The paper that everything here implements, told in steps, each a screen with something "
        "to do. All of it is computed in your own browser, with a real model: what you see are "
        "its figures, not a drawing of them.\n\n"
        "The arrow keys ← and → lead from step to step, also in full screen, for a lecture; each "
        "step has its own link, which your browser's address shows."
    )
    st.latex(
        r"\log p_\theta(x) \ge \mathcal{L}(\theta, \phi; x) = "
        r"E_{q_\phi(z \mid x)}[\log p_\theta(x \mid z)] "
        r"- D_{KL}(q_\phi(z \mid x) \,\|\, p(z))"
    )
    st.caption(
        "Kingma & Welling, *Auto-Encoding Variational Bayes* (2014): "
        "[arXiv 1312.6114](https://arxiv.org/abs/1312.6114)"
    )


main()
