"""Data sets by name or path: those that Visage knows how to get, and those that people stored."""

__all__ = [
    "NAMES",
    "described",
    "download",
    "file_of",
    "find_stored",
    "folder",
    "is_here",
    "load",
    "names",
    "scratch",
    "stored_folder",
    "where_from",
]

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from vae.datasets import label_tables
from vae.datasets.faces import Faces, of_npy
from vae.datasets.published import SOURCES
from vae.errors import VisageError
from vae.files import data_folder as folder

# The sets that Visage knows how to get; others are stored by whoever brings them.
NAMES = tuple(SOURCES)

# A stored set is a folder with its images and what is known of them.
IMAGES = "images.npy"
LABELS = "labels.npz"
DESCRIPTION = "about.json"
FORMAT_VERSION = 1


def load(name: str | os.PathLike, fetch: bool = True) -> Faces:
    """A data set by its name, or by the path of a ``.npy`` file of uint8 images.

    Arguments:
        name: ``frey``, ``olivetti``, that of a stored set, now or formerly, or a path.
        fetch: Whether a data set that is not on this machine may be downloaded.

    Raises:
        VisageError: There is no such data set, it can't be had, or it is damaged.
    """
    name = os.fspath(name)
    if name in SOURCES:
        return SOURCES[name].load(fetch)
    if (stored := find_stored(name)) is not None:
        return _stored(stored)
    if Path(name).is_file() and name.endswith(".npy"):
        return of_npy(Path(name))
    if Path(name).exists():
        raise VisageError(
            f"{name[:200]} must be stored before it is used: run 'python -m vae datasets --add "
            f"{name[:200]}', and use the name that it gets."
        )
    raise VisageError(
        f"There is no data set '{name[:200]}': choose one of {', '.join(names())}, or give the "
        "path of your own images: a folder or zip of them, or a .npy, .npz or .mat file."
    )


def names() -> list[str]:
    """Every named data set: those that Visage knows how to get, then the stored ones."""
    stored = stored_folder("").glob(f"[!.]*/{DESCRIPTION}")
    return [*SOURCES, *sorted(path.parent.name for path in stored)]


def is_here(name: str) -> bool:
    """Whether a named data set can be loaded at once, without a download or making it first."""
    return SOURCES[name].is_here() if name in SOURCES else find_stored(name) is not None


def where_from(name: str) -> str:
    """Where a named data set comes from, in a line."""
    if name in SOURCES:
        return SOURCES[name].origin
    about = described(name)
    return f"{about.get('source', 'unknown')}, stored {about.get('stored_at', '')[:10]}"


def file_of(name: str) -> Path | None:
    """The file that a data set's images are read from, which may not be there; None where there
    is none."""
    if name in SOURCES:
        return SOURCES[name].path
    stored = find_stored(name)
    return Path(name) if stored is None else stored / IMAGES


def download(name: str, progress: Callable[[float], object] | bool = False) -> None:
    """Download or make a data set that Visage knows how to get, as :meth:`Source.fetch` does."""
    if name in SOURCES:
        SOURCES[name].fetch(progress)


def stored_folder(name: str) -> Path:
    """Where a set of that name is stored, or would be."""
    return folder() / "sets" / name


def scratch() -> BinaryIO:
    """A file without a name beside the stored sets, gone when nobody needs it any more."""
    home = stored_folder("")
    home.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=home)


def find_stored(name: str) -> Path | None:
    """The folder of a stored set by its name, or by one that it had before; None where it isn't.

    A model knows its data set by the name it had when training began.
    """
    # A name is one folder's, never a path.
    if not name or name.startswith(".") or len(Path(name).parts) != 1 or "\\" in name:
        return None
    if (stored_folder(name) / DESCRIPTION).is_file():
        return stored_folder(name)
    for now in names()[len(SOURCES) :]:
        if name in described(now).get("formerly", []):
            return stored_folder(now)
    return None


def described(name: str) -> dict:
    """What is known of a stored set; empty where that is damaged."""
    try:
        about = json.loads((stored_folder(name) / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _stored(path: Path) -> Faces:
    about = described(path.name)
    if about.get("format_version", 0) > FORMAT_VERSION:
        raise VisageError(f"{path.name} was stored by a later Visage: update this one.")
    images = of_npy(path / IMAGES).images
    credit = f"{path.name}, from {about.get('source', 'unknown')}"
    faces = Faces(path.name, images, credit, label_tables.read(path / LABELS, len(images)))
    if list(images.shape) == [about.get("images"), *about.get("image_shape", [])]:
        # It was taken when the set was stored: reading gigabytes again would tell nothing new.
        faces.__dict__["sha256"] = about["sha256"]
    return faces
