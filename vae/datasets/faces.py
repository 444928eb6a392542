"""A set of face images of one size, and its division into training and held-out sets."""

__all__ = ["Faces", "Pixels", "flatten", "of_npy", "release_pages"]

import functools
import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vae.errors import VisageError

# Bytes of memory-mapped images beyond which their pixels, four times as large, stay on disk.
LARGEST_IN_MEMORY = 2**26

# Images that are read from a memory-mapped set before its pages are given back: each may map 2 MB
# of its surroundings into the process as well.
READ_AT_ONCE = 64


@dataclass(frozen=True)
class Faces:
    """A set of images of one size.

    Arguments:
        name: What it is called.
        images: uint8, of shape (N, H, W) or (N, H, W, 3); in memory or memory-mapped.
        credit: Whom to thank for it.
    """

    name: str
    images: np.ndarray
    credit: str = ""

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
        """Divide into a training and a held-out set.

        Arguments:
            holdout: The share of images held out, between 0 and 1.
            how: ``random`` images, or the ``last`` ones in the order of the set.
            seed: What random images are drawn with; for ``last`` it says nothing.

        Returns:
            Two sets of float32 pixels in [0, 1], of shape (n, D), one flattened image a row: as
            arrays or, of a large memory-mapped set, as :class:`Pixels`.

        Raises:
            VisageError: A set would be empty, or ``how`` is neither of the two.
        """
        train, heldout = self.split_indices(holdout, how, seed)
        return self.pixels(train), self.pixels(heldout)

    def split_indices(
        self, holdout: float = 0.1, how: str = "random", seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same division as the images' indices in the set, each in rising order."""
        count = round(len(self) * holdout) if 0 < holdout < 1 else 0
        if not 0 < count < len(self):
            raise VisageError(
                f"The held-out share must leave images on both sides: {holdout:g} of {len(self)} "
                "images does not; try 0.1."
            )
        if how == "last":
            order = np.arange(len(self))[::-1]
        elif how == "random":
            order = np.random.default_rng(seed).permutation(len(self))
        else:
            raise VisageError(f"A split is 'random' or 'last', not '{how}'.")
        return np.sort(order[count:]), np.sort(order[:count])

    def pixels(self, indices: np.ndarray) -> "np.ndarray | Pixels":
        """The chosen images as the model sees them, as :meth:`split` returns them."""
        pixels = Pixels(self.images, np.asarray(indices))
        is_large = isinstance(self.images, np.memmap) and self.images.nbytes > LARGEST_IN_MEMORY
        return pixels if is_large else np.asarray(pixels)


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
