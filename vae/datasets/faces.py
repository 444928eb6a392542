"""A set of face images of one size, and its division into training, validation and test sets."""

__all__ = [
    "SPLITS",
    "Faces",
    "Pixels",
    "Splits",
    "flatten",
    "of_npy",
    "release_pages",
    "usual_test_share",
]

import functools
import hashlib
import math
import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vae.datasets.labels import Labels
from vae.errors import VisageError

# Bytes of memory-mapped images beyond which their pixels, four times as large, stay on disk.
LARGEST_IN_MEMORY = 2**26

# Images that are read from a memory-mapped set before its pages are given back: each may map 2 MB
# of its surroundings into the process as well.
READ_AT_ONCE = 64

# The ways to divide a set, and the share that the test set is where nobody chose it.
SPLITS = {"random": 0.1, "last": 0.2, "first": 0.2, "blocks": 0.2}

# Stretches that a video is cut into where no fold of it is the test set.
FOLDS = 5


class Splits(NamedTuple):
    """Three sets that share no image: their pixels, or their indices in the set.

    Arguments:
        training: What a model learns from.
        validation: What the best step is chosen on.
        test: What a finished model is judged on, and nothing else; it may be empty.
    """

    training: Any
    validation: Any
    test: Any

    def learning_from(self, count: int | None) -> "Splits":
        """The same with so many evenly spaced training images; None for all of them.

        Raises:
            VisageError: There are fewer.
        """
        if count is None:
            return self
        if count > len(self.training):
            raise VisageError(
                f"There are {len(self.training):,} training images, so {count:,} of them can't be "
                "learnt from."
            )
        places = np.linspace(0, len(self.training) - 1, count).astype(int)
        return self._replace(training=self.training[places])


@dataclass(frozen=True)
class Faces:
    """A set of images of one size.

    Arguments:
        name: What it is called.
        images: uint8, of shape (N, H, W) or (N, H, W, 3); in memory or memory-mapped.
        credit: Whom to thank for it.
        labels: What is known of each image, a row for each; None where nothing is.
    """

    name: str
    images: np.ndarray
    credit: str = ""
    labels: Labels | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        return self.images.shape[1:]

    @functools.cached_property
    def sha256(self) -> str:
        """The sha256 of the images as a C-contiguous array, as a hexadecimal string."""
        digest = hashlib.sha256()
        for start in range(0, len(self), 4096):
            digest.update(np.ascontiguousarray(self.images[start : start + 4096]).data)
            release_pages(self.images)
        return digest.hexdigest()

    def split(
        self, holdout: float = 0.1, how: str = "random", seed: int = 0
    ) -> "tuple[np.ndarray | Pixels, np.ndarray | Pixels]":
        """Divide into a training and a held-out set: :meth:`splits` without a test set.

        Arguments:
            holdout: The share of images held out, between 0 and 1.
            how: ``random`` images, the ``last`` or the ``first`` ones in the order of the set, or
                ``blocks`` of it.
            seed: What random images and blocks are drawn with; for the others it says nothing.

        Returns:
            Two sets of float32 pixels in [0, 1], of shape (n, D), one flattened image a row: as
            arrays or, of a large memory-mapped set, as :class:`Pixels`.

        Raises:
            VisageError: A set would be empty, or ``how`` is none of these.
        """
        train, heldout = self.split_indices(holdout, how, seed)
        return self.pixels(train), self.pixels(heldout)

    def split_indices(
        self, holdout: float = 0.1, how: str = "random", seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same division as the images' indices in the set, each in rising order."""
        training, validation, _ = self.splits_indices(holdout, 0.0, how, seed)
        return training, validation

    def splits(
        self,
        holdout: float = 0.1,
        test: float | None = None,
        how: str = "random",
        seed: int = 0,
    ) -> Splits:
        """Divide into training, validation and test sets.

        - ``random``: images drawn with the seed. The validation set is the one that
          :meth:`split` holds out; the test set is drawn after it.
        - ``last``: the last images of the set are the test set, those before them the validation
          set; ``first`` is its mirror image.
        - ``blocks``: whole stretches of a video. It is cut into as many folds of one length as the
          test share goes into 1, five by default; fold number seed, modulo their number, is the
          test set. The validation set is one stretch inside each of the other folds, at a place
          drawn with the seed, and never next to a test image if the folds are longer than it.

        Arguments:
            holdout: The validation set's share of the images, between 0 and 1.
            test: The test set's share; 0 for none. By default a tenth of ``random`` images, and a
                fifth otherwise.
            how: One of :data:`SPLITS`.
            seed: What random images and blocks are drawn with; for the others it says nothing.

        Returns:
            Three sets of pixels as :meth:`split` returns them.

        Raises:
            VisageError: A set would be empty that should not be, or ``how`` is none of these.
        """
        return Splits(*map(self.pixels, self.splits_indices(holdout, test, how, seed)))

    def splits_indices(
        self,
        holdout: float = 0.1,
        test: float | None = None,
        how: str = "random",
        seed: int = 0,
    ) -> Splits:
        """The same division as the images' indices in the set, each in rising order."""
        return _divided(len(self), holdout, test, how, seed)

    def pixels(self, indices: np.ndarray) -> "np.ndarray | Pixels":
        """The chosen images as the model sees them, as :meth:`split` returns them."""
        pixels = Pixels(self.images, np.asarray(indices))
        is_large = isinstance(self.images, np.memmap) and self.images.nbytes > LARGEST_IN_MEMORY
        return pixels if is_large else np.asarray(pixels)


@functools.lru_cache(maxsize=4)
def _divided(total: int, holdout: float, test: float | None, how: str, seed: int) -> Splits:
    """As :meth:`Faces.splits_indices`, of so many images; who asks again gets the same arrays."""
    usual = usual_test_share(how)
    share = usual if test is None else test
    count = round(total * holdout) if 0 < holdout < 1 else 0
    tested = round(total * share) if 0 < share < 1 else 0
    if how == "blocks" and tested:
        # Of some folds, one image more than of others.
        folds = _folds(share)
        tested = math.ceil(total / folds) if folds <= total else 0
    is_possible = count > 0 and (tested > 0 or share == 0) and count + tested < total
    is_possible &= holdout + share < 1
    if not is_possible and share == 0:
        raise VisageError(
            f"The held-out share must leave images on both sides: {holdout:g} of {total} "
            "images does not; try 0.1."
        )
    if not is_possible:
        raise VisageError(
            f"The validation and the test share, {holdout:g} and {share:g} of {total} "
            "images, must each be at least one image and leave some to train on; try 0.1 "
            "each, or 0 for no test set."
        )
    if how == "blocks":
        validation, test_set = _blocks(total, count, share, seed)
    elif how == "random":
        order = np.random.default_rng(seed).permutation(total)
        validation, test_set = order[:count], order[count : count + tested]
    else:
        order = np.arange(total)
        order = order[::-1] if how == "last" else order
        test_set, validation = order[:tested], order[tested : tested + count]
    held = np.concatenate([validation, test_set])
    training = np.delete(np.arange(total), held)
    sets = Splits(training, np.sort(validation), np.sort(test_set))
    for indices in sets:
        indices.flags.writeable = False
    return sets


class Pixels:
    """Images as the model sees them, made when they are asked for: a large set stays on disk.

    Reads like a float32 array of shape (n, D) with values in [0, 1].
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, images: np.ndarray, indices: np.ndarray):
        self.images = images
        self.indices = indices
        self.shape = (len(indices), int(np.prod(images.shape[1:])))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        chosen = self.indices[rows]
        pixels = np.empty((len(chosen), self.shape[1]), self.dtype)
        for start in range(0, len(chosen), READ_AT_ONCE):
            part = slice(start, start + READ_AT_ONCE)
            pixels[part] = flatten(self.images[chosen[part]])
            release_pages(self.images)
        return pixels

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


def release_pages(images: np.ndarray) -> None:
    """Unmap what was read of a memory-mapped set; the system's own cache keeps what it likes."""
    mapping = getattr(images, "_mmap", None)
    if mapping is not None and hasattr(mapping, "madvise"):
        mapping.madvise(mmap.MADV_DONTNEED)


def usual_test_share(how: str) -> float:
    """The test set's share of the images where nobody chose it.

    Raises:
        VisageError: There is no such way to divide a set.
    """
    if how not in SPLITS:
        raise VisageError(f"A split is one of {', '.join(SPLITS)}, not '{how}'.")
    return SPLITS[how]


def _folds(test: float) -> int:
    """How many folds a video is cut into, one of which is the test set if there is one."""
    return max(2, round(1 / test)) if test else FOLDS


def _blocks(images: int, count: int, test: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The validation images, in stretches inside of folds, and the fold that is the test set."""
    folds = np.array_split(np.arange(images), _folds(test))
    tested = seed % len(folds) if test else None
    others = [fold for place, fold in enumerate(folds) if place != tested]
    # So many validation images lie before the end of each fold: their differences share them out.
    ends = np.cumsum([len(fold) for fold in others])
    shares = np.diff(ends * count // ends[-1], prepend=0)
    random = np.random.default_rng(seed)
    stretches = []
    for fold, share in zip(others, shares, strict=True):
        left = len(fold) - share
        first, last = 0, left
        if tested is not None and left:
            # One image of training at least lies between it and the test set.
            first += fold[0] > 0 and fold[0] - 1 in folds[tested]
            last -= fold[-1] + 1 in folds[tested]
        start = random.integers(first, max(first, last) + 1)
        stretches.append(fold[start : start + share])
    test_set = np.empty(0, int) if tested is None else folds[tested]
    return np.concatenate(stretches), test_set


def flatten(images: np.ndarray) -> np.ndarray:
    """uint8 images (n, H, W[, 3]) as float32 pixels in [0, 1], of shape (n, D)."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def of_npy(path: Path) -> Faces:
    """The images in a .npy file, which stay there.

    Raises:
        VisageError: It holds something else.
    """
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise VisageError(f"{path} is not a whole .npy file of numbers.") from error
    grey = images.ndim == 3
    colour = images.ndim == 4 and images.shape[3] == 3
    if images.dtype != np.uint8 or not (grey or colour) or 0 in images.shape:
        held = "×".join(map(str, images.shape)) or "a single one"
        raise VisageError(
            f"{path} must hold whole images of uint8, N×H×W or N×H×W×3; it holds numbers of "
            f"{images.dtype}, {held}."
        )
    return Faces(path.stem, images)
