"""Reading a run's metrics while they are written: what is new, and never more than can be seen.

A file grows by a line a record. A reader remembers how far it has come and parses what was
added. A file too long for that is sampled: its beginning, where a logarithmic axis shows every
record, its end, and evenly spaced places between. So 10^6 records open as fast as 10^5.
"""

__all__ = ["MetricsFile", "Records", "end_of_step", "parsed"]

import dataclasses
import functools
import json
import mmap
import os
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vae.training.loop import Progress

FIELDS = tuple(field.name for field in dataclasses.fields(Progress))

# A screen has some 1,000 to 2,000 columns of pixels.
MOST_POINTS = 2_000

# Bytes to be read beyond which a file is sampled; its first and last bytes, which are read whole;
# the number of places between, and the bytes that are looked at in each.
LARGEST_READ = 8 * 2**20
HEAD = 2**20
TAIL = 2**17
PLACES = 4_000
WINDOW = 2**14

# Records kept in memory; beyond, they are thinned.
MOST_KEPT = 50_000

MEASURED = re.compile(rb'"heldout_elbo": ?[-\d]')

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
        """Step, samples and value of the best held-out ELBO, if there is one."""
        values = self.column("heldout_elbo")
        if np.isnan(values).all():
            return None
        place = int(np.nanargmax(values))
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
                file = self.path.open("rb", buffering=0)
            except FileNotFoundError:
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
        if size - self._offset > LARGEST_READ:
            lines, self._offset = _sampled(file, self._offset, size)
        else:
            content = os.pread(file.fileno(), size - self._offset, self._offset)
            # The last line may be half written: it is read once it has ended.
            whole = content.rfind(b"\n") + 1
            lines = content[:whole].splitlines()
            self._offset += whole
        rows = [[_number(record.get(name)) for name in FIELDS] for record in parsed(lines)]
        if not rows:
            return
        new = np.array(rows)
        known = self._records.table
        known = known[: np.searchsorted(known[:, 0], new[0, 0])]
        records = Records(np.concatenate([known, new]))
        if len(records) > MOST_KEPT:
            step = records.column("step")
            kept = [
                thinned(step, records.column(name), MOST_KEPT // 4)
                for name in ("elbo", "heldout_elbo")
            ]
            records = Records(records.table[functools.reduce(np.union1d, kept)])
        self._records = records


def parsed(lines: Iterable[bytes]) -> list[dict]:
    """The records on some lines, in the order of steps; lines that hold none are left out.

    A run that was resumed from a checkpoint went some steps back and took them again: the later
    records of those steps are the ones that count.
    """
    records: list[dict] = []
    for line in lines:
        try:
            record = json.loads(line)
            step = int(record["step"])
            while records and records[-1]["step"] >= step:
                records.pop()
        except (ValueError, KeyError, TypeError, IndexError):
            continue
        records.append(record)
    return records


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
                record = parsed([content[begin:end]] if end - begin < WINDOW else [])
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


def _sampled(file: BinaryIO, start: int, size: int) -> tuple[list[bytes], int]:
    """Some of the lines between two offsets, and the offset after the last whole line."""
    handle = file.fileno()
    head = os.pread(handle, HEAD, start)
    head = head[: head.rfind(b"\n") + 1]
    tail_start = size - TAIL
    tail = os.pread(handle, TAIL, tail_start)
    first, end = tail.find(b"\n") + 1, tail.rfind(b"\n") + 1
    middle = np.linspace(start + len(head), tail_start - WINDOW, PLACES)
    # Windows that don't overlap, so that the lines found come in the order of the file.
    offsets = np.unique(middle.astype(np.int64) // WINDOW) * WINDOW
    lines = head.splitlines()
    for offset in offsets[offsets >= start + len(head)]:
        lines.extend(_from_window(os.pread(handle, WINDOW, int(offset))))
    return lines + tail[first:end].splitlines(), tail_start + end


def _from_window(window: bytes) -> Iterator[bytes]:
    """The first whole line of a piece of the file, and the first that has a held-out ELBO."""
    first = window.find(b"\n") + 1
    end = window.find(b"\n", first)
    if end < 0:
        return
    yield window[first:end]
    found = MEASURED.search(window, first)
    if found and found.start() > end:
        begin = window.rfind(b"\n", 0, found.start()) + 1
        end = window.find(b"\n", begin)
        if end > 0:
            yield window[begin:end]


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else np.nan
