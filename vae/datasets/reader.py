"""What is read of strangers' files, in a process that its limits may end at any moment.

    python -m vae.datasets.reader REQUEST < FILE

``REQUEST`` is JSON, the fields of :class:`Request`. The answers go to stdout: each is four bytes,
the length of a JSON object, that object, and as many bytes of an image as its field ``bytes``
says. Nothing here is needed by who asks but the messages, so a file that kills this process kills
nothing else. Torch is never imported: the process is there in a quarter of a second.
"""

__all__ = ["Request", "answers"]

import contextlib
import dataclasses
import json
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from vae.datasets import label_tables, photos
from vae.datasets.image_arrays import ImageArray, Layout
from vae.datasets.image_files import MOST_LISTED, Folder, ImageFiles, Skipped, Zip, skipped_file
from vae.errors import VisageError
from vae.limits import Ceiling, in_words

# Of a large set so many images, evenly chosen, have their headers read, and so many are decoded.
HEADERS = 2_000
SAMPLES = 24

# The longer side, in pixels, of a sample.
SAMPLE_SIDE = 384

# The shares of a look's seconds that are spent on headers and on samples at most: what can be
# stopped between two files is not ended in the midst of one.
FOR_HEADERS, FOR_SAMPLES = 0.25, 0.25

Answer = tuple[dict, bytes]


@dataclass(frozen=True)
class Request:
    """What is wanted of a file.

    Arguments:
        task: ``look``, ``images`` or ``photo``.
        kind: ``folder``, ``.zip``, ``.npy``, ``.npz`` or ``.mat``; of a photo it says nothing.
        path: Of a folder; anything else is read from stdin.
        layout: How an array holds its images.
        image_shape: What the images become, (H, W) or (H, W, 3).
        fit: How they are fitted into that.
        first: The index of the image to begin with.
        table: The path of a table of labels that was given beside them; empty where none was.
        table_name: What to call that.
    """

    task: str
    kind: str = ""
    path: str = ""
    layout: Layout = field(default_factory=Layout)
    image_shape: tuple[int, ...] = ()
    fit: str = "crop"
    first: int = 0
    table: str = ""
    table_name: str = ""

    def to_json(self) -> str:
        """The same as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> "Request":
        """A request that :meth:`to_json` wrote."""
        fields = json.loads(text)
        layout = fields.pop("layout")
        size = layout.pop("size")
        fields["layout"] = Layout(tuple(size) if size else None, **layout)
        fields["image_shape"] = tuple(fields["image_shape"])
        return Request(**fields)


def answers(request: Request, file: BinaryIO) -> Iterator[Answer]:
    """Everything that a request gets, each a JSON object and the bytes of an image.

    Raises:
        VisageError: It holds nothing that can be used, or is over a ceiling.
    """
    if request.task == "photo":
        picture = photos.read(file)
        yield image_answer(np.asarray(picture))
    elif request.kind in ("folder", ".zip"):
        files = Folder(Path(request.path)) if request.kind == "folder" else Zip(file)
        images = ImageFiles(files)
        told = label_tables.together(images.told(), beside(request, images.names))
        if request.task == "look":
            yield from look_at_files(images, told)
        else:
            yield from files_of(images, request, told)
    else:
        is_look = request.task == "look"
        images = ImageArray(file, request.kind, request.layout, sample=is_look)
        told = label_tables.together(
            label_tables.of_arrays(images.labels), beside(request, len(images))
        )
        yield from look_at_array(images, told) if is_look else array_of(images, request, told)


def beside(request: Request, images: list[str] | int) -> label_tables.Told:
    """What a table that was given beside the images tells of them."""
    if not request.table:
        return label_tables.NOTHING
    path = Path(request.table)
    try:
        with path.open("rb") as file:
            content = file.read(label_tables.LARGEST_TABLE + 1)
    except OSError:
        return label_tables.NOTHING
    return label_tables.of_table(request.table_name or path.name, content, images)


def what_is_told(told: label_tables.Told, count: int) -> dict:
    """Labels in words, for who decides about them."""
    gathered = label_tables.Gathered(told.columns)
    for index in range(count) if told.columns else ():
        gathered.add(told.row(index))
    return {"labels": gathered.in_words(), "remarks": told.remarks}


def look_at_files(images: ImageFiles, told: label_tables.Told) -> Iterator[Answer]:
    """What a set of files is like, then some of its images."""
    seconds = Ceiling.LOOK_SECONDS()
    broken: list[Skipped] = []
    sizes, modes, whole = Counter(), set(), []
    indices = spread(len(images), HEADERS)
    seen, began = 0, time.process_time()
    for index, content in zip(indices, images.contents(indices), strict=True):
        name = images.names[index]
        if seen and time.process_time() - began > FOR_HEADERS * seconds:
            break
        yield {"about": skipped_file(name, "").name, "share": seen / len(indices)}, b""
        seen += 1
        if isinstance(content, Skipped):
            broken.append(content)
            continue
        try:
            picture = photos.header(content)
        except VisageError as error:
            broken.append(skipped_file(name, str(error)))
            continue
        whole.append(index)
        sizes[photos.upright_size(picture)] += 1
        modes.add(picture.mode)
    if not whole:
        raise images.nothing([*images.skipped, *broken])
    skipped = sorted([*images.skipped[:MOST_LISTED], *broken[:MOST_LISTED]])
    yield (
        {
            "count": len(images) - len(broken),
            "looked_at": seen,
            "sizes": [[*size, count] for size, count in sizes.most_common(MOST_LISTED)],
            "kinds_of_size": len(sizes),
            # What is written as colour may be grey all the same: samples tell.
            "colour": None if not modes <= photos.GREY_MODES else False,
            "skipped": skipped[:MOST_LISTED],
            "skipped_count": len(images.skipped) + len(broken),
            "ignored": images.ignored,
        }
        | what_is_told(told, len(images)),
        b"",
    )
    indices = [whole[nth] for nth in spread(len(whole), SAMPLES)]
    began = time.process_time()
    for index, content in zip(indices, images.contents(indices), strict=True):
        if index != indices[0] and time.process_time() - began > FOR_SAMPLES * seconds:
            yield {"cut_short": "they take long to read."}, b""
            break
        yield {"about": skipped_file(images.names[index], "").name}, b""
        if not isinstance(content, Skipped):
            with contextlib.suppress(VisageError):
                yield sample_of(
                    photos.read(content, at_least=(SAMPLE_SIDE // 2, SAMPLE_SIDE // 2))
                )


def look_at_array(images: ImageArray, told: label_tables.Told) -> Iterator[Answer]:
    """What an array of images is like, then some of them."""
    yield (
        {
            "count": len(images),
            "looked_at": len(images),
            "sizes": [[*images.size, len(images)]],
            "kinds_of_size": 1,
            "colour": images.colour,
        }
        | what_is_told(told, len(images)),
        b"",
    )
    for image in images.images(spread(max(1, images.whole), SAMPLES)):
        yield sample_of(Image.fromarray(image))


def files_of(images: ImageFiles, request: Request, told: label_tables.Told) -> Iterator[Answer]:
    """Every image of a set of files, with a word before each: whoever ends this knows where."""
    if not request.first:
        yield {"columns": told.columns}, b""
        for skipped in images.skipped:
            yield {"skipped": skipped}, b""
    indices = range(request.first, len(images))
    if indices:
        yield coming(images, request.first), b""
    for index, image in zip(
        indices, images.read(request.image_shape, request.fit, indices), strict=True
    ):
        news = coming(images, index + 1) if index + 1 < len(images) else {}
        if isinstance(image, Skipped):
            yield news | {"skipped": image}, b""
        else:
            head, content = image_answer(image)
            yield head | news | {"row": told.row(index)}, content


def coming(images: ImageFiles, index: int) -> dict:
    """That this image will be read next."""
    name = skipped_file(images.names[index], "").name
    return {"about": name, "next": index, "share": index / len(images)}


def array_of(images: ImageArray, request: Request, told: label_tables.Told) -> Iterator[Answer]:
    """Every image of an array."""
    yield {"columns": told.columns}, b""
    found = images.read(request.image_shape, request.fit, range(len(images)))
    for index, image in enumerate(found):
        head, content = image_answer(image)
        yield head | {"share": index / len(images), "row": told.row(index)}, content


def image_answer(image: np.ndarray) -> Answer:
    """An image, uint8, as an answer."""
    return {"shape": image.shape, "bytes": image.nbytes}, image.tobytes()


def sample_of(picture: Image.Image) -> Answer:
    """A sample, made smaller where it is large."""
    if max(picture.size) > SAMPLE_SIDE:
        picture.thumbnail((SAMPLE_SIDE, SAMPLE_SIDE))
    head, content = image_answer(np.asarray(picture))
    return head | {"grey": photos.is_grey(picture)}, content


def spread(count: int, most: int) -> list[int]:
    """At most so many of the first ``count`` whole numbers, evenly chosen."""
    return np.linspace(0, count - 1, min(count, most)).astype(int).tolist()


def main() -> None:
    warnings.simplefilter("ignore")
    limit_memory()
    request = Request.from_json(sys.argv[1])
    out = sys.stdout.buffer
    try:
        for answer in answers(request, sys.stdin.buffer):
            send(out, *answer)
    except VisageError as error:
        send(out, {"error": str(error)})
    except MemoryError:
        send(
            out,
            {
                "error": f"It needs over {in_words(Ceiling.LOOK_MEMORY())} of memory, the limit "
                f"({Ceiling.LOOK_MEMORY.variable})."
            },
        )
    except BrokenPipeError:
        # Nobody wants to know any more.
        os._exit(0)
    send(out, {"done": True})


def send(out: BinaryIO, head: dict, content: bytes = b"") -> None:
    text = json.dumps(head).encode()
    out.write(len(text).to_bytes(4, "big") + text + content)
    # Whoever ends this process must know how far it came.
    out.flush()


def limit_memory() -> None:
    """Refuse to allocate beyond the ceiling; files that are mapped don't count."""
    try:
        import resource
    except ImportError:
        # Windows has no such limit; whoever asked watches this process as well.
        return
    # What an interpreter with its libraries takes is part of it.
    most = Ceiling.LOOK_MEMORY() * 7 // 8
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    main()
