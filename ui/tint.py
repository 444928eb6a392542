"""What points may be coloured by: a label of each, in colours that every eye can tell apart."""

__all__ = ["Tint", "choose", "mark_of", "tint"]

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import streamlit as st

from ui.library import Choice, training_faces
from vae.datasets.labels import Column

# Okabe and Ito's, which tell kinds apart for colour-blind eyes; and cividis, which goes from dark
# to light for every eye alike.
KINDS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
OTHERS = "#999999"
AMOUNTS = ("#00224e", "#213b6e", "#4c556c", "#6c6e72", "#8e8978", "#b2a570", "#d9c55c", "#fee838")

NOTHING = "nothing"


class Tint(NamedTuple):
    """A label of some points.

    Arguments:
        name: What it is called; a stranger's text, as the others.
        codes: Of each point, its entry in the legend; −1 where the label is not known. (N,).
        legend: Each entry's text and colour.
        values: Of each point, its place in ``words``; −1 where it is not known. (N,).
        words: What is said of a point.
    """

    name: str
    codes: np.ndarray
    legend: list[tuple[str, str]]
    values: np.ndarray
    words: list[str]

    @property
    def mark(self) -> str:
        """What tells it from others: for what is drawn once and kept."""
        texts = [self.name, *self.words, *(part for entry in self.legend for part in entry)]
        told = hashlib.sha256("\0".join(texts).encode(errors="surrogatepass"))
        told.update(np.concatenate([self.codes, self.values]).astype(np.int64).tobytes())
        return told.hexdigest()


def mark_of(tint: Tint | None) -> str:
    """The same of points that may have none."""
    return "" if tint is None else tint.mark


def tint(column: Column, places: np.ndarray) -> Tint:
    """Colours for the images at these places of a set, by a column of its labels."""
    values = column.values[places]
    return _kinds(column, values) if column.is_categorical else _amounts(column, values)


def _kinds(column: Column, values: np.ndarray) -> Tint:
    """The most frequent kinds in a colour each, in their own order, and one for all others."""
    counts = np.bincount(values[values >= 0], minlength=len(column.kinds))
    present = np.flatnonzero(counts)
    shown = present
    if len(present) > len(KINDS):
        shown = np.sort(present[np.argsort(-counts[present], kind="stable")[: len(KINDS)]])
    legend = [(column.kinds[kind], colour) for kind, colour in zip(shown, KINDS, strict=False)]
    entry = np.full(len(column.kinds) + 1, len(shown))
    entry[shown] = np.arange(len(shown))
    # The place of −1.
    entry[-1] = -1
    if len(present) > len(shown):
        legend.append((f"{len(present) - len(shown):,} others", OTHERS))
    return Tint(column.name, entry[values], legend, values, list(column.kinds))


def _short(value: float) -> str:
    """A number in about three figures."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def _amounts(column: Column, values: np.ndarray) -> Tint:
    """Equal steps from the lowest to the highest, from dark to light."""
    known = ~np.isnan(values)
    codes = np.full(len(values), -1)
    texts = [
        f"{value:.4g}".replace("-", "−") if here else ""
        for value, here in zip(values, known, strict=True)
    ]
    words = sorted(set(texts) - {""})
    at = {word: place for place, word in enumerate(words)}
    told = np.array([at.get(text, -1) for text in texts])
    if not known.any():
        return Tint(column.name, codes, [], told, words)
    low, high = float(values[known].min()), float(values[known].max())
    edges = np.linspace(low, high, len(AMOUNTS) + 1)
    codes[known] = np.clip(
        np.searchsorted(edges, values[known], side="right") - 1, 0, len(AMOUNTS) - 1
    )
    if low == high:
        codes[known] = 0
        return Tint(column.name, codes, [(_short(low), AMOUNTS[0])], told, words)
    legend = [
        (f"{_short(start)} to {_short(end)}", colour)
        for start, end, colour in zip(edges[:-1], edges[1:], AMOUNTS, strict=True)
    ]
    return Tint(column.name, codes, legend, told, words)


def choose(choice: Choice, rows: Callable[[], np.ndarray]) -> Tint | None:
    """A choice of what a model's points are coloured by, the same on every page; None for nothing.

    Arguments:
        choice: The model.
        rows: Gives the rows of its posterior that are drawn; asked where there is a label.
    """
    training = training_faces(choice)
    if training is None:
        return None
    data, places, _ = training
    labels = data.labels
    if labels is None:
        return None
    name = st.selectbox(
        "Colour the points by",
        [NOTHING, *labels.names],
        key=f"tint_{data.name}",
        persist_state="session",
        format_func=lambda name: (
            "Points in one colour" if name == NOTHING else f"Coloured by {name}"
        ),
        label_visibility="collapsed",
        width=240,
    )
    if name in (None, NOTHING):
        return None
    return tint(labels[name], places[rows()])
