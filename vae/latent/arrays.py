"""The latent space as arrays: grids, reconstructions, scores; NumPy in and NumPy out.

This is where pages meet the model: what a page draws it asks of these functions.
"""

__all__ = [
    "Posterior",
    "Reconstructions",
    "active_units",
    "decode",
    "decoder_layers",
    "draw",
    "encode",
    "encoder_layers",
    "evaluate",
    "faces_a_side",
    "head_of_z",
    "kl_per_latent",
    "log_prior",
    "manifold_axis",
    "manifold_grid",
    "manifold_sheet",
    "match_prior",
    "nearest",
    "reconstruct",
    "sample",
    "squared_errors",
]

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from vae import images
from vae.datasets.faces import Pixels
from vae.errors import VisageError
from vae.models.gaussian import Gaussian
from vae.models.objective import DECODED_PIXELS, ELBO, jensen_gap, weigh
from vae.models.vae import VAE

# Images that pass through a model at once when a whole set is evaluated.
CHUNK = 512

# Pixels of a picture of many faces.
LARGEST_PICTURE = 2**24


class Posterior(NamedTuple):
    """The posterior of a set of images as arrays.

    Arguments:
        mean: float32, of shape (n, K).
        log_var: The log-variance, likewise.
    """

    mean: np.ndarray
    log_var: np.ndarray


def decode(model: VAE, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The decoder's mean and standard deviation as images.

    Arguments:
        model: The model.
        z: Latent points, of shape (*, K).

    Returns:
        Two float32 arrays of shape (*, H, W) or (*, H, W, 3), in units of a pixel's [0, 1].
    """
    with torch.inference_mode():
        mean, log_var = model.decode(torch.from_numpy(np.asarray(z, dtype=np.float32)))
        shape = *mean.shape[:-1], *model.image_shape
        return mean.reshape(shape).numpy(), log_var.mul(0.5).exp().reshape(shape).numpy()


def draw(model: VAE, z: np.ndarray) -> np.ndarray:
    """The decoder's mean as pictures, decoded a few at a time: a grid may hold very many.

    Arguments:
        model: The model.
        z: Latent points, of shape (*, K).

    Returns:
        uint8, of shape (*, H, W) or (*, H, W, 3).
    """
    z = np.asarray(z)
    points = z.reshape(-1, z.shape[-1])
    pictures = np.empty((len(points), *model.image_shape), dtype=np.uint8)
    size = max(1, DECODED_PIXELS // model.pixels)
    for start in range(0, len(points), size):
        mean, _ = decode(model, points[start : start + size])
        pictures[start : start + size] = images.to_uint8(mean)
    return pictures.reshape(*z.shape[:-1], *model.image_shape)


def sample(model: VAE, z: np.ndarray, seed: int = 0) -> np.ndarray:
    """Images of p(x|z): the decoder's mean and the noise that its likelihood expects around it.

    Arguments:
        model: The model, with any likelihood.
        z: Latent points, of shape (n, K).
        seed: What the noise is drawn with: the same seed gives the same images.

    Returns:
        float32, of shape (n, H, W) or (n, H, W, 3), in units of a pixel's [0, 1], which noise may
        leave.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = []
    size = max(1, DECODED_PIXELS // model.pixels)
    with torch.inference_mode():
        for part in torch.from_numpy(np.asarray(z, dtype=np.float32)).split(size):
            noise = model.likelihood.noise((len(part), model.pixels), generator).float()
            parts.append(model.decode(part).sample(noise))
        return torch.cat(parts).reshape(-1, *model.image_shape).numpy()


def encode(model: VAE, pixels: np.ndarray | Pixels) -> Posterior:
    """The posterior of each image.

    Arguments:
        model: The model.
        pixels: Flattened images with pixels in [0, 1], of shape (n, D).

    Returns:
        Mean and log-variance as float32 arrays, of shape (n, K) each.
    """
    with torch.inference_mode():
        parts = [model.encode(x) for x in _chunks(pixels)]
        return Posterior(
            torch.cat([part.mean for part in parts]).numpy(),
            torch.cat([part.log_var for part in parts]).numpy(),
        )


@dataclass(frozen=True)
class Reconstructions:
    """Images through the encoder and back, with what the model thinks of each.

    Arguments:
        mean: The decoder's mean at the posterior's mean, (n, H, W[, 3]), pixels in [0, 1].
        z_mean: The posterior's means, (n, K).
        z_std: The posterior's standard deviations, (n, K).
        elbo: In nats, (n,); so are ``log_likelihood`` and ``kl``.
        importance_weighted: The importance-weighted estimate of log p(x), in nats, (n,).
    """

    mean: np.ndarray
    z_mean: np.ndarray
    z_std: np.ndarray
    elbo: np.ndarray
    log_likelihood: np.ndarray
    kl: np.ndarray
    importance_weighted: np.ndarray


def reconstruct(
    model: VAE, pixels: np.ndarray | Pixels, samples: int = 128, importance_samples: int = 128
) -> Reconstructions:
    """Pass images through the encoder and back; arguments as for :func:`evaluate`.

    Of a model that tells nothing in nats, the figures are NaN.
    """
    posterior = encode(model, pixels)
    if model.why_no_nats:
        unknown = np.full(len(pixels), np.nan)
        names = ("elbo", "log_likelihood", "kl", "importance_weighted")
        terms = dict.fromkeys(names, unknown)
    else:
        terms = evaluate(model, pixels, samples, importance_samples)
    return Reconstructions(
        mean=decode(model, posterior.mean)[0],
        z_mean=posterior.mean,
        z_std=np.exp(0.5 * posterior.log_var),
        elbo=terms["elbo"],
        log_likelihood=terms["log_likelihood"],
        kl=terms["kl"],
        importance_weighted=terms["importance_weighted"],
    )


def squared_errors(model: VAE, pixels: np.ndarray | Pixels) -> np.ndarray:
    """How far each image is from its reconstruction: what is told of a model without nats.

    Arguments:
        model: The model, with an encoder.
        pixels: Flattened images with pixels in [0, 1], of shape (n, D).

    Returns:
        The mean over an image's values of their squared differences, float64, (n,); its peak
        signal-to-noise ratio is −10 log₁₀ of that, in decibels.
    """
    parts = []
    with torch.inference_mode():
        for x in _chunks(pixels, min(CHUNK, max(1, DECODED_PIXELS // model.pixels))):
            mean, _ = model.decode(model.encode(x).mean)
            parts.append((mean.clamp(0, 1) - x).double().square().mean(dim=1))
    return torch.cat(parts).numpy()


def evaluate(
    model: VAE,
    pixels: np.ndarray | Pixels,
    samples: int = 16,
    importance_samples: int = 0,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """The ELBO of each image of a set, its terms and, if asked for, the tighter bound.

    Arguments:
        model: The model.
        pixels: Flattened images with pixels in [0, 1], of shape (n, D).
        samples: The number L of posterior samples an image that the likelihood is averaged over.
        importance_samples: The number of samples of the importance-weighted bound; 0 leaves it
            out. It is the ELBO and the gap above it, so never below the ELBO.
        seed: What the noise is drawn with: the same seed gives the same figures.

    Returns:
        ``elbo``, ``log_likelihood``, ``kl`` and with importance samples ``importance_weighted``:
        float64 arrays of shape (n,), in nats; and ``kl_per_latent``, of shape (n, K).
    """

    def at_once(samples: int) -> int:
        return min(CHUNK, max(1, DECODED_PIXELS // (samples * model.pixels)))

    device = model.mean_image.device
    generator = torch.Generator().manual_seed(seed)
    columns: dict[str, list[torch.Tensor]] = {}
    drawn = max(samples, importance_samples)
    with torch.inference_mode():
        for chunk in _chunks(pixels, at_once(drawn)):
            x = chunk.to(device)
            posterior = model.encode(x)
            noise = torch.randn((drawn, len(x), model.latent_dim), generator=generator).to(device)
            log_likelihood, log_weights = weigh(model, x, posterior, noise)
            kl = posterior.kl_from_prior()
            terms = ELBO(log_likelihood[:samples].mean(dim=0), kl.sum(dim=-1))
            found = {
                "elbo": terms.elbo,
                "log_likelihood": terms.log_likelihood,
                "kl": terms.kl,
                "kl_per_latent": kl,
            }
            if importance_samples:
                gap = jensen_gap(log_weights[:importance_samples])
                found["importance_weighted"] = terms.elbo + gap
            for name, values in found.items():
                columns.setdefault(name, []).append(values.cpu().double())
    return {name: torch.cat(parts).numpy() for name, parts in columns.items()}


def kl_per_latent(posterior: Gaussian | Posterior) -> np.ndarray:
    """How much each latent tells of an image: its KL divergence from the prior, in nats.

    A latent at 0 is not in use: its posterior is the prior whatever the image.

    Arguments:
        posterior: That of a set of images, tensors or arrays of shape (n, K).

    Returns:
        The means over the set, float64, of shape (K,).
    """
    tensors = Gaussian(*(torch.as_tensor(part).double() for part in posterior))
    return tensors.kl_from_prior().mean(dim=0).numpy()


def log_prior(z: np.ndarray) -> np.ndarray:
    r"""The log-density of the prior, :math:`\log \mathcal{N}(z; 0, I)`, in nats.

    Arguments:
        z: Latent points, of shape (*, K).

    Returns:
        float64, of shape (*).
    """
    z = np.asarray(z, dtype=np.float64)
    return -0.5 * (z.shape[-1] * np.log(2 * np.pi) + np.square(z).sum(axis=-1))


def nearest(points: np.ndarray, z: np.ndarray, count: int) -> np.ndarray:
    """The places of the latent points nearest to z, in Euclidean distance, the nearest first.

    Arguments:
        points: Of shape (N, K).
        z: Of shape (K,).
        count: How many at most.
    """
    distances = np.square(points - z).sum(axis=1)
    return np.argsort(distances, kind="stable")[:count]


def manifold_axis(count: int, tail: float = 0.01) -> np.ndarray:
    """Coordinates of the paper's Figure 4: evenly spaced in probability, not in z.

    The inverse CDF of the standard normal at ``count`` evenly spaced points of [tail, 1 - tail].

    Arguments:
        count: How many, at least 1.
        tail: The probability left out on either side, in (0, 0.5).

    Returns:
        A rising float64 array of shape (count,).
    """
    # Importing it takes a third of a second, which the first page need not wait for.
    import scipy.stats

    if count < 1 or not 0 < tail < 0.5:
        raise VisageError(
            f"A grid needs at least 1 point a side and a tail between 0 and 0.5, not {count} and "
            f"{tail:g}."
        )
    probabilities = np.linspace(tail, 1 - tail, count) if count > 1 else np.array([0.5])
    return scipy.stats.norm.ppf(probabilities)


def manifold_grid(
    count: int,
    tail: float = 0.01,
    latent_dim: int = 2,
    axes: Sequence[int] = (0, 1),
    centre: np.ndarray | None = None,
) -> np.ndarray:
    """Latent points of a grid over two latents, as a picture: the first row has the largest z₂.

    Arguments:
        count: Points a side.
        tail: As for :func:`manifold_axis`.
        latent_dim: The number K of latents.
        axes: The latents that run across and upwards; with K = 1 only the first is used.
        centre: Values of the other latents, of shape (K,); zeros by default.

    Returns:
        float64, of shape (count, count, K).
    """
    axis = manifold_axis(count, tail)
    z = np.zeros((count, count, latent_dim))
    if centre is not None:
        z[:] = centre
    if latent_dim > 1:
        z[..., axes[1]] = axis[::-1, None]
    z[..., axes[0]] = axis
    return z


def faces_a_side(model: VAE, most: int) -> int:
    """How many faces a side a grid's picture holds: at least 2, and at most so many.

    Larger images come fewer to a picture, so that it stays one that a browser takes well.
    """
    height, width, *_ = model.image_shape
    return min(most, max(2, math.isqrt(LARGEST_PICTURE // (height * width))))


def manifold_sheet(
    count: int,
    tail: float = 0.01,
    latent_dim: int = 2,
    axes: Sequence[int] = (0, 1),
    centre: np.ndarray | None = None,
) -> np.ndarray:
    """The grid as it is shown: with a single latent, one row of it, since all are alike.

    Returns:
        float64, of shape (count, count, K), or (1, count, 1) with K = 1.
    """
    if latent_dim == 1:
        return manifold_axis(count, tail).reshape(1, count, 1)
    return manifold_grid(count, tail, latent_dim, axes, centre)


def active_units(posterior: Posterior) -> int:
    """The number of latents in use: those whose posterior mean has a variance above 0.01.

    Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders (2016), section 5.3.

    Arguments:
        posterior: The posterior of the set, (N, K) each, as :func:`encode` gives it.
    """
    return int((np.var(posterior.mean, axis=0) > 0.01).sum())


def match_prior(model: VAE, posterior: Posterior) -> tuple[VAE, Posterior]:
    r"""The same model in the latent coordinates that suit the prior best.

    Shifting and stretching each latent (:meth:`vae.models.vae.VAE.in_coordinates`) leaves every
    reconstruction as it is and moves the KL divergence alone, which over a training set is least
    with :math:`z' = (z - c) / s`, where c is the mean of the posterior's means and
    :math:`s^2` their variance plus the mean of its variances. There the aggregate posterior has
    the prior's mean and variance, so that a grid over the prior meets the data. In other words the
    prior is refitted to the training set: the KL divergence of other images, and with it their
    ELBO, moves as well, by a nat or two either way.

    Arguments:
        model: The model.
        posterior: The posterior of the training set, (N, K) each, as :func:`encode` gives it.

    Returns:
        A new model, and the posterior in its coordinates.
    """
    mean, log_var = posterior
    centre = mean.mean(axis=0)
    scale = np.sqrt(mean.var(axis=0) + np.exp(log_var).mean(axis=0)).clip(1e-6)
    matched = model.in_coordinates(torch.from_numpy(centre), torch.from_numpy(scale))
    return matched, Posterior((mean - centre) / scale, log_var - 2 * np.log(scale))


def decoder_layers(model: VAE) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """The decoder's weights as arrays, for a second implementation of it in the browser.

    They take z itself: how the model's latents are shifted and stretched is part of the first.
    Between them lies what ``model.decoder.activation`` says.

    Returns:
        (weight, bias) of each hidden layer and of the head, float32, of shape (out, in) and
        (out,). The head's first D rows give the mean's logits, its last D the log-variance. None
        where the decoder is of another kind.
    """
    layers = model.decoder.layers()
    if layers is None:
        return None
    (weight, bias), *others = layers
    shift, scale = model.latent_shift.numpy(), model.latent_scale.numpy()
    return [(weight * scale, bias + weight @ shift), *others]


def encoder_layers(model: VAE) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """The encoder's weights as arrays, as :func:`decoder_layers` has the decoder's.

    They take an image in [0, 1] and give z itself: the mean image is part of the first, the
    latents' shift and scale of the last.

    Returns:
        (weight, bias) of each layer, float32, of shape (out, in) and (out,). The last one's first
        K rows give the posterior's mean, its last K the log-variance. None where the encoder is of
        another kind.
    """
    layers = model.encoder.layers()
    if layers is None:
        return None
    (weight, bias), *others = layers
    layers = [(weight, bias - weight @ model.mean_image.numpy()), *others]
    return [*layers[:-1], head_of_z(model, *layers[-1])]


def head_of_z(model: VAE, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last layer of an encoder as it gives z itself, of the one that gives its own latents.

    Arguments:
        model: The model.
        weight: Of shape (2K, in), the means' rows above the log-variances'.
        bias: Of shape (2K,).
    """
    shift, scale = model.latent_shift.numpy(), model.latent_scale.numpy()
    one = np.ones_like(scale)
    weight = weight / np.concatenate([scale, one])[:, None]
    bias = (bias - np.concatenate([shift, 0 * one])) / np.concatenate([scale, one])
    bias = bias - np.concatenate([0 * one, 2 * np.log(scale)])
    return weight, bias


def _chunks(pixels: np.ndarray | Pixels, size: int = CHUNK) -> Iterator[torch.Tensor]:
    for start in range(0, len(pixels), size):
        yield torch.from_numpy(np.asarray(pixels[start : start + size], dtype=np.float32))
