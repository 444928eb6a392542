"""Pictures: pixels in [0, 1] to bytes, tiles and PNG files."""

__all__ = ["animation", "differences", "png", "side_by_side", "tile", "to_uint8"]

import io

import numpy as np
from PIL import Image

# Close to the ends of ColorBrewer's RdBu, which people with a colour deficiency tell apart as
# well, and bright enough for a dark page.
BLUE = np.array([48, 118, 200])
RED = np.array([206, 44, 56])


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


def side_by_side(*pictures: np.ndarray, gap: int = 0) -> np.ndarray:
    """Pictures of one size in a row, with transparent gaps.

    Arguments:
        pictures: uint8, of shape (H, W), (H, W, 3) or (H, W, 4) each.
        gap: The number of transparent pixels between neighbours.

    Returns:
        uint8, of shape (H, n·W + (n-1)·gap, 4).
    """
    row = [np.asarray(Image.fromarray(picture).convert("RGBA")) for picture in pictures]
    return tile(np.stack(row)[None], gap, background=0)


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


def animation(
    frames: np.ndarray, format: str = "GIF", milliseconds: int = 60, scale: int = 1
) -> bytes:
    """Encode frames as a picture that plays for ever.

    Arguments:
        frames: uint8, of shape (T, H, W) or (T, H, W, 3).
        format: ``GIF`` or ``WEBP``, which is lossless here.
        milliseconds: How long each frame stays.
        scale: The side of the square that each pixel becomes.
    """
    enlarged = frames.repeat(scale, axis=1).repeat(scale, axis=2)
    first, *others = map(Image.fromarray, enlarged)
    settings = {"lossless": True, "method": 2} if format == "WEBP" else {"optimize": False}
    buffer = io.BytesIO()
    first.save(
        buffer,
        format=format,
        save_all=True,
        append_images=others,
        duration=milliseconds,
        loop=0,
        **settings,
    )
    return buffer.getvalue()


def differences(
    originals: np.ndarray, reconstructions: np.ndarray, limit: float = 0.5
) -> np.ndarray:
    """Where reconstructions are darker (blue) or brighter (red) than the originals.

    Arguments:
        originals: uint8, of shape (n, H, W) or (n, H, W, 3), whose channels are averaged.
        reconstructions: Pixels in [0, 1], of the same shape.
        limit: The difference that gets the full colour, in units of a pixel's [0, 1].

    Returns:
        uint8, of shape (n, H, W, 4): no difference is transparent, so that it is white on a light
        page and black on a dark one.
    """
    difference = reconstructions - originals / np.float32(255)
    if difference.ndim == 4:
        difference = difference.mean(axis=-1)
    share = np.clip(np.nan_to_num(difference / limit), -1, 1)[..., None]
    colour = np.where(share < 0, BLUE, RED)
    return np.concatenate([colour, np.rint(255 * np.abs(share))], axis=-1).astype(np.uint8)
