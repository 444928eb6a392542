"""The recorded runs that the lesson of the page Learn is told with: files in ui/learn.

    python -m benchmarks.lesson_recordings [film] [overfit] [beta]

Each is a safetensors file. A recording is a row of models, those of one run at some of its steps
or those of runs that differ in β alone, and of each its networks as a browser takes them (float16
weights, float32 biases), the means of its posterior over the training set, and its figures.
Nothing of the data set is in them but these means. The networks are narrow, or a recording would
be too large to be sent: what they learn less of is told by the figures.

    film      the default recipe with layers of 32, 64 and 64, seed 0
    overfit   the same networks on 300 images of the split `last`, with nothing to hold them back
    beta      K = 8, the default recipe, β from 0.1 to 30
"""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence

import click
import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from benchmarks.browser import ROOT
from vae import datasets
from vae.latent.arrays import (
    Posterior,
    active_units,
    decoder_layers,
    encode,
    encoder_layers,
    evaluate,
    kl_per_latent,
)
from vae.latent.packed import Layers, halved
from vae.models.vae import VAE
from vae.training import loop
from vae.training.loop import TrainingState
from vae.training.recipes import TrainingConfig, recipe_for

FOLDER = ROOT / "ui" / "learn"

# Of a run: the steps at which its model is kept, and those at which it is measured as well.
FILM = (1, 3, 10, 30, 60, 100, 200, 400, 700, 1_000, 2_000, 4_000)
OVERFIT = (30, 100, 400, 1_000, 3_000)
MEASURED = sorted({round(10 ** (n / 12)) for n in range(46)})

BETAS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)

# Images that are learnt by heart.
FEW = 300

# Images that stand for the others: they are shown as the decoder draws them.
SHOWN = 6

# Samples of an image's posterior that a figure is the mean over.
SAMPLES = 16

NARROW = (32, 64, 64)


class Frame:
    """A model of a recording, rounded as it travels.

    Arguments:
        at: The step, or β.
        model: The model as it was trained.
        training: The training set, (N, D).
        heldout: The validation set, (n, D).
        with_encoder: Whether its encoder travels too.
    """

    def __init__(
        self,
        at: float,
        model: VAE,
        training: np.ndarray,
        heldout: np.ndarray,
        with_encoder: bool = False,
    ):
        encoder, decoder = encoder_layers(model), decoder_layers(model)
        assert encoder is not None and decoder is not None, "perceptrons have layers"
        # The latents that tell most come first: they are the plane.
        kl = kl_per_latent(encode(model, training))
        order = np.argsort(-kl) if model.latent_dim > 2 else np.arange(2)
        heads = np.concatenate([order, order + model.latent_dim])
        encoder[-1] = encoder[-1][0][heads], encoder[-1][1][heads]
        decoder[0] = decoder[0][0][:, order], decoder[0][1]
        self.at = at
        self.encoder, self.decoder = halved(encoder), halved(decoder)
        self.with_encoder = with_encoder
        self.model = rebuilt(model.image_shape, self.encoder, self.decoder)
        self.posteriors = [encode(self.model, part) for part in (training, heldout)]
        self.told = {
            "at": at,
            "training": figures(self.model, training),
            "heldout": figures(self.model, heldout),
            "kl": [round(float(value), 4) for value in kl_per_latent(self.posteriors[0])],
            "active": active_units(self.posteriors[0]),
        }


def rebuilt(shape: Sequence[int], encoder: Layers, decoder: Layers) -> VAE:
    """The model of a recording's layers."""
    latents = decoder[0][0].shape[1]
    model = VAE(tuple(shape), latents, [len(bias) for _, bias in encoder[:-1]])
    for network, layers in ((model.encoder, encoder), (model.decoder, decoder)):
        parameters = [torch.from_numpy(np.array(array)) for layer in layers for array in layer]
        for own, given in zip(network.parameters(), parameters, strict=True):
            own.data.copy_(given)
    return model.requires_grad_(False).eval()


def read(name: str) -> tuple[dict, list[VAE], dict[str, np.ndarray]]:
    """A recording as it lies there: what it tells, its models, and all its arrays.

    A model whose encoder was left out has one of zeros.
    """
    path = FOLDER / f"{name}.safetensors"
    arrays = load_file(path)
    with safe_open(path, "np") as file:
        told = json.loads(file.metadata()["visage"])
    models = []
    for place in range(len(told["frames"])):
        decoder = layers_of(arrays, f"{place}.decoder")
        encoder = layers_of(arrays, f"{place}.encoder")
        if not encoder:
            sizes = [told["shape"][0] * told["shape"][1], *(len(b) for _, b in decoder[-2::-1])]
            sizes.append(2 * decoder[0][0].shape[1])
            encoder = [
                (np.zeros((out, width), "f4"), np.zeros(out, "f4"))
                for width, out in itertools.pairwise(sizes)
            ]
        models.append(rebuilt(told["shape"], encoder, decoder))
    return told, models, arrays


def layers_of(arrays: dict[str, np.ndarray], network: str) -> Layers:
    """The layers of a network in a recording; none where it was left out."""
    found = []
    while (weight := arrays.get(f"{network}.{len(found)}.weight")) is not None:
        bias = arrays[f"{network}.{len(found)}.bias"]
        found.append((weight.astype(np.float32), bias))
    return found


def figures(model: VAE, pixels: np.ndarray) -> dict[str, float]:
    """The ELBO and its terms, means over a set, in nats an image."""
    found = evaluate(model, pixels, SAMPLES)
    return {
        name: round(float(found[key].mean()), 2)
        for name, key in (("elbo", "elbo"), ("logLikelihood", "log_likelihood"), ("kl", "kl"))
    }


def kept(
    config: TrainingConfig, training: np.ndarray, heldout: np.ndarray, steps: Sequence[int]
) -> Iterator[tuple[int, VAE]]:
    """Train, and hand out the model as it is at some steps."""
    # A run measures itself where it is due; here that is where the recording wants it.
    loop.is_due = lambda step, _: step in steps
    state = TrainingState(config, (28, 20))
    for progress in loop.train(state, training, heldout):
        if progress.step in steps:
            yield progress.step, state.averaged


def chosen(rows: int) -> np.ndarray:
    """Evenly spaced ones that are shown."""
    return ((np.arange(SHOWN) + 0.5) * rows / SHOWN).astype(int)


def write(name: str, frames: Sequence[Frame], told: dict, with_heldout: bool = False) -> None:
    """Write a recording."""
    farthest = max(
        float(np.abs(posterior.mean[:, :2]).max())
        for frame in frames
        for posterior in frame.posteriors[: 1 + with_heldout]
    )
    unit = farthest / np.iinfo(np.int16).max
    tensors: dict[str, np.ndarray] = {}
    for place, frame in enumerate(frames):
        networks = {"decoder": frame.decoder}
        if frame.with_encoder:
            networks["encoder"] = frame.encoder
        for network, layers in networks.items():
            for depth, (weight, bias) in enumerate(layers):
                tensors[f"{place}.{network}.{depth}.weight"] = weight.astype(np.float16)
                tensors[f"{place}.{network}.{depth}.bias"] = bias.astype(np.float32)
        seen = {"training": frame.posteriors[0]}
        if with_heldout:
            seen["heldout"] = frame.posteriors[1]
        for part, posterior in seen.items():
            tensors[f"{place}.{part}"] = plane(posterior, unit)
        for part, posterior in zip(("training", "heldout"), frame.posteriors, strict=True):
            rows = chosen(len(posterior.mean))
            tensors[f"{place}.shown.{part}"] = posterior.mean[rows].astype(np.float32)
    told = {
        "shape": [28, 20],
        "unit": unit,
        **told,
        "frames": [frame.told for frame in frames],
    }
    path = FOLDER / f"{name}.safetensors"
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    save_file(tensors, path, {"visage": json.dumps(told)})
    click.echo(f"{path.name}: {path.stat().st_size:,} bytes")
    for frame in frames:
        click.echo(json.dumps(frame.told))


def plane(posterior: Posterior, unit: float) -> np.ndarray:
    """The means in the first two latents, (N, 2), as int16."""
    return np.rint(posterior.mean[:, :2] / unit).astype(np.int16)


def record_run(
    name: str,
    config: TrainingConfig,
    training: np.ndarray,
    heldout: np.ndarray,
    steps: Sequence[int],
    with_encoder: bool = False,
    with_heldout: bool = False,
) -> None:
    """One run: its models at some steps, and its ELBO at many."""
    frames, curve = [], []
    for step, model in kept(config, training, heldout, sorted({*steps, *MEASURED})):
        found = [figures(model, part)["elbo"] for part in (training, heldout)]
        curve.append([step, *found])
        if step in steps:
            frames.append(Frame(step, model, training, heldout, with_encoder))
    told = {
        "axis": "step",
        "curve": curve,
        "batch": config.batch_size,
        "images": [len(training), len(heldout)],
    }
    write(name, frames, told, with_heldout)


def film(faces: datasets.Faces) -> None:
    """The default recipe, on narrow networks."""
    # It goes to its last step, whatever the validation set says.
    recipe = dataclasses.replace(recipe_for("default", 2), patience=0.0)
    config = TrainingConfig(hidden_dims=NARROW, device="cpu", whole_recipe=recipe)
    training, heldout, _ = faces.splits(config.holdout, config.test, config.split)
    record_run("film", config, np.asarray(training), np.asarray(heldout), FILM, with_encoder=True)


def overfit(faces: datasets.Faces) -> None:
    """A run that learns few images by heart, with all that holds the default recipe back left
    out of it."""
    free = {"patience": 0.0, "input_noise": 0.0}
    free |= {"encoder_weight_decay": 0.0, "decoder_weight_decay": 0.0}
    recipe = dataclasses.replace(recipe_for("default", 2, "last"), **free)
    config = TrainingConfig(
        hidden_dims=NARROW, device="cpu", split="last", whole_recipe=recipe, steps=max(OVERFIT)
    )
    training, heldout, _ = faces.splits(config.holdout, config.test, config.split)
    training, heldout = np.asarray(training), np.asarray(heldout)
    few = training[np.linspace(0, len(training) - 1, FEW).astype(int)]
    record_run("overfit", config, few, heldout, OVERFIT, with_heldout=True)


def beta(faces: datasets.Faces) -> None:
    """Runs that differ in β alone."""
    frames = []
    for value in BETAS:
        config = TrainingConfig(hidden_dims=(32, 64), latent_dim=8, device="cpu", beta=value)
        parts = faces.splits(config.holdout, config.test, config.split)
        training, heldout = (np.asarray(part) for part in parts[:2])
        state = TrainingState(config, (28, 20))
        for _ in loop.train(state, training, heldout):
            pass
        frames.append(Frame(value, state.best_model(), training, heldout))
    write("beta", frames, {"axis": "beta", "images": [len(training), len(heldout)]})


RECORDINGS = {"film": film, "overfit": overfit, "beta": beta}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(RECORDINGS)))
def main(names: tuple[str, ...]) -> None:
    """Record anew what is named, or all."""
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    faces = datasets.load("frey")
    for name in names or RECORDINGS:
        RECORDINGS[name](faces)


if __name__ == "__main__":
    main()
