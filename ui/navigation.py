"""The app's pages. It imports no torch: the frame of the app is on screen before that has come."""

__all__ = ["navigate"]

from pathlib import Path
from typing import Literal

import streamlit as st

HERE = Path(__file__).parent

PAGES = (
    ("explore", "Explore", ":material/explore:"),
    ("learn", "Learn", ":material/school:"),
    ("manifold", "Manifold", ":material/grid_on:"),
    ("reconstruct", "Reconstruct", ":material/compare:"),
    ("morph", "Morph", ":material/animation:"),
    ("train", "Train", ":material/model_training:"),
    ("data", "Data", ":material/photo_library:"),
)


def navigate(position: Literal["sidebar", "hidden"] = "sidebar") -> st.Page:
    """The page that the visitor asks for, one of :data:`PAGES`."""
    # Without an icon of the app's own, Streamlit asks a font server for the page's: at once.
    st.set_page_config(page_icon=HERE / "icon.svg", layout="wide")
    first, *others = (
        st.Page(
            HERE.parent / "pages" / f"{name}.py",
            title=title,
            icon=icon,
            url_path=name if place else "first",
        )
        for place, (name, title, icon) in enumerate(PAGES)
    )

    def to_the_first() -> None:
        st.switch_page(first, query_params=st.query_params.to_dict())

    # Streamlit gives the first page the bare address, and knows of nothing at its name.
    by_name = st.Page(to_the_first, title="Explore", url_path="explore", visibility="hidden")
    page = st.navigation([first, *others, by_name], position=position)
    st.set_page_config(f"{page.title} · Visage")
    return page
