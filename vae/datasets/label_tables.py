"""Labels as strangers bring them: a table of file names and columns, folders, arrays.

Whoever wrote them may be a stranger too. So a table is text and nothing else, whatever a
spreadsheet would make of it; it is read within bounds, by :mod:`vae.datasets.reader`; and where it
is wrong, that is told in a sentence and the images are taken all the same.
"""

__all__ = [
    "LARGEST_TABLE",
    "SUFFIXES",
    "Gathered",
    "Told",
    "described",
    "of_arrays",
    "of_folders",
    "of_table",
    "read",
    "together",
    "write",
]

import csv
import io
import json
import math
import re
import zipfile
import zlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vae.datasets.labels import Column, Labels, categorical, continuous
from vae.limits import MIB, in_words

SUFFIXES = (".csv", ".tsv")

# Bytes of a table; its columns that are taken; characters of a column's name and of a value.
LARGEST_TABLE = 64 * MIB
MOST_COLUMNS = 64
LONGEST_NAME = 60
LONGEST_VALUE = 200

# Whole numbers of so few kinds are kinds, as the ten digits are; of more, they are numbers.
MOST_KINDS_OF_NUMBERS = 50

# What is written where nothing is known.
UNKNOWN = {"", "nan", "na", "n/a", "none", "null", "?", "-"}

# Rows that tell which column names the files.
ROWS_TO_TELL = 200


@dataclass(frozen=True)
class Told:
    """What is told of the images of a source.

    Arguments:
        columns: What is told of each.
        row: The values of an image by its index, as text; None where nothing is told of it.
        remarks: What is wrong with it, as sentences.
    """

    columns: tuple[str, ...]
    row: Callable[[int], Sequence[str] | None]
    remarks: tuple[str, ...] = ()


NOTHING = Told((), lambda index: ())


def together(*told: Told) -> Told:
    """Several sources of labels as one."""
    parts = [part for part in told if part.columns]
    names = _unique([name for part in parts for name in part.columns])
    return Told(
        names,
        lambda index: [
            value for part in parts for value in (part.row(index) or [""] * len(part.columns))
        ],
        tuple(remark for part in told for remark in part.remarks),
    )


def of_folders(names: Sequence[str]) -> Told:
    """The folder of each file, where they lie in several: a folder a class."""
    folders = [name.rpartition("/")[0] for name in names]
    common = _common(sorted(set(filter(None, folders))))
    return Told(("folder",), lambda index: [_text(folders[index].removeprefix(common))])


def _common(folders: list[str]) -> str:
    """The path that all folders begin with, which tells them apart in nothing."""
    if not folders:
        return ""
    parts = [folder.split("/") for folder in (folders[0], folders[-1])]
    same = 0
    while same < min(map(len, parts)) - 1 and parts[0][same] == parts[1][same]:
        same += 1
    return "".join(f"{part}/" for part in parts[0][:same])


def of_arrays(arrays: dict[str, np.ndarray]) -> Told:
    """Arrays that hold a value for each image."""
    values = [each.reshape(-1) for each in arrays.values()]
    return Told(_unique(list(arrays)), lambda index: [_written(each[index]) for each in values])


def _written(value: np.generic) -> str:
    if isinstance(value, np.bytes_):
        return _text(value.decode(errors="replace"))
    return _text(str(value.item()))


def of_table(name: str, content: bytes, images: Sequence[str] | int) -> Told:
    """A table with a row an image.

    Arguments:
        name: What to call it.
        content: Its bytes.
        images: The names of the images' files; or, of an array, how many images there are: then
            the rows are in their order.
    """

    def useless(why: str) -> Told:
        return Told((), NOTHING.row, (f"{name} is not used: {why}.",))

    if len(content) > LARGEST_TABLE:
        return useless(f"it has over {in_words(LARGEST_TABLE)}, the limit for a table")
    try:
        rows = _rows(content)
    except (csv.Error, ValueError) as error:
        return useless(f"it is no table of text ({_text(str(error))[:80]})")
    if len(rows) < 2 or len(rows[0]) < 1:
        return useless("it has no rows")
    if isinstance(images, int):
        return _in_order(name, rows, images, useless)
    places = _places(images)
    key = _key(rows, places)
    if key is None:
        return useless("none of its columns names the images")
    has_header = _place(rows[0], key, places) is None
    header = rows[0] if has_header else [f"column {nth + 1}" for nth in range(len(rows[0]))]
    columns = [nth for nth in range(len(header)) if nth != key]
    remarks = []
    if len(columns) > MOST_COLUMNS:
        remarks.append(f"{name} has {len(columns):,} columns: the first {MOST_COLUMNS} are taken.")
        columns = columns[:MOST_COLUMNS]
    found: dict[int, list[str]] = {}
    unknown = 0
    for cells in rows[has_header:]:
        place = _place(cells, key, places)
        if place is None:
            unknown += 1
        else:
            found.setdefault(place, cells)
    if len(found) < len(images):
        remarks.append(f"{len(images) - len(found):,} of {len(images):,} images have no row.")
    if unknown:
        remarks.append(f"{unknown:,} {'row names' if unknown == 1 else 'rows name'} no image.")

    def row(index: int) -> list[str] | None:
        cells = found.get(index)
        return None if cells is None else [_cell(cells, nth) for nth in columns]

    return Told(_unique([header[nth] for nth in columns]), row, tuple(remarks))


def _in_order(
    name: str, rows: list[list[str]], count: int, useless: Callable[[str], Told]
) -> Told:
    """A table whose rows are in the order of the images."""
    has_header = len(rows) == count + 1
    if not has_header and len(rows) != count:
        return useless(f"it has {len(rows):,} rows for {count:,} images")
    header = rows[0] if has_header else [f"column {nth + 1}" for nth in range(len(rows[0]))]
    width = min(len(header), MOST_COLUMNS)
    body = rows[has_header:]
    return Told(
        _unique(header[:width]), lambda index: [_cell(body[index], nth) for nth in range(width)]
    )


def _rows(content: bytes) -> list[list[str]]:
    """The rows of a table, whatever separates its columns."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise ValueError("it holds zero bytes")
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    # Of words that come again one copy is kept.
    words: dict[str, str] = {}
    return [
        [words.setdefault(cell, cell) for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        if any(row)
    ]


def _places(images: Sequence[str]) -> dict[str, int | None]:
    """Where an image is by its path, and by its name or the stem of it where that is its alone."""
    places: dict[str, int | None] = {}
    for index, path in enumerate(images):
        name = path.rpartition("/")[2]
        for short in {name, name.rpartition(".")[0]} - {path}:
            places[short] = index if short not in places else None
    places.update({path: index for index, path in enumerate(images)})
    return places


def _place(row: Sequence[str], key: int, places: dict[str, int | None]) -> int | None:
    if key >= len(row):
        return None
    path = row[key].strip().replace("\\", "/").removeprefix("./")
    place = places.get(path)
    return places.get(path.rpartition("/")[2]) if place is None else place


def _key(rows: list[list[str]], places: dict[str, int | None]) -> int | None:
    """The column that names the images; None if none does.

    Only the first may leave out what comes after the dot: an age of 3 is not the name of 3.png.
    """
    some = rows[:ROWS_TO_TELL]
    matches = [
        sum(_place(row, nth, places) is not None and (nth == 0 or "." in row[nth]) for row in some)
        for nth in range(min(len(rows[0]), MOST_COLUMNS + 1))
    ]
    best = max(range(len(matches)), key=matches.__getitem__)
    return best if matches[best] else None


def _cell(cells: Sequence[str], nth: int) -> str:
    return _text(cells[nth]) if nth < len(cells) else ""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")


def _text(value: str, longest: int = LONGEST_VALUE) -> str:
    """A text of one line that is no longer than it may be."""
    value = value.encode(errors="replace").decode()
    value = _CONTROL.sub(" ", value).strip()
    return value if len(value) <= longest else value[:longest] + "…"


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, none twice and none without one."""
    found: list[str] = []
    for nth, name in enumerate(names, 1):
        name = plain = _text(name, LONGEST_NAME) or f"column {nth}"
        again = 1
        while name in found:
            again += 1
            name = f"{plain} ({again})"
        found.append(name)
    return tuple(found)


@dataclass
class _Builder:
    """A column that grows by a value at a time."""

    name: str
    codes: array = field(default_factory=lambda: array("l"))
    numbers: array = field(default_factory=lambda: array("d"))
    kinds: dict[str, int] = field(default_factory=dict)
    is_numbers: bool = True
    is_whole: bool = True

    def add(self, text: str) -> None:
        number = math.nan
        if text.lower() in UNKNOWN:
            self.codes.append(-1)
        else:
            self.codes.append(self.kinds.setdefault(text, len(self.kinds)))
            if self.is_numbers:
                try:
                    number = float(text)
                except ValueError:
                    self.is_numbers = False
                self.is_whole = self.is_whole and number.is_integer()
        self.numbers.append(number)

    def column(self) -> Column | None:
        """The column; None where nothing is known."""
        if not self.kinds:
            return None
        few = len(self.kinds) <= MOST_KINDS_OF_NUMBERS
        if self.is_numbers and not (self.is_whole and few):
            column = continuous(self.name, np.array(self.numbers))
            return column if column.known.any() else None
        names = list(self.kinds)
        order = sorted(range(len(names)), key=lambda code: _natural(names[code]))
        rank = np.empty(len(names) + 1, np.int32)
        rank[order] = np.arange(len(names))
        # The place of −1.
        rank[-1] = -1
        codes = rank[np.array(self.codes, dtype=np.int64)]
        return categorical(self.name, codes, [names[code] for code in order])


def _natural(text: str) -> tuple[str, str]:
    return re.sub("[0-9]{1,18}", lambda digits: digits[0].zfill(18), text), text


class Gathered:
    """Labels that come one image at a time."""

    def __init__(self, columns: Sequence[str] = ()):
        self.begin(columns)

    def begin(self, columns: Sequence[str]) -> None:
        """Forget what was there: these columns are to come."""
        self._builders = [_Builder(name) for name in columns]

    def add(self, row: Sequence[str] | None) -> None:
        """What is told of the next image."""
        for nth, builder in enumerate(self._builders):
            builder.add(row[nth] if row is not None and nth < len(row) else "")

    def labels(self) -> Labels | None:
        """All of it; None where nothing is known."""
        columns = [builder.column() for builder in self._builders]
        known = tuple(column for column in columns if column is not None)
        return Labels(known) if known else None

    def in_words(self) -> list[tuple[str, str]]:
        """Each column's name, and what it holds: "5 kinds", "numbers from 0 to 1"."""
        labels = self.labels()
        return [] if labels is None else described(labels)


def described(labels: Labels) -> list[tuple[str, str]]:
    """Each column's name, and what it holds: "5 kinds", "numbers from 0 to 1"."""
    return [(column.name, _described(column)) for column in labels]


def _described(column: Column) -> str:
    known = column.values[column.known]
    if column.is_categorical:
        count = len(np.unique(known))
        words = f"{count:,} {'kind' if count == 1 else 'kinds'}"
    else:
        words = f"numbers from {known.min():g} to {known.max():g}"
    missing = len(column.values) - len(known)
    return words + (f", not known of {missing:,}" if missing else "")


def write(path: Path, labels: Labels) -> None:
    """Write labels into an ``.npz`` file that holds nothing but arrays of numbers."""
    about = [{"name": column.name, "kinds": column.kinds} for column in labels]
    text = json.dumps(about, ensure_ascii=False).encode()
    arrays: dict[str, Any] = {f"values_{nth}": each.values for nth, each in enumerate(labels)}
    with path.open("wb") as file:
        np.savez_compressed(file, about=np.frombuffer(text, np.uint8), **arrays)


def read(path: Path, count: int) -> Labels | None:
    """Labels that :func:`write` wrote of so many images; None where they are none or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            columns = tuple(
                categorical(each["name"], file[f"values_{nth}"], each["kinds"])
                if each["kinds"]
                else continuous(each["name"], file[f"values_{nth}"])
                for nth, each in enumerate(about)
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    fits = all(
        column.values.shape == (count,)
        and (
            not column.is_categorical
            or -1 <= column.values.min() <= column.values.max() < len(column.kinds)
        )
        for column in columns
    )
    return Labels(columns) if columns and fits and count else None
