"""The head of a page: its title and, beside it, what it is that a visitor is looking at."""

__all__ = ["open_page"]

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

QUESTION = "What am I looking at?"


def open_page(title: str, explain: Callable[[], None]) -> DeltaGenerator:
    """Draw the title, and an explanation that opens over the page.

    They share one line, so that on a projector the page itself begins near the top.

    Arguments:
        title: What the page is called, in the menu too.
        explain: Draws the explanation: words, a formula, and where it is from.

    Returns:
        The line, for a switch between the page's views.
    """
    line = st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="page_header"
    )
    with line:
        st.title(title, anchor=False, width="content")
        with st.popover(QUESTION, icon=":material/help:", type="tertiary", key="explanation"):
            explain()
    return line
