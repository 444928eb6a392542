"""What training loses where others compute as well: its speed beside busy processes and alone.

    python -m benchmarks.busy [--dataset frey] [--busy 2] [--turns 3] [--seconds 8]

Starts a run in each way that there is: from a terminal, as the app does, and by torchrun on two
ranks. In one and the same run it takes turns, a while alone and a while beside processes that do
nothing but keep a core busy each; prints the medians and the ratio of the turns.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks.browser import ROOT
from benchmarks.distributed_end import TORCHRUN, others
from vae import runs
from vae.runs import Run
from vae.runs.metrics import MetricsFile
from vae.training.recipes import TrainingConfig

# More steps than any turn takes; the run is stopped in the end.
STEPS = 10_000_000

# Seconds within which a run must have begun to train, and have ended once it was asked to.
PATIENCE = 300


@click.command()
@click.option("--dataset", default="frey", show_default=True)
@click.option("--busy", default=2, show_default=True, help="Processes that only keep it busy.")
@click.option("--turns", default=3, show_default=True)
@click.option("--seconds", default=8.0, show_default=True, help="Of each half of a turn.")
def main(dataset: str, busy: int, turns: int, seconds: float) -> None:
    """Measure and print a row for each way."""
    click.echo(f"{os.cpu_count()} cores, {dataset}, beside {busy} busy processes, steps/s:")
    ways = {"terminal": from_terminal, "app": as_the_app, "torchrun, 2 ranks": by_torchrun}
    for name, start in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {"VISAGE_RUNS": folder, "VISAGE_QUEUE": f"{folder}/queue"}
            run = runs.create(TrainingConfig(dataset=dataset, steps=STEPS), Path(folder) / "run")
            start(run)
            file = run.metrics_file()
            wait_until(lambda file=file: (file.read().last("step") or 0) > 200)
            found = []
            for _ in range(turns):
                alone = speed(run, seconds)
                with others(busy):
                    found.append((alone, speed(run, seconds)))
            run.stop()
            wait_until(lambda run=run: not run.status().is_alive)
        alone, beside = (statistics.median(half) for half in zip(*found, strict=True))
        ratio = statistics.median(second / first for first, second in found)
        click.echo(f"{name:<18} alone {alone:6.0f}   beside {beside:6.0f}   ratio {ratio:.2f}")


def from_terminal(run: Run) -> None:
    """``python -m vae train``"""
    _start([sys.executable, "-m", "vae", "train", "--resume", str(run.path)])


def as_the_app(run: Run) -> None:
    """What the button on the Train page does."""
    run.launch()


def by_torchrun(run: Run) -> None:
    """``torchrun --nproc-per-node 2 -m vae train``"""
    train = ["-m", "vae", "train", "--resume", str(run.path)]
    _start([sys.executable, *TORCHRUN, "--nproc-per-node=2", *train])


def _start(command: list[str]) -> None:
    nowhere = subprocess.DEVNULL
    subprocess.Popen(command, cwd=ROOT, stdout=nowhere, stderr=nowhere)


def speed(run: Run, seconds: float) -> float:
    """Steps a second by the clock, from one record to another after a while."""
    file = run.metrics_file()
    first, started = _next_record(file, 0.0)
    last, ended = first, started
    while ended - started < seconds:
        last, ended = _next_record(file, last)
    return (last - first) / (ended - started)


def _next_record(file: MetricsFile, known: float) -> tuple[float, float]:
    """The step of a record that comes now, and the time."""
    known = max(known, file.read().last("step") or 0.0)
    while (step := file.read().last("step") or 0.0) <= known:
        time.sleep(0.01)
    return step, time.perf_counter()


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait, but not for ever."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            raise click.ClickException(f"It did not happen within {PATIENCE} s.")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
