"""The command line: ``python -m vae``.

Errors are one sentence on stderr and exit code 2.
"""

import json
import math
import sys
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from vae import datasets, images, runs
from vae.checkpoint import load_checkpoint, replacing
from vae.errors import VisageError
from vae.latent import decode, manifold_grid
from vae.training import RECIPES, TrainingConfig


class Commands(click.Group):
    """A group whose commands turn errors into a sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except VisageError as error:
            click.echo(str(error), err=True)
            sys.exit(2)


class SpreadOptions(click.Command):
    """A command whose repeatable options also take several values: ``--hidden 200 200``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        repeatable = {
            name
            for option in self.params
            if getattr(option, "multiple", False)
            for name in option.opts
        }
        spread: list[str] = []
        option = None
        for argument in args:
            if option and not argument.startswith("-") and spread[-1] != option:
                spread.append(option)
            elif argument.startswith("-"):
                option = argument if argument in repeatable else None
            spread.append(argument)
        return super().parse_args(ctx, spread)


as_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
checkpoint_argument = click.argument("checkpoint", type=click.Path(path_type=Path))


@click.group(cls=Commands)
def main() -> None:
    """Train, judge and draw variational autoencoders of faces."""


@main.command("datasets")
@click.option("--download", "wanted", type=click.Choice(datasets.NAMES), help="Get this one.")
@as_json
def list_datasets(wanted: str | None, as_json: bool) -> None:
    """List the data sets: names, sizes, where each comes from, whether it is here."""
    if wanted:
        datasets.download(wanted, progress=sys.stderr.isatty())
    rows = []
    for name in datasets.NAMES:
        here = datasets.is_here(name)
        row = {"name": name, "here": here, "from": datasets.where_from(name)}
        if here:
            faces = datasets.load(name)
            row |= {"images": len(faces), "image_shape": list(faces.image_shape)}
        rows.append(row)
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        shape = "×".join(map(str, row.get("image_shape", ())))
        size = f"{row['images']:,} images of {shape}" if row["here"] else "not on this machine"
        click.echo(f"{row['name']:<10} {size:<28} {row['from']}")


@main.command("train", cls=SpreadOptions)
@click.option("--dataset", default="frey", show_default=True, help="A name, or a path.")
@click.option("--latent-dim", type=int, default=2, show_default=True)
@click.option("--hidden", type=int, multiple=True, help="Units of each hidden layer: 200 200.")
@click.option("--batch-size", type=int, default=100, show_default=True)
@click.option("--steps", type=int, help="Optimiser steps; 10,000 if not given.")
@click.option("--learning-rate", type=float, help="The highest; the recipe's if not given.")
@click.option("--holdout", type=float, default=0.1, show_default=True, help="Share held out.")
@click.option("--split", default="random", show_default=True, help="random, or last.")
@click.option("--split-seed", type=int, default=0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--recipe", default="default", show_default=True, help=", ".join(RECIPES))
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--out", type=click.Path(path_type=Path), help="The new run's folder.")
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with the run there.")
@as_json
def train_command(
    resume: Path | None,
    out: Path | None,
    steps: int | None,
    hidden: tuple[int, ...],
    as_json: bool,
    **choices: object,
) -> None:
    """Train a model, and keep all that happens in a run's folder."""
    if resume:
        run = runs.Run(resume)
        if steps is not None:
            run.extend(steps)
    else:
        if steps is not None:
            choices["steps"] = steps
        config = TrainingConfig(**choices, hidden_dims=hidden or None)
        run = runs.create(config, out)
    news = {}
    with tqdm(
        total=run.config.steps, unit="step", disable=not sys.stderr.isatty(), dynamic_ncols=True
    ) as bar:
        for progress in runs.trained(run):
            bar.update(progress.step - bar.n)
            news["ELBO"] = f"{progress.elbo:.1f}"
            if progress.heldout_elbo is not None:
                news["held-out"] = f"{progress.heldout_elbo:.1f}"
            bar.set_postfix(news)
    report(run, as_json)


def report(run: runs.Run, as_json: bool) -> None:
    """Print how a run ended."""
    status = run.status()
    last = load_checkpoint(run.last).info
    best = load_checkpoint(run.best).info if run.best.exists() else last
    found = {
        "run": str(run.path),
        "steps": last["step"],
        "seconds": last["seconds"],
        "steps_per_second": last["step"] / last["seconds"] if last["seconds"] else 0.0,
        "train_elbo": last["train"]["elbo"],
        "heldout_elbo": last["heldout"]["elbo"],
        "best_heldout_elbo": best["heldout"]["elbo"],
        "checkpoint": str(run.last),
        "best_checkpoint": str(run.best if run.best.exists() else run.last),
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(
        f"{status.state.capitalize()} after {found['steps']:,} steps in {found['seconds']:.1f} s "
        f"({found['steps_per_second']:.0f} steps/s).\n"
        f"ELBO {found['train_elbo']:.1f} nats in training, {found['heldout_elbo']:.1f} held out "
        f"({best['heldout']['elbo']:.1f} at its best, at step {best['step']:,}).\n"
        f"{found['best_checkpoint']}"
    )
    if status.state == "stopped":
        click.echo(f"Go on with: python -m vae train --resume {run.path}")


@main.command("evaluate")
@checkpoint_argument
@click.option("--dataset", help="Another data set than the checkpoint names.")
@click.option("--samples", type=click.IntRange(1), default=16, show_default=True)
@click.option("--importance-samples", type=click.IntRange(1), default=128, show_default=True)
@as_json
def evaluate_command(
    checkpoint: Path, dataset: str | None, samples: int, importance_samples: int, as_json: bool
) -> None:
    """Judge a model on the training and held-out images of its split."""
    model, info, _ = load_checkpoint(checkpoint)
    name = dataset or info.get("dataset")
    if not name:
        raise VisageError(f"{checkpoint} does not say what it was trained on: give --dataset.")
    faces = datasets.load(name)
    if faces.image_shape != model.image_shape:
        raise VisageError(
            f"{checkpoint} is a model of images of {model.image_shape}; those of {name} are of "
            f"{faces.image_shape}."
        )
    split = info.get("split", {"how": "random", "holdout": 0.1, "seed": 0})
    sets = faces.split(split["holdout"], split["how"], split["seed"])
    found = {
        part: runs.summary(model, pixels, samples, importance_samples)
        for part, pixels in zip(("train", "heldout"), sets, strict=True)
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    for part, figures in found.items():
        click.echo(
            f"{part:<8} " + "  ".join(f"{key} {value:.1f}" for key, value in figures.items())
        )


@main.command("manifold")
@checkpoint_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A PNG file.")
@click.option("--grid", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--tail", type=float, default=0.01, show_default=True)
@click.option("--scale", type=click.IntRange(1, 20), default=2, show_default=True)
def manifold_command(checkpoint: Path, out: Path, grid: int, tail: float, scale: int) -> None:
    """Draw the decoded manifold (the paper's Figure 4)."""
    model = load_checkpoint(checkpoint).model
    z = manifold_grid(grid, tail, model.latent_dim)
    write_picture(out, decode(model, z)[0], scale)


@main.command("sample")
@checkpoint_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A PNG file.")
@click.option("-n", "count", type=click.IntRange(1, 10_000), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--scale", type=click.IntRange(1, 20), default=2, show_default=True)
def sample_command(checkpoint: Path, out: Path, count: int, seed: int, scale: int) -> None:
    """Draw faces at random points of the prior (the paper's Figure 5)."""
    model = load_checkpoint(checkpoint).model
    z = np.random.default_rng(seed).standard_normal((count, model.latent_dim))
    faces = decode(model, z)[0]
    columns = math.ceil(math.sqrt(count))
    canvas = np.ones((math.ceil(count / columns) * columns, *faces.shape[1:]))
    canvas[:count] = faces
    write_picture(out, canvas.reshape(-1, columns, *faces.shape[1:]), scale)


def write_picture(out: Path, faces: np.ndarray, scale: int) -> None:
    """Write faces (R, C, H, W[, 3]) as one PNG."""
    with replacing(out) as beside:
        beside.write_bytes(images.png(images.tile(images.to_uint8(faces)), scale))
    click.echo(str(out))


if __name__ == "__main__":
    main(prog_name="python -m vae")
