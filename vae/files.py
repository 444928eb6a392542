"""Files that are there whole or not at all, and where data are kept."""

__all__ = ["data_folder", "replacing"]

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from vae.errors import VisageError


def data_folder() -> Path:
    """The folder of data sets and of models that people bring: ``VISAGE_DATA``, or ``data``."""
    return Path(os.environ.get("VISAGE_DATA") or "data")


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A fresh path beside the given one, moved onto it at the end: readers see old or new, whole.

    Raises:
        VisageError: Nothing can be written there; what was there before stays.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made by a plain open, so that the system gives it the rights of any new file; writers
        # that put a file of their own in its place would leave it private.
        with beside.open("xb") as file:
            rights = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        yield beside
        beside.chmod(rights)
        beside.replace(path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VisageError(f"{path} can't be written: {reason}.") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
