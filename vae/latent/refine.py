r"""A posterior better than the encoder's, for these images alone.

The encoder answers for any image at once, so for a given one its answer can be improved: from
there, a few steps of gradient ascent on the ELBO of this image, over the posterior's own mean and
variance.

References:
    Semi-Amortized Variational Autoencoders (Kim, Wiseman, Miller, Sontag & Rush, 2018), section 3
    https://arxiv.org/abs/1802.02550

    Natural Gradient Works Efficiently in Learning (Amari, 1998)
    https://doi.org/10.1162/089976698300017746
"""

__all__ = ["Refined", "climb", "refine"]

from dataclasses import dataclass

import numpy as np
import torch

from vae import threads
from vae.datasets.faces import Pixels
from vae.latent.arrays import Posterior, decode
from vae.models.gaussian import Gaussian
from vae.models.objective import ELBO, jensen_gap, weigh
from vae.models.vae import VAE

# The first step's size: 1 would reach a quadratic's maximum in the mean at once.
STEP = 0.5

# What a step's size grows by where the ELBO rose, and shrinks by where it didn't.
GROWTH, SHRINKAGE = 1.25, 0.4

# The log-variance moves by this at most in one step.
LONGEST = 1.0


@dataclass(frozen=True)
class Refined:
    """Refined posteriors of images, and what was gained.

    Arguments:
        posterior: Means and log-variances, float32 arrays of shape (n, K).
        elbo: The ELBO under it, (n,), in nats; so are ``log_likelihood`` and ``kl``.
        encoder_elbo: The ELBO under the encoder's posterior, with the same noise, (n,).
        importance_weighted: The estimate of log p(x) with importance samples of the refined
            posterior, those of the ELBO, which is therefore never above it; in nats, (n,).
        mean: The decoder's mean at the posterior's mean, (n, H, W[, 3]), pixels in [0, 1].
    """

    posterior: Posterior
    elbo: np.ndarray
    log_likelihood: np.ndarray
    kl: np.ndarray
    encoder_elbo: np.ndarray
    importance_weighted: np.ndarray
    mean: np.ndarray


@threads.single()
def refine(
    model: VAE,
    pixels: np.ndarray | Pixels,
    steps: int = 20,
    samples: int = 32,
    seed: int = 0,
) -> Refined:
    r"""Gradient ascent on the ELBO of each image, from the encoder's posterior.

    Steps go along the natural gradient, :math:`\sigma^2 \odot \nabla_\mu \mathcal{L}` and
    :math:`2 \nabla_{\log \sigma^2} \mathcal{L}`, which the Fisher information of a Gaussian gives:
    the plain gradient's steps would have to be as small as the narrowest latent asks. A step that
    lowers an image's ELBO is taken back and tried shorter.

    Arguments:
        model: The model.
        pixels: Flattened images with pixels in [0, 1], of shape (n, D).
        steps: How many.
        samples: The number L of posterior samples that the likelihood is averaged over.
        seed: What the noise is drawn with. It stays the same from step to step, and the figures
            returned are on other noise.

    Returns:
        The refined posteriors; the encoder's where nothing was gained.
    """
    x = torch.from_numpy(np.asarray(pixels, dtype=np.float32))
    generator = torch.Generator().manual_seed(seed)
    climbing, judging = (
        torch.randn((count, len(x), model.latent_dim), generator=generator)
        for count in (samples, 4 * samples)
    )
    with torch.inference_mode():
        encoded = model.encode(x)
    encoded = Gaussian(encoded.mean.clone(), encoded.log_var.clone())
    climbed = climb(model, x, encoded, climbing, steps)
    with torch.inference_mode():
        before, before_gap = _judge(model, x, encoded, judging)
        after, after_gap = _judge(model, x, climbed, judging)
        better = after.elbo > before.elbo
        posterior = Posterior(
            torch.where(better[:, None], climbed.mean, encoded.mean).numpy(),
            torch.where(better[:, None], climbed.log_var, encoded.log_var).numpy(),
        )
        terms = ELBO(*(torch.where(better, *pair) for pair in zip(after, before, strict=True)))
        gap = torch.where(better, after_gap, before_gap)
    return Refined(
        posterior=posterior,
        elbo=terms.elbo.double().numpy(),
        log_likelihood=terms.log_likelihood.double().numpy(),
        kl=terms.kl.double().numpy(),
        encoder_elbo=before.elbo.double().numpy(),
        importance_weighted=(terms.elbo + gap).double().numpy(),
        mean=decode(model, posterior.mean)[0],
    )


def _judge(
    model: VAE, x: torch.Tensor, posterior: Gaussian, noise: torch.Tensor
) -> tuple[ELBO, torch.Tensor]:
    """The ELBO, and how far the importance-weighted bound of the same samples is above it."""
    log_likelihood, log_weights = weigh(model, x, posterior, noise)
    terms = ELBO(log_likelihood.mean(dim=0), posterior.kl_from_prior().sum(dim=-1))
    return terms, jensen_gap(log_weights)


def climb(
    model: VAE,
    x: torch.Tensor,
    start: Gaussian,
    noise: torch.Tensor,
    steps: int,
    weights: torch.Tensor | None = None,
) -> Gaussian:
    """The ascent itself: the best posterior that it comes by, or the start.

    Arguments:
        model: The model.
        x: Flattened images, of shape (n, D).
        start: Where it begins, (n, K) each.
        noise: What the ELBO is averaged over, of shape (L, n, K) or (L, 1, K).
        steps: How many.
        weights: Of each in that average, (L,), where they are nodes of a quadrature; else even.
    """
    if weights is None:
        weights = torch.full((len(noise),), 1 / len(noise))
    best, best_elbo, gradient = start, *_ascent(model, x, start, noise, weights)
    size = torch.full((len(x), 1), STEP)
    for _ in range(steps):
        trial = Gaussian(
            best.mean + size * best.log_var.exp() * gradient.mean,
            best.log_var + (size * 2 * gradient.log_var).clamp(-LONGEST, LONGEST),
        )
        elbo, trial_gradient = _ascent(model, x, trial, noise, weights)
        rose = (elbo > best_elbo)[:, None]
        best, gradient = (
            Gaussian(*(torch.where(rose, new, old) for new, old in zip(*pair, strict=True)))
            for pair in ((trial, best), (trial_gradient, gradient))
        )
        best_elbo = torch.where(rose[:, 0], elbo, best_elbo)
        size = torch.where(rose, size * GROWTH, size * SHRINKAGE)
    return best


def _ascent(
    model: VAE, x: torch.Tensor, posterior: Gaussian, noise: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, Gaussian]:
    """The ELBO of each image, and its gradient over the posterior's mean and log-variance."""
    with torch.enable_grad():
        leaf = Gaussian(*(part.detach().requires_grad_() for part in posterior))
        log_likelihood = weights @ model.decode(leaf.sample(noise)).log_prob(x)
        elbo = log_likelihood - leaf.kl_from_prior().sum(dim=-1)
        gradient = torch.autograd.grad(elbo.sum(), leaf)
    return elbo.detach(), Gaussian(*gradient)
