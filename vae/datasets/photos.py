"""One picture from a stranger: checked before it is decoded, upright, 8 bits deep, on black."""

__all__ = ["FORMATS", "SUFFIXES", "fitted", "framed", "header", "is_grey", "read", "upright_size"]

import contextlib
import io
import struct
import zlib
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from vae.errors import VisageError
from vae.limits import Ceiling

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".pnm")

# What Pillow's readers raise where a file is damaged.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, MemoryError)
BROKEN += (TypeError, IndexError, KeyError, OverflowError, NotImplementedError, RuntimeError)

GREY_MODES = {"1", "L", "LA", "La", "F", "I", "I;16", "I;16L", "I;16B", "I;16N"}

# EXIF's orientation, whose values from 5 on say that the picture lies on its side.
ORIENTATION = 0x0112

# A 16-bit value of full brightness is 65,535: 255 times this.
SIXTEEN_BITS = 257


def header(content: BinaryIO) -> Image.Image:
    """Open a picture without decoding it.

    Raises:
        VisageError: It is no picture, damaged, or over a ceiling; the sentence goes on from what
            is being spoken of.
    """
    try:
        picture = Image.open(content, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise VisageError(f"it has over {_megapixels()} megapixels, the limit") from error
    except BROKEN as error:
        raise VisageError("it is damaged, or no picture of a known format") from error
    width, height = picture.size
    if max(width, height) > Ceiling.SIDE():
        raise VisageError(
            f"it has {width:,}×{height:,} pixels; the limit is {Ceiling.SIDE():,} a side"
        )
    if width * height > Ceiling.PIXELS():
        raise VisageError(
            f"it has {width * height / 1e6:.0f} megapixels; the limit is {_megapixels()}"
        )
    return picture


def _megapixels() -> str:
    return f"{Ceiling.PIXELS() / 1e6:g}"


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """(H, W) of a picture once it has been turned as its EXIF orientation says.

    A PNG's is not asked for, since Pillow would have to decode it; a TIFF Pillow turns by itself.
    """
    width, height = picture.size
    orientation = 1
    if picture.format in ("JPEG", "MPO", "WEBP"):
        with contextlib.suppress(*BROKEN):
            orientation = picture.getexif().get(ORIENTATION, 1)
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def read(content: bytes | BinaryIO, at_least: tuple[int, int] | None = None) -> Image.Image:
    """Decode a picture.

    Arguments:
        content: The file.
        at_least: Where only (H, W) pixels are wanted in the end, a JPEG may be decoded at a
            fraction of its size, which is many times faster.

    Returns:
        An upright picture, of mode ``L`` or ``RGB``.

    Raises:
        VisageError: It is no picture, damaged, or over a ceiling; the sentence goes on from what
            is being spoken of.
    """
    picture = header(io.BytesIO(content) if isinstance(content, bytes) else content)
    try:
        with picture:
            if at_least is not None:
                # Twice as many pixels, so that what is made smaller is still averaged.
                side = 2 * max(at_least)
                picture.draft(None, (side, side))
            picture.load()
            return _eight_bits(ImageOps.exif_transpose(picture))
    except VisageError:
        raise
    except BROKEN as error:
        raise VisageError("it is damaged, or no picture of a known format") from error


def _eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.float64) / SIXTEEN_BITS
        return Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8))
    if picture.mode == "F":
        values = np.asarray(picture)
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise VisageError("its values are floats outside [0, 1]")
        return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    if picture.has_transparency_data:
        grey = picture.mode in GREY_MODES
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, picture.convert("RGBA"))
        return picture.convert("L" if grey else "RGB")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def is_grey(picture: Image.Image) -> bool:
    """Whether a picture of mode ``L`` or ``RGB`` has no colour in it."""
    if picture.mode == "L":
        return True
    # Compression gives grey photos a trace of colour.
    values = np.asarray(picture.reduce(max(1, min(picture.size) // 64))).astype(np.int16)
    return int(np.ptp(values, axis=2).max()) <= 8


def fitted(picture: Image.Image, image_shape: tuple[int, ...], fit: str = "crop") -> np.ndarray:
    """A picture in the size and colours of a data set or model.

    Arguments:
        picture: Of mode ``L`` or ``RGB``.
        image_shape: (H, W) or (H, W, 3).
        fit: ``crop`` cuts off what sticks out, ``pad`` fills what is missing with black.

    Returns:
        uint8, of that shape.
    """
    size = image_shape[1], image_shape[0]
    picture = picture.convert("L" if len(image_shape) == 2 else "RGB")
    if picture.size == size:
        return np.asarray(picture)
    if fit == "crop":
        return np.asarray(ImageOps.fit(picture, size, Image.Resampling.LANCZOS))
    scale = min(size[0] / picture.width, size[1] / picture.height)
    inner = [max(1, round(side * scale)) for side in picture.size]
    canvas = Image.new(picture.mode, size)
    corner = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas.paste(picture.resize(inner, Image.Resampling.LANCZOS), corner)
    return np.asarray(canvas)


def framed(
    picture: Image.Image, centre: tuple[float, float], width: float, image_shape: tuple[int, ...]
) -> np.ndarray:
    """What a frame of a model's proportions, laid on a picture, encloses.

    Arguments:
        picture: Of mode ``L`` or ``RGB``.
        centre: The frame's middle, (x, y), in shares of the picture's width and height.
        width: The frame's width, in shares of the picture's width; what lies outside is black.
        image_shape: (H, W) or (H, W, 3).

    Returns:
        uint8, of that shape.
    """
    # Shrunk first: a frame far larger than the picture would be as large a canvas.
    picture = picture.reduce(max(1, int(width * picture.width) // (4 * image_shape[1])))
    wide = max(1, round(width * picture.width))
    tall = max(1, round(wide * image_shape[0] / image_shape[1]))
    left = round(centre[0] * picture.width - wide / 2)
    top = round(centre[1] * picture.height - tall / 2)
    return fitted(picture.crop((left, top, left + wide, top + tall)), image_shape)
