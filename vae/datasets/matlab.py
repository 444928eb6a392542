"""Matrices in MATLAB's files of level 4 and 5, found and copied as streams.

SciPy reads these files too, but a file from a stranger may say that it inflates to terabytes, and
SciPy believes it. Here every size is checked before anything is allocated, and a matrix goes to a
file a piece at a time.

References:
    MAT-File Format (The MathWorks), chapters 1 and 2
    https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

__all__ = ["Matrix", "copy", "matrices"]

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from vae.errors import VisageError

PIECE = 2**16

# Level 5: how numbers are stored, by the type in an element's tag; the two kinds of element that
# hold a matrix; and the classes of array that hold numbers.
STORAGE = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
STORAGE |= {13: "u8"}
MATRIX, COMPRESSED = 14, 15
NUMERIC = range(6, 16)
COMPLEX = 0x0800

# Level 4: how numbers are stored, by the tens digit of a matrix's type.
STORAGE_4 = ("f8", "f4", "i4", "i2", "u2", "u1")

MOST_MATRICES = 1_000
MOST_DIMENSIONS = 8
LONGEST_NAME = 1_000


@dataclass(frozen=True)
class Matrix:
    """A matrix of real numbers in a file.

    Arguments:
        name: What the variable is called.
        shape: Its dimensions; the numbers lie in the file in Fortran's order.
        dtype: How they are stored, which may be more narrowly than MATLAB shows them.
        at: Where in the file its element begins.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    at: int

    @property
    def nbytes(self) -> int:
        """The bytes that its numbers take."""
        return math.prod(self.shape) * self.dtype.itemsize


def matrices(file: BinaryIO) -> list[Matrix]:
    """The matrices of real numbers in a file, without reading their numbers.

    Raises:
        VisageError: It is no file of level 4 or 5, or it is damaged.
    """
    return [matrix for matrix, _ in _walk(file)]


def copy(file: BinaryIO, matrix: Matrix, out: BinaryIO) -> None:
    """Write a matrix's numbers, in Fortran's order, to another file.

    Raises:
        VisageError: The file ends before they do.
    """
    stream = next(stream for found, stream in _walk(file, matrix.at) if found == matrix)
    left = matrix.nbytes
    while left:
        piece = stream.read(min(left, PIECE))
        out.write(piece)
        left -= len(piece)


class _Stream:
    """Bytes of a file from where it stands; reading past the end is an error, not less."""

    def __init__(self, file: BinaryIO, size: int | None = None):
        self.file = file
        self.left = size

    def read(self, count: int) -> bytes:
        piece = self.file.read(count if self.left is None else min(count, self.left))
        if len(piece) < count:
            raise _damaged()
        if self.left is not None:
            self.left -= count
        return piece


class _Inflated:
    """The same for bytes that are compressed; never holds more than a piece of them."""

    def __init__(self, file: BinaryIO, size: int):
        self.file = file
        self.left = size
        self.inflate = zlib.decompressobj()

    def read(self, count: int) -> bytes:
        parts, missing = [], count
        while missing:
            packed = self.inflate.unconsumed_tail
            if not packed and self.left:
                packed = self.file.read(min(PIECE, self.left))
                self.left -= len(packed)
            try:
                part = self.inflate.decompress(packed, missing)
            except zlib.error as error:
                raise _damaged() from error
            if not part and not packed:
                raise _damaged()
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


def _walk(file: BinaryIO, start: int = 0) -> Iterator[tuple[Matrix, _Stream | _Inflated]]:
    """Each matrix of real numbers, with a stream that stands at its first number."""
    file.seek(0)
    head = file.read(128)
    if head.startswith(b"MATLAB 7.3") or head[:8] == b"\x89HDF\r\n\x1a\n":
        raise VisageError(
            "This .mat file is of version 7.3: save it in MATLAB with the option '-v7'."
        )
    if len(head) == 128 and head[126:128] in (b"IM", b"MI") and 0 not in head[:4]:
        yield from _walk_5(file, "<" if head[126:128] == b"IM" else ">", start or 128)
    else:
        yield from _walk_4(file, start)


def _walk_5(
    file: BinaryIO, order: str, start: int
) -> Iterator[tuple[Matrix, _Stream | _Inflated]]:
    at = start
    for _ in range(MOST_MATRICES):
        file.seek(at)
        tag = file.read(8)
        if not tag:
            return
        if len(tag) < 8:
            raise _damaged()
        kind, size = struct.unpack(order + "II", tag)
        if kind == COMPRESSED:
            stream = _Inflated(file, size)
            inner, _ = struct.unpack(order + "II", stream.read(8))
        else:
            stream = _Stream(file, size)
            inner = kind
        if inner == MATRIX:
            matrix = _matrix_5(stream, order, at)
            if matrix is not None:
                yield matrix, stream
        at += 8 + size
    raise VisageError(f"This .mat file holds over {MOST_MATRICES:,} variables.")


def _matrix_5(stream: _Stream | _Inflated, order: str, at: int) -> Matrix | None:
    flags = _element(stream, order, 8)
    dimensions = _element(stream, order, 4 * MOST_DIMENSIONS)
    name = _element(stream, order, LONGEST_NAME)
    if len(flags) != 8 or len(dimensions) % 4:
        raise _damaged()
    (word,) = struct.unpack(order + "I4x", flags)
    shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    if word & 0xFF not in NUMERIC or word & COMPLEX:
        return None
    kind, size, small = _tag(stream, order)
    if min(shape, default=-1) < 0 or kind not in STORAGE:
        raise _damaged()
    matrix = Matrix(name.decode("latin-1"), shape, np.dtype(order + STORAGE[kind]), at)
    # Up to 4 bytes lie in the tag itself: no image is as small.
    if small:
        return None
    if matrix.nbytes != size:
        raise _damaged()
    return matrix


def _element(stream: _Stream | _Inflated, order: str, most: int) -> bytes:
    _, size, small = _tag(stream, order)
    if small is not None:
        return small[:size]
    if size > most:
        raise _damaged()
    return stream.read(size + -size % 8)[:size]


def _tag(stream: _Stream | _Inflated, order: str) -> tuple[int, int, bytes | None]:
    """Type and size of an element, and its bytes where they are few enough to lie in the tag."""
    tag = stream.read(8)
    kind, size = struct.unpack(order + "II", tag)
    if kind >> 16:
        if kind >> 16 > 4:
            raise _damaged()
        return kind & 0xFFFF, kind >> 16, tag[4:]
    return kind, size, None


def _walk_4(file: BinaryIO, start: int) -> Iterator[tuple[Matrix, _Stream]]:
    at = start
    for _ in range(MOST_MATRICES):
        file.seek(at)
        head = file.read(20)
        if not head and at:
            return
        if len(head) < 20:
            raise _no_mat()
        order = "<" if struct.unpack("<i", head[:4])[0] in range(1000) else ">"
        kind, rows, columns, imaginary, length = struct.unpack(order + "5i", head)
        thousands, rest = divmod(kind, 1000)
        precision, sort = divmod(rest, 10)
        if (
            thousands != (order == ">")
            or precision >= len(STORAGE_4)
            or sort > 2
            or min(rows, columns) < 0
            or imaginary not in (0, 1)
            or not 0 < length <= LONGEST_NAME
        ):
            raise _no_mat()
        name = _Stream(file).read(length).rstrip(b"\0").decode("latin-1")
        matrix = Matrix(name, (rows, columns), np.dtype(order + STORAGE_4[precision]), at)
        if sort == 0 and not imaginary:
            yield matrix, _Stream(file, matrix.nbytes)
        at += 20 + length + matrix.nbytes * (1 + imaginary)
    raise VisageError(f"This .mat file holds over {MOST_MATRICES:,} variables.")


def _damaged() -> VisageError:
    return VisageError("This .mat file is damaged or cut short: get it again.")


def _no_mat() -> VisageError:
    return VisageError("This is no .mat file of MATLAB that can be read: save it with '-v7'.")
