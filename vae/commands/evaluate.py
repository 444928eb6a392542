"""``evaluate``: a model judged on the images of its split."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from vae import datasets
from vae.commands.terminal import as_json, checkpoint_argument, nats
from vae.datasets.faces import Pixels, Splits
from vae.errors import VisageError
from vae.latent import disentanglement, evidence
from vae.latent.arrays import active_units, encode, squared_errors
from vae.models.architecture import BROUGHT
from vae.models.card import Split
from vae.models.checkpoint import load_checkpoint
from vae.models.likelihoods import bits_per_dimension
from vae.models.vae import VAE
from vae.runs import trainer

# Pixels beyond which a set's figures are of fewer samples an image, and of evenly spaced images:
# decoding all of a large set so often would take an hour.
MOST_DECODED = 2**28


@click.command("evaluate")
@checkpoint_argument
@click.option("--dataset", help="Another data set than the checkpoint names.")
@click.option("--samples", type=click.IntRange(1), default=16, show_default=True)
@click.option("--importance-samples", type=click.IntRange(1), default=128, show_default=True)
@click.option(
    "--evidence-images",
    type=click.IntRange(0),
    help="Evenly spaced images of each set to compute log p(x) of; 0 for none. If not given, as "
    "many as take some seconds.",
)
@as_json
def evaluate_command(
    checkpoint: Path,
    dataset: str | None,
    samples: int,
    importance_samples: int,
    evidence_images: int | None,
    as_json: bool,
) -> None:
    """Judge a model on the training, validation and test images of its split."""
    loaded = load_checkpoint(checkpoint)
    model, card = loaded.model, loaded.card
    name = dataset or card.dataset
    if not name:
        raise VisageError(f"{checkpoint} does not say what it was trained on: give --dataset.")
    faces = datasets.load(name)
    if faces.image_shape != model.image_shape:
        raise VisageError(
            f"{checkpoint} is a model of images of {'×'.join(map(str, model.image_shape))}; those "
            f"of {name} are of {'×'.join(map(str, faces.image_shape))}."
        )
    if model.why_no_nats:
        say_errors(model, faces.pixels(np.arange(len(faces))), as_json)
        return
    split = card.split or Split("random", 0.1, 0)
    # Nobody knows what a model from elsewhere has learnt from.
    is_foreign = model.architecture.network.kind in BROUGHT and card.split is None
    if is_foreign:
        nothing = np.zeros(0, dtype=int)
        parts = Splits(np.arange(len(faces)), nothing, nothing)
    else:
        sets = faces.splits_indices(split.holdout, split.test, split.how, split.seed)
        parts = sets.learning_from(split.training_images)

    def judged(part: np.ndarray) -> dict[str, float]:
        drawn = max(samples, importance_samples)
        if len(part) * drawn * model.pixels <= MOST_DECODED:
            return trainer.summary(model, faces.pixels(part), samples, importance_samples)
        return trainer.figures(
            model, faces, part, trainer.DECODED_IN_A_TEST, samples, importance_samples > 0
        )

    found: dict[str, Any] = {"train": judged(parts.training), "heldout": None, "test": None}
    if len(parts.validation):
        found["heldout"] = judged(parts.validation)
    if len(parts.test):
        tested = trainer.spread(parts.test, trainer.TESTED_IMAGES)
        found["test"] = {"images": len(tested)} | judged(tested)
    looked_at = evidence.affordable(model) if evidence_images is None else evidence_images
    if looked_at:
        sets = parts.training, parts.validation, parts.test
        for figures, part in zip(found.values(), sets, strict=True):
            if figures is not None:
                some = faces.pixels(trainer.spread(part, looked_at))
                figures["evidence"] = evidence.judge(model, some).figures()
    likelihood = model.likelihood
    if likelihood.is_mass:
        for figures in filter(None, found.values()):
            figures["bits_per_dimension"] = bits_per_dimension(figures["elbo"], model.pixels)
    posterior = encode(model, faces.pixels(parts.training))
    active = active_units(posterior)
    labels_known = faces.labels and faces.labels.at(parts.training)
    apart = disentanglement.judge(posterior, labels_known)
    if as_json:
        more: dict[str, Any] = {"active_units": active, "likelihood": likelihood.name}
        if apart is not None:
            more["disentanglement"] = apart.figures()
        click.echo(json.dumps(found | more))
        return
    # The words of the split, where a test set is part of it.
    training_called = "images" if is_foreign else "training"
    labels = {"train": training_called, "heldout": "validation" if found["test"] else "held-out"}
    for part, figures in found.items():
        if figures is not None:
            terms = ("elbo", "log_likelihood", "kl", "importance_weighted")
            told = (
                f"{term} {nats(figures[term], figures.get(f'{term}_error'))}" for term in terms
            )
            bits = figures.get("bits_per_dimension")
            ending = "" if bits is None else f"  at most {bits:.3f} bits per dimension"
            click.echo(f"{labels.get(part, part):<11} " + "  ".join(told) + ending)
            if "importance_images" in figures:
                click.echo(
                    f"{'':<11} of {figures['images']:,} evenly spaced images and "
                    f"{figures['samples']} of their samples each; the bound of "
                    f"{figures['importance_images']:,} and {figures['importance_samples']}"
                )
    click.echo(f"Nats an image of the {likelihood.name} likelihood: {likelihood.its_figures}")
    if looked_at:
        say_evidence(found, labels)
    elif evidence_images is None:
        click.echo(
            "log p(x) takes many slopes, and this decoder is asked for each by differences: "
            "--evidence-images 4 computes it of four images."
        )
    if not found["test"] and not is_foreign:
        click.echo("The held-out images also chose the step: this model has no test set.")
    click.echo(f"{active} of {model.latent_dim} latents in use")
    if apart is not None:
        say_how_far_apart(apart)


def say_errors(model: VAE, pixels: np.ndarray | Pixels, as_json: bool) -> None:
    """How far reconstructions are from the images, of a model that tells nothing in nats."""
    if not model.can_encode:
        raise VisageError(
            "This model has no encoder, so nothing stands beside an image: open it "
            "again with its encoder."
        )
    errors = squared_errors(model, pixels)
    ratios = -10 * np.log10(np.maximum(errors, 1e-12))
    figures = {"squared_error": errors.mean(), "psnr": ratios.mean()}
    active = active_units(encode(model, pixels))
    if as_json:
        more = {"images": len(errors), "active_units": active, "why_no_nats": model.why_no_nats}
        click.echo(json.dumps({name: float(value) for name, value in figures.items()} | more))
        return
    spread = ratios.std(ddof=1) / len(ratios) ** 0.5 if len(ratios) > 1 else 0.0
    click.echo(
        f"{len(errors):,} images and their reconstructions: mean squared error "
        f"{figures['squared_error']:.5f}, signal-to-noise ratio {figures['psnr']:.2f} ± "
        f"{spread:.2f} dB"
    )
    click.echo(model.why_no_nats)
    click.echo(f"{active} of {model.latent_dim} latents in use")


def say_how_far_apart(found: disentanglement.Disentanglement) -> None:
    """How well the latents keep the known factors apart."""
    click.echo(
        f"\nWhether each of {len(found.factors)} known factors has a latent of its own "
        f"({found.images:,} training images):\n"
        f"mutual information gap {found.mutual_information_gap:.3f}  DCI, by a lasso: "
        f"disentanglement {found.disentanglement:.3f}  completeness {found.completeness:.3f}  "
        f"prediction error {found.prediction_error:.3f} (1: guessing the mean)"
    )


def say_evidence(found: dict[str, Any], labels: dict[str, str]) -> None:
    """The bounds in their order, and what lies between them."""
    method = found["train"]["evidence"]["method"]
    how = "quadrature over z"
    if method == "sampling":
        how = "importance sampling, itself a lower bound on average"
    click.echo(
        "\nELBO ≤ refined ELBO ≤ log p(x), nats: the ELBO under the encoder's posterior, under "
        f"the best\nof its kind for each image, and log p(x) by {how}."
    )
    for part, figures in found.items():
        if figures is None:
            continue
        told = figures["evidence"]

        def figure(name: str, told: dict = told) -> str:
            return nats(told[name], told.get(f"{name}_error"))

        click.echo(
            f"{labels.get(part, part):<11} {figure('elbo')} ≤ {figure('refined_elbo')} ≤ "
            f"{figure('log_px')}  amortisation gap {figure('amortisation_gap')}, "
            f"approximation gap {figure('approximation_gap')} ({told['images']:,} images)"
        )
