"""Bring a data set: images of any kind into one memory-mapped array with its description.

    found = look("holiday.zip")                       # nothing is stored yet
    found.count, found.sizes, found.skipped           # what is there, and what can't be taken
    stored = store(found, "holiday", Choices((64, 64)))
    datasets.load("holiday")

A set may come from a stranger. So nothing is unpacked by the name it claims, every size is checked
before it is allocated and counted while it is read, nothing in it is run, and all of it is decoded
in a process of its own that is ended where it takes too much time or memory. One broken image
among thousands is skipped and listed. A set is built in a folder beside its place and moved there
when it is complete.
"""

__all__ = [
    "Choices",
    "Found",
    "Layout",
    "Skipped",
    "Stored",
    "delete",
    "look",
    "rename",
    "restore",
    "store",
]

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from vae import trash
from vae.datasets import confined, image_arrays, label_tables, photos, sources
from vae.datasets.confined import Beside, Brought, EndedError
from vae.datasets.faces import Faces
from vae.datasets.image_arrays import Layout
from vae.datasets.image_files import MOST_LISTED, Skipped
from vae.datasets.label_tables import Gathered
from vae.datasets.published import SOURCES
from vae.errors import VisageError
from vae.files import replacing
from vae.limits import Ceiling, check_writable, in_words
from vae.names import checked_name, name_from
from vae.trash import Deleted

# A proposed size has at most so many pixels a side.
PROPOSED_SIDE = 64

# What is a data set by itself.
WHOLE_SETS = (".zip", *image_arrays.SUFFIXES)

# Labels that are named in a sentence.
MOST_NAMED = 12

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
        name: A name for the set.
        count: Images that look whole.
        looked_at: How many of them, evenly chosen, this was told from.
        sizes: How many of those there are of each size (H, W), the most frequent first.
        colour: Whether there is colour in them.
        skipped: Files that will not be taken, and why: the first of them.
        skipped_count: How many there are of those.
        ignored: Links and paths that lead out of the source.
        labels: What is told of each image: a name, and what it holds in words.
        remarks: What is wrong with these labels, as sentences.
        cut_short: Why there are fewer pictures of it than there would be, in a sentence; empty if
            there are as many.
        pictures: A few of its images as they are, uint8, of shape (H, W) or (H, W, 3) each.
        source: Where it lies.
    """

    name: str
    count: int
    looked_at: int
    sizes: dict[tuple[int, int], int]
    colour: bool
    skipped: tuple[Skipped, ...]
    skipped_count: int
    ignored: int
    labels: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    cut_short: str
    pictures: tuple[np.ndarray, ...] = field(repr=False)
    source: Brought = field(repr=False)

    @property
    def summary(self) -> str:
        """What it holds, in words: "60 grey images of 28×23 pixels, height × width"."""
        (height, width), most = next(iter(self.sizes.items()))
        kind = "colour" if self.colour else "grey"
        sizes = f"{height:,}×{width:,} pixels, height × width"
        if len(self.sizes) > 1:
            sizes += f" ({most:,} of them; there are {len(self.sizes):,} sizes)"
        return f"{self.count:,} {kind} {'image' if self.count == 1 else 'images'} of {sizes}"

    @property
    def known(self) -> str:
        """What will be kept of labels, as a sentence; empty where there are none."""
        if not self.labels:
            return ""
        named = "; ".join(f"{name}: {what}" for name, what in self.labels[:MOST_NAMED])
        more = len(self.labels) - MOST_NAMED
        return f"Labels: {named}{f'; and {more:,} more' if more > 0 else ''}."

    @property
    def is_sample(self) -> bool:
        """Whether this was told from a part of its files."""
        return self.looked_at < self.count

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
        """A few images, evenly chosen, as they would be stored; large ones a little coarser.

        Returns:
            uint8, of shape (n, H, W) or (n, H, W, 3), with n ≤ count.
        """
        image_shape = self.image_shape(choices)
        most = len(self.pictures)
        chosen = np.linspace(0, most - 1, min(count, most)).astype(int)
        images = [
            photos.fitted(Image.fromarray(self.pictures[index]), image_shape, choices.fit)
            for index in chosen
        ]
        return np.stack(images) if images else np.zeros((0, *image_shape), dtype=np.uint8)


class Stored(NamedTuple):
    """A set that has been stored.

    Arguments:
        faces: The set.
        skipped: Files that were not taken, and why: the first of them.
        skipped_count: How many there are of those.
        was_there: Whether the very same images were stored under this name before.
    """

    faces: Faces
    skipped: tuple[Skipped, ...]
    skipped_count: int
    was_there: bool = False


Progress = Callable[[float], object]


def look(
    given: str | os.PathLike | Mapping[str, BinaryIO],
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> Found:
    """See what a source holds, without storing anything.

    Arguments:
        given: The path of a folder, a zip, an array (``.npy``, ``.npz``, ``.mat``) or an image;
            or uploaded files by their names, open for reading.
        layout: How an array holds its images.
        progress: Called with the share done, between 0 and 1.

    Raises:
        VisageError: There is nothing in it that can be used, it is over a ceiling, or to look at
            it takes more time or memory than there is for a look.
    """
    check_writable()
    progress = progress or (lambda share: None)
    try:
        name, source = source_of(given, layout or Layout())
    except OSError as error:
        raise VisageError(f"{given} can't be read: {error.strerror or error}.") from error
    description: dict | None = None
    pictures, are_grey, why = [], [], ""
    try:
        for head, content in confined.look(source):
            if "count" in head:
                description = head
            elif content:
                pictures.append(np.frombuffer(content, np.uint8).reshape(head["shape"]))
                are_grey.append(head["grey"])
            why = head.get("cut_short", why)
            progress(head.get("share", 1.0))
    except EndedError as ended:
        # What it has told until then is as true as ever.
        if description is None or not pictures:
            raise
        why = str(ended)
    if description is None:
        raise AssertionError("a look ends with a description")
    colour = description["colour"]
    if colour is None:
        colour = sum(are_grey) * 2 < len(are_grey)
    return Found(
        name,
        description["count"],
        description["looked_at"],
        {(height, width): count for height, width, count in description["sizes"]},
        colour,
        tuple(Skipped(*item) for item in description.get("skipped", [])),
        description.get("skipped_count", 0),
        description.get("ignored", 0),
        tuple((name, what) for name, what in description["labels"]),
        tuple(description["remarks"]),
        why and f"The look was ended after {_images(len(pictures))}: {why}",
        tuple(pictures),
        source,
    )


def source_of(
    given: str | os.PathLike | Mapping[str, BinaryIO], layout: Layout
) -> tuple[str, Brought]:
    """What a source is called, and where another process can read it."""
    table = None
    if isinstance(given, Mapping):
        files = given
        whole = [name for name in given if name.lower().endswith(WHOLE_SETS)]
        tables = [name for name in given if name.lower().endswith(label_tables.SUFFIXES)]
        if len(given) == 2 and len(whole) == len(tables) == 1:
            # One is the images, the other what is known of them.
            table = _kept_copy(tables[0], given[tables[0]])
            files = {whole[0]: given[whole[0]]}
    else:
        path = Path(given)
        table = _beside_path(path.resolve())
        if path.is_dir():
            name = path.resolve().name
            return name, Brought(path.name or name, "folder", layout, path.resolve(), table=table)
        if not path.is_file():
            raise VisageError(f"There is no file or folder {path}.")
        files = {path.name: path.open("rb")}
    for name, file in files.items():
        _check_upload(name, file.seek(0, os.SEEK_END))
    if len(files) > 1:
        for name in files:
            if name.lower().endswith(WHOLE_SETS):
                raise VisageError(f"Give {name} alone: it is a whole data set by itself.")
        return "images", Brought("the upload", ".zip", layout, file=_packed(files))
    name, file = next(iter(files.items()))
    path = PurePosixPath(name.replace("\\", "/"))
    suffix = path.suffix.lower()
    if suffix in WHOLE_SETS:
        return path.stem, Brought(path.name, suffix, layout, file=_on_disk(file), table=table)
    return path.stem, Brought(path.name, ".zip", layout, file=_packed(files))


def _beside_path(path: Path) -> Beside | None:
    """The table beside a file or folder that has its name."""
    home = path.parent / (path.name if path.is_dir() else path.stem)
    for suffix in label_tables.SUFFIXES:
        table = home.with_name(home.name + suffix)
        if table != path and table.is_file():
            return Beside(table.name, table)
    return None


def _kept_copy(name: str, file: BinaryIO) -> Beside:
    """An uploaded table where another process can read it, gone when nobody needs it any more."""
    _check_upload(name, file.seek(0, os.SEEK_END))
    file.seek(0)
    home = sources.stored_folder("")
    home.mkdir(parents=True, exist_ok=True)
    copy = tempfile.NamedTemporaryFile(dir=home, prefix=".new-", suffix=".csv")  # noqa: SIM115
    shutil.copyfileobj(file, copy, 2**20)
    copy.flush()
    return Beside(name, Path(copy.name), copy)


def _on_disk(file: BinaryIO) -> BinaryIO:
    """A file that another process can read."""
    try:
        file.fileno()
        return file
    except OSError:
        # An upload lies in memory.
        copy = sources.scratch()
        file.seek(0)
        shutil.copyfileobj(file, copy, 2**20)
        copy.flush()
        return copy


def _packed(files: Mapping[str, BinaryIO]) -> BinaryIO:
    """Single files as a zip, which another process can read."""
    packed = sources.scratch()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, file in files.items():
            file.seek(0)
            # Not by its own time, which the zip could not hold before 1980.
            entry = zipfile.ZipInfo(name.encode(errors="replace").decode())
            with archive.open(entry, "w") as out:
                shutil.copyfileobj(file, out, 2**20)
    packed.flush()
    return packed


def _images(count: int) -> str:
    return f"{count:,} {'image' if count == 1 else 'images'}"


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

    The same images under the same name are stored once.

    Arguments:
        found: What :func:`look` gave.
        name: What to call the set, by the rule of :mod:`vae.names`; by default, after its source.
        choices: What the images become.
        progress: Called with the share done, between 0 and 1.

    Raises:
        VisageError: The name is none or another set's, no image could be read, or nothing can be
            written there. Then nothing is left behind.
    """
    check_writable()
    choices = choices or Choices()
    name = checked_name(name_from(found.name) if name is None else name, SOURCES)
    image_shape = found.image_shape(choices)
    origin = {
        "file_sha256": found.source.sha256(),
        "layout": asdict(found.source.layout),
        "image_shape": image_shape,
        "fit": choices.fit,
    }
    # As it is read back.
    origin = json.loads(json.dumps(origin))
    before = sources.described(name) if sources.stored_folder(name).exists() else None
    if before is not None:
        is_same = origin["file_sha256"] and origin.items() <= before.items()
        if is_same:
            skipped = tuple(Skipped(*item) for item in before.get("why_skipped", []))
            return Stored(sources.load(name), skipped, before.get("skipped", 0), was_there=True)
        if origin["file_sha256"] and before.get("file_sha256"):
            raise _taken(name)
    try:
        with _beside() as folder:
            labels = Gathered()
            count, sha256, skipped, skipped_count = _write(
                found, image_shape, choices.fit, folder, progress, labels
            )
            if not count:
                raise VisageError(
                    "No image could be read, so nothing was stored: the first, "
                    f"{skipped[-1].name}, was skipped because {skipped[-1].why}."
                )
            if before is not None:
                # A folder has no checksum of its own: its images tell.
                if before.get("sha256") != sha256:
                    raise _taken(name)
                return Stored(sources.load(name), tuple(skipped), skipped_count, was_there=True)
            description = {
                "format_version": sources.FORMAT_VERSION,
                "name": name,
                "images": count,
                "sha256": sha256,
                "source": found.name,
                **origin,
                "ignored": found.ignored,
                "skipped": skipped_count,
                "why_skipped": skipped,
                "stored_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "formerly": [],
            }
            known = labels.labels()
            if known is not None:
                label_tables.write(folder / sources.LABELS, known)
            text = json.dumps(description, indent=1, ensure_ascii=False)
            (folder / sources.DESCRIPTION).write_text(text, encoding="utf-8")
            folder.chmod(0o755)
            folder.rename(sources.stored_folder(name))
    except OSError as error:
        # Somebody may have taken the name meanwhile.
        _check_free(name)
        raise VisageError(f"The set can't be stored: {error.strerror or error}.") from error
    return Stored(sources.load(name), tuple(skipped), skipped_count)


def rename(name: str, new_name: str) -> str:
    """Give a stored set another name; models find it by the one they knew it by.

    Returns:
        The new name, as :func:`vae.names.checked_name` has it.

    Raises:
        VisageError: There is no such set, or the name is none or taken.
    """
    check_writable()
    folder = _folder_of(name)
    new_name = checked_name(new_name, SOURCES)
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


def delete(name: str, known: int | None = None) -> Deleted:
    """Move a stored set into the trash of its folder.

    Arguments:
        name: The name that it has now.
        known: Its folder's :func:`vae.trash.identity`, where another may have come in its place.

    Raises:
        VisageError: It is gone or another one, or can't be moved; or it comes with Visage.
    """
    check_writable()
    return trash.throw(_folder_of(name), known)


def restore(name: str) -> str:
    """Bring back the set of that name that was deleted last; its name.

    Raises:
        VisageError: It is not in the trash any more, or its name has been given away.
    """
    return trash.restore(trash.find(sources.stored_folder(""), name)).name


def _check_free(name: str) -> None:
    if sources.stored_folder(name).exists():
        raise _taken(name)


def _taken(name: str) -> VisageError:
    return VisageError(
        f"There is a data set named {name} already, of other images: choose another name."
    )


def _folder_of(name: str) -> Path:
    if name in SOURCES:
        raise VisageError(f"{name} comes with Visage: it can't be renamed or removed.")
    folder = sources.find_stored(name)
    # A former name finds a set for the models that knew it by that one. To change a set, its own
    # is asked for: the former may have been somebody's word for another set.
    if folder is None or folder.name != name:
        raise VisageError(
            f"There is no stored data set '{name[:60]}': 'python -m vae datasets' lists them."
        )
    return folder


@contextlib.contextmanager
def _beside() -> Iterator[Path]:
    """A fresh folder beside the stored sets, gone at the end unless it was moved there."""
    home = sources.stored_folder("")
    home.mkdir(parents=True, exist_ok=True)
    trash.empty(home)
    for left in home.glob(".new-*"):
        if time.time() - left.stat().st_mtime > STALE:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=home, prefix=".new-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(
    found: Found,
    image_shape: tuple,
    fit: str,
    folder: Path,
    progress: Progress | None,
    labels: Gathered,
) -> tuple[int, str, list[Skipped], int]:
    """Convert into a file: the number of images, their sha256, and what was skipped."""
    digest, skipped, skipped_count, count = hashlib.sha256(), [], 0, 0
    with (folder / sources.IMAGES).open("w+b") as file:
        # NumPy leaves room in the header for a count that changes.
        length = _write_header(file, (found.count, *image_shape))
        for number, (image, share) in enumerate(
            confined.images(found.source, image_shape, fit, labels)
        ):
            if isinstance(image, Skipped):
                skipped_count += 1
                if len(skipped) < MOST_LISTED:
                    skipped.append(image)
            else:
                file.write(image.data)
                digest.update(image.data)
                count += 1
            if progress is not None and number % 64 == 0:
                progress(share)
        file.seek(0)
        if _write_header(file, (count, *image_shape)) != length:
            raise AssertionError("the header grew")
    if progress is not None:
        progress(1.0)
    return count, digest.hexdigest(), skipped, skipped_count


def _write_header(file: BinaryIO, shape: tuple) -> int:
    header = {"descr": "|u1", "fortran_order": False, "shape": tuple(map(int, shape))}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()
