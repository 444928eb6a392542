"""A run's folder: where a training run writes what happens, and where everyone else reads it.

The trainer is a process of its own. It alone writes to its run's folder while it lives; pages and
terminals only read, and ask it to stop by leaving a file there. Whole files are written beside
their place and renamed; the metrics file is only appended to. So no reader ever sees half a file,
and whoever comes later (a refreshed page, a restarted server) sees all that was seen before.
"""

__all__ = ["Run", "Status", "all_runs", "create", "folder", "trained"]

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock
import numpy as np
import psutil
import safetensors.torch
import torch

from vae import datasets, images
from vae.checkpoint import replacing, save_checkpoint, write_tensors
from vae.datasets import Faces
from vae.errors import VisageError
from vae.latent import decode, encode, evaluate, manifold_grid
from vae.model import VAE, Gaussian
from vae.training import (
    Progress,
    TrainingConfig,
    TrainingState,
    check_batch,
    choose_device,
    train,
)

STATES = ("queued", "running", "stopped", "finished", "failed", "interrupted")
ALIVE = ("queued", "running")

# Seconds between two signs of life, and after how many without one a run is given up. Only runs
# of other machines are judged by that: a process of this machine is there or it isn't.
HEARTBEAT = 1.0
SILENCE = 60.0

# Seconds between two checkpoints at the least; a slow one makes the next come later, so that
# they stay within this share of the training time.
CHECKPOINT_SECONDS = 2.0
CHECKPOINT_SHARE = 0.02

# Beyond this number of images a checkpoint that more will follow is evaluated on a part of them.
EVALUATED_IMAGES = 20_000

# Each snapshot comes when the steps have grown by this factor since the last.
SNAPSHOT_FACTOR = 1.2
SNAPSHOT_GRID = 10


@dataclass(frozen=True)
class Status:
    """How a run is doing.

    Arguments:
        state: ``queued``, ``running``, ``stopped``, ``finished``, ``failed`` or ``interrupted``.
        pid: The trainer's process, and ``born`` its creation time, which tells it from a later
            process that got the same number; ``host`` is its machine.
        step: Steps taken.
        heartbeat: When the trainer last wrote this, in seconds since the epoch.
        error: What went wrong, in a sentence.
    """

    state: str = "queued"
    pid: int | None = None
    born: float | None = None
    host: str = ""
    step: int = 0
    heartbeat: float = 0.0
    error: str = ""


class Run:
    """A run by its folder.

    Arguments:
        path: The folder.

    Raises:
        VisageError: There is no run there, or its configuration is damaged.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            values = json.loads((self.path / "config.json").read_text())
            self.config = TrainingConfig(**values)
        except OSError as error:
            raise VisageError(f"There is no run at {self.path}.") from error
        except (TypeError, ValueError) as error:
            if isinstance(error, VisageError):
                raise
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
    def log(self) -> Path:
        """What the trainer wrote for people."""
        return self.path / "log.txt"

    def status(self) -> Status:
        """How the run is doing; ``interrupted`` where its process went without a final word."""
        try:
            known = Status(**json.loads((self.path / "status.json").read_text()))
        except (OSError, TypeError, ValueError):
            known = Status(state="interrupted")
        if known.state in ALIVE and not _is_alive(known):
            return dataclasses.replace(
                known,
                state="interrupted",
                error="Its process ended without a word: it was killed, or the machine went down "
                "or ran out of memory.",
            )
        return known

    def metrics(self) -> list[dict]:
        """Every record, in the order of steps.

        A run that was resumed from a checkpoint went some steps back and took them again: the
        later records of those steps are the ones that count.
        """
        records: list[dict] = []
        with contextlib.suppress(FileNotFoundError):
            for line in (self.path / "metrics.jsonl").read_bytes().splitlines():
                try:
                    record = json.loads(line)
                    step = record["step"]
                except (ValueError, KeyError, TypeError):
                    continue
                while records and records[-1]["step"] >= step:
                    records.pop()
                records.append(record)
        return records

    def snapshots(self) -> list[tuple[int, Path]]:
        """The small manifold pictures, as (step, file) in the order of steps."""
        return [(int(path.stem), path) for path in sorted((self.path / "snapshots").glob("*.png"))]

    def launch(self) -> None:
        """Start (or go on with) training in a process of its own, which outlives this one.

        Raises:
            VisageError: It is being trained already.
        """
        if self.status().state in ALIVE and self.status().pid:
            raise VisageError(f"{self.name} is being trained already.")
        self._forget_stop()
        self.set_status(state="queued", pid=None, born=None, error="")
        with self.log.open("ab") as log:
            # The project's folder is where `python -m vae` finds the package, whatever folder
            # the app was started from; paths that were relative to that one must stay valid.
            process = subprocess.Popen(
                [sys.executable, "-m", "vae", "train", "--resume", str(self.path.resolve())],
                env={
                    **os.environ,
                    "VISAGE_DATA": str(datasets.folder().resolve()),
                    "VISAGE_RUNS": str(folder().resolve()),
                },
                cwd=Path(__file__).parent.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with contextlib.suppress(psutil.NoSuchProcess):
            self.set_status(
                pid=process.pid, born=psutil.Process(process.pid).create_time(), host=_host()
            )

    def stop(self) -> None:
        """Ask the trainer to save and stop; it does within about a second."""
        (self.path / "stop").touch()

    def stop_requested(self) -> bool:
        """Whether somebody has asked."""
        return (self.path / "stop").exists()

    def _forget_stop(self) -> None:
        (self.path / "stop").unlink(missing_ok=True)

    def extend(self, steps: int) -> None:
        """Set the number of steps to train up to.

        Raises:
            VisageError: The run has taken as many already.
        """
        taken = self.status().step
        if steps <= taken:
            raise VisageError(
                f"{self.name} has taken {taken:,} steps already: give a larger number to go on."
            )
        self.config = dataclasses.replace(self.config, steps=steps)
        self._write("config.json", dataclasses.asdict(self.config))

    def delete(self) -> None:
        """Remove the run and all that it recorded.

        Raises:
            VisageError: It is being trained.
        """
        if self.status().state in ALIVE:
            raise VisageError(f"{self.name} is being trained: stop it first.")
        shutil.rmtree(self.path)

    # What follows is the trainer's own.

    def set_status(self, **changes: object) -> None:
        """Change what is said of the run."""
        try:
            known = json.loads((self.path / "status.json").read_text())
        except (OSError, ValueError):
            known = {}
        self._write("status.json", known | changes | {"heartbeat": time.time()})

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

    def save(self, state: TrainingState, faces: Faces, final: bool = False) -> None:
        """Write the last checkpoint, the best one, and the state to resume from, in that order.

        Resuming needs the last file alone, so a crash between two of them loses nothing.

        Raises:
            VisageError: A file can't be written, or the weights are no longer numbers.
        """
        if not torch.isfinite(state.weights).all():
            raise VisageError(
                f"The weights stopped being numbers at step {state.step}: the last good "
                "checkpoint is kept; try a lower learning rate."
            )
        self._save_model(self.last, state.averaged, state.step, state, faces, final)
        if len(state.best):
            model = state.best_model()
            self._save_model(self.best, model, state.best_step, state, faces, final)
        write_tensors(self.path / "optimizer.safetensors", state.tensors(), {})

    def _save_model(
        self,
        path: Path,
        model: VAE,
        step: int,
        state: TrainingState,
        faces: Faces,
        final: bool,
    ) -> None:
        config = self.config
        parts = faces.split_indices(config.holdout, config.split, config.split_seed)
        if not final:
            parts = [part[:: 1 + len(part) // EVALUATED_IMAGES] for part in parts]
        train_set, heldout = map(faces.pixels, parts)
        samples = 16 if final and len(train_set) <= EVALUATED_IMAGES else 1
        posterior = encode(model, train_set)
        info = {
            "name": self.name,
            "dataset": config.dataset,
            "dataset_sha256": faces.sha256,
            "split": {"how": config.split, "holdout": config.holdout, "seed": config.split_seed},
            "recipe": config.recipe,
            "seed": config.seed,
            "step": step,
            "samples": step * config.batch_size,
            "seconds": state.seconds,
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "train": summary(model, train_set, samples),
            "heldout": summary(model, heldout, samples),
        }
        save_checkpoint(path, model, info, Gaussian(*map(torch.from_numpy, posterior)))

    def snapshot(self, model: VAE, step: int) -> None:
        """Keep a small picture of the manifold as it is now."""
        z = manifold_grid(SNAPSHOT_GRID, latent_dim=model.latent_dim)
        picture = images.tile(images.to_uint8(decode(model, z)[0]))
        with replacing(self.path / "snapshots" / f"{step:09d}.png") as beside:
            beside.write_bytes(images.png(picture))

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
        with contextlib.suppress(VisageError):
            found.append(Run(path.parent))
    return sorted(found, key=lambda run: run.name, reverse=True)


def create(config: TrainingConfig, path: str | os.PathLike | None = None) -> Run:
    """Make a new run's folder; nothing is trained yet.

    Arguments:
        config: What will be trained.
        path: The folder, which must be new or empty; by default one named after the time, the
            data set and the latent dimension, in :func:`folder`.

    Raises:
        VisageError: The configuration can't be trained here, or the folder can't be written or
            holds something already.
    """
    config = _runnable(config)
    try:
        if path is None:
            path = _new_folder(config)
        else:
            path = Path(path)
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise VisageError(
                    f"{path} is not empty: choose a new folder, or go on with the run in it by "
                    f"'python -m vae train --resume {path}'."
                )
        with replacing(path / "config.json") as beside:
            beside.write_text(json.dumps(dataclasses.asdict(config), indent=1))
    except OSError as error:
        raise VisageError(
            f"The run's folder {path or folder()} can't be written: {error.strerror}; choose "
            "another with --out or VISAGE_RUNS."
        ) from error
    run = Run(path)
    run.set_status(state="queued", host=_host())
    return run


def _runnable(config: TrainingConfig) -> TrainingConfig:
    """Refuse what could only fail once it runs; make a data set's path independent of where."""
    faces = datasets.load(config.dataset)
    check_batch(config, len(faces.split_indices(config.holdout, config.split)[0]))
    choose_device(config.device)
    if config.dataset in datasets.NAMES:
        return config
    return dataclasses.replace(config, dataset=str(Path(config.dataset).resolve()))


def _new_folder(config: TrainingConfig) -> Path:
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{Path(config.dataset).stem}-z{config.latent_dim}"
    for suffix in ("", *(f"-{place}" for place in range(2, 1000))):
        path = folder() / (stem + suffix)
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise VisageError(f"There are too many runs named {stem}: try again in a second.")


def trained(run: Run, wait: Callable[[int], None] | None = None) -> Iterator[Progress]:
    """Train a run in this process, from where it stands to its end, and record it.

    The run ends as ``finished``, as ``stopped`` where somebody asked for that (by the file that
    :meth:`Run.stop` leaves, Ctrl-C or SIGTERM), or as ``failed`` with a sentence.

    Yields:
        Each record, once it is in the run's folder.

    Raises:
        VisageError: The run can't be trained, or failed.
    """
    lock = filelock.FileLock(run.path / ".lock", blocking=False)
    try:
        with lock, _stop_on_signals(run):
            run._forget_stop()
            process = psutil.Process()
            run.set_status(
                state="running",
                pid=process.pid,
                born=process.create_time(),
                host=_host(),
                error="",
            )
            with _final_word(run) as say:
                yield from _train_and_record(run, say)
    except filelock.Timeout as error:
        raise VisageError(f"{run.name} is being trained by another process.") from error


def _train_and_record(run: Run, say: Callable[[str], None]) -> Iterator[Progress]:
    config = run.config
    faces = datasets.load(config.dataset)
    train_set, heldout = faces.split(config.holdout, config.split, config.split_seed)
    state = TrainingState(config, faces.image_shape)
    with contextlib.suppress(FileNotFoundError):
        state.restore(_read_state(run.path / "optimizer.safetensors"))
    saved_at, save_cost, beat_at = time.monotonic(), 0.0, 0.0
    snapshots = run.snapshots()
    next_snapshot = snapshots[-1][0] * SNAPSHOT_FACTOR if snapshots else 1

    for progress in train(state, train_set, heldout):
        run.record(progress)
        now = time.monotonic()
        if state.step >= next_snapshot:
            run.snapshot(state.averaged, state.step)
            next_snapshot = state.step * SNAPSHOT_FACTOR
        if now - saved_at > max(CHECKPOINT_SECONDS, save_cost / CHECKPOINT_SHARE):
            run.save(state, faces)
            saved_at = time.monotonic()
            save_cost = saved_at - now
        if now - beat_at > HEARTBEAT:
            run.set_status(step=state.step)
            beat_at = now
        yield progress
        if run.stop_requested() and state.step < config.steps:
            run.save(state, faces)
            run.set_status(step=state.step)
            say("stopped")
            return
    run.save(state, faces, final=True)
    run.snapshot(state.averaged, state.step)
    run.set_status(step=state.step)
    say("finished")


@contextlib.contextmanager
def _final_word(run: Run) -> Iterator[Callable[[str], None]]:
    """Make sure that a run which ends has said how, whatever ended it."""
    word: list[tuple[str, str]] = []
    try:
        yield lambda state: word.append((state, ""))
    except VisageError as error:
        word.append(("failed", str(error)))
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        sentence = "It ran out of memory: try a smaller batch, or fewer hidden units."
        word.append(("failed", sentence))
        raise VisageError(sentence) from error
    except OSError as error:
        advice = ": free some space, then resume" if error.errno == errno.ENOSPC else ""
        sentence = f"Its folder could not be written ({error.strerror}){advice}."
        word.append(("failed", sentence))
        raise VisageError(sentence) from error
    finally:
        state, sentence = (
            word[-1]
            if word
            else ("failed", "It met an unexpected error: its log has the details.")
        )
        with contextlib.suppress(VisageError):
            run.set_status(state=state, error=sentence)


@contextlib.contextmanager
def _stop_on_signals(run: Run) -> Iterator[None]:
    """Turn Ctrl-C and a polite kill into a request to stop."""
    previous = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        # Only the main thread may set handlers; elsewhere signals are somebody else's business.
        with contextlib.suppress(ValueError):
            previous[number] = signal.signal(number, lambda *_: run.stop())
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise VisageError(
            f"{path} is damaged, so the run can't be resumed: start a new one."
        ) from error


def summary(model: VAE, pixels: np.ndarray, samples: int, importance_samples: int = 0) -> dict:
    """The means over a set of what :func:`vae.latent.evaluate` gives for each image, in nats."""
    found = evaluate(model, pixels, samples, importance_samples)
    return {name: float(values.mean()) for name, values in found.items() if values.ndim == 1}


def _is_alive(status: Status) -> bool:
    if status.host != _host() or status.pid is None:
        return time.time() - status.heartbeat < SILENCE
    try:
        process = psutil.Process(status.pid)
        return process.create_time() == status.born and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _host() -> str:
    return socket.gethostname()
