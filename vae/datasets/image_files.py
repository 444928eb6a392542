"""Images that are files: in a folder, in a zip, or uploaded one by one.

Whoever packed them may be a stranger. So links are not followed, no entry of a zip is written by
the name it claims, and what is unpacked is counted while it is read. A file that can't be taken is
skipped and listed.
"""

__all__ = [
    "BROKEN_ZIP",
    "Folder",
    "ImageFiles",
    "Skipped",
    "Uploads",
    "Zip",
    "unpacks_to_too_much",
]

import contextlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np

from vae.datasets import photos
from vae.errors import VisageError
from vae.limits import MIB, Ceiling, in_words

# A file of an image may be so large: 16 megapixels of uncompressed 16-bit colour are 96 MB.
LARGEST_FILE = 128 * MIB

# Bytes that are unpacked at a time.
PIECE = 2**20

# Bytes of a zip's directory for each image that may be in it.
DIRECTORY_ENTRY = 160

# Images that tell whether a set is in colour.
LOOKED_AT_FOR_COLOUR = 24

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


def _skipped(name: str, why: str) -> Skipped:
    # A file's name may be no text at all, which nothing could print or write down.
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
                    yield _skipped(name, _LARGE_FILE)
                    continue
                # A file may have become a link since it was listed.
                flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
                with os.fdopen(os.open(path, flags), "rb") as file:
                    yield file
            except OSError as error:
                yield _skipped(name, f"it can't be read: {error.strerror}")


class Zip:
    """The entries of a zip, as streams; none is written by the name it claims."""

    def __init__(self, source: Path | BinaryIO):
        self.source = source
        self.ignored = 0

    @contextlib.contextmanager
    def opened(self) -> Iterator[zipfile.ZipFile]:
        """The archive, for as long as it is needed.

        Raises:
            VisageError: It is no whole zip, or its list of files is too long.
        """
        with contextlib.ExitStack() as stack:
            file = self.source
            if isinstance(file, Path):
                file = stack.enter_context(file.open("rb"))
            try:
                guarded = _Guarded(file, Ceiling.IMAGES() * DIRECTORY_ENTRY)
                archive = stack.enter_context(zipfile.ZipFile(guarded))
            except BROKEN_ZIP as error:
                if isinstance(error, VisageError):
                    raise
                sentence = "This is not a whole zip file: pack or upload it again."
                raise VisageError(sentence) from error
            yield archive

    def names(self) -> list[str]:
        found = set()
        self.ignored = 0
        with self.opened() as archive:
            for entry in archive.infolist():
                path = PurePosixPath(entry.filename.replace("\\", "/"))
                is_link = stat.S_ISLNK(entry.external_attr >> 16)
                leads_out = path.is_absolute() or ".." in path.parts or ":" in str(path)[:2]
                if is_link or leads_out or not entry.filename:
                    self.ignored += 1
                elif not entry.is_dir():
                    found.add(entry.filename)
        return list(found)

    def contents(self, names: Sequence[str]) -> Iterator[BinaryIO | Skipped]:
        unpacked = 0
        with self.opened() as archive:
            for name in names:
                content = io.BytesIO()
                why = ""
                try:
                    for piece in pieces(archive, archive.getinfo(name)):
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
                yield _skipped(name, why) if why else content


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


class Uploads:
    """Files that are open already."""

    ignored = 0

    def __init__(self, files: Mapping[str, BinaryIO]):
        self.files = files

    def names(self) -> list[str]:
        return list(self.files)

    def contents(self, names: Sequence[str]) -> Iterator[BinaryIO | Skipped]:
        for name in names:
            file = self.files[name]
            file.seek(0)
            # Pillow closes what it was given; this one is needed again.
            yield io.BytesIO(file.read(LARGEST_FILE))


_LARGE_FILE = f"its file has over {in_words(LARGEST_FILE)}, the limit for one image"


class _Guarded:
    """A file that refuses to be read in pieces of any size, as a forged zip's directory asks."""

    def __init__(self, file: BinaryIO, most: int):
        self.file = file
        self.most = most
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        if count < 0 or count > self.most:
            at = self.tell()
            rest = self.seek(0, os.SEEK_END) - at
            self.seek(at)
            if rest > self.most:
                raise VisageError(
                    f"The zip's list of files is longer than {Ceiling.IMAGES():,} images, the "
                    f"limit ({Ceiling.IMAGES.variable}), need."
                )
        return self.file.read(count)

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        pass


class ImageFiles:
    """A set of images, each in a file of its own, in the natural order of their names.

    Arguments:
        files: Where they are.
        progress: Called with the share that has been looked at, between 0 and 1.

    Attributes:
        names: The files that look whole.
        sizes: How many images there are of each size (H, W), the most frequent first.
        colour: Whether there is colour in them.
        skipped: Files that are not taken, and why.
        ignored: Links and paths that lead elsewhere.

    Raises:
        VisageError: There is no image, or there are too many.
    """

    def __init__(self, files: Files, progress: Callable[[float], None]):
        self.files = files
        self.skipped: list[Skipped] = []
        self.names: list[str] = []
        candidates = self._candidates()
        if len(candidates) > Ceiling.IMAGES():
            raise VisageError(
                f"There are {len(candidates):,} images; the limit is {Ceiling.IMAGES():,} "
                f"({Ceiling.IMAGES.variable})."
            )
        sizes, modes = Counter(), set()
        contents = files.contents(candidates)
        for place, (name, content) in enumerate(zip(candidates, contents, strict=True)):
            if place % 64 == 0:
                progress(place / len(candidates))
            if isinstance(content, Skipped):
                self.skipped.append(content)
                continue
            try:
                picture = photos.header(content)
            except VisageError as error:
                self.skipped.append(_skipped(name, str(error)))
                continue
            self.names.append(name)
            sizes[photos.upright_size(picture)] += 1
            modes.add(picture.mode)
        self.ignored = files.ignored
        if not self.names:
            raise self._nothing()
        progress(1.0)
        self.sizes = dict(sizes.most_common())
        self.colour = not modes <= photos.GREY_MODES and self._has_colour()

    def __len__(self) -> int:
        return len(self.names)

    def read(
        self, image_shape: tuple[int, ...], fit: str, places: Sequence[int]
    ) -> Iterator[np.ndarray | Skipped]:
        """The images at these places, uint8, of the shape given."""
        names = [self.names[place] for place in places]
        for name, content in zip(names, self.files.contents(names), strict=True):
            if isinstance(content, Skipped):
                yield content
                continue
            try:
                picture = photos.read(content, at_least=image_shape[:2])
            except VisageError as error:
                yield _skipped(name, str(error))
            else:
                yield photos.fitted(picture, image_shape, fit)

    def _candidates(self) -> list[str]:
        candidates = []
        for name in sorted(self.files.names(), key=_natural):
            parts = PurePosixPath(name).parts
            if any(part.startswith(".") or part == "__MACOSX" for part in parts):
                # What file managers leave behind is nobody's image.
                continue
            if name.lower().endswith(photos.SUFFIXES):
                candidates.append(name)
            else:
                self.skipped.append(_skipped(name, "it is not an image of a known format"))
        return candidates

    def _has_colour(self) -> bool:
        """Whether most of a few images have colour: grey ones are often written as colour."""
        last = len(self.names) - 1
        places = np.linspace(0, last, min(last + 1, LOOKED_AT_FOR_COLOUR)).astype(int)
        grey = []
        for content in self.files.contents([self.names[place] for place in places]):
            with contextlib.suppress(VisageError):
                if not isinstance(content, Skipped):
                    grey.append(photos.is_grey(photos.read(content, at_least=(64, 64))))
        return sum(grey) * 2 < len(grey)

    def _nothing(self) -> VisageError:
        kinds = "png, jpeg, webp, bmp, tiff or pgm"
        if self.skipped:
            name, why = self.skipped[0]
            return VisageError(
                f"There is no image to take among {len(self.skipped):,} files: {name[:60]} was "
                f"skipped because {why}. Give {kinds}."
            )
        if self.ignored:
            return VisageError(
                f"There are only links and paths that lead elsewhere: give {kinds}."
            )
        return VisageError(f"There is no image in it: give {kinds}.")


def _natural(path: str) -> list:
    """What names are sorted by: 2.png comes before 10.png."""
    return [
        (0, int(part), part) if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d{1,18})", path)
    ]


def unpacks_to_too_much() -> VisageError:
    """The refusal of what unpacks to more than the ceiling."""
    return VisageError(
        f"It unpacks to over {in_words(Ceiling.UNPACKED())}, the limit "
        f"({Ceiling.UNPACKED.variable})."
    )
