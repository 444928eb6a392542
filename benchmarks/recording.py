"""What recording costs beside training: python -m benchmarks.recording --steps 20000

Trains in this process as the command line does, and compares the time within the training loop
with the time that passes: the difference goes to records, snapshots and checkpoints. Evaluations
of the held-out set are part of the loop; they are timed one by one.
"""

import tempfile
import time
from pathlib import Path

import click
import torch

from vae import runs
from vae.runs import trainer
from vae.training import loop
from vae.training.recipes import TrainingConfig


@click.command()
@click.option("--dataset", default="frey", show_default=True)
@click.option("--steps", default=20_000, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(dataset: str, steps: int, threads: int) -> None:
    """Train once and print the shares."""
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    evaluations: list[float] = []
    evaluate = loop.evaluate

    def timed(*arguments, **options) -> dict:
        started = time.perf_counter()
        found = evaluate(*arguments, **options)
        evaluations.append(time.perf_counter() - started)
        return found

    loop.evaluate = timed
    with tempfile.TemporaryDirectory() as folder:
        run = runs.create(TrainingConfig(dataset=dataset, steps=steps), Path(folder) / "run")
        passed, within = [], []
        for progress in trainer.trained(run):
            passed.append(time.perf_counter())
            within.append(progress.seconds)
        last_words = time.perf_counter() - passed[-1]
    looping = within[-1] - within[0]
    outside = passed[-1] - passed[0] - looping
    click.echo(
        f"{steps:,} steps in {looping:.1f} s: "
        f"evaluations {sum(evaluations) / looping:.1%} of that; "
        f"records, snapshots and checkpoints {outside / looping:.1%} on top; "
        f"the last checkpoint, with its importance-weighted bounds, {last_words:.1f} s"
    )


if __name__ == "__main__":
    main()
