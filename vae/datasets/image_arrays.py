"""Images that are one array: .npy, .npz and .mat files.

What a file says of itself is checked before anything is allocated. The array of a .npy or .npz
stays in the file, or in a scratch file that it is unpacked to, and is read a piece at a time;
SciPy reads a .mat file into memory, and is trusted only in a process whose memory has a limit.
"""

__all__ = ["SUFFIXES", "ImageArray", "Layout"]

import contextlib
import io
import math
import os
import struct
import tokenize
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from vae.datasets import photos, sources
from vae.datasets.faces import release_pages
from vae.datasets.image_files import BROKEN_ZIP, Zip, pieces, unpacks_to_too_much
from vae.datasets.label_tables import LARGEST_TABLE
from vae.errors import VisageError
from vae.limits import MIB, Ceiling, in_words

SUFFIXES = (".npy", ".npz", ".mat")

# An array whose images don't lie in one piece each is read over and over: up to so many bytes.
LARGEST_SCATTERED = 512 * MIB

# Arrays in one .npz file.
MOST_ARRAYS = 1_000

# The kinds of values that labels may be: numbers, truths and text.
LABELS = "buifUS"

# Bytes of an array that are converted at a time.
PIECE = 2**24

# What a sample of an array is: bytes from whose values its range is told, and bytes that are
# unpacked of one that is compressed.
SAMPLE = 128 * MIB
UNPACKED_SAMPLE = 64 * MIB

# What NumPy's reader of headers raises where one is damaged, and what SciPy's reader of MATLAB's
# files raises.
BROKEN_HEADER = (ValueError, SyntaxError, EOFError, TypeError, RecursionError, MemoryError)
BROKEN_HEADER += (OverflowError, tokenize.TokenError, struct.error)
BROKEN_MAT = (*BROKEN_ZIP, TypeError, KeyError, AttributeError, SystemError, AssertionError)

# The classes of MATLAB's that hold numbers.
NUMERIC = {"double", "single", "logical"}
NUMERIC |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


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


class _Array(NamedTuple):
    """An array in a file.

    Arguments:
        values: All of it, C- or Fortran-contiguous.
        whole: How many of its bytes are there already: of a sample the rest reads as zeros.
        others: Arrays beside it that are small enough to be labels, by their names.
    """

    values: np.ndarray
    whole: int
    others: dict[str, np.ndarray]


class ImageArray:
    """A set of images in one array.

    Arguments:
        file: Open for reading.
        suffix: Which of :data:`SUFFIXES` its name ends in.
        layout: How it holds its images, where its shape alone doesn't tell.
        sample: Whether to be quick: its values' range is told from some of them, and only the
            beginning of what is compressed is unpacked.

    Attributes:
        array: The images, of shape (N, H, W) or (N, H, W, 3).
        whole: The number of images, from the first, that can be read.
        size: (H, W).
        colour: Whether they are in colour.
        labels: Arrays beside it that hold one value for each image, by their names.

    Raises:
        VisageError: It holds no images, or holds them in a way that the layout must tell, or is
            over a ceiling.
    """

    def __init__(self, file: BinaryIO, suffix: str, layout: Layout, sample: bool = False):
        read = _READERS[suffix](file, layout, sample)
        self.array = _arranged(read.values, layout, is_matlab=suffix == ".mat")
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
        self.size = height, width
        self.whole = read.whole * len(self.array) // read.values.nbytes
        self.colour = self.array.ndim == 4
        self.labels = {
            name: values
            for name, values in read.others.items()
            if len(self.array) in values.shape and values.size == len(self.array)
        }
        flat = read.values.reshape(-1, order="A")
        self._factor = _bytes_per_value(
            flat[: read.whole // flat.itemsize], SAMPLE if sample else flat.nbytes
        )

    def __len__(self) -> int:
        return len(self.array)

    def read(
        self, image_shape: tuple[int, ...], fit: str, indices: Sequence[int]
    ) -> Iterator[np.ndarray]:
        """These images, uint8, of the shape given."""
        for image in self.images(indices):
            if image.shape == tuple(image_shape):
                yield image
            else:
                yield photos.fitted(Image.fromarray(image), image_shape, fit)

    def images(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """These images, uint8, as they are."""
        step = max(1, PIECE // (math.prod(self.array.shape[1:]) * self.array.dtype.itemsize))
        for start in range(0, len(indices), step):
            images = np.ascontiguousarray(self.array[np.asarray(indices[start : start + step])])
            release_pages(self.array)
            if images.dtype != np.uint8:
                images = np.rint(images.astype(np.float64) * self._factor).astype(np.uint8)
            yield from images


def _bytes_per_value(flat: np.ndarray, sample: int) -> float:
    """What makes an array's values bytes, told by so many bytes of it, evenly chosen."""
    kind, itemsize = flat.dtype.kind, flat.dtype.itemsize
    if flat.dtype == np.uint8:
        return 1.0
    if kind == "b":
        return 255.0
    size = PIECE // itemsize
    starts = range(0, len(flat), size)
    lowest, highest, whole = math.inf, -math.inf, True
    for start in starts[:: max(1, len(starts) * PIECE // max(sample, 1))]:
        values = flat[start : start + size]
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise VisageError("Some of its values are not numbers: images have none of those.")
        lowest, highest = min(lowest, low), max(highest, high)
        whole = whole and (kind in "iu" or bool((values == np.rint(values)).all()))
        release_pages(flat)
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


def _npy(file: BinaryIO, layout: Layout, sample: bool) -> _Array:
    """A .npy file's array, as a view of the file."""
    header = _header(file)
    there = file.seek(0, os.SEEK_END) - header.offset
    values = _view(file, header, there)
    return _Array(values, values.nbytes, {})


class _Header(NamedTuple):
    """What a .npy file says of its array, and where in the file that begins."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    offset: int


def _header(file: BinaryIO, kinds: str = "buif") -> _Header:
    """The header of a .npy file.

    Raises:
        VisageError: There is none, or none of an array of numbers.
    """
    file.seek(0)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(file)
    except (KeyError, *BROKEN_HEADER) as error:
        raise VisageError("This is no whole .npy file of numbers: save it again.") from error
    # NumPy lets booleans pass for sides, and sides that it can't hold.
    sound = all(type(side) is int and 0 <= side < 2**48 for side in shape) and len(shape) <= 8
    if not sound or math.prod(shape) * max(1, dtype.itemsize) >= 2**62:
        raise VisageError("This array is damaged: save it again.")
    if dtype.hasobject or dtype.kind not in kinds:
        raise VisageError(f"It holds {dtype}, not numbers that images are made of.")
    return _Header(shape, fortran, dtype, file.tell())


def _view(file: BinaryIO, header: _Header, there: int) -> np.ndarray:
    """An array in a file, without reading it; so many bytes are said to be there."""
    wanted = math.prod(header.shape) * header.dtype.itemsize
    if wanted > there:
        raise VisageError(
            f"This array is cut short: it says that it has {in_words(wanted)} and has "
            f"{in_words(there)}."
        )
    if not wanted:
        return np.zeros(header.shape, header.dtype)
    order = "F" if header.fortran else "C"
    if isinstance(file, io.BytesIO):
        flat = np.frombuffer(
            file.getbuffer(), header.dtype, math.prod(header.shape), header.offset
        )
        return flat.reshape(header.shape, order=order)
    return np.memmap(file, header.dtype, "r", header.offset, header.shape, order)


def _npz(file: BinaryIO, layout: Layout, sample: bool) -> _Array:
    """The one array of images in a .npz file."""
    archive = Zip(file).archive
    headers: dict[str, _Header] = {}
    entries = {}
    if len(archive.infolist()) > MOST_ARRAYS:
        raise VisageError(f"It holds over {MOST_ARRAYS:,} arrays: give one of images alone.")
    for entry in archive.infolist():
        name = entry.filename.removesuffix(".npy")
        with contextlib.suppress(VisageError):
            headers[name] = _header(io.BytesIO(next(pieces(archive, entry), b"")))
            entries[name] = entry
    name = _the_one({name: header.shape for name, header in headers.items()}, layout)
    header, entry = headers.pop(name), entries[name]
    if entry.file_size > Ceiling.UNPACKED():
        raise unpacks_to_too_much()
    scratch = sources.scratch()
    stream = pieces(archive, entry)
    _unpack(stream, scratch, UNPACKED_SAMPLE if sample else Ceiling.UNPACKED())
    whole = scratch.tell() - header.offset
    if sample:
        # The rest is a hole in the file, which takes no room.
        scratch.truncate(max(scratch.tell(), entry.file_size))
        values = _view(scratch, header, entry.file_size - header.offset)
        if values.nbytes > whole and not _lies_in_order(values, layout):
            _unpack(stream, scratch, LARGEST_SCATTERED)
            whole = scratch.tell() - header.offset
    else:
        values = _view(scratch, header, whole)
    return _Array(values, min(whole, values.nbytes), dict(_small(archive, name)))


def _small(archive: zipfile.ZipFile, images: str) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of a .npz file that are small enough to be labels, but for that of the images."""
    unpacked = 0
    for entry in archive.infolist():
        name = entry.filename.removesuffix(".npy")
        if name == images or entry.file_size > LARGEST_TABLE:
            continue
        content = io.BytesIO()
        try:
            for piece in pieces(archive, entry):
                content.write(piece)
                unpacked += len(piece)
                if unpacked > LARGEST_TABLE:
                    return
            there = content.tell()
            header = _header(content, LABELS)
            yield name, _view(content, header, there - header.offset)
        except VisageError:
            # Objects, or no whole array: nothing that tells of images.
            continue


def _unpack(stream: Iterator[bytes], scratch: BinaryIO, most: int) -> None:
    for piece in stream:
        scratch.write(piece)
        if scratch.tell() > Ceiling.UNPACKED():
            raise unpacks_to_too_much()
        if scratch.tell() >= most:
            break
    scratch.flush()


def _lies_in_order(values: np.ndarray, layout: Layout) -> bool:
    """Whether the beginning of an array is its first images."""
    return bool(_arranged(values, layout, is_matlab=False)[0].flags.c_contiguous)


def _mat(file: BinaryIO, layout: Layout, sample: bool) -> _Array:
    """The one matrix of images in a .mat file, which SciPy reads into memory."""
    import scipy.io

    file.seek(0)
    head = file.read(8)
    if head == b"MATLAB 7" or head == b"\x89HDF\r\n\x1a\n":
        raise VisageError(
            "This .mat file is of version 7.3: save it in MATLAB with the option '-v7'."
        )
    try:
        shapes = {name: shape for name, shape, kind in scipy.io.whosmat(file) if kind in NUMERIC}
        name = _the_one(shapes, layout)
        shapes.pop(name)
        values = scipy.io.loadmat(file, variable_names=[name])[name]
        small = [other for other, shape in shapes.items() if math.prod(shape) <= Ceiling.IMAGES()]
        others = scipy.io.loadmat(file, variable_names=small) if small else {}
    except (scipy.io.matlab.MatReadError, *BROKEN_MAT) as error:
        if isinstance(error, VisageError):
            raise
        raise VisageError(
            "This .mat file is damaged or no file of MATLAB's: save it with '-v7'."
        ) from error
    if not isinstance(values, np.ndarray):
        raise VisageError("This .mat file is damaged: save it again with '-v7'.")
    numbers = {name: others[name] for name in small if isinstance(others.get(name), np.ndarray)}
    return _Array(values, values.nbytes, numbers)


def _may_be_images(shape: tuple) -> bool:
    """Whether an array could be images: labels and single numbers are a line."""
    return 2 <= len(shape) <= 4 and all(shape) and sum(side > 1 for side in shape) >= 2


def _the_one(shapes: dict[str, tuple], layout: Layout) -> str:
    """The name of the only array that could be images, or of the one that was chosen."""
    fitting = {
        name: shape
        for name, shape in shapes.items()
        if _may_be_images(shape) and layout.variable in (None, name)
    }
    if len(fitting) == 1:
        return next(iter(fitting))
    if not fitting:
        raise VisageError(
            f"There is no array named '{layout.variable}' that could be images."
            if layout.variable
            else "There is no array in it that could be images."
        )
    names = ", ".join(
        f"{name[:60]} ({' × '.join(map(str, shape))})" for name, shape in list(fitting.items())[:8]
    )
    raise VisageError(f"It holds several arrays: say which one holds the images: {names}.")


_READERS = {".npy": _npy, ".npz": _npz, ".mat": _mat}
