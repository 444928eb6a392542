"""``train``: a run from its options to what it came to."""

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from vae import datasets, runs
from vae.commands.data_sets import store
from vae.commands.terminal import SpreadOptions, as_json, nats
from vae.datasets.faces import SPLITS
from vae.errors import VisageError
from vae.models.architecture import KINDS, usual_kind
from vae.models.checkpoint import read_card
from vae.models.conv import WIDTHS
from vae.models.likelihoods import LIKELIHOODS
from vae.models.mlp import ACTIVATIONS
from vae.models.objective import OBJECTIVES
from vae.runs import sweep, trainer
from vae.runs.status import WAITED_ENOUGH
from vae.training import distributed
from vae.training.loop import choose_device
from vae.training.recipes import RECIPES, THE_RECIPES, TrainingConfig

TRAINING_OPTIONS = (
    click.option(
        "--dataset",
        default="frey",
        show_default=True,
        help="A name, or the path of whatever 'datasets --add' takes, which is stored first.",
    ),
    click.option("--latent-dim", type=int, default=2, show_default=True),
    click.option(
        "--network",
        help=f"{', '.join(KINDS)}; if not given, mlp for small images and conv for larger ones.",
    ),
    click.option(
        "--hidden",
        type=int,
        multiple=True,
        help="Units of each hidden layer: 200 200. With no --network, it is an mlp.",
    ),
    click.option(
        "--width",
        default="medium",
        show_default=True,
        help=f"Of a conv network: {', '.join(WIDTHS)}.",
    ),
    click.option("--batch-size", type=int, help="Images a step; the recipe's if not given."),
    click.option("--steps", type=int, help="Optimiser steps; the recipe's if not given."),
    click.option("--learning-rate", type=float, help="The highest; the recipe's if not given."),
    click.option(
        "--holdout",
        type=float,
        default=0.1,
        show_default=True,
        help="The validation set's share, which the best step is chosen on.",
    ),
    click.option(
        "--test",
        type=float,
        help="The test set's share, which nothing sees before training is over; 0 for none. If "
        "not given, 0.1 of random images, else 0.2.",
    ),
    click.option("--split", default="random", show_default=True, help=", ".join(SPLITS)),
    click.option("--split-seed", type=int, default=0, show_default=True),
    click.option("--seed", type=int, default=0, show_default=True),
    click.option("--objective", help=", ".join(OBJECTIVES) + "; the recipe's if not given."),
    click.option("--samples", type=int, help="Samples of an image a step: the bound iwae's k."),
    click.option(
        "--beta", type=float, default=1.0, show_default=True, help="What the KL divergence counts."
    ),
    click.option(
        "--beta-warmup",
        type=int,
        default=0,
        show_default=True,
        help="Steps over which β rises from 0.",
    ),
    click.option("--activation", help=", ".join(ACTIVATIONS) + "; the recipe's if not given."),
    click.option("--train-images", type=int, help="Learn from so many training images only."),
    click.option("--recipe", default="default", show_default=True, help=", ".join(RECIPES)),
    click.option(
        "--likelihood",
        default="gaussian",
        show_default=True,
        help="What the noise of the pixels is like: " + ", ".join(LIKELIHOODS) + ".",
    ),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps."),
)

THE_RECIPES_IF_NOT_GIVEN = (
    *("hidden_dims", "steps", "learning_rate", "batch_size", "activation"),
    *("test", "objective", "samples"),
)

RENAMED = {"hidden": "hidden_dims", "train_images": "training_images"}


def training_options(command: Callable) -> Callable:
    """Give a command the options that choose a run; :func:`configured` takes their values."""
    for option in reversed(TRAINING_OPTIONS):
        command = option(command)
    return command


@click.command("train", cls=SpreadOptions)
@training_options
@click.option("--out", type=click.Path(path_type=Path), help="The new run's folder.")
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with the run there.")
@as_json
def train_command(resume: Path | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Train a model, and keep all that happens in a run's folder."""
    where = runs.Run(resume).config.device if resume else options["device"]
    with distributed.joined(choose_device(where)):
        # Where torchrun started several processes, the first prepares the run and tells where.
        path = Path()
        if distributed.rank() == 0:
            if resume:
                run = runs.Run(resume)
                if options["steps"] is not None:
                    run.extend(options["steps"])
            else:
                run = runs.create(configured(options), out)
                click.echo(run.config.recipe_in_words(), err=True)
            path = run.path
        run = runs.Run(distributed.from_first_rank(path))
        try:
            follow(run)
        finally:
            if distributed.rank() == 0:
                sweep.write_csv_of(run)
    if distributed.rank() == 0:
        report(run, as_json)


def configured(options: Mapping[str, Any]) -> TrainingConfig:
    """What the options of :func:`training_options` choose."""
    chosen: dict[str, Any] = {RENAMED.get(name, name): value for name, value in options.items()}
    for name in THE_RECIPES_IF_NOT_GIVEN:
        chosen[name] = THE_RECIPES if chosen[name] in (None, ()) else chosen[name]
    chosen["dataset"] = name_of(chosen["dataset"])
    # Layers are a perceptron's.
    chosen["network"] = chosen["network"] or (
        "mlp" if options["hidden"] else usual_kind(datasets.load(chosen["dataset"]).image_shape)
    )
    return TrainingConfig(**chosen)


def name_of(dataset: str) -> str:
    """What training may call a data set that is given by a name or a path; stored, if need be."""
    path = Path(dataset)
    if dataset in datasets.NAMES and not datasets.is_here(dataset):
        datasets.download(dataset, progress=sys.stderr.isatty())
    if dataset in datasets.names() or datasets.is_here(dataset) or not path.exists():
        return dataset
    # A file of bytes is used where it lies, however large it is.
    return dataset if is_used_in_place(path) else store(path)


def is_used_in_place(path: Path) -> bool:
    """Whether a file is a .npy of images that needs no conversion."""
    if path.suffix != ".npy" or not path.is_file():
        return False
    try:
        datasets.load(path)
    except VisageError:
        return False
    return True


def follow(run: runs.Run) -> None:
    """Train a run with a progress bar on the terminal."""
    news = {}
    silent = distributed.rank() > 0 or not sys.stderr.isatty()
    with tqdm(total=run.config.steps, unit="step", disable=silent, dynamic_ncols=True) as bar:

        def finishing(share: float) -> None:
            bar.set_description(f"judging the model, {100 * share:.0f} %")

        for progress in trainer.trained(run, say_place, finishing):
            bar.update(progress.step - bar.n)
            news["ELBO"] = f"{progress.elbo:.1f}"
            if progress.heldout_elbo is not None:
                news["validation"] = f"{progress.heldout_elbo:.1f}"
            bar.set_postfix(news)


def say_place(place: int) -> None:
    """Tell on the terminal why nothing happens yet."""
    waits_for = "another run" if place == 1 else f"{place} other runs"
    tqdm.write(
        f"This machine is training already: waiting for {waits_for} to end. VISAGE_MAX_RUNS "
        "says how many may train at once.",
        file=sys.stderr,
    )


def report(run: runs.Run, as_json: bool) -> None:
    """Print how a run ended."""
    status = run.status()
    if not run.last.exists():
        raise VisageError(
            f"{status.state.capitalize()} before there was a first checkpoint. Go on with: "
            f"python -m vae train --resume {run.path}"
        )
    likelihood = run.config.likelihood
    last = read_card(run.last)
    best = read_card(run.best) if run.best.exists() else last
    steps, seconds = last.step or 0, last.seconds or 0.0
    figures = {
        "run": str(run.path),
        "likelihood": likelihood,
        "steps": steps,
        "seconds": seconds,
        "steps_per_second": steps / seconds if seconds else 0.0,
        "train_elbo": last.train.elbo,
        "train_elbo_error": last.train.elbo_error,
        "heldout_elbo": last.heldout.elbo,
        "heldout_elbo_error": last.heldout.elbo_error,
        "best_heldout_elbo": best.heldout.elbo,
        "best_heldout_elbo_error": best.heldout.elbo_error,
        "test_elbo": last.test.elbo,
        "test_elbo_error": last.test.elbo_error,
        "best_test_elbo": best.test.elbo,
        "best_test_elbo_error": best.test.elbo_error,
        # The whole of what is known of the model that is kept.
        "test": None if best.test.elbo is None else dataclasses.asdict(best.test),
        "checkpoint": str(run.last),
        "best_checkpoint": str(run.best if run.best.exists() else run.last),
    }
    if as_json:
        click.echo(json.dumps(figures))
        return
    head = "ELBO, nats an image"
    if likelihood != "gaussian":
        head += f" ({likelihood})"
    click.echo(
        f"{status.state.capitalize()} after {steps:,} steps in {seconds:.1f} s "
        f"({figures['steps_per_second']:.0f} steps/s)"
        + (f", with step {status.best_since:,}: {WAITED_ENOUGH}" if status.best_since else "")
        + ".\n"
        f"{head:<21} {f'best, at step {best.step or 0:,}':<24} at the end"
    )
    has_test = run.config.test > 0
    for label, of_best, of_last in (
        ("training", best.train, last.train),
        ("validation" if has_test else "held-out", best.heldout, last.heldout),
        ("test", best.test, last.test),
    ):
        if of_best.elbo is not None or of_last.elbo is not None:
            click.echo(
                f"  {label:<19} {nats(of_best.elbo, of_best.elbo_error):<24} "
                f"{nats(of_last.elbo, of_last.elbo_error)}"
            )
    judged = best.quality
    if judged.importance_weighted is not None:
        bound = nats(judged.importance_weighted, judged.importance_weighted_error)
        count = f"{judged.importance_images or 0:,}"
        click.echo(f"log p(x) at least about {bound} on {count} {best.measured_on} images")
    if best.measured_on != "test":
        click.echo(
            "The test set is looked at when training has come to its end."
            if has_test
            else "The held-out images also chose the step: --test would set others aside."
        )
    click.echo(
        f"{best.active_units} of {best.latent_dim} latents in use.\n{figures['best_checkpoint']}"
    )
    if status.state == "stopped":
        click.echo(f"Go on with: python -m vae train --resume {run.path}")
