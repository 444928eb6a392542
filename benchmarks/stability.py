"""Whether the default recipe can be relied on: many seeds, no divergence, no latent collapsed.

    python -m benchmarks.stability --seeds 20
    python -m benchmarks.stability --dataset frey --split last --seeds 5

Trains with each seed through the command line, on one thread each and as many at once as there
are cores; prints a row for each data set, with the number of runs that went wrong.
"""

import os
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from benchmarks.learning import train
from vae import load_checkpoint
from vae.runs import Run

# A run whose training ELBO ends this far below its peak, in nats, counts as fallen apart.
FALL = 50.0


@click.command()
@click.option("--dataset", "datasets", multiple=True, default=["frey", "olivetti"])
@click.option("--latent-dim", default=2, show_default=True)
@click.option("--split", default="random", show_default=True)
@click.option("--seeds", default=20, show_default=True)
def main(datasets: tuple[str, ...], latent_dim: int, split: str, seeds: int) -> None:
    """Train, and tell what became of the runs."""
    for dataset in datasets:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
            paths = [Path(folder) / str(seed) for seed in range(seeds)]
            found = list(
                pool.map(lambda path, name=dataset: one(path, name, latent_dim, split), paths)
            )
        best, last, active, falls = zip(*found, strict=True)
        click.echo(
            f"{dataset}, K = {latent_dim}, split {split}, {seeds} seeds: test ELBO of the best "
            f"{min(best):,.1f} to {max(best):,.1f}, median {statistics.median(best):,.1f}; "
            f"at the end {min(last):,.1f} to {max(last):,.1f}; "
            f"{sum(units < latent_dim for units in active)} with a latent collapsed; "
            f"{sum(fall > FALL for fall in falls)} diverged "
            f"(largest fall of the training ELBO from its peak {max(falls):.1f} nats)"
        )


def one(path: Path, dataset: str, latent_dim: int, split: str) -> tuple[float, float, int, float]:
    """A run's test ELBO, best and last, its latents in use, and how far training fell."""
    options = ["--dataset", dataset, "--latent-dim", latent_dim, "--seed", path.name]
    options += ["--split", split]
    result = train([*options, "--out", path], threads=1)
    records = [record["elbo"] for record in Run(path).metrics()]
    info = load_checkpoint(Path(result["best_checkpoint"])).info
    fall = max(records) - records[-1]
    return result["best_test_elbo"], result["test_elbo"], info["active_units"], fall


if __name__ == "__main__":
    main()
