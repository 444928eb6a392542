"""How threads wait for each other, which OpenMP and OpenBLAS read once, when they are loaded.

A thread that spins a little while it waits goes on at once, and on an idle machine a training step
of a small network takes half the time by that. Where others want the cores, spinning costs a
multiple: there :mod:`vae.training.pace` leaves training one thread, which waits for nobody. The
results are the same, bit for bit.
"""

__all__ = ["inherited", "prepare"]

import os
from collections.abc import Mapping

# How long GNU's OpenMP spins before it sleeps, in turns of its loop: enough for a training step.
SPIN = {"GOMP_SPINCOUNT": "10000"}

# Idle threads of scipy's linear algebra sleep after 2⁴ cycles and not 2²⁶: where they spin,
# torch's wait for a core, and on two of them a geodesic took up to 16 s.
LINEAR_ALGEBRA = {"OPENBLAS_THREAD_TIMEOUT": "4"}

# What was set here and by nobody else: a process that is started from this one decides anew.
_own: set[str] = set()


def prepare() -> None:
    """Set what was not set already; before torch and scipy are loaded."""
    if "GOMP_SPINCOUNT" not in os.environ and "OMP_WAIT_POLICY" not in os.environ:
        _set(SPIN)
    if "OPENBLAS_THREAD_TIMEOUT" not in os.environ:
        _set(LINEAR_ALGEBRA)


def inherited() -> dict[str, str]:
    """The environment for a process that is to decide for itself."""
    return {name: value for name, value in os.environ.items() if name not in _own}


def _set(values: Mapping[str, str]) -> None:
    os.environ.update(values)
    _own.update(values)
