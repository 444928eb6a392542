"""A page's settings in its address: taken up once from a link, and kept there as they change."""

__all__ = ["Reader", "axes_of", "keep", "one_of", "take_up", "written_axes"]

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

# What the session is to remember for a text in the address; ValueError where that says nothing.
Reader = Callable[[str], Mapping[str, Any]]


def take_up(readers: Mapping[str, Reader]) -> None:
    """Put into the session what the address says, where it is news, before any widget is drawn.

    What is not understood is left alone, with a sentence.

    Arguments:
        readers: How each setting of the page is read, by its name in the address.
    """
    known = st.session_state.setdefault("address", {})
    ignored = []
    for name, read in readers.items():
        text = st.query_params.get(name)
        if text is None or text == known.get(name):
            continue
        known[name] = text
        try:
            st.session_state.update(read(text))
        except ValueError:
            ignored.append(name)
    if ignored:
        st.toast(
            f"What this link says of {' and '.join(ignored)} does not fit this model and page, "
            "so it was ignored."
        )


def keep(settings: Mapping[str, str]) -> None:
    """Write settings into the address, all at once, beside what else stands there.

    Arguments:
        settings: The text of each by its name; empty for what is as usual, and not written.
    """
    st.session_state.setdefault("address", {}).update(settings)
    now = st.query_params.to_dict()
    wanted = {name: text for name, text in (now | dict(settings)).items() if text}
    if wanted != now:
        st.query_params.from_dict(wanted)


def one_of(choices: Mapping[str, Any], key: str) -> Reader:
    """A reader of a widget's value, among those that can be chosen, by their texts."""

    def read(text: str) -> dict[str, Any]:
        if text not in choices:
            raise ValueError(text)
        return {key: choices[text]}

    return read


def axes_of(latent_dim: int) -> Reader:
    """A reader of the two latents that run across and upwards, as in ``2,1``."""

    def read(text: str) -> dict[str, int]:
        across, upwards = (int(number) - 1 for number in text.split(","))
        if across == upwards or not {across, upwards} <= set(range(latent_dim)):
            raise ValueError(text)
        return {f"across_{latent_dim}": across, f"upwards_{latent_dim}": upwards}

    return read


def written_axes(axes: tuple[int, int]) -> str:
    """The two latents as :func:`axes_of` reads them; empty for the first two."""
    return "" if axes == (0, 1) else f"{axes[0] + 1},{axes[1] + 1}"
