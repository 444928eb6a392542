"""A run's metrics, read while they are written: what is new, and never more than can be seen.

A file grows by a line a record. A reader remembers how far it has come and parses what was
added; of what is too long for that, its end.
"""

__all__ = ["MetricsFile", "Records", "append", "drop_after", "parsed"]

import contextlib
import dataclasses
import functools
import json
import math
import mmap
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vae.files import replacing
from vae.training.loop import Progress

FIELDS = tuple(field.name for field in dataclasses.fields(Progress))

# A screen has some 1,000 to 2,000 columns of pixels.
MOST_POINTS = 2_000

# Bytes beyond which only a file's end is read: some 120,000 records, which 10^7 steps or a day and
# a half of a slow model's make.
LARGEST_READ = 2**25

# Bytes that are parsed at a time. A line longer than that is no record.
BLOCK = 2**20

# Bytes of a file that are copied at once.
COPIED_AT_ONCE = 2**20

# Records kept in memory; beyond, they are thinned.
MOST_KEPT = 50_000

# No figure of a run lies beyond.
LARGEST_FIGURE = 1e15

# Held-out evaluations that a verdict on overfitting rests on.
RECENT = 5


@dataclass(frozen=True)
class Records:
    """Records in the order of steps, as columns.

    Arguments:
        table: float64, of shape (n, number of fields), a record a row; what was not measured is
            NaN.
    """

    table: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> np.ndarray:
        """All values of a field, (n,)."""
        return self.table[:, FIELDS.index(name)]

    def last(self, name: str) -> float | None:
        """The latest value of a field that was measured."""
        values = self.column(name)
        values = values[~np.isnan(values)]
        return float(values[-1]) if len(values) else None

    def curve(
        self, name: str, points: int = MOST_POINTS, x: str = "samples"
    ) -> tuple[np.ndarray, np.ndarray]:
        """A field as a curve that looks like all of its records, ends and extremes included.

        Arguments:
            name: The field.
            points: How many at most, at least 10.
            x: The field to draw it over.

        Returns:
            x and values, both (m,), m ≤ points.
        """
        values = self.column(name)
        chosen = thinned(self.column("step"), values, points)
        return self.column(x)[chosen], values[chosen]

    @functools.cached_property
    def best(self) -> tuple[int, int, float] | None:
        """Step, samples and held-out ELBO of the best step, if there is one.

        The best by that ELBO, or by what else was maximised.
        """
        values, maximised = self.column("heldout_elbo"), self.column("heldout_objective")
        maximised = np.where(np.isnan(maximised), values, maximised)
        if np.isnan(maximised).all():
            return None
        place = int(np.nanargmax(maximised))
        step, samples = (int(self.column(name)[place]) for name in ("step", "samples"))
        return step, samples, float(values[place])

    @property
    def is_overfitting(self) -> bool:
        """Whether held-out ELBO has been falling since its best while training ELBO rises.

        Both are noisy, and the best is what noise lifted highest: so the recent evaluations are
        compared with those around the best, and must lie lower by twice the usual change from one
        to the next.
        """
        heldout, train = self.column("heldout_elbo"), self.column("elbo")
        measured = ~np.isnan(heldout)
        heldout, train = heldout[measured], train[measured]
        place = int(np.argmax(heldout)) if len(heldout) else 0
        if len(heldout) - 1 - place < RECENT:
            return False
        around = slice(max(0, place - RECENT // 2), place + RECENT // 2 + 1)
        usual = np.median(np.abs(np.diff(heldout[-4 * RECENT :])))
        fell = heldout[around].mean() - heldout[-RECENT:].mean()
        return bool(fell > 2 * usual and train[-RECENT:].mean() > train[around].mean())


class MetricsFile:
    """A metrics file that many threads may read at once.

    Arguments:
        path: The file, which may not be there yet.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._lock = threading.Lock()
        self._forget(0)

    def _forget(self, inode: int) -> None:
        self._inode = inode
        self._offset = 0
        self._records = Records(np.empty((0, len(FIELDS))))

    def read(self) -> Records:
        """The records by now; one and the same object as long as nothing was added."""
        with self._lock:
            try:
                # Whatever else stands in its place may never end.
                if not self.path.is_file():
                    raise FileNotFoundError(self.path)
                file = self.path.open("rb", buffering=0)
            except OSError:
                self._forget(0)
                return self._records
            with file:
                known = os.fstat(file.fileno())
                if known.st_ino != self._inode or known.st_size < self._offset:
                    self._forget(known.st_ino)
                if known.st_size > self._offset:
                    self._read_on(file, known.st_size)
            return self._records

    def _read_on(self, file: BinaryIO, size: int) -> None:
        # The line that is cut there is no record, as is one that a block cuts.
        self._offset = max(self._offset, size - LARGEST_READ)
        tables = [self._records.table]
        while self._offset < size:
            content = os.pread(file.fileno(), min(BLOCK, size - self._offset), self._offset)
            whole = content.rfind(b"\n") + 1
            if not whole and len(content) < BLOCK:
                # The last line may be half written: it is read once it has ended.
                break
            self._offset += whole or len(content)
            if records := parsed(content[:whole].splitlines()):
                new = np.array(
                    [[_number(record.get(name)) for name in FIELDS] for record in records]
                )
                _drop_from(tables, new[0, 0])
                tables.append(new)
        if len(tables) == 1 and tables[0] is self._records.table:
            return
        records = Records(np.concatenate(tables))
        if len(records) > MOST_KEPT:
            step = records.column("step")
            kept = [
                thinned(step, records.column(name), MOST_KEPT // 4)
                for name in ("elbo", "heldout_elbo")
            ]
            records = Records(records.table[functools.reduce(np.union1d, kept)])
        self._records = records


def _drop_from(tables: list[np.ndarray], step: float) -> None:
    """Leave out, from the end, what a resumed run took again from this step on."""
    while tables and (not len(tables[-1]) or tables[-1][-1, 0] >= step):
        table = tables.pop()
        kept = table[: np.searchsorted(table[:, 0], step)]
        if len(kept):
            tables.append(kept)


def parsed(lines: Iterable[bytes]) -> list[dict]:
    """The records on some lines, in the order of steps; lines that hold none are left out.

    A record has a step, a number of samples and a time; what else is missing was not measured. A
    run that was resumed from a checkpoint went some steps back and took them again: the later
    records of those steps are the ones that count.
    """
    records: list[dict] = []
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(record, dict) or not all(
            _number(record.get(name)) >= 0 for name in ("step", "samples", "seconds")
        ):
            continue
        while records and records[-1]["step"] >= record["step"]:
            records.pop()
        records.append(record)
    return records


def append(path: Path, record: Mapping) -> None:
    """Append a record to a metrics file; a line that was torn by a crash is closed first."""
    line = json.dumps(record).encode() + b"\n"
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


def drop_after(path: Path, step: int) -> None:
    """Leave out of a metrics file, which need not be there, what lies beyond a step.

    It becomes a new file, so that a reader who knows the old one's length starts over.
    """
    with contextlib.suppress(FileNotFoundError):
        end = end_of_step(path, step)
        if end < path.stat().st_size:
            with replacing(path) as beside, path.open("rb") as file, beside.open("wb") as kept:
                while end > 0 and (part := file.read(min(end, COPIED_AT_ONCE))):
                    end -= kept.write(part)


def end_of_step(path: Path, step: int) -> int:
    """The offset in a metrics file behind the last whole record of that step or an earlier one.

    It is looked for from the end, where it is near: what follows are the few records since a
    checkpoint, and at most one torn line.

    Raises:
        FileNotFoundError: There is no such file.
    """
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return 0
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            end = content.rfind(b"\n") + 1
            while end:
                begin = content.rfind(b"\n", 0, end - 1) + 1
                # No record is as long as that: it need not be read to be left out.
                record = parsed([content[begin:end]] if end - begin < BLOCK else [])
                if record and record[0]["step"] <= step:
                    break
                end = begin
            return end


def thinned(step: np.ndarray, values: np.ndarray, points: int) -> np.ndarray:
    """The places of the records that give a curve its shape, in rising order.

    Half of the buckets are evenly spaced in the logarithm of the step and half in the step itself,
    so that no part of the curve is coarse on either axis. Each gives its least and its largest
    value.

    Arguments:
        step: Rising, of shape (n,).
        values: Of shape (n,); NaN counts as missing.
        points: How many places at most, at least 10.
    """
    measured = np.flatnonzero(~np.isnan(values))
    if len(measured) <= points:
        return measured
    step, values = step[measured], values[measured]
    count = (points - 4) // 4
    first, last = max(step[0], 1), step[-1]
    edges = np.union1d(np.geomspace(first, last, count), np.linspace(first, last, count))
    bucket = np.searchsorted(edges, step, side="right")
    order = np.lexsort((values, bucket))
    change = np.flatnonzero(np.diff(bucket[order]))
    least, largest = np.append(0, change + 1), np.append(change, len(order) - 1)
    ends = [0, len(order) - 1]
    return measured[functools.reduce(np.union1d, (order[least], order[largest], ends))]


def _number(value: object) -> float:
    """A figure that can be drawn, or NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) <= LARGEST_FIGURE else math.nan
