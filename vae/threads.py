"""How threads wait for each other, which OpenMP and OpenBLAS read once, when they are loaded.

A thread that spins while it waits goes on at once, and on an idle machine a training step of a
small network takes half the time by that. Where another process wants its core, the one that spins
keeps off the one that it waits for. So a process that trains looks at the machine before it loads
torch: it spins where there are cores for all its threads, and sleeps where there are not. The
results are the same, bit for bit.
"""

__all__ = ["inherited", "prepare"]

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# How long GNU's OpenMP spins before it sleeps, in turns of its loop: enough for a training step.
SPIN = {"GOMP_SPINCOUNT": "10000"}
SLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}

# Idle threads of scipy's linear algebra sleep after 2⁴ cycles and not 2²⁶: where they spin,
# torch's wait for a core, and on two of them a geodesic took up to 16 s.
LINEAR_ALGEBRA = {"OPENBLAS_THREAD_TIMEOUT": "4"}

SAMPLES = 9
SECONDS = 0.03

# What was set here and by nobody else: a process that is started from this one decides anew.
_own: set[str] = set()


def prepare(arguments: Sequence[str]) -> None:
    """Set what was not set already; arguments are the command line's, without its program."""
    if "GOMP_SPINCOUNT" not in os.environ and "OMP_WAIT_POLICY" not in os.environ:
        trains = arguments[:1] == ["train"]
        _set(SLEEP if trains and is_crowded(_running, _threads(), _cores()) else SPIN)
    if "OPENBLAS_THREAD_TIMEOUT" not in os.environ:
        _set(LINEAR_ALGEBRA)


def inherited() -> dict[str, str]:
    """The environment for a process that is to decide for itself."""
    return {name: value for name, value in os.environ.items() if name not in _own}


def is_crowded(running: Callable[[], int | None], threads: int, cores: int) -> bool:
    """Whether there are fewer cores than threads, with what else runs on this machine.

    Arguments:
        running: Called a few times: how many tasks run now, this one included; or None.
        threads: How many this process will have.
        cores: Of the machine.
    """
    counts = []
    for _ in range(SAMPLES):
        count = running()
        if count is None:
            return False
        counts.append(count - 1)
        time.sleep(SECONDS)
    return statistics.median(counts) + threads > cores


def _running() -> int | None:
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("procs_running"))
    except (OSError, ValueError, StopIteration, IndexError):
        # Not Linux: nobody says.
        return None


def _threads() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() else _cores()


def _cores() -> int:
    return os.cpu_count() or 1


def _set(values: Mapping[str, str]) -> None:
    os.environ.update(values)
    _own.update(values)
