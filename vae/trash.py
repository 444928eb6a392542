"""What was deleted: kept for a day in a folder beside its place, to be brought back.

    deleted = throw(path)      # moved into .trash, in the folder that it was in
    restore(deleted)           # and back

Nothing is copied, so that gigabytes go at once; what is older than a day is erased at the next
deletion, or when the app looks.
"""

__all__ = [
    "FOLDER",
    "KEPT_HOURS",
    "Deleted",
    "check",
    "empty",
    "erase",
    "find",
    "identity",
    "kept",
    "restore",
    "throw",
]

import contextlib
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from vae.errors import VisageError
from vae.limits import check_writable, read_only

FOLDER = ".trash"

KEPT_HOURS = 24

# Of a model's file: its name is what stands before.
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Deleted:
    """A file or folder in the trash.

    Arguments:
        place: Where it was.
        path: Where it lies now.
        when: When it was deleted, in seconds since the epoch.
    """

    place: Path
    path: Path
    when: float

    @property
    def name(self) -> str:
        """What it was called."""
        return self.place.name.removesuffix(SUFFIX)


def identity(path: Path) -> int | None:
    """What tells a file or folder from a later one of the same name; None where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def check(path: Path, known: int | None = None) -> None:
    """Refuse to delete what is not meant.

    Raises:
        VisageError: There is nothing, or another than the known one.
    """
    found = identity(path)
    if found is None or known not in (None, found):
        raise VisageError(
            f"{path.name.removesuffix(SUFFIX)} is not here any more, it was deleted or renamed "
            "meanwhile: nothing was deleted."
        )


def throw(path: Path, known: int | None = None) -> Deleted:
    """Move a file or folder into the trash beside it.

    Arguments:
        path: What to delete.
        known: The :func:`identity` of what is meant; by default, whatever is there.

    Raises:
        VisageError: It is gone already, it is another one by now, or it can't be moved. Then
            nothing is deleted.
    """
    check_writable()
    check(path, known)
    deleted = Deleted(path, path.parent / FOLDER / _ticket() / path.name, time.time())
    empty(path.parent)
    try:
        deleted.path.parent.mkdir(parents=True)
        path.rename(deleted.path)
    except OSError as error:
        _drop(deleted.path.parent)
        raise VisageError(f"{deleted.name} can't be deleted: {error.strerror}.") from error
    return deleted


def restore(deleted: Deleted) -> Path:
    """Bring something back to its place.

    Raises:
        VisageError: It has been erased or restored, or its name was given away meanwhile.
    """
    check_writable()
    if not deleted.path.exists():
        raise VisageError(f"{deleted.name} is not in the trash any more.")
    if deleted.place.exists():
        raise VisageError(
            f"There is another {deleted.name} by now: rename that one, then restore this one."
        )
    try:
        deleted.path.rename(deleted.place)
    except OSError as error:
        raise VisageError(f"{deleted.name} can't be restored: {error.strerror}.") from error
    _drop(deleted.path.parent)
    return deleted.place


def kept(home: Path) -> list[Deleted]:
    """What was deleted from a folder and can be brought back, the latest first."""
    found = []
    for ticket in _tickets(home):
        # Another viewer may restore it at this moment.
        with contextlib.suppress(OSError):
            found += [Deleted(home / path.name, path, _when(ticket)) for path in ticket.iterdir()]
    return found


def find(home: Path, name: str) -> Deleted:
    """The latest that was deleted from a folder under a name.

    Raises:
        VisageError: There is none.
    """
    for deleted in kept(home):
        if deleted.name == name:
            return deleted
    raise VisageError(
        f"There is no '{name[:60]}' in the trash: what is deleted is kept for {KEPT_HOURS} hours."
    )


def erase(deleted: Deleted) -> None:
    """Remove something from the trash for good.

    Raises:
        VisageError: It can't be removed.
    """
    check_writable()
    try:
        shutil.rmtree(deleted.path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise VisageError(f"{deleted.name} can't be erased: {error.strerror}.") from error
    _drop(deleted.path.parent)


def empty(home: Path) -> None:
    """Erase what has been in a folder's trash for longer than it is kept."""
    if read_only():
        return
    for ticket in _tickets(home):
        if time.time() - _when(ticket) > 3600 * KEPT_HOURS:
            # What can't be removed now is tried again at the next deletion.
            shutil.rmtree(ticket, ignore_errors=True)
            _drop(ticket)


def _ticket() -> str:
    # In the order of time as text, too.
    return f"{time.time_ns():020d}-{secrets.token_hex(4)}"


def _tickets(home: Path) -> list[Path]:
    found = (home / FOLDER).glob("*-*")
    return sorted((path for path in found if path.name.split("-")[0].isdecimal()), reverse=True)


def _when(ticket: Path) -> float:
    return int(ticket.name.split("-")[0]) / 1e9


def _drop(ticket: Path) -> None:
    """Remove an empty place in the trash, and the trash if that was all."""
    for folder in (ticket, ticket.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()
