"""A stranger's model in steps of our own, where its graphs are understood.

The networks that ask onnxruntime stand beside it: whoever opens a model compares the two.
"""

__all__ = ["understood"]

import math
from collections.abc import Sequence

import numpy as np
import torch

from vae.errors import VisageError
from vae.models.architecture import Architecture
from vae.models.foreign.networks import LOG_VARS, Onnx, Reading
from vae.models.graph import Translated
from vae.models.translation import (
    Builder,
    Layer,
    Place,
    Translation,
    UntranslatableError,
    translate,
)
from vae.models.vae import VAE

ZERO = np.array(0.0)


def understood(decoder: bytes, encoder: bytes | None, asked: VAE) -> VAE | None:
    """The model of networks of our own.

    Arguments:
        decoder: The ONNX file of the decoder, which has been run.
        encoder: That of the encoder, if there is one.
        asked: The same model, whose networks ask onnxruntime.

    Returns:
        The model, whose encoder goes on asking where that alone is not understood; None where the
        decoder is not.
    """
    network = asked.architecture.network
    assert isinstance(network, Onnx)
    shape, latent_dim = asked.image_shape, asked.latent_dim
    try:
        steps = _decoder(decoder, network.decoder_file, shape, latent_dim)
    except UntranslatableError:
        return None
    encoding, reading = None, network.encoder_file
    if encoder is not None and reading is not None:
        try:
            encoding = _encoder(encoder, reading, shape, latent_dim)
            reading = None
        except UntranslatableError:
            pass
    try:
        architecture = Architecture(
            shape,
            latent_dim,
            _translated(network, steps, encoding, reading),
            asked.likelihood.name,
        )
        with torch.device("meta"):
            model = VAE.of(architecture)
    except VisageError:
        # Too many steps, or too much to do in them.
        return None
    weights = {name: value for name, value in asked.state_dict().items() if name != "decoder.file"}
    if reading is None:
        weights.pop("encoder.file", None)
    weights |= _named("decoder", steps.layers)
    if encoding is not None:
        weights |= _named("encoder", encoding.layers)
    model.load_state_dict(weights, assign=True)
    return model.requires_grad_(False).eval()


def _translated(
    network: Onnx, steps: Translation, encoding: Translation | None, reading: Reading | None
) -> Translated:
    encoder_std = network.encoder_file.std if network.encoder_file else 1.0
    return Translated(
        steps.steps,
        steps.outputs,
        2 * math.log(network.decoder_file.std),
        encoding.steps if encoding else (),
        encoding.outputs if encoding else (),
        2 * math.log(encoder_std),
        reading,
    )


def _named(part: str, layers: Sequence[Layer]) -> dict[str, torch.Tensor]:
    return {
        f"{part}.{kind}.{place}": torch.from_numpy(np.array(values))
        for place, layer in enumerate(layers)
        for kind, values in zip(("weight", "bias"), layer, strict=True)
    }


def _decoder(
    content: bytes, reading: Reading, image_shape: tuple[int, ...], latent_dim: int
) -> Translation:
    build = Builder((latent_dim,))
    ones = np.ones(latent_dim)
    z = build.scale(Place(0), ones, 0 * ones)
    mean, spread = _run(content, reading, build, build.reshape(z, reading.shape))
    if reading.variance == reading.mean:
        last = len(build.shape(mean)) == 3 and reading.order == "nhwc"
        mean, spread = _halves(build, mean, -1 if last else 0)
    mean, spread = (
        place and _pixel_by_pixel(build, place, image_shape, reading.order)
        for place in (mean, spread)
    )
    assert mean is not None
    per_unit = {"symmetric": 0.5, "bytes": 1 / 255}.get(reading.range, 1.0)
    match reading.range:
        case "symmetric":
            mean = build.scale(mean, np.array(0.5), np.array(0.5))
        case "bytes":
            mean = build.scale(mean, np.array(1 / 255), ZERO)
        case "logits":
            mean = build.add("sigmoid", [mean])
    if spread is None:
        return build.done(mean)
    return build.done(mean, _log_var(build, spread, reading.variance_is, 2 * math.log(per_unit)))


def _encoder(
    content: bytes, reading: Reading, image_shape: tuple[int, ...], latent_dim: int
) -> Translation:
    build = Builder((math.prod(image_shape),))
    x = Place(0)
    match reading.range:
        case "symmetric":
            x = build.scale(x, np.array(2.0), np.array(-1.0))
        case "bytes":
            x = build.scale(x, np.array(255.0), ZERO)
    if len(image_shape) > 2 and reading.order == "nchw":
        x = build.transpose(build.reshape(x, image_shape), [2, 0, 1])
    mean, spread = _run(content, reading, build, build.reshape(x, reading.shape))
    if reading.variance == reading.mean:
        mean, spread = _halves(build, mean, 0)
    if math.prod(build.shape(mean)) != latent_dim:
        raise UntranslatableError("The encoder gives another number of means.")
    ones = np.ones(latent_dim)
    outputs = [build.scale(build.reshape(mean, [latent_dim]), ones, 0 * ones)]
    if spread is not None:
        spread = build.reshape(spread, [latent_dim])
        log_var = _log_var(build, spread, reading.variance_is, 0.0)
        outputs.append(build.scale(log_var, ones, 0 * ones))
    return build.done(*outputs)


def _run(
    content: bytes, reading: Reading, build: Builder, source: Place
) -> tuple[Place, Place | None]:
    """The places of what a graph tells of the mean and the variance."""
    import onnx

    wanted = dict.fromkeys(filter(None, (reading.mean, reading.variance)))
    model = onnx.load_model_from_string(content)
    found = dict(zip(wanted, translate(model, build, source, [*wanted]), strict=True))
    return found[reading.mean], found.get(reading.variance)


def _halves(build: Builder, both: Place, axis: int) -> tuple[Place, Place]:
    shape = build.shape(both)
    axis %= len(shape)
    half, rest = divmod(shape[axis], 2)
    if rest:
        raise UntranslatableError("Mean and variance are not as many.")
    return (
        build.add("slice", [both], [axis, 0, half]),
        build.add("slice", [both], [axis, half, 2 * half]),
    )


def _pixel_by_pixel(
    build: Builder, place: Place, image_shape: tuple[int, ...], order: str
) -> Place:
    values = math.prod(image_shape)
    if math.prod(build.shape(place)) != values:
        raise UntranslatableError("The decoder gives another number of values.")
    if len(image_shape) > 2 and order == "nchw":
        height, width, channels = image_shape
        place = build.reshape(place, [channels, height, width])
        place = build.transpose(place, [1, 2, 0])
    return build.reshape(place, [values])


def _log_var(build: Builder, spread: Place, what: str, more: float) -> Place:
    factor = 1.0
    if what in ("std", "var"):
        spread = build.add("log", [build.add("abs", [spread])])
    if what in ("std", "log_std"):
        factor = 2.0
    if factor != 1 or more:
        spread = build.scale(spread, np.array(factor), np.array(more))
    return build.add("clip", [spread], values=LOG_VARS)
