"""Bring a data set: images of any kind into one memory-mapped array with its description.

    found = look("holiday.zip")                       # nothing is stored yet
    found.count, found.sizes, found.skipped           # what is there, and what can't be taken
    stored = store(found, "holiday", Choices((64, 64)))
    datasets.load("holiday")

A set may come from a stranger. So nothing is unpacked by the name it claims, every size is checked
before it is allocated and counted while it is read, and nothing in it is run. One broken image
among thousands is skipped and listed. A set is built in a folder beside its place and moved there
when it is complete.
"""

__all__ = ["Choices", "Found", "Layout", "Skipped", "Stored", "delete", "look", "rename", "store"]

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np

from vae.datasets import image_arrays, sources
from vae.datasets.image_arrays import ImageArray, Layout
from vae.datasets.image_files import Folder, ImageFiles, Skipped, Uploads, Zip
from vae.datasets.sources import Faces
from vae.errors import VisageError
from vae.files import replacing
from vae.limits import Ceiling, check_writable, in_words
from vae.names import clean_name

# A proposed size has at most so many pixels a side.
PROPOSED_SIDE = 64

# Skipped images that are kept in a description.
MOST_LISTED = 200

# An unfinished set or scratch file that is older, in seconds, was left by a crash.
STALE = 24 * 3600


@dataclass(frozen=True)
class Choices:
    """What images become.

    Arguments:
        size: (H, W); that which :attr:`Found.proposed_size` says by default.
        colour: Whether they keep their colours; by default where they have some.
        fit: ``crop`` cuts off what doesn't fit, ``pad`` fills up with black.
    """

    size: tuple[int, int] | None = None
    colour: bool | None = None
    fit: str = "crop"


@dataclass(frozen=True)
class Found:
    """What a source holds; nothing is stored yet.

    Arguments:
        what: ``folder``, ``zip``, ``images`` or ``array``.
        name: A name for the set.
        reader: What reads its images.
    """

    what: str
    name: str
    reader: ImageFiles | ImageArray = field(repr=False)

    @property
    def count(self) -> int:
        """Images that look whole."""
        return len(self.reader)

    @property
    def sizes(self) -> dict[tuple[int, int], int]:
        """How many there are of each size (H, W), the most frequent first."""
        return self.reader.sizes

    @property
    def colour(self) -> bool:
        """Whether there is colour in them."""
        return self.reader.colour

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Files that will not be taken, and why."""
        return tuple(self.reader.skipped)

    @property
    def ignored(self) -> int:
        """Links and paths that lead out of the source."""
        return self.reader.ignored

    @property
    def proposed_size(self) -> tuple[int, int]:
        """The most frequent size, made smaller where a side is longer than 64 pixels."""
        height, width = next(iter(self.sizes))
        scale = min(1.0, PROPOSED_SIDE / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def image_shape(self, choices: Choices) -> tuple[int, ...]:
        """(H, W) or (H, W, 3).

        Raises:
            VisageError: The choices are impossible, or the set would be too large.
        """
        size = choices.size or self.proposed_size
        if choices.fit not in ("crop", "pad"):
            raise VisageError(f"Images are fitted by 'crop' or 'pad', not '{choices.fit}'.")
        if not all(0 < side <= Ceiling.SIDE() for side in size):
            raise VisageError(
                f"Images have between 1 and {Ceiling.SIDE():,} pixels a side, not "
                f"{size[0]:,}×{size[1]:,}."
            )
        colour = self.colour if choices.colour is None else choices.colour
        image_shape = (*size, 3) if colour else tuple(size)
        stored = self.count * math.prod(image_shape)
        if stored > Ceiling.UNPACKED():
            raise VisageError(
                f"{self.count:,} images of {size[0]:,}×{size[1]:,} are {in_words(stored)}; the "
                f"limit is {in_words(Ceiling.UNPACKED())}: choose a smaller size."
            )
        return image_shape

    def samples(self, choices: Choices, count: int = 12) -> np.ndarray:
        """A few images, evenly chosen, as they would be stored.

        Returns:
            uint8, of shape (n, H, W) or (n, H, W, 3), with n ≤ count.
        """
        image_shape = self.image_shape(choices)
        places = np.linspace(0, self.count - 1, min(count, self.count)).astype(int)
        images = self.reader.read(image_shape, choices.fit, places)
        whole = [image for image in images if not isinstance(image, Skipped)]
        return np.stack(whole) if whole else np.zeros((0, *image_shape), dtype=np.uint8)


class Stored(NamedTuple):
    """A set that has been stored.

    Arguments:
        faces: The set.
        skipped: All files that were not taken, and why.
    """

    faces: Faces
    skipped: tuple[Skipped, ...]


Progress = Callable[[float], None]


def look(
    source: str | os.PathLike | Mapping[str, BinaryIO],
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> Found:
    """See what a source holds, without storing anything.

    Arguments:
        source: The path of a folder, a zip, an array (``.npy``, ``.npz``, ``.mat``) or an image;
            or uploaded files by their names, open for reading.
        layout: How an array holds its images.
        progress: Called with the share done, between 0 and 1.

    Raises:
        VisageError: There is nothing in it that can be used, or it is over a ceiling.
    """
    check_writable()
    layout = layout or Layout()
    progress = progress or (lambda share: None)
    if isinstance(source, Mapping):
        return _look_at_open(source, layout, progress)
    path = Path(source)
    try:
        if path.is_dir():
            return Found("folder", path.resolve().name, ImageFiles(Folder(path), progress))
        if path.suffix.lower() == ".zip":
            _check_upload(path.name, path.stat().st_size)
            return Found("zip", path.stem, ImageFiles(Zip(path), progress))
        # It stays open as long as what was found in it is needed.
        return _look_at_open({path.name: path.open("rb")}, layout, progress)
    except OSError as error:
        raise VisageError(f"{path} can't be read: {error.strerror or error}.") from error


def _look_at_open(files: Mapping[str, BinaryIO], layout: Layout, progress: Progress) -> Found:
    for name, file in files.items():
        _check_upload(name, file.seek(0, os.SEEK_END))
    whole_sets = (".zip", *image_arrays.SUFFIXES)
    if len(files) > 1:
        for name in files:
            if name.lower().endswith(whole_sets):
                raise VisageError(f"Give {name} alone: it is a whole data set by itself.")
        return Found("images", "images", ImageFiles(Uploads(files), progress))
    name, file = next(iter(files.items()))
    path = PurePosixPath(name.replace("\\", "/"))
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return Found("zip", path.stem, ImageFiles(Zip(file), progress))
    if suffix in image_arrays.SUFFIXES:
        return Found("array", path.stem, ImageArray(file, suffix, layout))
    return Found("images", path.stem, ImageFiles(Uploads(files), progress))


def _check_upload(name: str, size: int) -> None:
    if size > Ceiling.UPLOAD():
        raise VisageError(
            f"{name} has {in_words(size)}; the limit is {in_words(Ceiling.UPLOAD())} "
            f"({Ceiling.UPLOAD.variable})."
        )


def store(
    found: Found,
    name: str | None = None,
    choices: Choices | None = None,
    progress: Progress | None = None,
) -> Stored:
    """Convert all images and keep them, under a name, in the folder of data sets.

    Arguments:
        found: What :func:`look` gave.
        name: What to call the set; it is cleaned first.
        choices: What the images become.
        progress: Called with the share done, between 0 and 1.

    Raises:
        VisageError: The name is taken, no image could be read, or nothing can be written there.
            Then nothing is left behind.
    """
    check_writable()
    choices = choices or Choices()
    name = clean_name(name or found.name, sources.NAMES)
    image_shape = found.image_shape(choices)
    _check_free(name)
    try:
        with _beside() as folder:
            count, sha256, skipped = _write(found, image_shape, choices.fit, folder, progress)
            skipped = (*found.skipped, *skipped)
            if not count:
                raise VisageError(
                    "No image could be read, so nothing was stored: the first, "
                    f"{skipped[-1].name}, was skipped because {skipped[-1].why}."
                )
            description = {
                "format_version": sources.FORMAT_VERSION,
                "name": name,
                "images": count,
                "image_shape": image_shape,
                "sha256": sha256,
                "source": found.name,
                "fit": choices.fit,
                "ignored": found.ignored,
                "skipped": len(skipped),
                "why_skipped": [list(item) for item in skipped[:MOST_LISTED]],
                "stored_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "formerly": [],
            }
            text = json.dumps(description, indent=1, ensure_ascii=False)
            (folder / sources.DESCRIPTION).write_text(text, encoding="utf-8")
            folder.chmod(0o755)
            folder.rename(sources.stored_folder(name))
    except OSError as error:
        # Somebody may have taken the name meanwhile.
        _check_free(name)
        raise VisageError(f"The set can't be stored: {error.strerror or error}.") from error
    return Stored(sources.load(name), skipped)


def rename(name: str, new_name: str) -> str:
    """Give a stored set another name; models find it by the one they knew it by.

    Returns:
        The new name, cleaned.

    Raises:
        VisageError: There is no such set, or the name is taken.
    """
    check_writable()
    folder = _folder_of(name)
    new_name = clean_name(new_name, sources.NAMES)
    if new_name == folder.name:
        return new_name
    _check_free(new_name)
    description = sources.described(folder.name)
    formerly = [*description.get("formerly", []), folder.name]
    description |= {"name": new_name, "formerly": [old for old in formerly if old != new_name]}
    with replacing(folder / sources.DESCRIPTION) as beside:
        text = json.dumps(description, indent=1, ensure_ascii=False)
        beside.write_text(text, encoding="utf-8")
    try:
        folder.rename(sources.stored_folder(new_name))
    except OSError as error:
        raise VisageError(f"{name} can't be renamed: {error.strerror}.") from error
    return new_name


def delete(name: str) -> None:
    """Remove a stored set.

    Raises:
        VisageError: There is no such set, or it can't be removed.
    """
    check_writable()
    folder = _folder_of(name)
    try:
        # Moved aside first: nobody sees a set that is half gone.
        doomed = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".gone-"))
        folder.rename(doomed / folder.name)
        shutil.rmtree(doomed)
    except OSError as error:
        raise VisageError(f"{name} can't be removed: {error.strerror}.") from error


def _check_free(name: str) -> None:
    if sources.stored_folder(name).exists():
        raise VisageError(f"There is a data set named {name} already: choose another name.")


def _folder_of(name: str) -> Path:
    if name in sources.NAMES:
        raise VisageError(f"{name} comes with Visage: it can't be renamed or removed.")
    folder = sources.find_stored(name)
    if folder is None:
        raise VisageError(
            f"There is no stored data set '{name[:60]}': 'python -m vae datasets' lists them."
        )
    return folder


@contextlib.contextmanager
def _beside() -> Iterator[Path]:
    """A fresh folder beside the stored sets, gone at the end unless it was moved there."""
    home = sources.stored_folder("")
    home.mkdir(parents=True, exist_ok=True)
    for left in (*home.glob(".new-*"), *home.glob(".gone-*")):
        if time.time() - left.stat().st_mtime > STALE:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=home, prefix=".new-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(
    found: Found, image_shape: tuple, fit: str, folder: Path, progress: Progress | None
) -> tuple[int, str, list[Skipped]]:
    """Convert into a file; the number of images, their sha256, and what was skipped."""
    digest, skipped, count = hashlib.sha256(), [], 0
    with (folder / sources.IMAGES).open("w+b") as file:
        # NumPy leaves room in the header for a count that changes.
        length = _write_header(file, (found.count, *image_shape))
        images = found.reader.read(image_shape, fit, range(found.count))
        for place, image in enumerate(images):
            if isinstance(image, Skipped):
                skipped.append(image)
            else:
                content = image.tobytes()
                file.write(content)
                digest.update(content)
                count += 1
            if progress is not None and place % 64 == 0:
                progress(place / found.count)
        file.seek(0)
        if _write_header(file, (count, *image_shape)) != length:
            raise AssertionError("the header grew")
    if progress is not None:
        progress(1.0)
    return count, digest.hexdigest(), skipped


def _write_header(file: BinaryIO, shape: tuple) -> int:
    header = {"descr": "|u1", "fortran_order": False, "shape": tuple(map(int, shape))}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()
