r"""How likely a model finds an image: log p(x), the evidence that the ELBO is a lower bound of.

Three figures in order, and what lies between them (Cremer et al., section 3):

.. math::
    \mathcal{L}[q_\phi(z \mid x)]
        \;\underset{\text{amortisation gap}}{\le}\; \mathcal{L}[q^*(z)]
        \;\underset{\text{approximation gap}}{\le}\; \log p(x)

The first is the ELBO under the encoder's posterior. The second is the ELBO under the best diagonal
Gaussian that gradient ascent finds for this one image, from the encoder's posterior and from the
largest peak of p(x, z): what is lost to the first is the encoder's, which has to answer for every
image at once. What is lost from the second to log p(x) is the KL divergence from that Gaussian to
the true posterior, which is none.

With one or two latents all three are integrals that can be done: the two bounds by Gauss–Hermite
quadrature, log p(x) by :mod:`vae.latent.quadrature`. With more, all three are sampled
(:mod:`vae.latent.importance`): then log p(x) is itself a lower bound, on average, that is as good
as its proposal.

References:
    Inference Suboptimality in Variational Autoencoders (Cremer, Li & Duvenaud, 2018)
    https://arxiv.org/abs/1801.03558
"""

__all__ = ["MOST_LATENTS", "Evidence", "affordable", "judge"]

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vae import threads
from vae.datasets.faces import Pixels
from vae.latent import importance, quadrature
from vae.latent.arrays import Posterior, encode
from vae.latent.joint import Joint, Peaks
from vae.latent.refine import climb
from vae.models.gaussian import Gaussian
from vae.models.objective import DECODED_PIXELS
from vae.models.vae import VAE

# Integrals are done for up to so many latents.
MOST_LATENTS = max(quadrature.POINTS_A_SIDE)

# Gauss–Hermite nodes an axis for a climb of the ELBO, and for the ELBO itself.
CLIMBING, JUDGING = 3, 8

# Samples of the posterior where there are too many latents for nodes.
SAMPLES = 32

# Images that are judged at once.
CHUNK = 256

# Images of a set that are judged where nobody says how many, with two latents at most and with
# more; and the values that they hold together at most.
AFFORDABLE = 200, 64
AFFORDABLE_VALUES = 2**18, 2**16


@dataclass(frozen=True)
class Evidence:
    """What a model makes of each image, in nats; arrays of shape (n,) but for the posteriors.

    Arguments:
        encoder_elbo: The ELBO under the encoder's posterior.
        refined_elbo: The ELBO under the refined posterior, never below it.
        log_px: log p(x); where it is sampled, a lower bound of it on average.
        error: Of an integral, by how much estimates on parts of its lattice differ; of a sampled
            one, its standard error.
        is_integral: Whether log p(x) is an integral that was done, and not sampled.
        encoder: The encoder's posterior, (n, K) each.
        refined: The refined one, likewise.
    """

    encoder_elbo: np.ndarray
    refined_elbo: np.ndarray
    log_px: np.ndarray
    error: np.ndarray
    is_integral: bool
    encoder: Posterior
    refined: Posterior

    @property
    def amortisation_gap(self) -> np.ndarray:
        """What the encoder loses by answering for every image at once."""
        return self.refined_elbo - self.encoder_elbo

    @property
    def approximation_gap(self) -> np.ndarray:
        """What a diagonal Gaussian loses by being none other."""
        return self.log_px - self.refined_elbo

    def figures(self) -> dict[str, float | int | str]:
        """Means over the images, in nats.

        Returns:
            ``elbo`` (the encoder's), ``refined_elbo``, ``log_px``, ``amortisation_gap`` and
            ``approximation_gap``, each with its standard error over the images, as
            ``elbo_error``, where there are two at least; ``images``, how many; ``method``,
            quadrature or sampling; and ``method_error``, how well that knows the mean log p(x).
        """
        count = len(self.log_px)
        found: dict[str, float | int | str] = {"images": count}
        for name, values in (
            ("elbo", self.encoder_elbo),
            ("refined_elbo", self.refined_elbo),
            ("log_px", self.log_px),
            ("amortisation_gap", self.amortisation_gap),
            ("approximation_gap", self.approximation_gap),
        ):
            found[name] = float(values.mean())
            if count > 1:
                found[f"{name}_error"] = float(values.std(ddof=1) / math.sqrt(count))
        # Errors of integrals may all lie to the same side; those of samples average out.
        error = self.error.mean() if self.is_integral else np.linalg.norm(self.error) / count
        return found | {
            "method": "quadrature" if self.is_integral else "sampling",
            "method_error": float(error),
        }


def affordable(model: VAE) -> int:
    """How many images can be judged in some ten seconds on two cores.

    None of a decoder whose slopes are differences: each of many thousands would be some passes.
    """
    if not model.decoder.is_exact:
        return 0
    is_sampled = model.latent_dim > MOST_LATENTS
    return max(2, min(AFFORDABLE[is_sampled], AFFORDABLE_VALUES[is_sampled] // model.pixels))


@threads.single()
def judge(
    model: VAE, pixels: np.ndarray | Pixels, steps: int = 12, samples: int = 1000, seed: int = 0
) -> Evidence:
    """The ELBO, the refined ELBO and log p(x) of each image.

    Arguments:
        model: The model, with any likelihood.
        pixels: Flattened images with pixels in [0, 1], of shape (n, D).
        steps: Of gradient ascent on the ELBO.
        samples: The number of importance samples, where there are more than two latents.
        seed: What they are drawn with: the same seed gives the same figures.
    """
    parts = []
    for start in range(0, len(pixels), CHUNK):
        part = np.asarray(pixels[start : start + CHUNK], dtype=np.float32)
        parts.append(
            _integrated(model, part, steps)
            if model.latent_dim <= MOST_LATENTS
            else _sampled(model, part, steps, samples, seed + start)
        )
    if len(parts) == 1:
        return parts[0]
    encoder, refined = (
        Posterior(*map(np.concatenate, zip(*posteriors, strict=True)))
        for posteriors in ([part.encoder for part in parts], [part.refined for part in parts])
    )
    return Evidence(
        np.concatenate([part.encoder_elbo for part in parts]),
        np.concatenate([part.refined_elbo for part in parts]),
        np.concatenate([part.log_px for part in parts]),
        np.concatenate([part.error for part in parts]),
        parts[0].is_integral,
        encoder,
        refined,
    )


def _integrated(model: VAE, pixels: np.ndarray, steps: int) -> Evidence:
    joint = Joint(model, pixels)
    encoder = _encoded(model, pixels)
    everyone = torch.arange(len(joint))
    owner, z = quadrature.search(model, joint)
    peaks = joint.climb(torch.cat([owner, everyone]), torch.cat([z, encoder.mean.double()]))

    noise, weights = _nodes(CLIMBING, joint.latent_dim)
    start = _laplace(peaks, joint)
    climbed = _climbed(model, pixels, start, noise.float(), weights.float(), steps)
    noise, weights = _nodes(JUDGING, joint.latent_dim)
    candidates = [encoder, start, climbed]
    elbo = torch.stack([_elbo(joint, each, noise, weights) for each in candidates])
    refined, refined_elbo = _best(candidates, elbo)

    # Wherever the refined posterior has found its place, that is looked at too.
    there = joint.climb(everyone, refined.mean.double())
    peaks = Peaks(*(torch.cat(both) for both in zip(peaks, there, strict=True)))
    found = quadrature.integrate(joint, peaks)
    return Evidence(
        elbo[0].numpy(),
        refined_elbo.numpy(),
        found.log_px.numpy(),
        found.error.numpy(),
        True,
        _arrays(encoder),
        _arrays(refined),
    )


def _sampled(model: VAE, pixels: np.ndarray, steps: int, samples: int, seed: int) -> Evidence:
    joint = Joint(model, pixels)
    generator = torch.Generator().manual_seed(seed)
    encoder = _encoded(model, pixels)
    peaks = importance.search(model, joint, encoder.mean, generator)

    noise = _normal(SAMPLES, joint, generator)
    even = torch.full((SAMPLES,), 1 / SAMPLES)
    start = _laplace(peaks, joint)
    candidates = [encoder, start, _climbed(model, pixels, start, noise, even, steps)]

    judging = _normal(4 * SAMPLES, joint, generator).double()
    even = torch.full((len(judging),), 1 / len(judging)).double()
    elbo = torch.stack([_elbo(joint, each, judging, even) for each in candidates])
    refined, refined_elbo = _best(candidates, elbo)
    found = importance.sample(joint, peaks, refined, samples, generator)
    return Evidence(
        (found.elbo - (refined_elbo - elbo[0])).numpy(),
        found.elbo.numpy(),
        found.log_px.numpy(),
        found.error.numpy(),
        False,
        _arrays(encoder),
        _arrays(refined),
    )


def _encoded(model: VAE, pixels: np.ndarray) -> Gaussian:
    return Gaussian(*map(torch.from_numpy, encode(model, pixels)))


def _arrays(posterior: Gaussian) -> Posterior:
    return Posterior(posterior.mean.numpy(), posterior.log_var.numpy())


def _normal(count: int, joint: Joint, generator: torch.Generator) -> Tensor:
    """Noise (L, n, K), half of it the other half's mirror image, which averages to nothing."""
    noise = torch.randn((count // 2, len(joint), joint.latent_dim), generator=generator)
    return torch.cat([noise, -noise])


def _nodes(count: int, dim: int) -> tuple[Tensor, Tensor]:
    """Nodes (L, 1, K) and weights (L,) that average a polynomial over the standard normal."""
    nodes, weights = (torch.from_numpy(each) for each in np.polynomial.hermite_e.hermegauss(count))
    weights = weights / weights.sum()
    return (
        torch.cartesian_prod(*[nodes] * dim).reshape(-1, 1, dim),
        torch.cartesian_prod(*[weights] * dim).reshape(-1, dim).prod(dim=1),
    )


def _laplace(peaks: Peaks, joint: Joint) -> Gaussian:
    """The diagonal Gaussian at the largest peak, as narrow as its Hessian says."""
    best = peaks.best(len(joint))
    curvature = peaks.precision[best].diagonal(dim1=1, dim2=2)
    return Gaussian(peaks.z[best].float(), -curvature.log().float())


def _climbed(
    model: VAE, pixels: np.ndarray, start: Gaussian, noise: Tensor, weights: Tensor, steps: int
) -> Gaussian:
    """Gradient ascent on the ELBO of a few images at a time."""
    size = max(1, DECODED_PIXELS // (len(noise) * model.pixels))
    x = torch.from_numpy(pixels)
    found = []
    for first in range(0, len(x), size):
        some = slice(first, first + size)
        begin = Gaussian(start.mean[some], start.log_var[some])
        there = noise if noise.shape[1] == 1 else noise[:, some]
        found.append(climb(model, x[some], begin, there, steps, weights))
    return Gaussian(*map(torch.cat, zip(*found, strict=True)))


def _elbo(joint: Joint, posterior: Gaussian, noise: Tensor, weights: Tensor) -> Tensor:
    r"""The ELBO as :math:`E_q[\log p(x, z)] + H[q]`, (n,), float64."""
    posterior = Gaussian(*(part.double() for part in posterior))
    z = posterior.sample(noise)
    owner = torch.arange(len(joint)).repeat(len(z))
    value = joint(owner, z.reshape(-1, z.shape[-1])).reshape(len(z), -1)
    entropy = 0.5 * (1 + math.log(2 * math.pi) + posterior.log_var).sum(dim=1)
    return weights @ value + entropy


def _best(candidates: list[Gaussian], elbo: Tensor) -> tuple[Gaussian, Tensor]:
    """Of each image the posterior of the highest ELBO, and that."""
    highest, which = elbo.max(dim=0)
    everyone = torch.arange(len(which))
    mean, log_var = (torch.stack(part)[which, everyone] for part in zip(*candidates, strict=True))
    return Gaussian(mean, log_var), highest
