"""Whether distributed runs end as they should, on a machine that has other work to do.

    python -m benchmarks.distributed_end [--runs 200] [--ranks 2] [--busy 2] [--steps 60]

Trains one short run after the other with torchrun, beside processes that only keep the processor
busy: what is still alive when an interpreter ends shows itself where threads come late. Prints how
many ended well, and of those that did not what they said.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks.browser import ROOT

TORCHRUN = ["-m", "torch.distributed.run", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
TRAIN = ["-m", "vae", "train", "--dataset", "olivetti", "--json"]

# Seconds after which a run counts as hung.
PATIENCE = 300


@click.command()
@click.option("--runs", default=200, show_default=True)
@click.option("--ranks", default=2, show_default=True)
@click.option("--busy", default=2, show_default=True, help="Processes that only keep it busy.")
@click.option("--steps", default=60, show_default=True)
def main(runs: int, ranks: int, busy: int, steps: int) -> None:
    """Train one run after the other, and count."""
    failures = 0
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, others(busy):
        for place in range(1, runs + 1):
            problem = trained(ranks, steps, Path(folder) / str(place))
            if problem:
                failures += 1
                click.echo(f"run {place}: {problem}")
            if place % 10 == 0 or place == runs:
                seconds = time.perf_counter() - started
                click.echo(f"{place - failures} of {place} ended well, after {seconds:,.0f} s")
    sys.exit(failures > 0)


@contextlib.contextmanager
def others(count: int) -> Iterator[None]:
    """So many processes that keep a core busy each, until the end of the block."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def trained(ranks: int, steps: int, out: Path) -> str:
    """Train one run; what went wrong, or nothing."""
    command = [sys.executable, *TORCHRUN, f"--nproc-per-node={ranks}", *TRAIN]
    try:
        done = subprocess.run(
            [*command, "--steps", str(steps), "--out", str(out)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {PATIENCE} s"
    return "" if done.returncode == 0 else f"exit {done.returncode}\n{done.stderr.strip()}"


if __name__ == "__main__":
    main()
