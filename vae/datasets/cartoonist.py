"""What each process does that draws a share of the portraits of :mod:`vae.datasets.cartoon`.

    python -m vae.datasets.cartoonist FILE COUNT SIZE NTH OF

It fills in every OF-th few portraits of an array that several share, and says a byte after each.
"""

import os
import sys

import numpy as np

from vae.datasets import cartoon


def main() -> None:
    file, *numbers = sys.argv[1:]
    count, size, nth, workers = map(int, numbers)
    array = np.load(file, mmap_mode="r+")
    try:
        for start in range(nth * cartoon.AT_ONCE, count, workers * cartoon.AT_ONCE):
            part = range(start, min(start + cartoon.AT_ONCE, count))
            array[start : part.stop] = cartoon.draw(part, size)
            sys.stdout.buffer.write(b".")
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Nobody wants them any more.
        os._exit(0)


if __name__ == "__main__":
    main()
