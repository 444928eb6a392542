"""Whether weights may be rounded to float16: where no picture shows it."""

__all__ = ["HALF_A_GREY_LEVEL", "ONE_GREY_LEVEL", "decoder_rounds", "encoder_rounds", "is_finite"]

import numpy as np
import torch

from vae.latent.packed import Layers, halved, means_of, portable, portable_encoder
from vae.models.checkpoint import Checkpoint
from vae.models.mlp import ACTIVATIONS
from vae.models.network import Network
from vae.models.vae import VAE

# How far a rounded model's picture may be from its own, in units of a pixel's [0, 1]. With half of
# one, and what a picture itself is rounded by, no pixel that is shown is more than one away.
ONE_GREY_LEVEL = 1 / 255
HALF_A_GREY_LEVEL = 0.5 / 255

# Points of the prior, beside the data's own, at which a rounded decoder is compared.
CHECKED_POINTS = 256

# Points that pass through convolutions at once, and values of images that are compared in all.
DECODED_AT_ONCE = 64
COMPARED_VALUES = 2**24


def decoder_rounds(checkpoint: Checkpoint, most: float, values: int = COMPARED_VALUES) -> bool:
    """Whether the mean stays as it is where a decoder's weights are rounded.

    Arguments:
        checkpoint: A model whose decoder a browser runs.
        most: How far a pixel may move, in units of [0, 1].
        values: How many values of images are compared, about.

    Returns:
        Whether none of those moves further, at the posterior's means and points of the prior. A
        weight beyond what float16 holds becomes infinite, which is too far.
    """
    decoder = _layers(portable(checkpoint.model))
    rounded = halved(decoder)
    if not is_finite(rounded):
        return False
    z = _points(checkpoint, values)
    network = checkpoint.model.decoder
    moved = np.abs(_decoded(network, rounded, z) - _decoded(network, decoder, z)).max()
    return bool(moved <= most)


def encoder_rounds(checkpoint: Checkpoint, most: float, values: int = COMPARED_VALUES) -> bool:
    """The same of an encoder: whether what is decoded of its means stays as it is."""
    layers = _layers(portable_encoder(checkpoint.model))
    rounded = halved(layers)
    if not is_finite(rounded):
        return False
    network = checkpoint.model.decoder
    decoder = _layers(portable(checkpoint.model))
    images = _decoded(network, decoder, _points(checkpoint, values))
    seen, met = (_encoded(checkpoint.model, weights, images) for weights in (layers, rounded))
    moved = np.abs(_decoded(network, decoder, met) - _decoded(network, decoder, seen)).max()
    return bool(moved <= most)


def is_finite(layers: Layers) -> bool:
    """Whether all weights and biases are numbers."""
    return all(np.isfinite(array).all() for layer in layers for array in layer)


def _layers(carried: tuple[dict, Layers] | None) -> Layers:
    if carried is None:
        raise TypeError("No browser runs this network.")
    return carried[1]


def _points(checkpoint: Checkpoint, values: int) -> np.ndarray:
    z = np.concatenate(
        [
            means_of(checkpoint),
            np.random.default_rng(0).normal(size=(CHECKED_POINTS, checkpoint.model.latent_dim)),
        ]
    )
    # Some of the points stand for all where images are large.
    return z[:: max(1, len(z) * checkpoint.model.pixels // values)]


def _forward(layers: Layers, activation: str, x: np.ndarray) -> np.ndarray:
    *hidden, (weight, bias) = layers
    for inner, inner_bias in hidden:
        x = ACTIVATIONS[activation](torch.from_numpy(x @ inner.T + inner_bias)).numpy()
    return x @ weight.T + bias


def _decoded(network: Network, layers: Layers, z: np.ndarray) -> np.ndarray:
    if network.layers() is None:
        with torch.inference_mode():
            parts = torch.from_numpy(z.astype(np.float32)).split(DECODED_AT_ONCE)
            twin = network.with_layers(layers)
            return torch.cat([twin(part).mean for part in parts]).numpy()
    logits = _forward(layers, network.activation, z)[:, : len(layers[-1][1]) // 2]
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logits))


def _encoded(model: VAE, layers: Layers, x: np.ndarray) -> np.ndarray:
    network = model.encoder
    if network.layers() is None:
        with torch.inference_mode():
            twin = network.with_layers(layers)
            parts = torch.from_numpy(x).split(DECODED_AT_ONCE)
            return torch.cat([twin(part - model.mean_image).mean for part in parts]).numpy()
    return _forward(layers, network.activation, x)[:, : model.latent_dim]
