"""A run's folder: where a training run writes what happens, and where everyone else reads it.

The trainer is a process of its own. It alone writes to its run's folder while it lives; pages and
terminals only read, and ask it to stop by leaving a file there. Whole files are written beside
their place and renamed; the metrics file is only appended to. So no reader ever sees half a file,
and whoever comes later (a refreshed page, a restarted server) sees all that was seen before.
"""

__all__ = ["Run", "Status", "all_runs", "create", "damaged", "find", "folder", "restore"]

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import filelock
import psutil

from vae import datasets, threads, trash
from vae.errors import VisageError
from vae.files import read_json, replacing
from vae.limits import check_writable
from vae.models import collection
from vae.models.card import ModelCard
from vae.models.checkpoint import read_card
from vae.names import checked_name, name_from
from vae.runs import processes, queue
from vae.runs.metrics import MetricsFile, end_of_step, parsed
from vae.runs.processes import Process
from vae.training.loop import Progress, check_batch
from vae.training.memory import check_memory
from vae.training.recipes import TrainingConfig
from vae.trash import Deleted

STATES = ("queued", "running", "stopped", "finished", "failed", "interrupted")
ALIVE = ("queued", "running")

# Seconds without a sign of life after which a run of another machine is given up, and one that
# nobody trains yet. A process of this machine is there or it isn't.
SILENCE = 60.0

# Bytes of a metrics file that are copied at once.
COPIED_AT_ONCE = 2**20

# What a status can say: characters of a text, steps, and seconds since the epoch.
LONGEST_TEXT = 10_000
LARGEST_COUNT = 10**15
LATEST = 1e11

KILLED = (
    "Its process ended without a word: it was killed, as happens when memory runs out, or the "
    "machine went down. Resume it; if that happens again, choose fewer hidden units."
)


@dataclass(frozen=True)
class Status:
    """How a run is doing.

    Arguments:
        state: ``queued``, ``running``, ``stopped``, ``finished``, ``failed`` or ``interrupted``.
        pid: The trainer's process, and ``born`` its creation time, which tells it from a later
            process that got the same number; ``host`` is its machine.
        step: Steps taken.
        heartbeat: When the trainer last wrote this, in seconds since the epoch.
        error: What went wrong and what to try, in a sentence or two.
        created: When the run was made, in seconds since the epoch.
        since: When the state became what it is.
        place: How many other runs have to end before this one starts.
        phase: What a running one does: nothing said while it trains, ``finishing`` after its last
            step, while the model is judged and written.
        share: How much of that phase is done, from 0 to 1.
    """

    state: str = "queued"
    pid: int | None = None
    born: float | None = None
    host: str = ""
    step: int = 0
    heartbeat: float = 0.0
    error: str = ""
    created: float = 0.0
    since: float = 0.0
    place: int = 0
    phase: str = ""
    share: float = 0.0

    @classmethod
    def of(cls, said: dict) -> "Status":
        """What a status file says, as far as that can be true.

        Raises:
            ValueError: It names no state.
        """
        if said.get("state") not in STATES:
            raise ValueError("there is no such state")
        kinds = {"pid": 0, "born": 0.0} | {
            field.name: field.default
            for field in dataclasses.fields(cls)
            if field.default is not None
        }
        return cls(
            **{
                name: said[name]
                for name, kind in kinds.items()
                if name in said and _can_be(said[name], kind)
            }
        )

    @property
    def is_alive(self) -> bool:
        """Whether the run goes on by itself: it is being trained, or will be."""
        return self.state in ALIVE

    @property
    def is_finishing(self) -> bool:
        """Whether its last step is taken, and the model is being judged and written."""
        return self.state == "running" and self.phase == "finishing"

    @property
    def process(self) -> Process | None:
        """The trainer's process, if it is known."""
        return None if self.pid is None or self.born is None else Process(self.pid, self.born)


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
        if known.is_alive and not _is_alive(known):
            known = dataclasses.replace(
                known, state="interrupted", since=known.heartbeat, error=KILLED
            )
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
            **threads.inherited(),
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
        """Append a record to the metrics; a line that was torn by a crash is closed first."""
        path = self.path / "metrics.jsonl"
        line = json.dumps(dataclasses.asdict(progress)).encode() + b"\n"
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            file.write(line)

    def forget_after(self, step: int) -> None:
        """Drop the records and snapshots beyond a step, which will be taken once more.

        The metrics become a new file, so that a reader who knows the old one's length starts over.
        """
        path = self.path / "metrics.jsonl"
        with contextlib.suppress(FileNotFoundError):
            end = end_of_step(path, step)
            if end < path.stat().st_size:
                with replacing(path) as beside, path.open("rb") as file, beside.open("wb") as kept:
                    while end > 0 and (part := file.read(min(end, COPIED_AT_ONCE))):
                        end -= kept.write(part)
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


def all_runs() -> list[Run]:
    """Every run that can be read, the newest first."""
    found = []
    for path in folder().glob("*/config.json"):
        # A name that no page can show is none that a run was ever given.
        if path.parent.name.isprintable():
            with contextlib.suppress(VisageError):
                found.append(Run(path.parent))
    return sorted(found, key=lambda run: (run.status().created, run.name), reverse=True)


def damaged() -> list[str]:
    """Names of the folders whose ``config.json`` says nothing that a run can be read from."""
    names = []
    for path in folder().glob("*/config.json"):
        if path.parent.name.isprintable():
            try:
                Run(path.parent)
            except VisageError:
                names.append(path.parent.name)
    return sorted(names)


def find(name: str) -> Run:
    """The run of that name in :func:`folder`, or at that path.

    Raises:
        VisageError: There is none.
    """
    for path in (folder() / name, Path(name)):
        if name and (path / "config.json").is_file():
            return Run(path)
    raise VisageError(f"There is no run named '{name}': 'python -m vae runs' lists them.")


def restore(name: str) -> Run:
    """Bring back the run of that name, or at that path, that was deleted last.

    Raises:
        VisageError: It is not in the trash any more, or its name has been given away.
    """
    for place in (folder() / name, Path(name)):
        if place.name in (deleted.name for deleted in trash.kept(place.parent)):
            break
    return Run(trash.restore(trash.find(place.parent, place.name)))


def create(config: TrainingConfig, path: str | os.PathLike | None = None) -> Run:
    """Make a new run's folder; nothing is trained yet.

    Arguments:
        config: What will be trained.
        path: The folder, which must be new or empty; by default one named after the time, the
            data set and the latent dimension, in :func:`folder`, where names are those of models.

    Raises:
        VisageError: The configuration can't be trained here, the name is none or taken, or the
            folder can't be written or holds something already.
    """
    check_writable()
    config = _runnable(config)
    try:
        if path is None:
            path = _new_folder(config)
        else:
            path = Path(path)
            if path.resolve().parent == folder().resolve():
                _check_name(path.resolve().name)
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise VisageError(
                    f"{path} is not empty: choose a new folder, or go on with the run in it by "
                    f"'python -m vae train --resume {path}'."
                )
        trash.empty(path.parent)
        now = time.time()
        status = {
            "state": "queued",
            "host": processes.host(),
            "created": now,
            "since": now,
            "heartbeat": now,
        }
        # Whoever finds a configuration finds a status beside it.
        for name, values in (("status", status), ("config", dataclasses.asdict(config))):
            with replacing(path / f"{name}.json") as beside:
                beside.write_text(json.dumps(values, indent=1))
    except OSError as error:
        raise VisageError(
            f"The run's folder {path or folder()} can't be written: {error.strerror}; choose "
            "another with --out or VISAGE_RUNS."
        ) from error
    return Run(path)


def _runnable(config: TrainingConfig) -> TrainingConfig:
    """Refuse what could only fail once it runs; make a data set's path independent of where."""
    faces = datasets.load(config.dataset)
    parts = faces.splits_indices(config.holdout, config.test, config.split, config.split_seed)
    check_batch(config, len(parts.training))
    check_memory(config, faces.image_shape)
    if datasets.is_here(str(config.dataset)):
        return dataclasses.replace(config, dataset=faces.name)
    return dataclasses.replace(config, dataset=str(Path(config.dataset).resolve()))


def _check_name(name: str) -> None:
    """Refuse what breaks the rule; a folder's capital letters are left to whoever typed them."""
    proper = checked_name(name, collection.names())
    if proper != name.lower():
        raise VisageError(f"'{name}' is no name for a run: call it {proper}.")


def _check_free(path: Path) -> None:
    if path.exists():
        raise VisageError(f"There is a run named {path.name} already: choose another name.")
    if path.name in collection.names():
        raise VisageError(f"There is a model named {path.name} already: choose another name.")


def _new_folder(config: TrainingConfig) -> Path:
    # The data set's name is cut, so that the whole keeps to the length of a name.
    dataset = name_from(Path(config.dataset).stem)[:30].rstrip("-_")
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{dataset}-z{config.latent_dim}"
    taken = collection.names()
    for suffix in ("", *(f"-{place}" for place in range(2, 1000))):
        path = folder() / (stem + suffix)
        if path.name in taken:
            continue
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise VisageError(f"There are too many runs named {stem}: try again in a second.")


def _is_alive(status: Status) -> bool:
    if status.host != processes.host() or status.process is None:
        return time.time() - status.heartbeat < SILENCE
    return status.process.is_alive()


def _can_be(value: object, kind: object) -> bool:
    """Whether a value is of the kind of another: a text to be shown, a count, or a time."""
    if isinstance(kind, str):
        return isinstance(value, str) and len(value) <= LONGEST_TEXT and _is_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(kind, int):
        return isinstance(value, int) and 0 <= value <= LARGEST_COUNT
    return 0 <= value <= LATEST


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
