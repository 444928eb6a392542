"""How many threads a step is spread over: as many as are fastest just now.

On an idle machine a step goes the faster the more threads share it, since none waits for another.
Where other processes want the cores, a thread that has lost its own is waited for by all: two
threads on two busy cores can take ten times what one takes. Nobody knows beforehand who else will
want the machine, so while training goes on now and then a few steps are tried with fewer threads
or more, and what was faster stays. That is for gradients which are the same to the last bit on any
number of threads, as the one that is derived by hand is, so that a run can be repeated.
"""

__all__ = ["ThreadTuner"]

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch

T = TypeVar("T")

# Seconds from one trial to the next where the last one changed something; twice as many after each
# that did not, up to the longest.
SOON = 0.5
LONGEST = 8.0

# Steps of a trial, and how much less time they must take: under a twentieth is noise.
TRIAL = 12
BETTER = 0.95


class ThreadTuner:
    """Told what each step took, it sets the number of threads for the next ones.

    Arguments:
        most: The most threads to use; :func:`torch.get_num_threads` by default.
        use: What sets their number; of torch by default.
    """

    def __init__(self, most: int | None = None, use: Callable[[int], None] | None = None):
        most = torch.get_num_threads() if most is None else most
        # Half of them, a quarter …, one: in rising order.
        self._counts = sorted({max(1, most >> halvings) for halvings in range(most.bit_length())})
        self._use: Callable[[int], object] = torch.set_num_threads if use is None else use
        self._place = len(self._counts) - 1
        self._usual: int | None = None  # the place to go back to, while there is a trial
        self._usual_step = 0.0
        self._direction = -1
        self._interval = SOON
        self._steps = 0
        self._seconds = 0.0

    @property
    def count(self) -> int:
        """The number of threads that the next step has."""
        return self._counts[self._place]

    def tell(self, seconds: float) -> None:
        """A step took so many seconds."""
        self._steps += 1
        self._seconds += seconds
        if self._usual is not None:
            # A trial that has taken as long as it may is lost, however few steps it took.
            lost = self._seconds > TRIAL * self._usual_step
            if lost or self._steps >= TRIAL:
                self._end_trial(self._seconds < BETTER * self._steps * self._usual_step)
        elif self._seconds >= self._interval and len(self._counts) > 1:
            self._begin_trial()

    def while_going(self, items: Iterable[T]) -> Iterator[T]:
        """Pass these on; in the end the process has as many threads as before."""
        try:
            yield from items
        finally:
            self.stop()

    def stop(self) -> None:
        """From here on use as many threads as there were at first."""
        if len(self._counts) > 1:
            self._go_to(len(self._counts) - 1)
            self._counts, self._place, self._usual = self._counts[-1:], 0, None

    def _begin_trial(self) -> None:
        self._usual_step = self._seconds / self._steps
        self._usual = self._place
        last = len(self._counts) - 1
        # Fewer and more in turns, where there are both.
        self._direction = -self._direction
        if not 0 <= self._place + self._direction <= last:
            self._direction = -self._direction
        self._go_to(self._place + self._direction)

    def _end_trial(self, was_faster: bool) -> None:
        assert self._usual is not None
        if was_faster:
            self._interval = SOON
        else:
            self._go_to(self._usual)
            self._interval = min(2 * self._interval, LONGEST)
        self._usual = None

    def _go_to(self, place: int) -> None:
        self._place = place
        self._use(self.count)
        self._steps, self._seconds = 0, 0.0
