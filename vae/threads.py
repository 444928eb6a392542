"""How threads wait for each other, which OpenMP and OpenBLAS read once, when they are loaded.

A thread that spins a little while it waits goes on at once, and on an idle machine a training step
of a small network takes half the time by that. Where others want the cores, spinning costs a
multiple: there :mod:`vae.training.pace` leaves training one thread, which waits for nobody. The
results are the same, bit for bit.
"""

__all__ = ["prepare"]

import os

# How long GNU's OpenMP spins before it sleeps, in turns of its loop: enough for a training step.
SPIN = "10000"

# Idle threads of scipy's linear algebra sleep after 2⁴ cycles and not 2²⁶: where they spin,
# torch's wait for a core, and on two of them a geodesic took up to 16 s.
LINEAR_ALGEBRA = "4"


def prepare() -> None:
    """Set what was not set already; before torch and scipy are loaded."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN)
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", LINEAR_ALGEBRA)
