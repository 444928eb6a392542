"""Files that are there whole or not at all, and where data are kept."""

__all__ = ["data_folder", "read_json", "replacing"]

import contextlib
import json
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


# Bytes beyond which a small file of ours is no longer one.
LARGEST_JSON = 2**20


def read_json(path: Path) -> object:
    """What a small file says, which anybody may have written.

    Raises:
        OSError: It can't be read, or is no plain file.
        ValueError: It is no JSON, too large, or nested too deeply.
    """
    if path.exists() and not path.is_file():
        # Reading a pipe would never end.
        raise OSError(f"{path} is no plain file")
    with path.open("rb") as file:
        content = file.read(LARGEST_JSON + 1)
    if len(content) > LARGEST_JSON:
        raise ValueError(f"{path} is too large")
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply") from error


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
