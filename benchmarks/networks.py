"""Convolutions beside the perceptron: what each learns of `cartoon` in equal time.

    python -m benchmarks.networks [--seconds 90] [--only conv] [--picture pictures/networks.png]

Trains both kinds by the default recipe for so many seconds, on 5,000 portraits by two threads, and
prints a row for each: steps, test ELBO with its standard error, PSNR of the reconstructions of
test images, weights and bytes of the decoder as it travels. Steps a second are measured first, so
that the learning rate has come down when time is up. The picture shows test images, and below them
what each makes of these.
"""

from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from vae import datasets
from vae.latent import evaluate
from vae.models.vae import VAE
from vae.training.loop import TrainingState, train
from vae.training.recipes import TrainingConfig

LATENTS = 16
IMAGES = 5_000
SHOWN = 10

# Seconds after which the speed is believed.
TRIAL = 5.0


@click.command()
@click.option("--seconds", default=90.0, show_default=True)
@click.option("--only", help="One kind of network.")
@click.option("--threads", default=2, show_default=True)
@click.option("--picture", type=click.Path(path_type=Path))
def main(seconds: float, only: str | None, threads: int, picture: Path | None) -> None:
    """Measure and print a row for each."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    faces = datasets.load("cartoon").images[:IMAGES]
    pixels = (faces.reshape(len(faces), -1) / np.float32(255)).astype(np.float32)
    test, validation, training = np.split(pixels, [len(pixels) // 10, len(pixels) // 5])
    rows = [test[:SHOWN]]
    for network in ("conv", "mlp") if only is None else (only,):
        model, steps, took = learnt(network, seconds, training, validation)
        bound = evaluate(model, test, samples=8)["elbo"]
        error = np.std(bound) / np.sqrt(len(bound))
        again = rebuilt(model, test)
        psnr = -10 * np.log10(np.square(again - test).mean(axis=1)).mean()
        weights = sum(weight.numel() for weight in model.decoder.parameters())
        click.echo(
            f"{network:<5} {steps:>6,} steps in {took:5.1f} s   test ELBO {bound.mean():9,.0f} "
            f"± {error:4,.0f} nats   PSNR {psnr:5.2f} dB   "
            f"decoder {weights / 1e6:5.2f} M weights, {2 * weights / 2**20:5.2f} MiB in float16"
        )
        rows.append(again[:SHOWN])
    if picture is not None:
        # A row of images, and one for each network.
        sheet = np.stack(rows).reshape(len(rows), SHOWN, *faces.shape[1:])
        lines = [np.concatenate(list(row), axis=1) for row in sheet]
        Image.fromarray(np.uint8(np.rint(255 * np.concatenate(lines)))).save(picture)


def learnt(
    network: str, seconds: float, training: np.ndarray, validation: np.ndarray
) -> tuple[VAE, int, float]:
    """A model after so many seconds, its steps, and the seconds they took."""
    shape = (64, 64, 3)
    trial = TrainingState(TrainingConfig(latent_dim=LATENTS, network=network), shape)
    speed = 0.0
    for progress in train(trial, training, validation):
        speed = progress.steps_per_second
        if progress.seconds > TRIAL:
            break
    config = TrainingConfig(latent_dim=LATENTS, network=network, steps=round(seconds * speed))
    state = TrainingState(config, shape)
    for _ in train(state, training, validation):
        if state.seconds > 1.1 * seconds:
            break
    return state.averaged, state.step, state.seconds


def rebuilt(model: VAE, pixels: np.ndarray) -> np.ndarray:
    """The decoder's mean at the posterior's, (N, D)."""
    with torch.inference_mode():
        parts = torch.from_numpy(pixels).split(100)
        return torch.cat([model.decode(model.encode(part).mean).mean for part in parts]).numpy()


if __name__ == "__main__":
    main()
