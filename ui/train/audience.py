"""How many watch a run, and how often each of them is told: less often where there are many."""

__all__ = ["Audience", "of"]

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import streamlit as st

# So many are told as often as one alone; of twice as many each is told half as often, and so on.
FEW = 25

# Who has not looked for so many turns, in seconds at the usual pace, has left.
GONE = 6.0

SLOWEST = 8


class Audience:
    """Who looks at one thing, by the sessions' names.

    Arguments:
        clock: Tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._seen: dict[str, float] = {}
        self._slowness = 1
        self._lock = threading.Lock()

    def arrive(self, who: str) -> int:
        """Note that a session looks.

        Returns:
            How many times as long as usual it is to wait until it looks again: 1, 2, 4, …
        """
        with self._lock:
            now = self._clock()
            self._seen[who] = now
            left = now - GONE * self._slowness
            self._seen = {name: at for name, at in self._seen.items() if at >= left}
            count = len(self._seen)
            while count > FEW * self._slowness and self._slowness < SLOWEST:
                self._slowness *= 2
            # Not to and fro at the border: a change costs everyone a run of the whole page.
            while self._slowness > 1 and count < FEW * self._slowness / 3:
                self._slowness //= 2
            return self._slowness


@st.cache_resource(max_entries=100, show_spinner=False)
def _audience(path: Path) -> Audience:
    return Audience()


def of(path: Path) -> int:
    """How many times as long as usual this session is to wait between two looks at a run."""
    me = st.session_state.setdefault("watcher", uuid.uuid4().hex)
    return _audience(path).arrive(me)
