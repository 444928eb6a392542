"""Pictures: pixels in [0, 1] to bytes, tiles and PNG files."""

__all__ = ["png", "tile", "to_uint8"]

import io

import numpy as np
from PIL import Image


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1], clipped and rounded to bytes; the shape stays. NaN becomes black."""
    return np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * 255).astype(np.uint8)


def tile(images: np.ndarray, gap: int = 0, background: int = 255) -> np.ndarray:
    """Lay a grid of images out as one.

    Arguments:
        images: uint8, of shape (R, C, H, W) or (R, C, H, W, 3).
        gap: The number of background pixels between neighbours.
        background: The grey value of the gaps.

    Returns:
        uint8, of shape (R·H + (R-1)·gap, C·W + (C-1)·gap) or that with 3 channels.
    """
    rows, columns, height, width, *channels = images.shape
    canvas = np.full(
        (rows, height + gap, columns, width + gap, *channels), background, dtype=np.uint8
    )
    canvas[:, :height, :, :width] = images.swapaxes(1, 2)
    whole = canvas.reshape(rows * (height + gap), columns * (width + gap), *channels)
    return whole[: whole.shape[0] - gap, : whole.shape[1] - gap]


def png(image: np.ndarray, scale: int = 1, dpi: int | None = None) -> bytes:
    """Encode one image as PNG, each pixel enlarged to a crisp square.

    Arguments:
        image: uint8, of shape (H, W), (H, W, 3) or (H, W, 4).
        scale: The side of the square that each pixel becomes.
        dpi: The print resolution to write into the file.
    """
    enlarged = image.repeat(scale, axis=0).repeat(scale, axis=1)
    buffer = io.BytesIO()
    Image.fromarray(enlarged).save(buffer, format="PNG", dpi=(dpi, dpi) if dpi else None)
    return buffer.getvalue()
