"""How long a zip of images takes to become a data set, and how much memory that needs.

    python -m benchmarks.ingest [--images 10000] [--side 64]

The zip is made first, of noisy colour gradients as PNG files; then a process of its own takes it
in.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from vae.datasets.ingest import look, store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--take-in", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.take_in:
        print(json.dumps(take_in(given.take_in)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.zip"
        write_zip(path, given.images, given.side)
        command = [sys.executable, "-m", "benchmarks.ingest", "--take-in", str(path)]
        environment = {**os.environ, "VISAGE_DATA": folder}
        found = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout
    print(f"{given.images:,} images of {given.side}×{given.side}: {found.strip()}")


def write_zip(path: Path, images: int, side: int) -> None:
    """Write a zip of PNG files, none like another."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, side)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for place in range(images):
            across, upwards = rng.random((2, 3))
            noise = rng.normal(0, 4, (side, side, 1))
            shade = ramp[:, None, None] * upwards + ramp[None, :, None] * across
            picture = Image.fromarray((shade * 120 + noise).clip(0, 255).astype(np.uint8))
            buffer = io.BytesIO()
            picture.save(buffer, "PNG", compress_level=1)
            archive.writestr(f"{place}.png", buffer.getvalue())


def take_in(path: Path) -> dict:
    """Look at the zip and store it; seconds, and the largest resident memory."""
    before = peak()
    start = time.perf_counter()
    found = look(path)
    looked = time.perf_counter()
    stored = store(found, "benchmark")
    done = time.perf_counter()
    return {
        "images": len(stored.faces),
        "look_seconds": round(looked - start, 2),
        "store_seconds": round(done - looked, 2),
        "seconds": round(done - start, 2),
        "megabytes_before": before,
        "megabytes_at_most": peak(),
        "zip_megabytes": round(path.stat().st_size / 1e6, 1),
    }


def peak() -> int:
    """The largest resident memory so far, in MB, of this process and of its largest reader."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(who).ru_maxrss for who in whose) // 1000


if __name__ == "__main__":
    main()
