"""A data set larger than memory: what training on it takes, beside one that fits.

    python -m benchmarks.scale --images 1000000 [--colour] [--network conv]

Writes that many random images of 64×64 (4 GB for a million, in colour 12) into a temporary folder,
trains on them through the command line, and on as many as fit easily; prints the trainer's peak of
resident memory and its speed on each.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import psutil

from vae.runs import Run

SIDE = 64
FEW = 15_000


@click.command()
@click.option("--images", default=1_000_000, show_default=True)
@click.option("--steps", default=600, show_default=True)
@click.option("--network", help="What the images' size suggests if not given.")
@click.option("--colour", is_flag=True)
def main(images: int, steps: int, network: str | None, colour: bool) -> None:
    """Measure and print a row for each set."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, count in (("in memory", FEW), ("memory-mapped", images)):
            path = folder / f"{count}.npy"
            write(path, (count, SIDE, SIDE, 3) if colour else (count, SIDE, SIDE))
            speed, peak = train(path, steps, network, folder / f"run-{count}")
            click.echo(
                f"{label:<14} {count:>9,} images {path.stat().st_size / 2**30:5.2f} GiB   "
                f"{speed:6.1f} steps/s   {peak / 2**20:6.0f} MiB resident at most"
            )


def write(path: Path, shape: tuple[int, ...]) -> None:
    """Smooth random images, so that there is something to learn, without holding them."""
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (256, *shape[1:]), dtype=np.uint8)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    for start in range(0, len(images), len(blocks)):
        part = images[start : start + len(blocks)]
        part[:] = np.roll(blocks, start, axis=1)[: len(part)]
    images.flush()


def train(path: Path, steps: int, network: str | None, out: Path) -> tuple[float, int]:
    """Train through the command line; steps per second, and the largest resident set in bytes."""
    command = ["-m", "vae", "train", "--dataset", path, "--steps", steps, "--out", out]
    command += ["--network", network] if network else []
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], env=os.environ, stdout=subprocess.DEVNULL
    )
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    process.wait()
    record = Run(out).metrics()[-1]
    return record["step"] / record["seconds"], peak


if __name__ == "__main__":
    main()
