"""Visage: explore the latent space of a variational autoencoder. Run it: streamlit run app.py"""

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

PAGES = (
    ("explore", "Explore", ":material/explore:"),
    ("manifold", "Manifold", ":material/grid_on:"),
    ("reconstruct", "Reconstruct", ":material/compare:"),
    ("morph", "Morph", ":material/animation:"),
    ("train", "Train", ":material/model_training:"),
    ("data", "Data", ":material/photo_library:"),
)


def main() -> None:
    st.set_page_config("Visage", page_icon=HERE / "ui" / "icon.svg", layout="wide")
    st.logo(HERE / "ui" / "logo.svg", size="large", icon_image=HERE / "ui" / "icon.svg")
    st.html(HERE / "ui" / "style.css")
    page = st.navigation(
        [
            st.Page(HERE / "pages" / f"{name}.py", title=title, icon=icon)
            for name, title, icon in PAGES
        ]
    )
    # This imports torch, which takes seconds once: the frame above is on screen before.
    from ui import session

    with session.sentences(), session.picked_model():
        page.run()


main()
