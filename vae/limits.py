"""What is taken from strangers at most: the ceilings on uploads, and where to raise them.

Each can be set by an environment variable, and each refusal names its ceiling.
"""

__all__ = ["Ceiling", "in_words"]

import os
from enum import Enum

from vae.errors import VisageError

MIB = 2**20


class Ceiling(Enum):
    """A ceiling by its environment variable, its default, and the unit that variable is in."""

    UPLOAD = "VISAGE_MAX_UPLOAD_MB", 1024, MIB
    UNPACKED = "VISAGE_MAX_UNPACKED_MB", 4096, MIB
    IMAGES = "VISAGE_MAX_IMAGES", 200_000, 1
    SIDE = "VISAGE_MAX_SIDE", 4096, 1
    PIXELS = "VISAGE_MAX_MEGAPIXELS", 16, 1_000_000

    @property
    def variable(self) -> str:
        """The environment variable that raises or lowers it."""
        return self.value[0]

    def __call__(self) -> int:
        """What holds now, in bytes, images or pixels.

        Raises:
            VisageError: The variable holds no positive whole number.
        """
        variable, default, unit = self.value
        text = os.environ.get(variable) or str(default)
        if not text.isdecimal() or not 0 < int(text) < 10**9:
            raise VisageError(f"{variable} must be a positive whole number, not '{text}'.")
        return int(text) * unit


def in_words(size: float) -> str:
    """A number of bytes as people read it."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} bytes"
