"""How threads wait for each other, and who needs none.

OpenMP and OpenBLAS read how once, when they are loaded.

A thread that spins a little while it waits goes on at once, and on an idle machine a training step
of a small network takes half the time by that. Where others want the cores, spinning costs a
multiple: there :mod:`vae.training.pace` leaves training one thread, which waits for nobody. The
results are the same, bit for bit: on Intel's processors because MKL is told to add up in one order
however many threads it has, which costs nothing that could be measured.
"""

__all__ = ["prepare", "single"]

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

# How long GNU's OpenMP spins before it sleeps, in turns of its loop: enough for a training step.
SPIN = "10000"

# Idle threads of scipy's linear algebra sleep after 2⁴ cycles and not 2²⁶: where they spin,
# torch's wait for a core, and on two of them a geodesic took up to 16 s.
LINEAR_ALGEBRA = "4"


# What MKL is told so that it adds up in the same order with any number of threads, by what Linux
# calls a processor's instructions. It can on Intel's alone: others, whose sums are such without,
# it would give its slowest.
SAME_SUMS = {"avx512f": "AVX512,STRICT", "avx2": "AVX2,STRICT"}


def prepare() -> None:
    """Set what was not set already; before torch and scipy are loaded."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN)
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", LINEAR_ALGEBRA)
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as file:
        # The first of its processors, which are alike.
        if order := _same_sums(file.read(2**14)):
            os.environ.setdefault("MKL_CBWR", order)


def _same_sums(processor: str) -> str:
    """What MKL is told on a processor of which Linux says this; empty where nothing."""
    words = set(processor.split())
    if "GenuineIntel" not in words:
        return ""
    return next((order for flag, order in SAME_SUMS.items() if flag in words), "")


@contextlib.contextmanager
def single() -> Iterator[None]:
    """Compute on one thread of torch's: what consists of many small products.

    Shared out, each of them ends with a wait for the other thread. On an idle machine that gains
    nothing, and beside one that trains a search takes ten times the processor time.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
