"""A model as it travels to a browser: a JSON header, and its arrays behind it."""

__all__ = ["EXTENT", "pack"]

import json

import numpy as np

from vae.latent.arrays import decoder_layers
from vae.models.checkpoint import Checkpoint
from vae.models.likelihoods import Correlated, Student

# Points of the posterior that are drawn: more would not be told apart.
MOST_POINTS = 5_000

# The half-width of the plane and of the sliders, in standard deviations of the prior: at least the
# first, wider up to the second where the posterior's means lie further out, and as wide as need be
# where z does.
EXTENT = 4.0, 8.0


def pack(checkpoint: Checkpoint, channel: str, model_id: str, version: str) -> bytes | None:
    """What the browser needs of a model: a JSON header, the decoder, the posterior's means.

    Little-endian: the header's length as uint32, the header padded to 4 bytes, each layer's weight
    (out × in) and bias as float32, the weights (12 × D) of noise that knows its neighbours
    likewise, then the means as int16 in units of the header's ``unit``.

    Arguments:
        checkpoint: The model.
        channel: The key of the pad that it is for.
        model_id: What stays the same while a model trains, as its path does.
        version: What changes with the model's weights.

    Returns:
        The bytes, or None where a weight is infinite or not a number.
    """
    model = checkpoint.model
    layers = decoder_layers(model)
    if layers is None:
        raise TypeError("A decoder of another kind is decoded on the server.")
    arrays = [array for layer in layers for array in layer]
    # What a Gaussian's header says stays as it was.
    noise = {}
    if model.architecture.likelihood != "gaussian":
        noise["likelihood"] = model.architecture.likelihood
    if isinstance(model.likelihood, Student):
        noise["freedom"] = float(model.likelihood.freedom)
    elif isinstance(model.likelihood, Correlated):
        arrays.append(model.likelihood.weights.detach().numpy())
    if not all(np.isfinite(array).all() for array in arrays):
        return None
    means = np.zeros((0, model.latent_dim), dtype=np.float32)
    if checkpoint.posterior is not None:
        means = np.asarray(checkpoint.posterior.mean)
        means = means[np.isfinite(means).all(axis=1)]
        chosen = np.linspace(0, len(means) - 1, min(len(means), MOST_POINTS)).astype(int)
        means = means[chosen]
    farthest = np.abs(means).max(initial=0.0)
    unit = float(farthest / np.iinfo(np.int16).max) or 1.0
    header = {
        "channel": channel,
        "model": model_id,
        "version": version,
        "shape": list(model.image_shape),
        "sizes": [model.latent_dim, *(len(bias) for _, bias in layers)],
        "points": len(means),
        "unit": unit,
        "extent": float(np.clip(np.ceil(2 * farthest) / 2, *EXTENT)),
        **noise,
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    parts = [np.array(len(text), dtype="<u4").tobytes(), text]
    parts += [np.asarray(array, dtype="<f4").tobytes() for array in arrays]
    parts.append(np.rint(means / unit).astype("<i2").tobytes())
    return b"".join(parts)
