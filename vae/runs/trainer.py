"""The trainer's side of a run's folder: train, and write down all that happens.

Checkpoints come every few seconds, small pictures of the manifold as the steps grow by a fifth,
and a final word always, whatever ended the run.
"""

__all__ = [
    "DECODED_IN_A_TEST",
    "TESTED_IMAGES",
    "CheckpointClock",
    "figures",
    "spread",
    "summary",
    "trained",
]

import contextlib
import copy
import errno
import math
import re
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import filelock
import numpy as np
import safetensors.torch
import torch

from vae import datasets, images
from vae.datasets.faces import Faces, Pixels, Splits
from vae.errors import VisageError
from vae.files import replacing
from vae.latent.arrays import (
    active_units,
    draw,
    encode,
    evaluate,
    faces_a_side,
    manifold_sheet,
    match_prior,
)
from vae.limits import check_writable
from vae.models.checkpoint import save_checkpoint, write_tensors
from vae.models.vae import VAE, Gaussian
from vae.runs import processes, queue
from vae.runs.run import Run
from vae.runs.status import WAITED_ENOUGH
from vae.training.distributed import any_rank, rank, world_size
from vae.training.loop import Progress, TrainingState, train

# Seconds between two signs of life, and between two looks at the queue.
HEARTBEAT = 1.0
PATIENCE = 0.3

# Seconds between two checkpoints at the least. A slow one makes the next come later, so that they
# stay within a share of the training time; but what the model draws stands beside its curve, and
# should be no older than so many seconds when the next has been written.
CHECKPOINT_SECONDS = 2.0
OLDEST = 12.0
CHECKPOINT_SHARE = 0.02

# Beyond this number of images a checkpoint is evaluated, and its posterior kept, on evenly spaced
# ones: more would take longer than many a run and tell the same. The test set is looked at once,
# so more closely.
EVALUATED_IMAGES = 2_000
TESTED_IMAGES = 20_000

# Pixels that are decoded for each figure of a checkpoint, while training goes on and at its end,
# where large images would take half a minute otherwise: they get fewer samples of each, and where
# one is left, fewer images. A mean over images gains by more images what it loses by fewer
# samples; the importance-weighted bound does not, so its samples stay and its images become fewer.
DECODED_MEANWHILE = 2**21
DECODED_AT_THE_END = 2**24
DECODED_IN_A_TEST = 2**26
SAMPLES = 16
IMPORTANCE_SAMPLES = 64

# Each snapshot comes when the steps have grown by this factor since the last.
SNAPSHOT_FACTOR = 1.2
SNAPSHOT_GRID = 10

# Bytes that are kept back while a run goes on, so that it can say how it ended on a full disk.
RESERVE = 64 * 1024

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def trained(
    run: Run,
    wait: Callable[[int], None] | None = None,
    finishing: Callable[[float], None] | None = None,
) -> Iterator[Progress]:
    """Train a run in this process, from where it stands to its end, and record it.

    It waits for its turn if other runs are being trained on this machine. It ends as ``finished``,
    as ``stopped`` where somebody asked for that (by the file that :meth:`Run.stop` leaves, Ctrl-C
    or SIGTERM), or as ``failed`` with a sentence.

    Arguments:
        run: The run.
        wait: Called with the number of runs that have to end first, whenever that changes.
        finishing: Called after the last step, with the share of what is left to do then that is
            done: the model is judged and written.

    Yields:
        Each record, once it is in the run's folder.

    Raises:
        VisageError: The run can't be trained, or failed.
    """
    check_writable()
    if rank() > 0:
        yield from _do_a_share(run)
        return
    me = processes.this_process()
    path = run.path.resolve()
    try:
        lock = filelock.FileLock(path / ".lock", blocking=False)
        with lock, _stop_on_signals(run), _FinalWord(run) as word:
            # A launched run has been told of its process already; from then on it may be asked
            # to stop. Of a run that is started here, only an old request can have been left.
            if run.status().process != me:
                run.forget_stop()
            run.set_status(
                state="queued",
                pid=me.pid,
                born=me.born,
                host=processes.host(),
                error="",
                phase="",
                share=0.0,
            )
            queue.join(path, me)
            try:
                if _turn_comes(run, wait):
                    yield from _train_and_record(run, finishing)
                    # A request that came too late to matter stops nothing.
                    word.state = "stopped" if _was_cut_short(run) else "finished"
                else:
                    word.state = "stopped"
            finally:
                queue.leave(path, me)
    except filelock.Timeout as error:
        raise VisageError(f"{run.name} is being trained by another process.") from error


def _was_cut_short(run: Run) -> bool:
    status = run.status()
    return status.step < run.config.steps and not status.best_since


def _turn_comes(run: Run, wait: Callable[[int], None] | None) -> bool:
    """Wait in line; False where somebody asked to stop meanwhile."""
    if world_size() > 1:
        # Who starts several processes shares the machine out otherwise.
        return True
    path = run.path.resolve()
    told = 0
    beat_at = time.monotonic()
    while place := queue.place(path):
        if run.stop_requested():
            return False
        if place != told:
            log(run, f"Waiting for {place} other run{'s' if place > 1 else ''} to end.")
            if wait is not None:
                wait(place)
            told = place
        if time.monotonic() - beat_at > HEARTBEAT:
            run.set_status()
            beat_at = time.monotonic()
        time.sleep(PATIENCE)
    return True


class CheckpointClock:
    """When the next checkpoint is due: soon, but so that they cost little.

    Arguments:
        now: The time, in seconds, as of all methods.
    """

    def __init__(self, now: float):
        self.next = now + CHECKPOINT_SECONDS

    def is_due(self, now: float) -> bool:
        """Whether a checkpoint should be written."""
        return now >= self.next

    def saved(self, started: float, ended: float) -> None:
        """One was written meanwhile."""
        cost = ended - started
        # The next is taken to cost as much.
        wait = min(cost / CHECKPOINT_SHARE, OLDEST - 2 * cost)
        self.next = ended + max(wait, CHECKPOINT_SECONDS)


def _train_and_record(run: Run, finishing: Callable[[float], None] | None) -> Iterator[Progress]:
    config = run.config
    run.set_status(state="running")
    faces, state, train_set, heldout = _prepared(run)
    # What was recorded beyond the state that is gone on from comes again.
    run.forget_after(state.step)
    log(run, f"Training {run.name} from step {state.step:,} to {config.steps:,}.")
    checkpoints = _Checkpoints(run, state, faces)
    due = CheckpointClock(time.monotonic())
    beat_at = 0.0
    snapshots = run.snapshots()
    next_snapshot = snapshots[-1][0] * SNAPSHOT_FACTOR if snapshots else 1

    for progress in train(state, train_set, heldout):
        run.record(progress)
        if state.noise_since is not None and run.status().noise_since != state.noise_since:
            run.set_status(noise_since=state.noise_since)
            log(
                run,
                f"From step {state.noise_since:,} the mean stays as it is, that of the best model "
                "so far; the noise around it is learnt, and the encoder follows.",
            )
        now = time.monotonic()
        if state.step >= next_snapshot:
            snapshot(run, state.averaged, state.step)
            next_snapshot = state.step * SNAPSHOT_FACTOR
        if due.is_due(now):
            started = time.monotonic()
            checkpoints.save()
            due.saved(started, time.monotonic())
        if now - beat_at > HEARTBEAT:
            run.set_status(step=state.step)
            beat_at = now
        yield progress
        if any_rank(run.stop_requested()) and not state.is_over:
            break
    is_last = state.is_over
    if gave_up := is_last and state.step < config.steps:
        log(
            run,
            f"Ended at step {state.step:,} with the weights of step {state.best_step:,}: "
            f"{WAITED_ENOUGH}.",
        )
    run.set_status(best_since=state.best_step if gave_up else 0)

    def say(share: float) -> None:
        run.set_status(step=state.step, phase="finishing", share=share)
        if finishing is not None:
            finishing(share)

    say(0.0)
    if is_last:
        snapshot(run, state.averaged, state.step)
    checkpoints.save(is_last, say)


def _do_a_share(run: Run) -> Iterator[Progress]:
    """What every rank but the first does: train along, and write nothing."""
    _, state, train_set, heldout = _prepared(run)
    for progress in train(state, train_set, heldout):
        yield progress
        if any_rank(run.stop_requested()):
            break


def _prepared(
    run: Run,
) -> tuple[Faces, TrainingState, np.ndarray | Pixels, np.ndarray | Pixels]:
    """The data and the state to go on from, with the training and the validation set."""
    config = run.config
    faces = datasets.load(config.dataset)
    state = TrainingState(config, faces.image_shape)
    if run.optimizer.exists():
        state.restore(_read_state(run.optimizer))
    parts = _parts(run, faces)
    return faces, state, faces.pixels(parts.training), faces.pixels(parts.validation)


def _parts(run: Run, faces: Faces) -> Splits:
    """The images' indices of a run's three sets."""
    config = run.config
    sets = faces.splits_indices(config.holdout, config.test, config.split, config.split_seed)
    return sets.learning_from(config.training_images)


class _Checkpoints:
    """Writes the models of a run in training, with what they say of themselves.

    Arguments:
        run: Whose files they are.
        state: What is written.
        faces: The data set.
    """

    def __init__(self, run: Run, state: TrainingState, faces: Faces):
        self.run, self.state, self.faces = run, state, faces
        self.parts = _parts(run, faces)
        # The step of the best model that this process has written: it stays the best for long.
        self._best_step = -1

    def save(self, final: bool = False, say: Callable[[float], None] = lambda share: None) -> None:
        """Write the last checkpoint, the best one, and the state to resume from, in that order.

        Resuming needs the last file alone, so a crash between two of them loses nothing.

        Arguments:
            final: Whether training is over, so that the models are looked at more closely.
            say: Called with the share that is done, from time to time.

        Raises:
            VisageError: A file can't be written, or the weights are no longer numbers.
        """
        run, state = self.run, self.state
        if not torch.isfinite(state.weights).all():
            raise VisageError(
                f"The weights stopped being numbers at step {state.step}: the last good "
                "checkpoint is kept; try a lower learning rate."
            )
        is_best = state.best_step == state.step
        is_new = len(state.best) and (final or state.best_step != self._best_step)
        models = 2 if is_new and not is_best else 1
        last = self._judged(state.averaged, state.step, final, lambda part: say(part / models))
        save_checkpoint(run.last, *last)
        if is_new:
            best = last
            if not is_best:
                best = self._judged(
                    state.best_model(), state.best_step, final, lambda part: say((1 + part) / 2)
                )
            save_checkpoint(run.best, *best)
            self._best_step = state.best_step
        write_tensors(run.optimizer, state.tensors(), {})

    def _judged(
        self, model: VAE, step: int, final: bool, say: Callable[[float], None]
    ) -> tuple[VAE, dict, Gaussian]:
        """The model to keep, what it says of itself, and its posterior of the training set."""
        config, state = self.run.config, self.state
        model = copy.deepcopy(model).cpu()
        training, validation, test = self.parts
        posterior = encode(model, self.faces.pixels(spread(training, EVALUATED_IMAGES)))
        if state.recipe.fit_to_data:
            model, posterior = match_prior(model, posterior)
        say(0.2)
        decoded = DECODED_AT_THE_END if final else DECODED_MEANWHILE
        most = SAMPLES if final else 1
        some = spread(training, EVALUATED_IMAGES)
        measured = {"train": figures(model, self.faces, some, decoded, most, bound=False)}
        say(0.4)
        some = spread(validation, EVALUATED_IMAGES)
        measured["heldout"] = figures(model, self.faces, some, decoded, most, bound=final)
        say(0.6)
        if final and len(test):
            some = spread(test, TESTED_IMAGES)
            decoded = DECODED_IN_A_TEST
            measured["test"] = figures(model, self.faces, some, decoded, most, bound=True)
        say(1.0)
        info = {
            "name": self.run.name,
            "dataset": config.dataset,
            "dataset_sha256": self.faces.sha256,
            "split": {
                "how": config.split,
                "holdout": config.holdout,
                "test": config.test,
                "seed": config.split_seed,
            }
            | ({"training_images": few} if (few := config.training_images) else {}),
            "recipe": config.recipe,
            "objective": config.objective,
            "noise_samples": config.samples,
            "seed": config.seed,
            "step": step,
            "samples": step * config.batch_size,
            "seconds": state.seconds,
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **measured,
            "active_units": active_units(posterior),
        }
        return model, info, Gaussian(*map(torch.from_numpy, posterior))


def figures(
    model: VAE, faces: Faces, part: np.ndarray, decoded: int, most: int, bound: bool
) -> dict[str, float]:
    """Means over a part of a set as :func:`summary`, and of how many images and samples they are.

    Arguments:
        model: The model.
        faces: The set.
        part: The images' indices; of many, evenly spaced ones are looked at.
        decoded: Pixels that may be decoded for each figure.
        most: Samples of the posterior of an image, at most.
        bound: Whether to add the importance-weighted bound.
    """
    decoded = max(1, decoded // model.pixels)
    some = spread(part, decoded)
    samples = min(most, decoded // len(some))
    found = summary(model, faces.pixels(some), samples)
    found |= {"images": len(some), "samples": samples}
    if bound:
        some = spread(part, max(1, decoded // IMPORTANCE_SAMPLES))
        tighter = summary(model, faces.pixels(some), 1, IMPORTANCE_SAMPLES)
        name = "importance_weighted"
        found |= {key: value for key, value in tighter.items() if key.startswith(name)}
        found |= {"importance_images": len(some), "importance_samples": IMPORTANCE_SAMPLES}
    return found


def spread(part: np.ndarray, most: int) -> np.ndarray:
    """Evenly spaced ones of a part of the set, at most so many."""
    return part[:: max(1, math.ceil(len(part) / most))]


def snapshot(run: Run, model: VAE, step: int) -> None:
    """Keep a small picture of the manifold as it is now."""
    z = manifold_sheet(faces_a_side(model, SNAPSHOT_GRID), latent_dim=model.latent_dim)
    picture = images.tile(draw(model, z))
    with replacing(run.path / "snapshots" / f"{step:09d}.png") as beside:
        beside.write_bytes(images.png(picture))


def log(run: Run, sentence: str) -> None:
    """Add a line to what people read when they want to know more."""
    with run.log.open("a") as file:
        file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {sentence}\n")


def summary(
    model: VAE, pixels: np.ndarray | Pixels, samples: int, importance_samples: int = 0
) -> dict[str, float]:
    """The means over a set of what :func:`vae.latent.evaluate` gives for each image, in nats.

    With each comes its standard error over the images, as ``elbo_error`` beside ``elbo``, where
    there are two images at least.
    """
    found = evaluate(model, pixels, samples, importance_samples)
    means = {}
    for name, values in found.items():
        if values.ndim == 1:
            means[name] = float(values.mean())
            if len(values) > 1:
                means[f"{name}_error"] = float(values.std(ddof=1) / math.sqrt(len(values)))
    return means


class _FinalWord:
    """Makes sure that a run which ends has said how, whatever ended it.

    Attributes:
        state: What the run ends as, if nothing goes wrong.
    """

    def __init__(self, run: Run):
        self.run = run
        self.state = "stopped"
        self._reserve = run.path / ".reserve"

    def __enter__(self) -> "_FinalWord":
        # A disk that is full already will be found out by the first file that matters.
        with contextlib.suppress(OSError):
            self._reserve.write_bytes(bytes(RESERVE))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state, sentence = self.state, ""
        # Whoever closes the iterator early has seen enough, which is no failure.
        if isinstance(error, Exception):
            state, sentence = "failed", _in_words(error)
        self._reserve.unlink(missing_ok=True)
        with contextlib.suppress(VisageError):
            self.run.set_status(state=state, error=sentence, phase="", share=0.0)
        with contextlib.suppress(OSError):
            if isinstance(error, Exception) and not isinstance(error, VisageError):
                log(self.run, "".join(traceback.format_exception(error)))
            log(self.run, f"{state.capitalize()}. {sentence}".strip())
        if sentence:
            raise VisageError(sentence) from error


def _in_words(error: Exception) -> str:
    """What went wrong and what to try."""
    cause = error.__cause__ if isinstance(error, VisageError) else error
    text = str(cause)
    # safetensors tells the number of a failed system call in its text alone.
    told = re.search(r"os error (\d+)", text)
    if (int(told[1]) if told else getattr(cause, "errno", None)) in FULL:
        return "The disk is full: what was saved before is kept. Free some space, then resume."
    if isinstance(error, VisageError):
        return str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in text:
        return (
            "It ran out of memory: what was saved before is kept. Close other programs and "
            "resume, or start again with a smaller batch or fewer hidden units."
        )
    if world_size() > 1 and isinstance(error, RuntimeError):
        # Gloo reports a lost peer as a plain RuntimeError, with the socket's words.
        return (
            "Another process of the run ended: what was saved before is kept. Start the same "
            "number of processes with --resume to go on."
        )
    if isinstance(error, OSError):
        return f"Its folder could not be written ({error.strerror or error})."
    return (
        f"It met an unexpected error ({type(error).__name__}): what was saved before is kept, "
        "and the log has the details."
    )


@contextlib.contextmanager
def _stop_on_signals(run: Run) -> Iterator[None]:
    """Turn Ctrl-C and a polite kill into a request to stop."""
    previous = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        # Only the main thread may set handlers; elsewhere signals are somebody else's business.
        with contextlib.suppress(ValueError):
            previous[number] = signal.signal(number, lambda *_: run.request_stop())
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise VisageError(
            f"{path} is damaged, so the run can't be resumed: start a new one."
        ) from error
