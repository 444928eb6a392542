"""The app's pages. It imports no torch: the frame of the app is on screen before that has come."""

__all__ = ["drawing", "navigate"]

import base64
import copy
import functools
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
    st.set_page_config(page_icon=drawing("icon"), layout="wide")
    # A session notes in a page whether it has run it, so each has copies of its own.
    first, *others = map(copy.copy, _pages())

    def to_the_first() -> None:
        st.switch_page(first, query_params=st.query_params.to_dict())

    # Streamlit gives the first page the bare address, and knows of nothing at its name.
    by_name = st.Page(to_the_first, title="Explore", url_path="explore", visibility="hidden")
    page = st.navigation([first, *others, by_name], position=position)
    st.set_page_config(f"{page.title} · Visage")
    return page


@functools.cache
def drawing(name: str) -> str:
    """A drawing of the app's own as a data URL: Streamlit would read and encode the file for every
    visitor at every run."""
    content = (HERE / f"{name}.svg").read_bytes()
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode()


@functools.cache
def _pages() -> tuple[st.Page, ...]:
    """Made once: each looks for its file and for the words of its icon."""
    return tuple(
        st.Page(
            HERE.parent / "pages" / f"{name}.py",
            title=title,
            icon=icon,
            url_path=name if place else "first",
        )
        for place, (name, title, icon) in enumerate(PAGES)
    )
