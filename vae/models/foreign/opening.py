"""A stranger's model opened: from ONNX files to a checkpoint of our own."""

__all__ = ["Found", "Said", "inspect", "keep", "open_model"]

import dataclasses
import math
from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch

from vae.errors import VisageError
from vae.limits import check_writable
from vae.models import collection
from vae.models.architecture import Architecture
from vae.models.checkpoint import Checkpoint, save_checkpoint
from vae.models.foreign.found import Found, Said, inspect
from vae.models.foreign.networks import Onnx, tensor_of
from vae.models.foreign.translated import understood
from vae.models.gaussian import Gaussian
from vae.models.vae import VAE
from vae.names import checked_name

# The standard deviation of a pixel where nobody states one and no image tells, and that of a
# posterior whose encoder gives a mean alone: a tenth of the prior's.
STD = 0.1

# Images whose reconstructions tell how far pixels lie from them, and those encoded at once.
MEASURED = 500
AT_ONCE = 256

# Latent points and images that a translated model is compared at.
COMPARED = 16

# How far its means and log-variances may lie from the graphs', absolutely or relatively.
NEAR = 1e-2


def open_model(
    decoder: bytes,
    encoder: bytes | None = None,
    found: Found | None = None,
    likelihood: str | None = None,
    std: float | None = None,
    images: np.ndarray | None = None,
    info: dict | None = None,
) -> Checkpoint:
    """A model of somebody else, as :func:`vae.load_checkpoint` gives our own.

    Arguments:
        decoder: The ONNX file of the decoder.
        encoder: That of the encoder, if there is one.
        found: What is known of them, as :func:`inspect` gives it; asked of it if not given.
        likelihood: What is stated of the noise of pixels: ``gaussian``, ``bernoulli`` or another
            name of :data:`vae.models.likelihoods.STATED`; ``none`` where nothing is. If not given,
            ``gaussian`` where the decoder tells a variance or ``std`` is given, else ``none``.
        std: The standard deviation of pixels in [0, 1], of a decoder that tells none.
        images: Images of the model's shape, uint8 or in [0, 1], (N, H, W[, 1 or 3]): their
            posterior's means are the points of the pad.
        info: What else to say of it.

    Raises:
        VisageError: It can't be opened, or the images are no images of it.
    """
    found = found or inspect(decoder, encoder)
    if likelihood is None:
        likelihood = "gaussian" if found.has_variance or std is not None else "none"
    if likelihood not in ("none", "bernoulli") and not found.has_variance and std is None:
        raise VisageError(
            f"This decoder tells no variance, so a {likelihood} likelihood needs the standard "
            "deviation of its pixels: give --std, such as 0.1."
        )
    if images is not None and encoder is None:
        raise VisageError(
            "Images have no place among the latents without an encoder: give its file as well."
        )
    if images is not None:
        _check_images(images, found.image_shape)
    model = _model(decoder, encoder, found, likelihood, STD if std is None else std)
    posterior = None
    if images is not None:
        posterior = _posterior(model, images)
        if std is None and not found.has_variance:
            measured = _residual(model, images, posterior)
            model = _model(decoder, encoder, found, likelihood, measured)
    return Checkpoint(model.requires_grad_(False).eval(), dict(info or {}), posterior)


def keep(checkpoint: Checkpoint, name: str, taken: Collection[str] = ()) -> Path:
    """Keep an opened model among the user's models.

    Arguments:
        checkpoint: The model.
        name: What to call it, by the rule of :mod:`vae.names`.
        taken: Names that runs have: those of other models are taken anyway.

    Raises:
        VisageError: The name is taken, it can't be written, or nothing is to be changed here.
    """
    check_writable()
    name = checked_name(name)
    if name in taken or name in collection.names():
        raise VisageError(f"There is a model named {name} already: choose another name.")
    path = collection.folder() / f"{name}{collection.SUFFIX}"
    save_checkpoint(
        path, checkpoint.model, {**checkpoint.info, "name": name}, checkpoint.posterior
    )
    return path


def _model(
    decoder: bytes, encoder: bytes | None, found: Found, likelihood: str, std: float
) -> VAE:
    """The model: of networks of our own where the graphs are understood, else of asked ones."""
    asked = _asked(decoder, encoder, found, likelihood, std)
    ours = understood(decoder, encoder, asked)
    return asked if ours is None or not _alike(ours, asked) else ours


def _alike(ours: VAE, asked: VAE) -> bool:
    """Whether a translated model answers as the graphs do, to one grey level."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(COMPARED, asked.latent_dim, generator=generator)
    x = torch.rand(COMPARED, asked.pixels, generator=generator)
    with torch.inference_mode():
        mean, log_var = asked.decode(z)
        own_mean, own_log_var = ours.decode(z)
        # Not a number is not near to anything.
        if not bool((own_mean - mean).abs().max() <= 1 / 255) or not _near(own_log_var, log_var):
            return False
        return not asked.can_encode or all(map(_near, ours.encode(x), asked.encode(x)))


def _near(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return bool(((ours - theirs).abs() / theirs.abs().clamp(min=1)).max() <= NEAR)


def _asked(
    decoder: bytes, encoder: bytes | None, found: Found, likelihood: str, std: float
) -> VAE:
    reading = dataclasses.replace(found.decoder, std=std)
    encoding = found.encoder and dataclasses.replace(found.encoder, std=STD)
    network = Onnx(reading, encoding if encoder is not None else None)
    architecture = Architecture(found.image_shape, found.latent_dim, network, likelihood)
    with torch.device("meta"):
        model = VAE.of(architecture)
    weights = {
        "decoder.file": tensor_of(decoder),
        "mean_image": torch.zeros(model.pixels),
        "latent_shift": torch.zeros(model.latent_dim),
        "latent_scale": torch.ones(model.latent_dim),
    }
    if encoder is not None:
        weights["encoder.file"] = tensor_of(encoder)
    model.load_state_dict(weights, assign=True)
    return model


def _rows(images: np.ndarray, image_shape: tuple[int, ...]) -> torch.Tensor:
    """Images as rows of pixels in [0, 1], float32 (n, D)."""
    rows = np.asarray(images).reshape(len(images), math.prod(image_shape))
    scale = 255 if rows.dtype == np.uint8 else 1
    return torch.from_numpy(rows.astype(np.float32) / np.float32(scale))


def _check_images(images: np.ndarray, image_shape: tuple[int, ...]) -> None:
    # Grey images of one channel are what Keras writes.
    if images.shape[1:] not in (image_shape, (*image_shape, 1)) or not len(images):
        raise VisageError(
            f"The images are of {'×'.join(map(str, images.shape[1:])) or 'one value'}, and the "
            f"model's of {'×'.join(map(str, image_shape))}: give images of its shape."
        )


def _posterior(model: VAE, images: np.ndarray) -> Gaussian:
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), AT_ONCE):
            parts.append(model.encode(_rows(images[start : start + AT_ONCE], model.image_shape)))
    mean, log_var = (torch.cat(part).clone() for part in zip(*parts, strict=True))
    if not mean.isfinite().all():
        raise VisageError(
            "The encoder's means of these images are not all numbers: look whether it was trained "
            "with values of another range (--input-range)."
        )
    return Gaussian(mean, log_var)


def _residual(model: VAE, images: np.ndarray, posterior: Gaussian) -> float:
    """The root mean square of what reconstructions lack."""
    chosen = np.linspace(0, len(images) - 1, min(len(images), MEASURED)).astype(int)
    squares = []
    with torch.inference_mode():
        for part in np.array_split(chosen, math.ceil(len(chosen) / AT_ONCE)):
            x = _rows(images[part], model.image_shape)
            squares.append((model.decode(posterior.mean[part]).mean - x).square().mean(dim=1))
    return float(torch.cat(squares).mean().sqrt().clamp(1e-3, 1.0))
