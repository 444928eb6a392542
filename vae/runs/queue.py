"""The line that runs stand in, so that one machine trains no more at once than it should.

A trainer takes a ticket, a small file with the next number, and trains when fewer tickets lie
before its own than ``VISAGE_MAX_RUNS`` allows. Nobody hands out turns: each looks at the tickets,
and those of processes that are gone don't count. So nothing that is killed blocks the line.
"""

__all__ = ["folder", "join", "leave", "limit", "place"]

import contextlib
import getpass
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import filelock

from vae.errors import VisageError
from vae.files import replacing
from vae.runs.processes import Process


class Ticket(NamedTuple):
    """A place in the line: the file, whose name is its number, the run, and who trains it."""

    path: Path
    run: str
    process: Process


def limit() -> int:
    """How many runs may train at once: ``VISAGE_MAX_RUNS``, or 1.

    Raises:
        VisageError: It is set to something else than a number of at least 1.
    """
    text = os.environ.get("VISAGE_MAX_RUNS") or "1"
    if not text.isdecimal() or int(text) < 1:
        raise VisageError(f"VISAGE_MAX_RUNS must be a whole number of at least 1, not '{text}'.")
    return int(text)


def folder() -> Path:
    """Where this machine's tickets lie: ``VISAGE_QUEUE``, or a folder for temporary files."""
    # Containers have users without a name.
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    return Path(os.environ.get("VISAGE_QUEUE") or Path(tempfile.gettempdir(), f"visage-{user}"))


def join(run: Path, process: Process) -> None:
    """Take a ticket for the run that this process trains, if it has none yet."""
    with _locked():
        tickets = []
        for ticket in _tickets():
            if ticket.process.is_alive():
                tickets.append(ticket)
            else:
                ticket.path.unlink(missing_ok=True)
        if any(ticket.run == str(run) and ticket.process == process for ticket in tickets):
            return
        number = 1 + max((int(ticket.path.stem) for ticket in tickets), default=0)
        with replacing(folder() / f"{number:08d}.json") as beside:
            beside.write_text(json.dumps({"run": str(run), "process": process}))


def leave(run: Path, process: Process) -> None:
    """Give the ticket back."""
    for ticket in _tickets():
        if ticket.run == str(run) and ticket.process == process:
            ticket.path.unlink(missing_ok=True)


def place(run: Path) -> int:
    """How many runs have to end before this one may train; 0 where it may, or is not in line."""
    # Later tickets have larger numbers, so whoever reads without the lock sees a place that can
    # only be too far back, and that for a moment.
    living = [ticket for ticket in _tickets() if ticket.process.is_alive()]
    runs = [ticket.run for ticket in living]
    return max(0, runs.index(str(run)) + 1 - limit()) if str(run) in runs else 0


def _tickets() -> Iterator[Ticket]:
    for path in sorted(folder().glob("[0-9]*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            values = json.loads(path.read_text())
            yield Ticket(path, values["run"], Process(*values["process"]))


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = filelock.FileLock(folder() / ".lock")
        lock.acquire()
    except OSError as error:
        raise VisageError(
            f"The queue of runs in {folder()} can't be written: {error.strerror}; choose another "
            "folder with VISAGE_QUEUE."
        ) from error
    try:
        yield
    finally:
        lock.release()
