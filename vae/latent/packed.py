"""A model as it travels to a browser: a JSON header, and its arrays behind it."""

__all__ = [
    "EXTENT",
    "MOST_AXES",
    "Layers",
    "NamedAxis",
    "halved",
    "means_of",
    "pack",
    "pack_encoder",
    "pack_served",
    "portable",
    "portable_encoder",
    "rows_of",
]

import json
from typing import NamedTuple

import numpy as np

from vae.latent.arrays import decoder_layers, encoder_layers, head_of_z
from vae.models.checkpoint import Checkpoint
from vae.models.likelihoods import Bernoulli, Correlated, Student, Unstated
from vae.models.network import Network
from vae.models.vae import VAE

# (weight, bias) of each layer, of shape (out, in) and (out,).
Layers = list[tuple[np.ndarray, np.ndarray]]

# A pad has sliders for so many directions with names.
MOST_AXES = 6


class NamedAxis(NamedTuple):
    """A direction with a name; that may be a stranger's text.

    Arguments:
        name: What there is more of along it.
        middle: Where it begins, (K,).
        direction: (K,).
    """

    name: str
    middle: np.ndarray
    direction: np.ndarray

    def told(self) -> dict:
        """What a browser is told of it."""
        return {
            "name": self.name,
            "middle": np.asarray(self.middle, dtype=float).tolist(),
            "direction": np.asarray(self.direction, dtype=float).tolist(),
        }


# Points of the posterior that are drawn: more would not be told apart.
MOST_POINTS = 5_000

# The half-width of the plane and of the sliders, in standard deviations of the prior: at least the
# first, wider up to the second where the posterior's means lie further out, and as wide as need be
# where z does.
EXTENT = 4.0, 8.0


def pack(
    checkpoint: Checkpoint, channel: str, model_id: str, version: str, half: bool = False
) -> bytes | None:
    """What the browser needs of a model: a JSON header, the decoder, the posterior's means.

    Little-endian: the header's length as uint32, the header padded to 4 bytes, each layer's weight
    (out × in, of a convolution out × in × 3 × 3) as float32, or float16 where the header says
    ``half``, in whole fours of bytes, and bias as float32, the weights (12 × D) of
    noise that knows its neighbours likewise, then the means as int16 in units of the header's
    ``unit``.

    Arguments:
        checkpoint: The model.
        channel: The key of the pad that it is for.
        model_id: What stays the same while a model trains, as its path does.
        version: What changes with the model's weights.
        half: Whether weights travel as float16; :mod:`vae.latent.rounding` says where it shows.

    Returns:
        The bytes, or None where a weight is infinite or not a number.
    """
    model = checkpoint.model
    carried = portable(model)
    if carried is None:
        raise TypeError("A decoder of another kind is decoded on the server.")
    kind, layers = carried
    arrays = _arrays(layers, half)
    # What the header of a Gaussian with tanh says stays as it was.
    chosen = kind | _activation(model.decoder) | _halved(half)
    if model.architecture.likelihood != "gaussian":
        chosen["likelihood"] = model.architecture.likelihood
    if isinstance(model.likelihood, Bernoulli | Unstated):
        chosen["noiseless"] = True
    if isinstance(model.likelihood, Student):
        chosen["freedom"] = float(model.likelihood.freedom)
    elif isinstance(model.likelihood, Correlated):
        arrays.append(model.likelihood.weights.detach().numpy())
    if not all(np.isfinite(array).all() for array in arrays):
        return None
    chosen["sizes"] = [model.latent_dim, *(len(weight) for weight, _ in layers)]
    told, steps = _told(checkpoint, channel, model_id, version)
    return _with_header(told | chosen, arrays) + steps


def pack_served(checkpoint: Checkpoint, channel: str, model_id: str, version: str) -> bytes | None:
    """As :func:`pack`, of a model whose decoder stays on the server: all but that."""
    if not all(bool(weight.isfinite().all()) for weight in checkpoint.model.parameters()):
        return None
    told, steps = _told(checkpoint, channel, model_id, version)
    return _with_header(told | {"served": True}, []) + steps


def _told(checkpoint: Checkpoint, channel: str, model_id: str, version: str) -> tuple[dict, bytes]:
    """What a header says of any model, and the means of its posterior."""
    model = checkpoint.model
    means = means_of(checkpoint)
    farthest = np.abs(means).max(initial=0.0)
    unit = float(farthest / np.iinfo(np.int16).max) or 1.0
    header = {
        "channel": channel,
        "model": model_id,
        "version": version,
        "shape": list(model.image_shape),
        "sizes": [model.latent_dim],
        "points": len(means),
        "unit": unit,
        "extent": float(np.clip(np.ceil(2 * farthest) / 2, *EXTENT)),
    }
    return header, np.rint(means / unit).astype("<i2").tobytes()


def portable(model: VAE) -> tuple[dict, Layers] | None:
    """What a header says of the decoder's kind, nothing of a perceptron, and its layers.

    They take z itself, as those of :func:`vae.latent.arrays.decoder_layers` do. A decoder of
    convolutions is told as :meth:`vae.models.network.Network.convolved` says. None where no
    browser runs it.
    """
    layers = decoder_layers(model)
    if layers is not None:
        return {}, layers
    if (stepped := model.decoder.stepped(*_coordinates(model))) is not None:
        said, layers = stepped
        return {"graph": said}, layers
    told = model.decoder.convolved()
    if told is None:
        return None
    said, ((weight, bias), *others) = told
    shift, scale = model.latent_shift.numpy(), model.latent_scale.numpy()
    return {"convolution": said}, [(weight * scale, bias + weight @ shift), *others]


def pack_encoder(checkpoint: Checkpoint, half: bool = False) -> bytes | None:
    """What the browser needs to encode an image: a JSON header and the encoder, laid out as in
    :func:`pack`.

    Arguments:
        checkpoint: The model.
        half: Whether weights travel as float16.

    Returns:
        The bytes, or None where a weight is infinite or not a number, or the encoder is of a kind
        that no browser runs.
    """
    model = checkpoint.model
    carried = portable_encoder(model)
    if carried is None:
        return None
    kind, layers = carried
    arrays = _arrays(layers, half)
    if "convolution" in kind:
        kind["kernels"] = [weight[0].size for weight, _ in layers]
    if kind:
        arrays.append(model.mean_image.numpy())
    if not all(np.isfinite(array).all() for array in arrays):
        return None
    header = {
        "shape": list(model.image_shape),
        "sizes": [int(np.prod(model.image_shape)), *(len(bias) for _, bias in layers)],
        **kind,
        **_activation(model.encoder),
        **_halved(half),
    }
    return _with_header(header, arrays)


def portable_encoder(model: VAE) -> tuple[dict, Layers] | None:
    """The same of the encoder: its layers give z itself.

    A perceptron's take an image as it is, those of convolutions one less the mean image, which
    then travels behind them.
    """
    layers = encoder_layers(model)
    if layers is not None:
        return {}, layers
    if (stepped := model.encoder.stepped(*_coordinates(model))) is not None:
        said, layers = stepped
        return {"graph": said}, layers
    told = model.encoder.convolved()
    if told is None:
        return None
    said, (*others, head) = told
    return {"convolution": said}, [*others, head_of_z(model, *head)]


def _coordinates(model: VAE) -> tuple[np.ndarray, np.ndarray]:
    return model.latent_shift.numpy(), model.latent_scale.numpy()


def rows_of(checkpoint: Checkpoint) -> np.ndarray:
    """The rows of the posterior that travel with a model, (n,): at most :data:`MOST_POINTS`."""
    if checkpoint.posterior is None:
        return np.zeros(0, dtype=int)
    rows = np.flatnonzero(np.isfinite(np.asarray(checkpoint.posterior.mean)).all(axis=1))
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_POINTS)).astype(int)]


def means_of(checkpoint: Checkpoint) -> np.ndarray:
    """The means of the posterior that travel with a model, (n, K)."""
    if checkpoint.posterior is None:
        return np.zeros((0, checkpoint.model.latent_dim), dtype=np.float32)
    return np.asarray(checkpoint.posterior.mean)[rows_of(checkpoint)]


def halved(layers: Layers) -> Layers:
    """Weights rounded to what float16 holds, as float32; biases, which are few, stay."""
    with np.errstate(over="ignore"):
        return [(weight.astype(np.float16).astype(np.float32), bias) for weight, bias in layers]


def _arrays(layers: Layers, half: bool) -> list[np.ndarray]:
    with np.errstate(over="ignore"):
        return [
            array
            for weight, bias in layers
            for array in (weight.astype(np.float16) if half else weight, bias)
        ]


def _halved(half: bool) -> dict:
    """What a header says of float16: nothing where there is none."""
    return {"half": True} if half else {}


def _activation(network: Network) -> dict:
    """What a header says of what lies between the layers: nothing of tanh."""
    return {} if network.activation == "tanh" else {"activation": network.activation}


def _with_header(header: dict, arrays: list[np.ndarray]) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    parts = [np.array(len(text), dtype="<u4").tobytes(), text]
    for array in arrays:
        held = np.asarray(array, dtype="<f2" if array.dtype == np.float16 else "<f4").tobytes()
        parts.append(held + b"\0" * (-len(held) % 4))
    return b"".join(parts)
