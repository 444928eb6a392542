"""What strangers may do here: the ceilings on uploads, where to raise them, and read-only mode.

Each can be set by an environment variable, and each refusal names its ceiling.
"""

__all__ = ["MIB", "PICKLES", "Ceiling", "check_writable", "in_words", "read_only"]

import os
from enum import Enum

from vae.errors import VisageError

MIB = 2**20

# What Python's pickle makes, under any of its names: to open one is to run what is in it.
PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".joblib")


class Ceiling(Enum):
    """A ceiling by its environment variable, its default, and the unit that variable is in."""

    UPLOAD = "VISAGE_MAX_UPLOAD_MB", 1024, MIB
    UNPACKED = "VISAGE_MAX_UNPACKED_MB", 4096, MIB
    IMAGES = "VISAGE_MAX_IMAGES", 200_000, 1
    SIDE = "VISAGE_MAX_SIDE", 4096, 1
    PIXELS = "VISAGE_MAX_MEGAPIXELS", 16, 1_000_000
    LOOK_SECONDS = "VISAGE_MAX_LOOK_SECONDS", 4, 1
    LOOK_MEMORY = "VISAGE_MAX_LOOK_MB", 1024, MIB
    MODEL = "VISAGE_MAX_MODEL_MB", 256, MIB
    MODEL_NODES = "VISAGE_MAX_MODEL_NODES", 10_000, 1
    MODEL_SECONDS = "VISAGE_MAX_MODEL_SECONDS", 4, 1
    MODEL_MEMORY = "VISAGE_MAX_MODEL_MEMORY_MB", 1024, MIB

    @property
    def variable(self) -> str:
        """The environment variable that raises or lowers it."""
        return self.value[0]

    def __call__(self) -> int:
        """What holds now, in bytes, images, pixels or seconds.

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


def read_only() -> bool:
    """Whether nothing may be trained or changed here, as on a public deployment.

    ``VISAGE_READ_ONLY`` holds for whoever asks, on a page or on the command line: an owner who
    wants to train unsets it.
    """
    return os.environ.get("VISAGE_READ_ONLY", "") not in ("", "0")


def check_writable() -> None:
    """Refuse, with a sentence, to train or change anything where that is not allowed."""
    if read_only():
        raise VisageError(
            "This installation is read-only (VISAGE_READ_ONLY is set): nothing is trained or "
            "changed here."
        )
