"""Figures, texts and errors as people read them."""

__all__ = ["figure", "number", "plain", "sentences"]

import contextlib
import re
from collections.abc import Iterator

import streamlit as st

from vae.errors import VisageError


def figure(figures: object, name: str) -> float | None:
    """A number out of what a checkpoint says of itself, which may be anything."""
    value = figures.get(name) if isinstance(figures, dict) else None
    return value if isinstance(value, (int, float)) else None


def number(value: float, digits: int = 0) -> str:
    """A figure as people read it: thousands apart, and a minus sign that is one."""
    return f"{value:,.{digits}f}".replace("-", "−")


def plain(text: str) -> str:
    """A text for Markdown as it stands: a stranger's file may say anything of itself."""
    return re.sub(r"([\\`*\[\]<$])", r"\\\1", text)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Show a :class:`VisageError` as the sentence it is; also usable as a decorator."""
    try:
        yield
    except VisageError as error:
        st.error(plain(str(error)), icon=":material/error:")
