"""Images that are one array: .npy, .npz and .mat files.

What a file says of itself is checked before anything is allocated; the array stays in the file, or
in a scratch file that it is unpacked to, and is read a piece at a time.
"""

__all__ = ["SUFFIXES", "ImageArray", "Layout"]

import contextlib
import io
import math
import os
import struct
import tempfile
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

from vae.datasets import matlab, photos, sources
from vae.datasets.image_files import Zip, pieces, unpacks_to_too_much
from vae.errors import VisageError
from vae.limits import MIB, Ceiling, in_words

SUFFIXES = (".npy", ".npz", ".mat")

# An array whose images don't lie in one piece each is read over and over: up to so many bytes.
LARGEST_SCATTERED = 512 * MIB

# Bytes of an array that are converted at a time.
PIECE = 2**24

# What NumPy's reader of headers raises where one is damaged.
BROKEN_HEADER = (ValueError, SyntaxError, EOFError, TypeError, RecursionError, MemoryError)
BROKEN_HEADER += (OverflowError, tokenize.TokenError, struct.error)


@dataclass(frozen=True)
class Layout:
    """How an array holds its images, where its shape alone doesn't tell.

    Arguments:
        size: (H, W) of images that are rows or columns of a matrix, or in an array from MATLAB.
        images_in: ``rows`` or ``columns``, where both could be.
        transposed: Whether each image's pixels are written column by column, as MATLAB does.
        variable: Which of several arrays in a file.
    """

    size: tuple[int, int] | None = None
    images_in: str | None = None
    transposed: bool = False
    variable: str | None = None


class ImageArray:
    """A set of images in one array.

    Arguments:
        file: Open for reading.
        suffix: Which of :data:`SUFFIXES` its name ends in.
        layout: How it holds its images, where its shape alone doesn't tell.

    Attributes:
        array: The images, of shape (N, H, W) or (N, H, W, 3).
        sizes: How many images there are of each size (H, W).
        colour: Whether they are in colour.

    Raises:
        VisageError: It holds no images, or holds them in a way that the layout must tell, or is
            over a ceiling.
    """

    skipped = ()
    ignored = 0

    def __init__(self, file: BinaryIO, suffix: str, layout: Layout):
        array = _npy(file) if suffix == ".npy" else _UNPACK[suffix](file, layout)
        self.array = _arranged(array, layout, is_matlab=suffix == ".mat")
        height, width = self.array.shape[1:3]
        if len(self.array) > Ceiling.IMAGES():
            raise VisageError(
                f"There are {len(self.array):,} images; the limit is {Ceiling.IMAGES():,} "
                f"({Ceiling.IMAGES.variable})."
            )
        if max(height, width) > Ceiling.SIDE():
            raise VisageError(
                f"Its images have {height:,}×{width:,} pixels; the limit is {Ceiling.SIDE():,} a "
                f"side ({Ceiling.SIDE.variable})."
            )
        self.sizes = {(height, width): len(self.array)}
        self.colour = self.array.ndim == 4
        self._factor = self._bytes_per_value()

    def __len__(self) -> int:
        return len(self.array)

    def read(
        self, image_shape: tuple[int, ...], fit: str, places: Sequence[int]
    ) -> Iterator[np.ndarray]:
        """The images at these places, uint8, of the shape given."""
        for images in self._pieces(places):
            if images.dtype != np.uint8:
                images = np.rint(images.astype(np.float64) * self._factor).astype(np.uint8)
            for image in images:
                if image.shape == tuple(image_shape):
                    yield image
                else:
                    picture = Image.fromarray(np.ascontiguousarray(image))
                    yield photos.fitted(picture, image_shape, fit)

    def _bytes_per_value(self) -> float:
        """What makes the values bytes."""
        kind, itemsize = self.array.dtype.kind, self.array.dtype.itemsize
        if self.array.dtype == np.uint8:
            return 1.0
        if kind == "b":
            return 255.0
        lowest, highest, whole = math.inf, -math.inf, True
        for images in self._pieces(range(len(self.array))):
            low, high = float(images.min()), float(images.max())
            if not (math.isfinite(low) and math.isfinite(high)):
                raise VisageError("Some of its values are not numbers: images have none of those.")
            lowest, highest = min(lowest, low), max(highest, high)
            whole = whole and (kind in "iu" or bool((images == np.rint(images)).all()))
        if kind == "f" and lowest >= 0 and highest <= 1:
            return 255.0
        if whole and lowest >= 0 and highest <= 255:
            return 1.0
        if kind == "u" and itemsize == 2:
            return 1 / photos.SIXTEEN_BITS
        raise VisageError(
            f"Its values lie between {lowest:g} and {highest:g}: images are floats in [0, 1] or "
            "whole numbers from 0 to 255."
        )

    def _pieces(self, places: Sequence[int]) -> Iterator[np.ndarray]:
        itemsize = self.array.dtype.itemsize
        step = max(1, PIECE // (math.prod(self.array.shape[1:]) * itemsize))
        for start in range(0, len(places), step):
            yield np.ascontiguousarray(self.array[np.asarray(places[start : start + step])])
            sources.release_pages(self.array)


def _arranged(array: np.ndarray, layout: Layout, is_matlab: bool) -> np.ndarray:
    """A view of an array as images, (N, H, W) or (N, H, W, 3)."""
    shape = " × ".join(f"{side:,}" for side in array.shape)
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
        raise VisageError(f"It holds {array.dtype}, not numbers that images are made of.")
    if 0 in array.shape or not 2 <= array.ndim <= 4:
        raise VisageError(
            f"It holds an array of {shape or 'one number'}: images are N × H × W, N × H × W × 1 "
            "or N × H × W × 3."
        )
    if array.ndim == 2:
        images = _of_matrix(array, layout, shape)
    elif array.ndim == 3:
        images = np.moveaxis(array, 2, 0) if is_matlab and _last_counts(array, layout) else array
    elif array.shape[3] in (1, 3):
        images = array
    elif is_matlab and array.shape[2] in (1, 3):
        # MATLAB keeps colour images as H × W × 3 × N.
        images = np.moveaxis(array, 3, 0)
    else:
        raise VisageError(
            f"It holds an array of {shape}: colour images are N × H × W × 3, grey ones "
            "N × H × W × 1 or N × H × W."
        )
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if layout.transposed:
        images = images.swapaxes(1, 2)
    if not images[0].flags.c_contiguous and array.nbytes > LARGEST_SCATTERED:
        raise VisageError(
            f"The pixels of its images lie scattered over {in_words(array.nbytes)}; the limit is "
            f"{in_words(LARGEST_SCATTERED)}: save it as N × H × W in C's order."
        )
    return images


def _of_matrix(array: np.ndarray, layout: Layout, shape: str) -> np.ndarray:
    """Images that are the rows or columns of a matrix."""
    if layout.size is None:
        raise VisageError(
            f"It holds a matrix of {shape}: say the height and width of its images, whose product "
            f"is {array.shape[0]:,} or {array.shape[1]:,}."
        )
    height, width = layout.size
    can_be = [
        side
        for side, pixels in (("rows", array.shape[1]), ("columns", array.shape[0]))
        if pixels == height * width and layout.images_in in (None, side)
    ]
    if not can_be:
        raise VisageError(
            f"It holds a matrix of {shape}, whose "
            f"{layout.images_in or 'rows and columns'} do not have {height}×{width} = "
            f"{height * width:,} pixels: give another height and width."
        )
    if len(can_be) == 2:
        raise VisageError(
            f"It holds a matrix of {shape}: say whether its images are its rows or its columns."
        )
    rows = array if can_be == ["rows"] else array.T
    # Turned round once more by whoever asked for it.
    return rows.reshape(len(rows), *((width, height) if layout.transposed else (height, width)))


def _last_counts(array: np.ndarray, layout: Layout) -> bool:
    """Whether an array from MATLAB is H × W × N, and not N × H × W."""
    first, _, last = array.shape
    if layout.size is not None:
        size = layout.size[::-1] if layout.transposed else layout.size
        matches = array.shape[1:] == size, array.shape[:2] == size
        if matches[0] != matches[1]:
            return matches[1]
    if first == last:
        raise VisageError(
            f"It holds an array of {' × '.join(map(str, array.shape))}, where either the first or "
            "the last may count the images: say their height and width."
        )
    return last > first


def _npy(file: BinaryIO) -> np.ndarray:
    """A .npy file's array, as a view of the file."""
    file.seek(0)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(file)
    except (KeyError, *BROKEN_HEADER) as error:
        raise VisageError("This is no whole .npy file of numbers: save it again.") from error
    return _view(file, file.tell(), shape, dtype, "F" if fortran else "C")


def _view(file: BinaryIO, offset: int, shape: tuple, dtype: np.dtype, order: str) -> np.ndarray:
    """An array in a file, without reading it."""
    if dtype.hasobject or dtype.kind not in "buif":
        raise VisageError(f"It holds {dtype}, not numbers that images are made of.")
    if any(side < 0 for side in shape) or len(shape) > 8:
        raise VisageError("This array is damaged: save it again.")
    wanted = math.prod(shape) * dtype.itemsize
    there = file.seek(0, os.SEEK_END) - offset
    if wanted > there:
        raise VisageError(
            f"This array is cut short: it says that it has {in_words(wanted)} and has "
            f"{in_words(there)}."
        )
    if not wanted:
        return np.zeros(shape, dtype)
    if isinstance(file, io.BytesIO):
        flat = np.frombuffer(file.getbuffer(), dtype, math.prod(shape), offset)
        return flat.reshape(shape, order=order)
    return np.memmap(file, dtype, "r", offset, shape, order)


def _npz(file: BinaryIO, layout: Layout) -> np.ndarray:
    """The one array of images in a .npz file."""
    with Zip(file).opened() as archive:
        found = {}
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if layout.variable not in (None, name):
                continue
            with contextlib.suppress(VisageError):
                shape = _shape_in(io.BytesIO(next(pieces(archive, entry), b"")))
                if _may_be_images(shape):
                    found[name] = entry, shape
        scratch = _scratch()
        for piece in pieces(archive, _the_one(found, layout)):
            scratch.write(piece)
            if scratch.tell() > Ceiling.UNPACKED():
                raise unpacks_to_too_much()
    return _npy(scratch)


def _shape_in(head: BinaryIO) -> tuple:
    try:
        version = np.lib.format.read_magic(head)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(head)[0]
        return np.lib.format.read_array_header_2_0(head)[0]
    except BROKEN_HEADER as error:
        raise VisageError("no array") from error


def _mat(file: BinaryIO, layout: Layout) -> np.ndarray:
    """The one matrix of images in a .mat file."""
    found = {
        matrix.name: (matrix, matrix.shape)
        for matrix in matlab.matrices(file)
        if _may_be_images(matrix.shape) and layout.variable in (None, matrix.name)
    }
    matrix = _the_one(found, layout)
    if matrix.nbytes > Ceiling.UNPACKED():
        raise unpacks_to_too_much()
    scratch = _scratch()
    matlab.copy(file, matrix, scratch)
    return _view(scratch, 0, matrix.shape, matrix.dtype, "F")


def _may_be_images(shape: tuple) -> bool:
    """Whether an array could be images: labels and single numbers are a line."""
    return 2 <= len(shape) <= 4 and all(shape) and sum(side > 1 for side in shape) >= 2


def _the_one(found: dict[str, tuple], layout: Layout) -> object:
    if len(found) == 1:
        return next(iter(found.values()))[0]
    if not found:
        raise VisageError(
            f"There is no array named '{layout.variable}' that could be images."
            if layout.variable
            else "There is no array in it that could be images."
        )
    names = ", ".join(
        f"{name} ({' × '.join(map(str, shape))})" for name, (_, shape) in list(found.items())[:8]
    )
    raise VisageError(f"It holds several arrays: say which one holds the images: {names}.")


def _scratch() -> BinaryIO:
    """A file without a name beside the stored sets, gone when it is closed or nobody needs it."""
    home = sources.stored_folder("")
    home.mkdir(parents=True, exist_ok=True)
    # Whoever maps it keeps it open.
    return tempfile.TemporaryFile(dir=home)


_UNPACK = {".npz": _npz, ".mat": _mat}
