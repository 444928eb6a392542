r"""What the decoder does to lengths and areas of the latent space: its metric, and measures of it.

NumPy in and NumPy out.

References:
    Latent Space Oddity: on the Curvature of Deep Generative Models (Arvanitidis, Hansen & Hauberg,
    2018) https://arxiv.org/abs/1710.11379
"""

__all__ = [
    "constant_speed",
    "image_change",
    "length",
    "log_magnification",
    "metric",
    "principal_directions",
]

import math
from collections.abc import Sequence

import numpy as np

from vae.latent.surface import Surface, embedded, in_chunks

# Chords that a leg's length is measured with; twice as coarse a measure bounds the error.
CHORDS = 512


def metric(surface: Surface, z: np.ndarray, std: bool = True) -> np.ndarray:
    """The metric tensor M at latent points.

    Arguments:
        surface: The surface.
        z: Of shape (*, K).
        std: Whether the standard deviation counts as well as the mean.

    Returns:
        Of shape (*, K, K), in squared units of a pixel's [0, 1] for a unit step in z.
    """
    z = np.asarray(z, dtype=np.float32)
    latent_dim = surface.latent_dim
    tensors = in_chunks(lambda part: surface.gram(part, std), z.reshape(-1, latent_dim))
    return tensors.reshape(*z.shape, latent_dim).astype(np.float64)


def log_magnification(
    surface: Surface, z: np.ndarray, axes: Sequence[int] | None = None, std: bool = True
) -> np.ndarray:
    r"""The logarithm of the magnification factor, :math:`\log \sqrt{\det M(z)}`.

    How much larger a small piece of latent space becomes among images.

    Arguments:
        surface: The surface.
        z: Of shape (*, K).
        axes: The latents of a plane through z whose area is meant; all of them by default.
        std: Whether the standard deviation counts as well as the mean.

    Returns:
        Of shape (*); minus infinity where the surface has no extent at all.
    """
    tensors = metric(surface, z, std)
    if axes is not None:
        tensors = tensors[..., list(axes), :][..., list(axes)]
    sign, log_det = np.linalg.slogdet(tensors)
    return np.where(sign > 0, 0.5 * log_det, -np.inf)


def principal_directions(surface: Surface, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The directions in which the image changes most, next most … least at z.

    Arguments:
        surface: The surface.
        z: One latent point, of shape (K,).

    Returns:
        How much it changes for a unit step, falling, of shape (K,); and unit vectors, of shape
        (K, K), one a row: the eigenvectors of M.
    """
    values, vectors = np.linalg.eigh(metric(surface, z))
    return np.sqrt(np.maximum(values[::-1], 0)), vectors.T[::-1]


def length(surface: Surface, points: np.ndarray, chords: int = CHORDS) -> float:
    r"""The length of a path in the metric, :math:`\int \sqrt{\dot z^\top M \dot z}\, dt`.

    Measured as the chords between images of many points along the straight segments, and half as
    many, whose difference tells what the chords cut off (Richardson's extrapolation).

    Arguments:
        surface: The surface.
        points: Of shape (T, K).
        chords: How many, at least.
    """
    each = 2 * max(1, math.ceil(chords / 2 / max(1, len(points) - 1)))
    images = embedded(surface, _refined(points, each))
    fine = np.linalg.norm(np.diff(images, axis=0), axis=1).sum()
    coarse = np.linalg.norm(np.diff(images[::2], axis=0), axis=1).sum()
    return float(fine + (fine - coarse) / 3)


def image_change(surface: Surface, points: np.ndarray) -> np.ndarray:
    """The Euclidean distance between the mean images of neighbouring points.

    Arguments:
        surface: The surface.
        points: Of shape (T, K).

    Returns:
        Of shape (T - 1,), in units of a pixel's [0, 1].
    """
    return np.linalg.norm(np.diff(embedded(surface, points, std=False), axis=0), axis=1)


def constant_speed(
    surface: Surface, points: np.ndarray, count: int, std: bool = True
) -> np.ndarray:
    """Points of the same path between which the image changes by the same amount each.

    Arguments:
        surface: The surface.
        points: Of shape (T, K).
        count: How many are wanted.
        std: Whether the change of the standard deviation counts as well as the mean's.

    Returns:
        Of shape (count, K); where nothing changes, at constant speed in z.
    """
    fine = _refined(points, max(1, CHORDS // max(1, len(points) - 1)))
    steps = np.linalg.norm(np.diff(embedded(surface, fine, std), axis=0), axis=1)
    total = steps.sum()
    along = np.r_[0.0, np.cumsum(steps)] / total if total > 0 else np.linspace(0, 1, len(fine))
    wanted = np.linspace(0, 1, count)
    spaced = np.stack([np.interp(wanted, along, column) for column in fine.T], axis=1)
    spaced[0], spaced[-1] = points[0], points[-1]
    return spaced


def _refined(points: np.ndarray, each: int) -> np.ndarray:
    """The same polyline with so many segments in place of each."""
    time = np.arange((len(points) - 1) * each + 1) / each
    corners = np.arange(len(points))
    return np.stack([np.interp(time, corners, column) for column in np.transpose(points)], axis=1)
