"""One thing changed: runs that differ in one setting, made, stopped and deleted as one.

    sweep = create(TrainingConfig(dataset="olivetti"), "beta", ["0.1", "1", "4"])
    sweep.launch()

Its runs are runs like any other, and stand in the same line. The sweep itself is a small file that
names them, written once: so it survives whatever they survive. How they do is read from them, and
when the last has ended, what they came to lies beside that file as one CSV.

References:
    Fixing a Broken ELBO (Alemi, Poole, Fischer, Dillon, Saurous & Murphy, 2018): rate and
    distortion, the ELBO's two terms, as the two axes of a plane
    https://arxiv.org/abs/1711.00464
"""

__all__ = [
    "FEWEST",
    "KNOBS",
    "MOST",
    "Entry",
    "Knob",
    "Sweep",
    "all_sweeps",
    "create",
    "erase",
    "find",
    "folder",
    "restore",
    "varied",
    "write_csv_of",
]

import contextlib
import csv
import dataclasses
import io
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from vae import datasets, trash
from vae.errors import VisageError
from vae.files import read_json, replacing
from vae.limits import check_writable
from vae.models.card import Figures
from vae.names import name_from
from vae.runs.collection import all_runs
from vae.runs.collection import create as create_run
from vae.runs.run import Run
from vae.runs.run import folder as runs_folder
from vae.runs.status import Status
from vae.training.recipes import TrainingConfig
from vae.trash import Deleted

# How many values of a setting can be compared.
FEWEST, MOST = 2, 6

HOME = ".sweeps"

# What the trash is told of the runs that went with a sweep.
WENT_ALONG = "went_along.json"


@dataclass(frozen=True)
class Knob:
    """A setting that can be varied.

    Arguments:
        field: Its name in a configuration.
        words: What it is called on screen.
        parse: Its value from a text.
        such_as: Values as they are typed, for an example.
    """

    field: str
    words: str
    parse: Callable[[str], Any]
    such_as: str

    def value(self, text: str) -> Any:
        """The value that a text says.

        Raises:
            VisageError: It says none.
        """
        try:
            return self.parse(text)
        except (ValueError, OverflowError) as error:
            raise VisageError(
                f"'{text[:40]}' is no value of {self.words}: give values such as {self.such_as}."
            ) from error

    def spelt(self, config: TrainingConfig) -> str:
        """A configuration's value as a text."""
        value = getattr(config, self.field)
        if isinstance(value, tuple):
            return " ".join(map(str, value))
        return f"{value:g}" if isinstance(value, float) else str(value)


def _layers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.replace(",", " ").split()))


# By the names of the command line's options.
KNOBS = {
    "latent-dim": Knob("latent_dim", "K, latents", int, "1 2 10"),
    "beta": Knob("beta", "β", float, "0.1 1 4 30"),
    "hidden": Knob("hidden_dims", "layers", _layers, "200 200,200 200,200,200"),
    "learning-rate": Knob("learning_rate", "learning rate", float, "0.002 0.004 0.008"),
    "likelihood": Knob("likelihood", "likelihood", str, "gaussian student"),
    "train-images": Knob("training_images", "training images", int, "100 200 300"),
    "seed": Knob("seed", "seed", int, "0 1 2"),
    "activation": Knob("activation", "activation", str, "tanh silu"),
}


class Entry(NamedTuple):
    """One of a sweep's runs: the value, as a text, the run's name, and when it was made."""

    value: str
    run: str
    created: float


class Sweep:
    """A sweep by its folder.

    Arguments:
        path: The folder.

    Raises:
        VisageError: There is no sweep there, or its file is damaged.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            said: Any = read_json(self.path / "sweep.json")
            self.knob_name = str(said["knob"])
            self.knob = KNOBS[self.knob_name]
            self.base = TrainingConfig.of(said["base"])
            self.entries = [
                Entry(str(one["value"]), Path(str(one["run"])).name, float(one["created"]))
                for one in said["runs"]
            ]
        except OSError as error:
            raise VisageError(f"There is no sweep at {self.path}.") from error
        except VisageError:
            raise
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise VisageError(f"The file of the sweep {self.path} is damaged.") from error

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def csv_path(self) -> Path:
        """The table of what its runs came to; there once the last of them has ended."""
        return self.path / "sweep.csv"

    def runs(self) -> list[tuple[str, Run | None]]:
        """The value and the run of each; None for one that is not here any more.

        A run that was renamed is known by when it was made.
        """
        home = self.path.parent.parent
        others: dict[float, Run] | None = None
        found = []
        for entry in self.entries:
            run = None
            with contextlib.suppress(VisageError):
                run = Run(home / entry.run)
            if run is None or run.status().created != entry.created:
                if others is None:
                    others = {one.status().created: one for one in all_runs(home)}
                run = others.get(entry.created)
            found.append((entry.value, run))
        return found

    def here(self) -> dict[str, Run]:
        """The runs that are here, by value."""
        return {value: run for value, run in self.runs() if run is not None}

    def is_alive(self) -> bool:
        """Whether one of its runs goes on by itself."""
        return any(map(_is_trained, self.here().values()))

    def is_finished(self) -> bool:
        """Whether all that are here have taken all their steps."""
        return all(run.status().state == "finished" for run in self.here().values())

    def launch(self) -> None:
        """Start, or go on with, all runs that are not finished; they stand in line for their turn.

        Raises:
            VisageError: There is nothing to go on with, or one can't be started.
        """
        check_writable()
        waiting = [
            run
            for run in self.here().values()
            if run.status().state != "finished" and not _is_trained(run)
        ]
        if not waiting:
            raise VisageError(f"No run of {self.name} is left to go on with.")
        for run in waiting:
            run.launch()

    def stop(self) -> None:
        """Ask all of its runs that are alive to save and stop.

        Raises:
            VisageError: None is.
        """
        check_writable()
        alive = [run for run in self.here().values() if _is_trained(run)]
        if not alive:
            raise VisageError(f"No run of {self.name} is being trained.")
        # The last in line first, or one would begin when another has ended.
        for run in reversed(alive):
            with contextlib.suppress(VisageError):
                run.stop()

    def rows(self) -> list[dict[str, Any]]:
        """What each run was given and came to, in the order of the values.

        ``measured_on`` says which images the figures of the best model are of; of a sweep that
        goes on, or whose runs have no test set, that is not ``test``.
        """
        return [self._row(value, run) for value, run in self.runs()]

    def _row(self, value: str, run: Run | None) -> dict[str, Any]:
        card = run.results() if run else None
        status = run.status() if run else Status(state="missing")
        found = card.quality if card else Figures()
        heldout = card.heldout if card else Figures()
        row = {
            self.knob_name: value,
            "run": run.name if run else "",
            "state": status.state,
            "steps": card.step if card else None,
            "measured_on": card.measured_on if card else "",
            **{
                name: getattr(found, name)
                for name in ("elbo", "elbo_error", "log_likelihood", "log_likelihood_error")
            },
            "kl": found.kl,
            "kl_error": found.kl_error,
            "importance_weighted": found.importance_weighted,
            "importance_weighted_error": found.importance_weighted_error,
            "images": found.images,
            "validation_elbo": heldout.elbo,
            "validation_elbo_error": heldout.elbo_error,
            "active_units": card.active_units if card else None,
        }
        config = run.config if run else self.base
        for field in dataclasses.fields(config):
            if field.name not in (self.knob.field, "whole_recipe") and field.name not in row:
                said = getattr(config, field.name)
                row[field.name] = " ".join(map(str, said)) if isinstance(said, tuple) else said
        return row

    def csv(self) -> str:
        """The same as a table with a header; what is unknown is empty."""
        rows = self.rows()
        text = io.StringIO()
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        return text.getvalue()

    def write_csv(self) -> None:
        """Leave the table beside the sweep's file, if all of its runs have ended.

        Raises:
            VisageError: It can't be written.
        """
        if not self.is_alive():
            with replacing(self.csv_path) as beside:
                beside.write_text(self.csv(), encoding="utf-8")

    def delete(self, known: int | None = None) -> Deleted:
        """Move the sweep with all its runs into the trash.

        Arguments:
            known: Its :func:`vae.trash.identity`, where another may have come in its place.

        Raises:
            VisageError: It is gone or another one, one of its runs is being trained, or can't be
                moved. Then nothing is deleted.
        """
        check_writable()
        trash.check(self.path, known)
        if self.is_alive():
            raise VisageError(f"{self.name} is being trained: stop it first to delete it.")
        gone: list[Deleted] = []
        try:
            for run in self.here().values():
                gone.append(run.delete())
            told = [[one.name, one.path.parent.name, one.when] for one in gone]
            with replacing(self.path / WENT_ALONG) as beside:
                beside.write_text(json.dumps(told))
            return trash.throw(self.path, known)
        except VisageError:
            for deleted in gone:
                with contextlib.suppress(VisageError):
                    trash.restore(deleted)
            raise


def _is_trained(run: Run) -> bool:
    """Whether there is a process that trains it, or will: one that was only made has none."""
    status = run.status()
    return status.is_alive and status.pid is not None


def folder() -> Path:
    """Where sweeps are kept: in the folder of the runs."""
    return runs_folder() / HOME


def create(base: TrainingConfig, knob: str, values: Sequence[str]) -> Sweep:
    """Make a sweep and its runs; nothing is trained yet.

    Arguments:
        base: What stays the same in all of them. What a recipe sets by the number of latents is
            that of this configuration, whatever is varied.
        knob: The setting that is varied, by its name in :data:`KNOBS`.
        values: Two to six values of it, as texts.

    Raises:
        VisageError: A value is none or given twice, there are too few or too many, or a run can't
            be made. Then nothing is.
    """
    check_writable()
    base = base.for_images(datasets.load(base.dataset).image_shape)
    configs = varied(base, knob, values)
    now = datetime.now()
    stem = f"{now:%Y%m%d-%H%M%S}-{name_from(Path(base.dataset).stem)[:12].rstrip('-_')}-{knob}"
    path = _new_folder(stem)
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, path, ignore_errors=True)
        entries = []
        for config, name in zip(configs, _names(path.name, knob, configs), strict=True):
            run = create_run(config, runs_folder() / name)
            undo.callback(shutil.rmtree, run.path, ignore_errors=True)
            entry = Entry(KNOBS[knob].spelt(config), run.name, run.status().created)
            entries.append(entry._asdict())
        said = {"knob": knob, "base": dataclasses.asdict(base), "runs": entries}
        with replacing(path / "sweep.json") as beside:
            beside.write_text(json.dumps(said, indent=1))
        undo.pop_all()
    return Sweep(path)


def varied(base: TrainingConfig, knob: str, values: Sequence[str]) -> list[TrainingConfig]:
    """The configurations of a sweep, as :func:`create` makes runs of them.

    Raises:
        VisageError: As there.
    """
    if knob not in KNOBS:
        raise VisageError(f"What can be varied is {', '.join(KNOBS)}, not '{knob[:40]}'.")
    if not FEWEST <= len(values) <= MOST:
        raise VisageError(
            f"Give {FEWEST} to {MOST} values of {KNOBS[knob].words}, such as "
            f"{KNOBS[knob].such_as}: these are {len(values)}."
        )
    field = KNOBS[knob].field
    configs: list[TrainingConfig] = []
    for text in values:
        config = dataclasses.replace(base, **{field: KNOBS[knob].value(text)})
        if config in configs:
            raise VisageError(f"The value {text} is given twice: each run needs one of its own.")
        configs.append(config)
    return configs


def _names(stem: str, knob: str, configs: Sequence[TrainingConfig]) -> list[str]:
    values = [name_from(KNOBS[knob].spelt(config).replace(".", "_"))[:14] for config in configs]
    if len(set(values)) < len(values):
        values = [str(place) for place in range(1, len(values) + 1)]
    return [f"{stem}-{value}" for value in values]


def _new_folder(stem: str) -> Path:
    for suffix in ("", *(f"-{place}" for place in range(2, 100))):
        path = folder() / (stem + suffix)
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            continue
        except OSError as error:
            raise VisageError(
                f"The sweep's folder {path} can't be written: {error.strerror}; choose another "
                "with VISAGE_RUNS."
            ) from error
    raise VisageError(f"There are too many sweeps named {stem}: try again in a second.")


def all_sweeps() -> list[Sweep]:
    """Every sweep that can be read, the newest first."""
    found = []
    for path in folder().glob("*/sweep.json"):
        if path.parent.name.isprintable():
            with contextlib.suppress(VisageError):
                found.append(Sweep(path.parent))
    return sorted(
        found, key=lambda one: (max((e.created for e in one.entries), default=0.0), one.name)
    )[::-1]


def find(name: str) -> Sweep:
    """The sweep of that name.

    Raises:
        VisageError: There is none.
    """
    path = folder() / name
    if name and path.parent == folder() and (path / "sweep.json").is_file():
        return Sweep(path)
    raise VisageError(f"There is no sweep named '{name}': 'python -m vae sweeps' lists them.")


def restore(deleted: Deleted) -> Sweep:
    """Bring back a sweep that was deleted, with the runs that went along.

    Raises:
        VisageError: It is not in the trash any more, or its name has been given away.
    """
    sweep = Sweep(trash.restore(deleted))
    for run in _went_along(sweep.path):
        # One of them may have been brought back already.
        with contextlib.suppress(VisageError):
            trash.restore(run)
    (sweep.path / WENT_ALONG).unlink(missing_ok=True)
    return sweep


def erase(deleted: Deleted) -> None:
    """Remove a sweep from the trash for good, with the runs that went along.

    Raises:
        VisageError: It can't be removed.
    """
    for run in _went_along(deleted.path):
        if run.path.exists():
            trash.erase(run)
    trash.erase(deleted)


def _went_along(path: Path) -> list[Deleted]:
    """The runs in the trash that a sweep's folder names: such as a sweep's deletion puts there."""
    home = folder().resolve().parent
    found = []
    with contextlib.suppress(OSError, ValueError, TypeError):
        told: Any = read_json(path / WENT_ALONG)
        for name, ticket, when in told:
            # Names alone: nothing outside the folder of the runs is touched.
            place = home / Path(name).name
            lies = home / trash.FOLDER / Path(ticket).name / place.name
            found.append(Deleted(place, lies, float(when)))
    return found


def write_csv_of(run: Run) -> None:
    """Where a run that has ended was the last of a sweep, leave the sweep's table."""
    for path in (run.path.parent / HOME).glob("*/sweep.json"):
        with contextlib.suppress(VisageError, OSError):
            sweep = Sweep(path.parent)
            if run.name in (entry.run for entry in sweep.entries):
                sweep.write_csv()
