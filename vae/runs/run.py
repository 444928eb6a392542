"""A run's folder: where a training run writes what happens, and where everyone else reads it.

The trainer is a process of its own. It alone writes to its run's folder while it lives; pages and
terminals only read, and ask it to stop by leaving a file there. Whole files are written beside
their place and renamed; the metrics file is only appended to. So no reader ever sees half a file,
and whoever comes later (a refreshed page, a restarted server) sees all that was seen before.
"""

__all__ = ["Run", "check_name", "folder"]

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import filelock
import psutil

from vae import datasets, trash
from vae.errors import VisageError
from vae.files import read_json, replacing
from vae.limits import check_writable
from vae.models import collection
from vae.models.card import ModelCard
from vae.models.checkpoint import read_card
from vae.names import checked_name
from vae.runs import processes, queue
from vae.runs.metrics import MetricsFile, append, drop_after, parsed
from vae.runs.status import Status
from vae.training.loop import Progress
from vae.training.recipes import TrainingConfig
from vae.trash import Deleted


class Run:
    """A run by its folder.

    Arguments:
        path: The folder.

    Raises:
        VisageError: There is no run there, or its configuration is damaged.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        # Status is read, changed and written by the trainer and by whoever launches it.
        self._lock = filelock.FileLock(self.path / ".status.lock")
        try:
            said = read_json(self.path / "config.json")
            if not isinstance(said, dict):
                raise TypeError("a configuration is a dict")
            self.config = TrainingConfig.of(said)
        except OSError as error:
            raise VisageError(f"There is no run at {self.path}.") from error
        except VisageError:
            raise
        except (TypeError, ValueError) as error:
            raise VisageError(f"The configuration of the run {self.path} is damaged.") from error

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def last(self) -> Path:
        """The last checkpoint's file, which may not be there yet."""
        return self.path / "checkpoint.safetensors"

    @property
    def best(self) -> Path:
        """The file of the checkpoint with the best held-out ELBO, which may not be there yet."""
        return self.path / "best.safetensors"

    @property
    def optimizer(self) -> Path:
        """What training goes on from when it is resumed; it may not be there yet."""
        return self.path / "optimizer.safetensors"

    @property
    def log(self) -> Path:
        """What the trainer wrote for people."""
        return self.path / "log.txt"

    def status(self) -> Status:
        """How the run is doing; ``interrupted`` where its process went without a final word."""
        try:
            known = Status.of(self._read_status())
        except (OSError, ValueError):
            known = Status(state="interrupted", error="Its status file is missing or damaged.")
        known = known.as_its_process_is()
        if known.state == "queued":
            known = dataclasses.replace(known, place=queue.place(self.path.resolve()))
        return known

    def metrics(self) -> list[dict]:
        """Every record, in the order of steps."""
        try:
            with (self.path / "metrics.jsonl").open("rb") as file:
                return parsed(file)
        except OSError:
            return []

    def metrics_file(self) -> MetricsFile:
        """The same for whoever comes back for what is new, or can't take in everything."""
        return MetricsFile(self.path / "metrics.jsonl")

    def snapshots(self) -> list[tuple[int, Path]]:
        """The small manifold pictures, as (step, file) in the order of steps."""
        pictures = (self.path / "snapshots").glob("*.png")
        # Whatever else lies there is none of ours.
        named = [path for path in pictures if re.fullmatch(r"[0-9]{1,15}", path.stem)]
        return sorted((int(path.stem), path) for path in named if path.is_file())

    def log_tail(self, size: int = 20_000) -> str:
        """The last characters of the log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - size))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def results(self) -> ModelCard | None:
        """What the best checkpoint says of itself, or the last; None before there is one."""
        for path in (self.best, self.last):
            with contextlib.suppress(VisageError):
                return read_card(path)
        return None

    def last_results(self) -> ModelCard | None:
        """What the last checkpoint says of itself; None before there is one."""
        with contextlib.suppress(VisageError):
            return read_card(self.last)
        return None

    def launch(self) -> None:
        """Start (or go on with) training in a process of its own, which outlives this one.

        Raises:
            VisageError: It is being trained already, can't be started, or must not be.
        """
        check_writable()
        self._check_here()
        queue.limit()
        with self._lock:
            known = self.status()
            if known.is_alive and known.pid:
                raise VisageError(f"{self.name} is being trained already.")
            self.forget_stop()
            self.set_status(state="queued", pid=None, born=None, host=processes.host(), error="")
            try:
                pid = self._start_trainer()
            except OSError as error:
                sentence = f"Its process could not be started: {error.strerror}."
                self.set_status(state="failed", error=sentence)
                raise VisageError(f"{self.name}: {sentence}") from error
            with contextlib.suppress(psutil.NoSuchProcess):
                process = processes.process(pid)
                self.set_status(pid=process.pid, born=process.born)
                queue.join(self.path.resolve(), process)

    def _start_trainer(self) -> int:
        # The project's folder is where `python -m vae` finds the package, whatever folder the app
        # was started from; paths that were relative to that one must stay valid.
        environment = {
            **os.environ,
            "VISAGE_DATA": str(datasets.folder().resolve()),
            "VISAGE_RUNS": str(folder().resolve()),
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "vae", "train", "--resume", str(self.path.resolve())],
                env=environment,
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ).pid

    def stop(self) -> None:
        """Ask the trainer to save and stop; it does within about a second.

        Raises:
            VisageError: It is not being trained.
        """
        check_writable()
        if not self.status().is_alive:
            raise VisageError(f"{self.name} is not being trained.")
        self.request_stop()

    def extend(self, steps: int) -> None:
        """Set the number of steps to train up to.

        Raises:
            VisageError: The run has taken as many already, or is being trained.
        """
        check_writable()
        self._check_here()
        self._check_idle("extend it")
        taken = self.status().step
        if steps <= taken:
            raise VisageError(
                f"{self.name} has taken {taken:,} steps already: give a larger number to go on."
            )
        self.config = dataclasses.replace(self.config, steps=steps)
        self._write("config.json", dataclasses.asdict(self.config))

    def rename(self, name: str) -> "Run":
        """Give the run another name, which is its folder's.

        Raises:
            VisageError: It is gone, or is being trained, or the name is taken by a run or a model,
                or is none by the rule of :mod:`vae.names`.
        """
        check_writable()
        self._check_here()
        self._check_idle("rename it")
        path = self.path.with_name(checked_name(name))
        _check_free(path)
        try:
            self.path.rename(path)
        except OSError as error:
            raise VisageError(f"{self.name} can't be renamed: {error.strerror}.") from error
        return Run(path)

    def delete(self, known: int | None = None) -> Deleted:
        """Move the run and all that it recorded into the trash of its folder.

        Arguments:
            known: Its :func:`vae.trash.identity`, where another may have come in its place.

        Raises:
            VisageError: It is gone or another one, is being trained, or can't be moved.
        """
        check_writable()
        self._check_here()
        # Nobody launches it meanwhile.
        with self._lock:
            self._check_idle("delete it")
            return trash.throw(self.path, known)

    def _check_here(self) -> None:
        if not self.path.is_dir():
            raise VisageError(
                f"{self.name} is not here any more: it was deleted or renamed meanwhile."
            )

    def _check_idle(self, purpose: str) -> None:
        known = self.status()
        if known.is_alive and known.pid:
            raise VisageError(f"{self.name} is being trained: stop it first to {purpose}.")

    # What follows is the trainer's own.

    def set_status(self, **changes: object) -> None:
        """Change what is said of the run."""
        with self._lock:
            known: dict = {}
            with contextlib.suppress(OSError, ValueError):
                known = self._read_status()
            now = time.time()
            if changes.get("state", known.get("state")) != known.get("state"):
                changes["since"] = now
            self._write("status.json", known | changes | {"heartbeat": now})

    def record(self, progress: Progress) -> None:
        """Append a record to the metrics."""
        append(self.path / "metrics.jsonl", dataclasses.asdict(progress))

    def forget_after(self, step: int) -> None:
        """Drop the records and snapshots beyond a step, which will be taken once more."""
        drop_after(self.path / "metrics.jsonl", step)
        for taken, picture in self.snapshots():
            if taken > step:
                picture.unlink(missing_ok=True)

    def request_stop(self) -> None:
        """Leave the file that asks the trainer to stop."""
        (self.path / "stop").touch()

    def stop_requested(self) -> bool:
        """Whether somebody has asked."""
        return (self.path / "stop").exists()

    def forget_stop(self) -> None:
        """Take the request back."""
        (self.path / "stop").unlink(missing_ok=True)

    def _read_status(self) -> dict:
        said = read_json(self.path / "status.json")
        if not isinstance(said, dict):
            raise ValueError("a status is a dict")
        return said

    def _write(self, name: str, values: dict) -> None:
        with replacing(self.path / name) as beside:
            beside.write_text(json.dumps(values, indent=1))


def folder() -> Path:
    """The folder that runs are kept in: ``VISAGE_RUNS``, or ``runs``."""
    return Path(os.environ.get("VISAGE_RUNS") or "runs")


def check_name(name: str) -> None:
    """Refuse what breaks the rule; a folder's capital letters are left to whoever typed them."""
    proper = checked_name(name, collection.names())
    if proper != name.lower():
        raise VisageError(f"'{name}' is no name for a run: call it {proper}.")


def _check_free(path: Path) -> None:
    if path.exists():
        raise VisageError(f"There is a run named {path.name} already: choose another name.")
    if path.name in collection.names():
        raise VisageError(f"There is a model named {path.name} already: choose another name.")
