"""Strangers' files are read by a process of its own, whose time and memory are limited.

Some files take a minute to decode, or gigabytes, whatever is checked beforehand. So nothing of
them is decoded in the process that serves everybody: :mod:`vae.datasets.reader` does that, and is
ended when it takes too much.
"""

__all__ = ["Beside", "Brought", "EndedError", "images", "look", "photo"]

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from PIL import Image

from vae.datasets import sources
from vae.datasets.image_arrays import Layout
from vae.datasets.image_files import Skipped
from vae.datasets.label_tables import Gathered
from vae.datasets.reader import Answer, Request
from vae.errors import VisageError
from vae.limits import Ceiling
from vae.watched import Watch

# Seconds of work that the unpacking of a whole array may take between two words.
UNPACKING = 300

# Pictures of one set that may be given up before the whole set is.
MOST_SLOW = 20

# Readers that work at once; others wait for their turn, so that many visitors together take no
# more memory than these.
_LOOKING = threading.BoundedSemaphore(2)
_STORING = threading.BoundedSemaphore(1)

# Bytes of a file that its sha256 takes in at once.
DIGESTED_AT_ONCE = 2**20

# No word from a reader is longer, in bytes, and no image larger.
LONGEST_WORD = 2**24
LARGEST_IMAGE = 2**28


@dataclass(frozen=True)
class Beside:
    """A table of labels beside images.

    Arguments:
        name: What it is called.
        path: Where it lies.
        copy: Who keeps a copy of an upload there; None where it is the owner's own file.
    """

    name: str
    path: Path
    copy: IO[bytes] | None = None


@dataclass(frozen=True)
class Brought:
    """A stranger's file or folder.

    Arguments:
        name: What to call it in a sentence.
        kind: ``folder``, ``.zip``, ``.npy``, ``.npz`` or ``.mat``.
        layout: How an array holds its images.
        path: Of a folder.
        file: Anything else, open; a real file, which another process can read.
        table: A table of labels that was given beside it.
    """

    name: str
    kind: str
    layout: Layout
    path: Path | None = None
    file: BinaryIO | None = None
    table: "Beside | None" = None

    def sha256(self) -> str:
        """The file's sha256, as a hexadecimal string; of a folder there is none."""
        if self.file is None:
            return ""
        self.file.seek(0)
        digest = hashlib.sha256()
        while piece := self.file.read(DIGESTED_AT_ONCE):
            digest.update(piece)
        return digest.hexdigest()


class EndedError(VisageError):
    """A reader was ended, or ended itself, before it was done.

    Arguments:
        why: The sentence without its subject: "takes over 4 s …".
        about: The file inside that it was reading.
        index: That file's index among the images; -1 where that is not known.
    """

    def __init__(self, name: str, why: str, about: str = "", index: int = -1):
        where = f"{name}: {about}" if about and about != name else name
        super().__init__(f"{where} {why}.")
        self.why = why
        self.about = about
        self.index = index


def look(source: Brought) -> Iterator[Answer]:
    """What is in a source, as :func:`vae.datasets.reader.answers` tells it.

    Raises:
        EndedError: It takes too much time or memory.
        VisageError: It holds nothing that can be used, or is over a ceiling.
    """
    request = _request("look", source)
    with _LOOKING:
        yield from _ask(request, source.name, source.file, Ceiling.LOOK_SECONDS(), in_all=True)


def images(
    source: Brought,
    image_shape: tuple[int, ...],
    fit: str,
    labels: Gathered | None = None,
) -> Iterator[tuple[np.ndarray | Skipped, float]]:
    """Every image of a source, of the shape given, or why it is skipped; and the share done.

    A picture that takes too much is given up, and the others are read on. What is told of the
    images is added to the labels given.

    Raises:
        VisageError: It can't be read, or is over a ceiling.
    """
    labels = Gathered() if labels is None else labels
    request = replace(_request("images", source), image_shape=image_shape, fit=fit)
    is_files = source.kind in ("folder", ".zip")
    seconds = Ceiling.LOOK_SECONDS() if is_files else UNPACKING
    share, slow = 0.0, 0
    with _STORING:
        while True:
            try:
                for head, content in _ask(request, source.name, source.file, seconds):
                    share = head.get("share", share)
                    if "columns" in head:
                        labels.begin(head["columns"])
                    if "skipped" in head:
                        yield Skipped(*head["skipped"]), share
                    elif content:
                        labels.add(head["row"])
                        yield _image(head, content), share
                return
            except EndedError as ended:
                slow += 1
                if ended.index < 0 or slow > MOST_SLOW:
                    raise
                yield Skipped(ended.about, f"it {ended.why}"), share
                request = replace(request, first=ended.index + 1)


def _request(task: str, source: Brought) -> Request:
    request = Request(task, source.kind, str(source.path or ""), source.layout)
    if source.table is None:
        return request
    return replace(request, table=str(source.table.path.resolve()), table_name=source.table.name)


def photo(content: bytes) -> Image.Image:
    """Decode one picture.

    Returns:
        An upright picture, of mode ``L`` or ``RGB``.

    Raises:
        VisageError: It is no picture, damaged, over a ceiling, or takes too much time or memory;
            the sentence goes on from what is being spoken of.
    """
    try:
        with _LOOKING, tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            answers = _ask(Request("photo"), "it", file, Ceiling.LOOK_SECONDS(), in_all=True)
            for head, pixels in answers:
                if pixels:
                    return Image.fromarray(_image(head, pixels))
    except EndedError as ended:
        raise VisageError(f"it {ended.why}") from ended
    raise VisageError("it is damaged, or no picture of a known format")


def _image(head: dict, content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8).reshape(head["shape"])


def _ask(
    request: Request, name: str, file: BinaryIO | None, seconds: float, in_all: bool = False
) -> Iterator[Answer]:
    """What a reader answers, which is ended when it takes too much.

    Arguments:
        seconds: Of work, in all or between two answers.
    """
    if file is not None:
        # The reader begins where this file's position is.
        file.seek(0)
    environment = {
        **os.environ,
        "VISAGE_DATA": str(sources.folder().resolve()),
        # Each thread of these takes memory of its own, and there is no use for them.
        "OPENBLAS_NUM_THREADS": "1",
    }
    reader = subprocess.Popen(
        [sys.executable, "-m", "vae.datasets.reader", request.to_json()],
        env=environment,
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL if file is None else file,
        stdout=subprocess.PIPE,
    )
    output = reader.stdout
    if output is None:
        raise AssertionError("a pipe was asked for")
    watch = Watch(reader, "read", Ceiling.LOOK_SECONDS, Ceiling.LOOK_MEMORY)
    watch.begin(seconds)
    about, index, is_done = "", -1, False
    try:
        for head, content in _words(output):
            if not in_all:
                watch.begin(seconds)
            if "error" in head:
                raise VisageError(head["error"])
            is_done = is_done or "done" in head
            about, index = head.get("about", about), head.get("next", index)
            if index >= 0 and "next" not in head and (content or "skipped" in head):
                # That was the last one.
                index = -1
            yield head, content
        reader.wait()
        if not is_done:
            raise EndedError(name, watch.why or _how_it_ended(reader.returncode), about, index)
    finally:
        watch.end()
        output.close()
        reader.wait()


def _how_it_ended(code: int) -> str:
    if code < 0:
        return "is damaged in a way that ends whoever reads it"
    return "can't be read: its reader ended unexpectedly, and the server's log says how"


def _words(stream: IO[bytes]) -> Iterator[Answer]:
    """The answers in a stream, up to where it is cut off."""
    while len(length := stream.read(4)) == 4:
        size = int.from_bytes(length, "big")
        text = stream.read(size) if size <= LONGEST_WORD else b""
        if len(text) < size:
            return
        head = json.loads(text)
        size = head.get("bytes", 0)
        content = stream.read(size) if 0 < size <= LARGEST_IMAGE else b""
        if len(content) < size:
            return
        yield head, content
