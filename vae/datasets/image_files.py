"""Images that are files, in a folder or in a zip.

Whoever packed them may be a stranger. So links are not followed, no entry of a zip is written by
the name it claims, and what is unpacked is counted while it is read. A file that can't be taken is
skipped and listed.
"""

__all__ = [
    "BROKEN_ZIP",
    "MOST_LISTED",
    "Folder",
    "ImageFiles",
    "Skipped",
    "Zip",
    "pieces",
    "unpacks_to_too_much",
]

import functools
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np

from vae.datasets import label_tables, photos
from vae.errors import VisageError
from vae.limits import MIB, PICKLES, Ceiling, in_words

# A file of an image may be so large: 16 megapixels of uncompressed 16-bit colour are 96 MB.
LARGEST_FILE = 128 * MIB

# Bytes that are unpacked at a time.
PIECE = 2**20

# Bytes of a zip's directory for each image that may be in it.
DIRECTORY_ENTRY = 160

# There may be folders and other files among the images: so many times as many in all.
BESIDE_IMAGES = 1.1

# What an entry of that directory begins with.
ENTRY = b"PK\1\2"

# Characters of a path, of which folders and sorting take no more; of a name that is listed.
LONGEST_PATH = 1_000
LONGEST_LISTED = 200

# Skipped files that are listed; of others only the number is known.
MOST_LISTED = 200

# What Python's reader of zips raises where one is damaged.
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, struct.error)
BROKEN_ZIP += (NotImplementedError, RuntimeError, IndexError, OverflowError)


class Skipped(NamedTuple):
    """A file that is not taken.

    Arguments:
        name: Its name, for people alone.
        why: What is wrong with it.
    """

    name: str
    why: str


def skipped_file(name: str, why: str) -> Skipped:
    """What is said of a file whose name may be of any length, or no text at all."""
    if len(name) > LONGEST_LISTED:
        name = name[:LONGEST_LISTED] + "…"
    return Skipped(name.encode(errors="replace").decode(), why)


class Files(Protocol):
    """A place that files are read from, any number of times.

    Attributes:
        ignored: Links and paths that lead out of it, counted by :meth:`names`.
    """

    ignored: int

    def names(self) -> list[str]:
        """The files, in any order."""
        ...

    def contents(self, names: Sequence[str]) -> Iterator[BinaryIO | Skipped]:
        """Each of these files, open for reading until the next is asked for."""
        ...


class Folder:
    """The files below a folder; links are not followed."""

    def __init__(self, path: Path):
        self.path = path
        self.ignored = 0

    def names(self) -> list[str]:
        found = []
        self.ignored = 0
        for folder, subfolders, files in os.walk(self.path):
            for name in (*subfolders, *files):
                path = Path(folder) / name
                if path.is_symlink():
                    self.ignored += 1
                elif name in files and path.is_file():
                    found.append(path.relative_to(self.path).as_posix())
        return found

    def contents(self, names: Sequence[str]) -> Iterator[BinaryIO | Skipped]:
        for name in names:
            path = self.path / name
            try:
                if path.stat().st_size > LARGEST_FILE:
                    yield skipped_file(name, _LARGE_FILE)
                    continue
                # A file may have become a link since it was listed.
                flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
                with os.fdopen(os.open(path, flags), "rb") as file:
                    yield file
            except OSError as error:
                yield skipped_file(name, f"it can't be read: {error.strerror}")


# The beginning of an absolute path of Windows.
_DRIVE = re.compile("[a-zA-Z]:/")


class Zip:
    """The entries of a zip, as streams; none is written by the name it claims."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.ignored = 0

    @functools.cached_property
    def archive(self) -> zipfile.ZipFile:
        """The archive, whose list of files is read once.

        Raises:
            VisageError: It is no whole zip, or its list of files is too long.
        """
        try:
            return zipfile.ZipFile(_Guarded(self.file))
        except BROKEN_ZIP as error:
            if isinstance(error, VisageError):
                raise
            sentence = "This is not a whole zip file: pack or upload it again."
            raise VisageError(sentence) from error

    def names(self) -> list[str]:
        found = set()
        self.ignored = 0
        for entry in self.archive.infolist():
            path = entry.filename.replace("\\", "/")
            is_link = stat.S_ISLNK(entry.external_attr >> 16)
            leads_out = path.startswith("/") or ".." in path.split("/") or _DRIVE.match(path)
            if is_link or leads_out or not entry.filename:
                self.ignored += 1
            elif not entry.is_dir():
                found.add(entry.filename)
        return list(found)

    def contents(self, names: Sequence[str]) -> Iterator[BinaryIO | Skipped]:
        unpacked = 0
        for name in names:
            content = io.BytesIO()
            why = ""
            try:
                for piece in pieces(self.archive, self.archive.getinfo(name)):
                    content.write(piece)
                    unpacked += len(piece)
                    if unpacked > Ceiling.UNPACKED() or content.tell() > LARGEST_FILE:
                        break
            except VisageError as error:
                why = str(error)
            if unpacked > Ceiling.UNPACKED():
                raise unpacks_to_too_much()
            if content.tell() > LARGEST_FILE:
                why = _LARGE_FILE
            content.seek(0)
            yield skipped_file(name, why) if why else content


def pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """What an entry of a zip unpacks to, a bounded piece at a time.

    Raises:
        VisageError: It is damaged, encrypted, or compressed in a way that knows no bounds.
    """
    if entry.flag_bits & 1:
        raise VisageError("it is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise VisageError("it is compressed in another way than zips usually are")
    try:
        with archive.open(entry) as stream:
            while piece := stream.read(PIECE):
                yield piece
    except BROKEN_ZIP as error:
        raise VisageError("it is damaged inside the zip") from error


_LARGE_FILE = f"its file has over {in_words(LARGEST_FILE)}, the limit for one image"


class _Guarded:
    """A file that refuses to be read in pieces of any size, as a forged zip's directory asks."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        most = Ceiling.IMAGES() * DIRECTORY_ENTRY
        if count < 0 or count > most:
            at = self.tell()
            rest = self.seek(0, os.SEEK_END) - at
            self.seek(at)
            if rest > most:
                raise _too_many_files()
        content = self.file.read(count)
        # Before Python makes an object of each, which takes it microseconds and 500 bytes.
        if content.count(ENTRY) > Ceiling.IMAGES() * BESIDE_IMAGES:
            raise _too_many_files()
        return content

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        pass


def _too_many_files() -> VisageError:
    return VisageError(
        f"The zip lists over {Ceiling.IMAGES():,} files; the limit is {Ceiling.IMAGES():,} images "
        f"({Ceiling.IMAGES.variable})."
    )


class ImageFiles:
    """A set of images, each in a file of its own, in the natural order of their names.

    Arguments:
        files: Where they are.

    Attributes:
        names: The files that are images by their names.
        table: The file that may tell of them, a table; None where there is none.
        skipped: Files that are not, and why.
        ignored: Links and paths that lead elsewhere.

    Raises:
        VisageError: There is no image, or there are too many.
    """

    def __init__(self, files: Files):
        self.files = files
        self.skipped: list[Skipped] = []
        self.names: list[str] = []
        files_named = files.names()
        for name in files_named:
            why = _why_not(name)
            if why and name.lower().endswith(label_tables.SUFFIXES):
                continue
            if why:
                self.skipped.append(skipped_file(name, why))
            elif why is None:
                self.names.append(name)
        self.names.sort(key=_natural)
        tables = sorted(
            (name for name in files_named if name.lower().endswith(label_tables.SUFFIXES)),
            key=lambda name: (name.count("/"), _natural(name)),
        )
        self.table = tables[0] if tables else None
        for name in tables[1:]:
            self.skipped.append(skipped_file(name, "one table of labels is read, the first"))
        self.ignored = files.ignored
        if len(self.names) > Ceiling.IMAGES():
            raise VisageError(
                f"There are {len(self.names):,} images; the limit is {Ceiling.IMAGES():,} "
                f"({Ceiling.IMAGES.variable})."
            )
        if not self.names:
            raise self.nothing(self.skipped)

    def __len__(self) -> int:
        return len(self.names)

    def contents(self, indices: Sequence[int]) -> Iterator[BinaryIO | Skipped]:
        """The files of these images, each open until the next is asked for."""
        return self.files.contents([self.names[index] for index in indices])

    def read(
        self, image_shape: tuple[int, ...], fit: str, indices: Sequence[int]
    ) -> Iterator[np.ndarray | Skipped]:
        """These images, uint8, of the shape given."""
        height, width = image_shape[:2]
        for index, content in zip(indices, self.contents(indices), strict=True):
            if isinstance(content, Skipped):
                yield content
                continue
            try:
                picture = photos.read(content, at_least=(height, width))
            except VisageError as error:
                yield skipped_file(self.names[index], str(error))
            else:
                yield photos.fitted(picture, image_shape, fit)

    def told(self) -> label_tables.Told:
        """What folders and a table tell of them."""
        told = []
        if self.folders():
            told.append(label_tables.of_folders(self.names))
        if self.table is not None:
            name = skipped_file(self.table, "").name
            for content in self.files.contents([self.table]):
                if isinstance(content, Skipped):
                    why = f"{name} is not used: {content.why}."
                    told.append(label_tables.Told((), lambda index: (), (why,)))
                else:
                    table = content.read(label_tables.LARGEST_TABLE + 1)
                    told.append(label_tables.of_table(name, table, self.names))
        return label_tables.together(*told)

    def folders(self) -> list[str]:
        """The folders that most images lie in, where those are several."""
        parents = [name.rpartition("/")[0] for name in self.names]
        named = {parent for parent in parents if parent}
        most = sum(map(bool, parents)) * 2 > len(parents)
        return sorted(named, key=_natural) if most and len(named) > 1 else []

    def nothing(self, skipped: Sequence[Skipped]) -> VisageError:
        """What is said where no image is left."""
        kinds = "png, jpeg, webp, bmp, tiff or pgm"
        if skipped:
            name, why = skipped[0]
            return VisageError(
                f"There is no image to take among {len(skipped):,} "
                f"{'file' if len(skipped) == 1 else 'files'}: {name[:60]} was skipped because "
                f"{why}. Give {kinds}."
            )
        if self.ignored:
            return VisageError(
                f"There are only links and paths that lead elsewhere: give {kinds}."
            )
        return VisageError(f"There is no image in it: give {kinds}.")


def _why_not(name: str) -> str | None:
    """Why a file is not taken by its name; None if it is, empty where nobody would miss it."""
    if len(name) > LONGEST_PATH:
        return f"its name has over {LONGEST_PATH:,} characters"
    if name.startswith((".", "__MACOSX/")) or "/." in name or "/__MACOSX/" in name:
        # What file managers leave behind is nobody's image.
        return ""
    if name.lower().endswith(photos.SUFFIXES):
        return None
    if name.lower().endswith(PICKLES):
        return (
            "it is a pickle, which can run anything when it is opened: save the images as .npy "
            "or .npz"
        )
    return "it is not an image of a known format"


def _natural(path: str) -> tuple[str, str]:
    """What names are sorted by: 2.png comes before 10.png."""
    return _NUMBER.sub(lambda digits: digits[0].zfill(18), path), path


_NUMBER = re.compile("[0-9]{1,18}")


def unpacks_to_too_much() -> VisageError:
    """The refusal of what unpacks to more than the ceiling."""
    return VisageError(
        f"It unpacks to over {in_words(Ceiling.UNPACKED())}, the limit "
        f"({Ceiling.UNPACKED.variable})."
    )
