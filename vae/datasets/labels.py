"""What is known of each image of a set: a table with a row an image.

labels = faces.labels            # None, or a table
labels["person"].values          # codes, int32, (N,); −1 where it is not known
labels["smile"].values           # float32, (N,); NaN where it is not known
"""

__all__ = ["Column", "Labels", "categorical", "continuous"]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Column:
    """One label or factor.

    Arguments:
        name: What it is called; text that may come from a stranger.
        values: Of each image: float32 for numbers, NaN where it is not known; int32 for kinds,
            the place in ``kinds``, −1 where it is not known. (N,).
        kinds: What a categorical one's codes stand for; empty for numbers.
    """

    name: str
    values: np.ndarray
    kinds: tuple[str, ...] = ()

    @property
    def is_categorical(self) -> bool:
        """Whether it says which kind an image is of, rather than how much of something it has."""
        return self.values.dtype.kind == "i"

    @property
    def known(self) -> np.ndarray:
        """Of which images it is known, bool, (N,)."""
        return self.values >= 0 if self.is_categorical else ~np.isnan(self.values)

    def at(self, index: int) -> str | float | None:
        """An image's value; None where it is not known."""
        value = self.values[index]
        if self.is_categorical:
            return self.kinds[value] if value >= 0 else None
        return None if np.isnan(value) else float(value)


@dataclass(frozen=True)
class Labels:
    """All labels of a set, each of the same number of images."""

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        if len({len(column.values) for column in self.columns}) > 1:
            raise AssertionError("columns of one table have the same rows")

    def __len__(self) -> int:
        """How many images it tells of."""
        return len(self.columns[0].values) if self.columns else 0

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """What its columns are called."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        """A column by its name.

        Raises:
            KeyError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def at(self, indices: np.ndarray) -> "Labels":
        """The same labels of some of the images, in the order given."""
        return Labels(
            tuple(Column(each.name, each.values[indices], each.kinds) for each in self.columns)
        )


def continuous(name: str, values: Sequence[float] | np.ndarray) -> Column:
    """A column of numbers; what is not finite is not known."""
    numbers = np.asarray(values, dtype=np.float32)
    return Column(name, np.where(np.isfinite(numbers), numbers, np.float32(np.nan)))


def categorical(name: str, codes: Sequence[int] | np.ndarray, kinds: Sequence[str]) -> Column:
    """A column of kinds by their codes."""
    return Column(name, np.asarray(codes, dtype=np.int32), tuple(kinds))
