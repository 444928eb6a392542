"""Places kept free for what takes a while: grey boxes at once, and what belongs there later."""

__all__ = ["Place", "reserving"]

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from vae.errors import VisageError


class Place:
    """A part of the page that is drawn later than what stands below it.

    Arguments:
        height: How much room is kept, in CSS pixels.
        waiting: Whether a box is shown until then.
    """

    def __init__(self, height: int, waiting: bool):
        self._container = st.container(gap="small")
        # Always there, so that what is drawn keeps its number among the container's children.
        self._box = self._container.empty()
        if waiting:
            self._box.html(f'<div class="visage-skeleton" style="height:{height}px"></div>')

    def clear(self) -> None:
        """Take the box away."""
        self._box.empty()

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Draw inside, in the box's stead: it goes when all of it is there."""
        with self._container:
            yield
        self.clear()


@contextmanager
def reserving(waiting: bool) -> Iterator[Callable[[int], Place]]:
    """Give a function that keeps a place free here, so many CSS pixels tall.

    No box outlives a :class:`VisageError`: the sentence says why nothing comes.

    Arguments:
        waiting: Whether nothing is there yet. A rerun leaves what was drawn until it draws anew.
    """
    places: list[Place] = []

    def reserve(height: int) -> Place:
        places.append(Place(height, waiting))
        return places[-1]

    try:
        yield reserve
    except VisageError:
        for place in places:
            place.clear()
        raise
