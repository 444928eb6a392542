"""Portraits of our own design, in colour, whose factors are known; any number of any size.

    draw(range(8), size=128)     # uint8, (8, 128, 128, 3)
    factors(range(8))            # a table with a row for each: smile, hair style, …
    svg(3)                       # one of them, for any size

Portrait number n is the same whoever draws it and however many are drawn. The data set has the
first :data:`COUNT` of them. They are drawn when they are first asked for, by a process for each
core (:mod:`vae.datasets.cartoonist`), and kept as one array.
"""

__all__ = [
    "AT_ONCE",
    "COUNT",
    "FACTORS",
    "IN_MEMORY",
    "SIZE",
    "Factor",
    "draw",
    "factors",
    "images",
    "is_here",
    "known",
    "make",
    "path",
    "svg",
]

import contextlib
import functools
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from PIL import Image

from vae.datasets.faces import of_npy
from vae.datasets.labels import Column, Labels, categorical, continuous
from vae.datasets.portrait import BEARDS, CLOTHES, GLASSES, STYLES, Sitter, portrait
from vae.errors import VisageError
from vae.files import data_folder, replacing
from vae.limits import read_only

# How many there are in the data set, and how high and wide they are.
COUNT = 20_000
SIZE = 64

# Where nothing may be written, so many are drawn and held in memory.
IN_MEMORY = 2_000

# Of the drawing: what was drawn by another is drawn anew.
VERSION = 1

# What the numbers are drawn from.
SEED = 1963

# The age from which on there are beards.
GROWN = 0.3

# Portraits that a process draws between two words of how far it is.
AT_ONCE = 20


@dataclass(frozen=True)
class Factor:
    """Something that differs between portraits, independently of all else but for one pair.

    Beards are for the grown-up: of who has one, the age begins at :data:`GROWN`.

    Arguments:
        name: What it is called; with ``_`` for spaces, the field of a :class:`Sitter`.
        lowest, highest: Between which a continuous one is spread evenly.
        kinds: What a categorical one is one of.
        shares: How often each of these is; all alike by default.
    """

    name: str
    lowest: float = 0.0
    highest: float = 1.0
    kinds: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    def of(self, uniform: np.ndarray) -> np.ndarray:
        """Its values, or their codes, of numbers in [0, 1)."""
        if not self.kinds:
            return self.lowest + (self.highest - self.lowest) * uniform
        shares = np.array(self.shares or (1,) * len(self.kinds), dtype=float)
        edges = np.cumsum(shares / shares.sum())[:-1]
        return np.searchsorted(edges, uniform, side="right")


# Their order is that of the random numbers of a portrait: new ones go to the end.
FACTORS = (
    Factor("smile", -0.6),
    Factor("mouth opening"),
    Factor("eye opening"),
    Factor("gaze across", -1),
    Factor("gaze up", -1),
    Factor("head turn", -1),
    Factor("brow angle", -0.8),
    Factor("hair length"),
    Factor("skin tone"),
    Factor("hair hue"),
    Factor("background hue"),
    Factor("light", -1),
    Factor("age"),
    Factor("face width"),
    Factor("clothes hue"),
    Factor("hair style", kinds=STYLES),
    Factor("glasses", kinds=GLASSES, shares=(0.6, 0.2, 0.2)),
    Factor("beard", kinds=BEARDS, shares=(0.76, 0.08, 0.08, 0.08)),
    Factor("clothes", kinds=CLOTHES),
)


def factors(numbers: Iterable[int]) -> Labels:
    """What the portraits of these numbers are like, a row for each."""
    uniform = np.array([_uniform(number) for number in numbers]).reshape(-1, len(FACTORS))
    values = {factor.name: factor.of(uniform[:, nth]) for nth, factor in enumerate(FACTORS)}
    grown = GROWN + (1 - GROWN) * values["age"]
    values["age"] = np.where(values["beard"] > 0, grown, values["age"])
    return Labels(tuple(_column(factor, values[factor.name]) for factor in FACTORS))


def _uniform(number: int) -> np.ndarray:
    return np.random.default_rng([SEED, number]).random(len(FACTORS))


def _column(factor: Factor, values: np.ndarray) -> Column:
    if factor.kinds:
        return categorical(factor.name, values, factor.kinds)
    return continuous(factor.name, values)


@functools.lru_cache(maxsize=2)
def known(count: int) -> Labels:
    """The factors of the first so many portraits."""
    return factors(range(count))


def svg(number: int) -> str:
    """One portrait as SVG, a square."""
    return _drawing(factors([number]), 0)


def _drawing(table: Labels, row: int) -> str:
    chosen: dict[str, Any] = {each.name.replace(" ", "_"): each.at(row) for each in table}
    return portrait(Sitter(**chosen))


def draw(numbers: Iterable[int], size: int = SIZE) -> np.ndarray:
    """These portraits, uint8, (n, size, size, 3)."""
    table = factors(numbers)
    if not len(table):
        return np.zeros((0, size, size, 3), np.uint8)
    return np.stack([_pixels(_drawing(table, row), size) for row in range(len(table))])


def _pixels(drawing: str, size: int) -> np.ndarray:
    import resvg_py

    png = resvg_py.svg_to_bytes(
        svg_string=drawing, width=size, height=size, skip_system_fonts=True
    )
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def path() -> Path:
    """Where the data set is kept once it has been drawn."""
    return data_folder() / f"cartoon-{VERSION}.npy"


def is_here() -> bool:
    """Whether it can be loaded without drawing 20,000 portraits first."""
    return path().is_file() or read_only()


def images() -> np.ndarray:
    """The data set, uint8, (20,000, 64, 64, 3), memory-mapped; drawn where it never was.

    Where nothing may be written, by ``VISAGE_READ_ONLY``, it is only the first 2,000.

    Raises:
        VisageError: It can't be drawn or kept.
    """
    if not path().is_file():
        if read_only():
            return _in_memory(IN_MEMORY)
        make()
    kept = of_npy(path()).images
    if kept.shape[1:] != (SIZE, SIZE, 3):
        raise VisageError(f"{path()} is not what Visage drew: delete it, and it is drawn again.")
    return kept


@functools.lru_cache(maxsize=1)
def _in_memory(count: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cartoon.npy"
        _write(file, count, SIZE, lambda share: None)
        return np.load(file)


def make(progress: Callable[[float], object] | None = None) -> None:
    """Draw the data set and keep it, unless it is there; whoever comes second waits for the first.

    Arguments:
        progress: Called with the share done, between 0 and 1, several times a second. What it
            raises ends the drawing, and nothing is left of it.

    Raises:
        VisageError: It can't be kept there.
    """
    progress = progress or (lambda share: None)
    with _alone(progress):
        if not path().is_file():
            with replacing(path()) as beside:
                _write(beside, COUNT, SIZE, progress)
    progress(1.0)


@contextlib.contextmanager
def _alone(progress: Callable[[float], object]) -> Iterator[None]:
    """Hold the lock of the drawing, which the system gives back for a process that ends."""
    lock = filelock.FileLock(path().with_name(".cartoon.lock"))
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        while not lock.is_locked:
            with contextlib.suppress(filelock.Timeout):
                lock.acquire(timeout=0.3)
            progress(0.0)
    except OSError as error:
        raise VisageError(f"{path()} can't be written: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()


def _write(file: Path, count: int, size: int, progress: Callable[[float], object]) -> None:
    """Draw the first portraits into a ``.npy`` file, by a process for each core."""
    array = np.lib.format.open_memmap(
        file, mode="w+", dtype=np.uint8, shape=(count, size, size, 3)
    )
    array.flush()
    del array
    workers = min(_cores(), -(-count // AT_ONCE))
    begun: list[subprocess.Popen[bytes]] = []
    try:
        for nth in range(workers):
            begun.append(_worker(file, count, size, nth, workers))
        heard = [_Heard(process) for process in begun]
        while any(worker.is_alive() for worker in heard):
            time.sleep(0.1)
            progress(min(AT_ONCE * sum(worker.words for worker in heard) / count, 1.0))
        if any(process.wait() for process in begun):
            raise VisageError(
                "The portraits of cartoon could not be drawn: is there memory and room for "
                f"{count * size * size * 3 / 2**20:.0f} MiB in {file.parent}?"
            )
    finally:
        for process in begun:
            process.kill()
            process.wait()


class _Heard(threading.Thread):
    """Counts the words of a process, one for every few portraits, until it ends."""

    def __init__(self, process: subprocess.Popen[bytes]):
        super().__init__(daemon=True)
        self.process = process
        self.words = 0
        self.start()

    def run(self) -> None:
        if self.process.stdout is None:
            raise AssertionError("a pipe was asked for")
        with contextlib.suppress(ValueError, OSError):
            # Closed, where the drawing has been given up.
            while self.process.stdout.read(1):
                self.words += 1


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _worker(file: Path, count: int, size: int, nth: int, workers: int) -> subprocess.Popen[bytes]:
    arguments = [str(file.resolve()), *map(str, (count, size, nth, workers))]
    return subprocess.Popen(
        [sys.executable, "-m", "vae.datasets.cartoonist", *arguments],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
