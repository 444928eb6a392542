"""All runs of a folder: listed, found by name, made, and brought back."""

__all__ = ["all_runs", "create", "damaged", "find", "restore"]

import contextlib
import dataclasses
import json
import os
import time
from datetime import datetime
from pathlib import Path

from vae import datasets, trash
from vae.errors import VisageError
from vae.files import replacing
from vae.limits import check_writable
from vae.models import collection
from vae.names import name_from
from vae.runs import processes
from vae.runs.run import Run, check_name, folder
from vae.training.loop import check_batch
from vae.training.memory import check_memory
from vae.training.recipes import TrainingConfig


def all_runs(home: Path | None = None) -> list[Run]:
    """Every run of the folder, or of another one, that can be read, the newest first."""
    found = []
    for path in (home or folder()).glob("*/config.json"):
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
                check_name(path.resolve().name)
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
    config = config.for_images(faces.image_shape)
    sets = faces.splits_indices(config.holdout, config.test, config.split, config.split_seed)
    parts = sets.learning_from(config.training_images)
    check_batch(config, len(parts.training))
    check_memory(config, faces.image_shape)
    if datasets.is_here(str(config.dataset)):
        return dataclasses.replace(config, dataset=faces.name)
    return dataclasses.replace(config, dataset=str(Path(config.dataset).resolve()))


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
