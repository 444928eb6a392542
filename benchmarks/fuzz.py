"""Files of strangers: those made to do harm, and damaged ones of every kind by the thousand.

    python -m benchmarks.fuzz [--files 1000] [--seed 0] [--only nasty]

Every file must be refused with a sentence or taken, in under 5 s, with under 1 GiB of resident
memory, and nothing may be written outside the folder of data sets. Ends with exit code 1 where one
of that is not so; the file that did it is kept. The files made to do harm are looked at as the app
does, by a process of its own; of the damaged ones that process's work is done in this one, which
saves starting it for each. Graphs (onnx) are always run by a process of their own.
"""

import argparse
import contextlib
import io
import resource
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import safetensors.numpy
import scipy.io
import torch
from PIL import Image
from torch import nn

from benchmarks.nasty_files import NASTY
from vae import VAE, save_checkpoint
from vae.datasets import ingest
from vae.datasets.ingest import Layout
from vae.datasets.reader import Request, answers
from vae.errors import VisageError
from vae.models import collection
from vae.models.foreign.opening import inspect, open_model

SECONDS = 5.0
MEGABYTES = 1024

# Values that make sizes and offsets lie.
SIZES = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000, help="Of each kind.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="nasty, or one kind: png, npz, …")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    sound = originals()
    # A file that leads out of the data folder would land in the folder around it.
    with tempfile.TemporaryDirectory() as home, contextlib.chdir(home):
        folder = Path(home) / "data"
        folder.mkdir()
        with patch.dict("os.environ", VISAGE_DATA=str(folder)):
            passed = [
                attack(kind, files, given.files, given.seed, folder)
                for kind, files in sound.items()
                if given.only in ("", kind)
            ]
            if given.only in ("", "nasty"):
                passed += [look_at_nasty(what) for what in NASTY]
    sys.exit(not all(passed))


def look_at_nasty(what: str) -> bool:
    """Look at a file that was made to do harm, as the app does; whether that went as it must."""
    name, make = NASTY[what]
    content = make()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    try:
        found = ingest.look({name: io.BytesIO(content)})
        outcome = f"{found.summary}; {len(found.pictures)} samples"
    except VisageError as error:
        outcome = str(error)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The largest of all readers so far.
    memory = after.ru_maxrss // 1024
    print(
        f"{what:<30} {len(content) / 1e6:5.1f} MB: {seconds:4.1f} s ({work:3.1f} s of work), "
        f"{memory} MB at most so far. {outcome[:150]}",
        flush=True,
    )
    return seconds <= SECONDS and memory <= MEGABYTES


def attack(kind: str, files: list[bytes], count: int, seed: int, folder: Path) -> bool:
    """Damage files of a kind; whether all went as it must."""
    rng = np.random.default_rng([seed, *kind.encode()])
    outcomes: Counter = Counter()
    slowest, failures = 0.0, 0
    take = {"safetensors": take_checkpoint, "onnx": take_graph}.get(kind, take_set)
    for _ in range(count):
        # What a graph does is told in its midst.
        content = damaged(files[rng.integers(len(files))], rng, everywhere=kind == "onnx")
        start = time.perf_counter()
        try:
            outcomes[take(kind, content)] += 1
        except VisageError:
            outcomes["refused"] += 1
        except Exception as error:
            # What the campaign looks for.
            failures += 1
            kept = Path(tempfile.mkdtemp(prefix="fuzz-")) / f"crash.{kind}"
            kept.write_bytes(content)
            print(f"{kind}: {type(error).__name__}: {error}; kept as {kept}")
        slowest = max(slowest, time.perf_counter() - start)
    memory = max(
        resource.getrusage(who).ru_maxrss // 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    left = [path for path in folder.parent.rglob("*") if path.is_file()]
    print(
        f"{kind:<12} {count:,} files: {dict(outcomes)}, {failures} crashes; slowest "
        f"{slowest:.2f} s; {memory} MB at most so far; {len(left)} files left",
        flush=True,
    )
    return not (failures or slowest > SECONDS or memory > MEGABYTES or left)


def take_set(kind: str, content: bytes) -> str:
    layout = Layout((2, 2)) if kind == "mat" else Layout()
    _, source = ingest.source_of({f"a.{kind}": io.BytesIO(content)}, layout)
    skipped = False
    for task in ("look", "images"):
        source.file.seek(0)
        request = Request(task, source.kind, layout=layout, image_shape=(6, 4))
        skipped = any("skipped" in head for head, _ in answers(request, source.file))
    return "taken in part" if skipped else "taken"


def take_checkpoint(kind: str, content: bytes) -> str:
    collection.keep(io.BytesIO(content), "damaged")
    collection.remove("damaged")
    return "taken"


def take_graph(kind: str, content: bytes) -> str:
    open_model(content, found=inspect(content))
    return "taken"


def damaged(content: bytes, rng: np.random.Generator, everywhere: bool = False) -> bytes:
    """A file with a few of its bytes changed, most of them in its head or its tail."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        place = int(rng.integers(len(data))) if everywhere else damaged_place(len(data), rng)
        # What only changes a byte leaves a graph whole, more often than not.
        match rng.integers(2 if everywhere and rng.integers(2) else 6):
            case 0:
                data[place] = rng.integers(256)
            case 1:
                data[place] ^= 1 << rng.integers(8)
            case 2:
                order = "<" if rng.integers(2) else ">"
                size = SIZES[rng.integers(len(SIZES))]
                data[place : place + 4] = struct.pack(f"{order}I", size)
            case 3:
                data[place:] = b"" if rng.integers(4) == 0 else data[place:]
            case 4:
                length = rng.integers(1, 64)
                data[place:place] = rng.bytes(length)
            case 5:
                del data[place : place + rng.integers(1, 64)]
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def damaged_place(length: int, rng: np.random.Generator) -> int:
    where = rng.integers(4)
    if where == 0:
        return int(rng.integers(length))
    reach = min(length, 256)
    return int(rng.integers(reach)) if where < 3 else length - 1 - int(rng.integers(reach))


def originals() -> dict[str, list[bytes]]:
    """Sound files of every kind."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (6, 9, 7), np.uint8)
    colour = rng.integers(0, 256, (6, 9, 7, 3), np.uint8)
    arrays = [grey, colour, grey / 255, np.asfortranarray(grey), grey.astype(np.uint16)]
    found = {
        "npy": [written(np.save, array) for array in arrays],
        "npz": [written(save, grey) for save in (np.savez, np.savez_compressed)],
        "mat": [
            written(lambda file, array, **how: scipy.io.savemat(file, {"m": array}, **how), *case)
            for case in (
                (grey, {}),
                (grey, {"do_compression": True}),
                (colour, {"do_compression": True}),
                (grey[0], {"format": "4"}),
            )
        ],
    }
    for kind, format in (
        ("png", "PNG"),
        ("jpeg", "JPEG"),
        ("webp", "WEBP"),
        ("bmp", "BMP"),
        ("tiff", "TIFF"),
        ("pgm", "PPM"),
    ):
        pictures = [Image.fromarray(grey[0]), Image.fromarray(colour[0])]
        found[kind] = [
            written(lambda file, one, f: one.save(file, f), p, format) for p in pictures
        ]
    found["zip"] = [
        zipped(found["png"], how) for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    ]
    found["safetensors"] = checkpoints()
    found["onnx"] = graphs()
    return found


def written(save: Callable, array: object, *how: object) -> bytes:
    buffer = io.BytesIO()
    if how and isinstance(how[0], dict):
        save(buffer, array, **how[0])
    else:
        save(buffer, array, *how)
    return buffer.getvalue()


def zipped(files: list[bytes], compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for place, content in enumerate(files * 2):
            archive.writestr(f"folder/{place}.png", content)
    return buffer.getvalue()


def checkpoints() -> list[bytes]:
    torch.manual_seed(0)
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        save_checkpoint(file.name, VAE((3, 2), 2, (4,)), {"dataset": "some"})
        sound = Path(file.name).read_bytes()
    return [sound, safetensors.numpy.save({"x": np.zeros(3, np.float32)})]


def graphs() -> list[bytes]:
    """Decoders as exporters write them: dense, and of transposed convolutions."""
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Linear(3, 20), nn.ReLU(), nn.Linear(20, 48), nn.Sigmoid())
    wide = nn.Sequential(
        nn.Linear(3, 32),
        nn.Unflatten(1, (2, 4, 4)),
        nn.ConvTranspose2d(2, 3, 4, 2, 1),
        nn.BatchNorm2d(3),
        nn.Upsample(scale_factor=2),
        nn.Tanh(),
    )
    found = []
    for module in (dense.eval(), wide.eval()):
        file = io.BytesIO()
        torch.onnx.export(
            module,
            (torch.zeros(2, 3),),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["z"],
            output_names=["image"],
            dynamic_axes={"z": {0: "batch"}, "image": {0: "batch"}},
        )
        found.append(file.getvalue())
    return found


if __name__ == "__main__":
    main()
