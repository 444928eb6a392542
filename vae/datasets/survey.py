"""What a set of images is like as a whole, and which of them are worth a second look."""

__all__ = ["Survey", "survey"]

import hashlib
from dataclasses import dataclass

import numpy as np

from vae.datasets.faces import Faces, release_pages

# Bytes that are looked at between two times that their memory is given back.
PIECE = 2**24


@dataclass(frozen=True)
class Survey:
    """A set of images as a whole.

    Arguments:
        mean: The mean image, (H, W) or (H, W, 3), pixels in [0, 1].
        variance: The variance of each pixel, of the same shape.
        constant: The indices of images that are all of one colour, (n,).
        duplicates: The indices of images that are, byte for byte, an earlier one, (m,).
        originals: The indices of those earlier ones, (m,).
    """

    mean: np.ndarray
    variance: np.ndarray
    constant: np.ndarray
    duplicates: np.ndarray
    originals: np.ndarray


def survey(faces: Faces) -> Survey:
    """Look at every image of a set once."""
    total = np.zeros(faces.image_shape)
    squares = np.zeros(faces.image_shape)
    first: dict[bytes, int] = {}
    constant, duplicates, originals = [], [], []
    step = max(1, PIECE // total.size)
    for start in range(0, len(faces), step):
        images = np.asarray(faces.images[start : start + step])
        total += images.sum(axis=0, dtype=np.float64)
        squares += np.square(images, dtype=np.uint16).sum(axis=0, dtype=np.float64)
        for index, image in enumerate(images.reshape(len(images), -1), start):
            content = image.tobytes()
            original = first.setdefault(hashlib.blake2b(content, digest_size=16).digest(), index)
            if original != index:
                duplicates.append(index)
                originals.append(original)
        pixels = images.reshape(len(images), -1, *images.shape[3:])
        flat = (pixels == pixels[:, :1]).reshape(len(images), -1).all(axis=1)
        constant.extend(start + np.flatnonzero(flat))
        release_pages(faces.images)
    mean = total / len(faces)
    variance = np.maximum(squares / len(faces) - mean**2, 0)
    return Survey(
        mean / 255,
        variance / 255**2,
        np.array(constant, dtype=int),
        np.array(duplicates, dtype=int),
        np.array(originals, dtype=int),
    )
