"""How a run is doing, as its status file says, as far as that can be true."""

__all__ = ["WAITED_ENOUGH", "Status"]

import dataclasses
import time
from dataclasses import dataclass

from vae.runs import processes
from vae.runs.processes import Process

STATES = ("queued", "running", "stopped", "finished", "failed", "interrupted")
ALIVE = ("queued", "running")

# Seconds without a sign of life after which a run of another machine is given up, and one that
# nobody trains yet. A process of this machine is there or it isn't.
SILENCE = 60.0

# What a status can say: characters of a text, steps, and seconds since the epoch.
LONGEST_TEXT = 10_000
LARGEST_COUNT = 10**15
LATEST = 1e11

KILLED = (
    "Its process ended without a word: it was killed, as happens when memory runs out, or the "
    "machine went down. Resume it; if that happens again, choose fewer hidden units."
)

# Why a run ended before its last step.
WAITED_ENOUGH = "the validation set had known no better one for long"


@dataclass(frozen=True)
class Status:
    """How a run is doing.

    Arguments:
        state: ``queued``, ``running``, ``stopped``, ``finished``, ``failed`` or ``interrupted``.
        pid: The trainer's process, and ``born`` its creation time, which tells it from a later
            process that got the same number; ``host`` is its machine.
        step: Steps taken.
        heartbeat: When the trainer last wrote this, in seconds since the epoch.
        error: What went wrong and what to try, in a sentence or two.
        created: When the run was made, in seconds since the epoch.
        since: When the state became what it is.
        place: How many other runs have to end before this one starts.
        phase: What a running one does: nothing said while it trains, ``finishing`` after its last
            step, while the model is judged and written.
        share: How much of that phase is done, from 0 to 1.
        noise_since: The step since which the noise is learnt, where that is a stage of its
            own; 0 before that.
        best_since: The step whose weights the run went back to and ended with, since there was no
            better one for long; 0 where it took all its steps.
    """

    state: str = "queued"
    pid: int | None = None
    born: float | None = None
    host: str = ""
    step: int = 0
    heartbeat: float = 0.0
    error: str = ""
    created: float = 0.0
    since: float = 0.0
    place: int = 0
    phase: str = ""
    share: float = 0.0
    noise_since: int = 0
    best_since: int = 0

    @classmethod
    def of(cls, said: dict) -> "Status":
        """What a status file says, as far as that can be true.

        Raises:
            ValueError: It names no state.
        """
        if said.get("state") not in STATES:
            raise ValueError("there is no such state")
        kinds = {"pid": 0, "born": 0.0} | {
            field.name: field.default
            for field in dataclasses.fields(cls)
            if field.default is not None
        }
        return cls(
            **{
                name: said[name]
                for name, kind in kinds.items()
                if name in said and _can_be(said[name], kind)
            }
        )

    @property
    def is_alive(self) -> bool:
        """Whether the run goes on by itself: it is being trained, or will be."""
        return self.state in ALIVE

    @property
    def is_finishing(self) -> bool:
        """Whether its last step is taken, and the model is being judged and written."""
        return self.state == "running" and self.phase == "finishing"

    @property
    def process(self) -> Process | None:
        """The trainer's process, if it is known."""
        return None if self.pid is None or self.born is None else Process(self.pid, self.born)

    def as_its_process_is(self) -> "Status":
        """The same, or ``interrupted`` where its process is gone without a final word.

        Of a process that can't be asked, a long silence says so.
        """
        if not self.is_alive:
            return self
        if self.host == processes.host() and self.process is not None:
            is_there = self.process.is_alive()
        else:
            is_there = time.time() - self.heartbeat < SILENCE
        if is_there:
            return self
        return dataclasses.replace(self, state="interrupted", since=self.heartbeat, error=KILLED)


def _can_be(value: object, kind: object) -> bool:
    """Whether a value is of the kind of another: a text to be shown, a count, or a time."""
    if isinstance(kind, str):
        return isinstance(value, str) and len(value) <= LONGEST_TEXT and _is_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(kind, int):
        return isinstance(value, int) and 0 <= value <= LARGEST_COUNT
    return 0 <= value <= LATEST


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
