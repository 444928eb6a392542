r"""log p(x) by importance sampling from what is known of the posterior, for more than two latents.

.. math::
    \hat p(x) = \frac1N \sum_{i=1}^N \frac{p(x, z_i)}{m(z_i)}, \quad z_i \sim m, \qquad
    E \log \hat p(x) \le \log p(x)

The proposal m is a defensive mixture (Owen & Zhou): a Gaussian with the covariance of the largest
peak, which follows how latents depend on each other as the encoder's can't; a Student t with the
same, whose tails are heavier than the posterior's; and the refined posterior. Two rounds of draws
that are then thrown away move the first two to where their weights are (Cappé et al.).

The ELBO of the refined posterior q comes from the same draws, as log p̂ less an estimate of the KL
divergence from q to the true posterior. With :math:`\rho_i = q(z_i) / m(z_i)` and
:math:`w_i = p(x, z_i) / q(z_i)`,

.. math::
    \mathrm{KL} = \log \frac{\sum_i \rho_i w_i}{\sum_i \rho_i}
        - \frac{\sum_i \rho_i \log w_i}{\sum_i \rho_i} \;\ge\; 0

by Jensen's inequality, whatever the draws: no bound lies above what it bounds.

References:
    Safe and Effective Importance Sampling (Owen & Zhou, 2000)
    https://doi.org/10.1080/01621459.2000.10473909

    Population Monte Carlo (Cappé, Guillin, Marin & Robert, 2004)
    https://doi.org/10.1198/106186004X12803
"""

__all__ = ["Sampled", "sample", "search"]

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vae.latent.joint import Joint, Peaks, likelihoods
from vae.models.gaussian import Gaussian
from vae.models.vae import VAE

# Shares of the Gaussian, of the Student t and of the refined posterior in the proposal.
SHARES = 0.5, 0.25, 0.25

# The Student t's degrees of freedom.
FREEDOM = 5.0

# Rounds of draws that the proposal learns from, where less than this share of them is effective
# and so many of them a latent, or their covariance would be worse than the peak's.
ROUNDS = 2
WELL = 0.4
ENOUGH = 5

# Points of the prior stretched by each of these that the search for a peak looks at, and how many
# of them it climbs from.
STRETCHES = 1, 2, 4, 8, 16
POINTS = 400
STARTS = 6

# From the largest peak it jumps this far, in standard deviations of the prior, and climbs again.
JUMPS = 0.5, 1, 2, 4
TURNS = 2

# Where a decoder's numbers overflow; a logarithm that averages can hold.
NOTHING = -1e30


class Sampled(NamedTuple):
    """Of each image, in nats, (n,), float64.

    Arguments:
        log_px: The estimate of log p(x).
        error: Its standard error.
        elbo: The ELBO of the refined posterior, never above it.
        effective: How many draws of the posterior the weights are worth.
    """

    log_px: Tensor
    error: Tensor
    elbo: Tensor
    effective: Tensor


def search(model: VAE, joint: Joint, mean: Tensor, generator: torch.Generator) -> Peaks:
    """Peaks of log p(x, z), from the encoder's mean, the origin and random points.

    There is no grid over many latents: of an image like no other a larger peak may be missed, and
    log p(x) is larger then.

    Arguments:
        model: The model.
        joint: The images.
        mean: The encoder's means, (n, K).
        generator: Of the points.
    """
    images, dim = len(joint), joint.latent_dim
    everyone = torch.arange(images)
    z = torch.randn((len(STRETCHES), POINTS, dim), generator=generator)
    z = (z * torch.tensor(STRETCHES)[:, None, None]).reshape(-1, dim)
    value = likelihoods(model, joint.x.float(), z) - 0.5 * z.square().sum(dim=1, keepdim=True)
    places = value.topk(STARTS, dim=0).indices.reshape(-1)
    starts = torch.cat([mean, torch.zeros_like(mean), z[places]]).double()
    peaks = joint.climb(everyone.repeat(2 + STARTS), starts)
    for _ in range(TURNS):
        top = peaks.z[peaks.best(images)]
        noise = torch.randn((len(JUMPS), images, dim), generator=generator, dtype=torch.float64)
        jumps = top + noise * torch.tensor(JUMPS)[:, None, None]
        starts = torch.cat([top, jumps.reshape(-1, dim)])
        more = joint.climb(everyone.repeat(1 + len(JUMPS)), starts)
        peaks = Peaks(*(torch.cat(both) for both in zip(peaks, more, strict=True)))
    return peaks


def sample(
    joint: Joint, peaks: Peaks, refined: Gaussian, samples: int, generator: torch.Generator
) -> Sampled:
    """Draw, weigh and average.

    Arguments:
        joint: The images.
        peaks: Of each image at least one.
        refined: The refined posterior, (n, K) each.
        samples: How many to average; half as many more are drawn in each round of learning.
        generator: Of the noise.
    """
    best = peaks.best(len(joint))
    scale = torch.linalg.cholesky(torch.linalg.inv(peaks.precision[best]))
    refined = Gaussian(*(part.double() for part in refined))
    proposal = _Proposal(peaks.z[best], scale, refined)
    for _ in range(ROUNDS):
        z, density = proposal.draw(samples // 2, generator)
        proposal = proposal.moved(z, _values(joint, z) - density)
    z, density = proposal.draw(samples, generator)
    value = _values(joint, z)
    log_weights = value - density
    log_px = log_weights.logsumexp(dim=0) - math.log(len(z))
    effective = _effective(log_weights)
    own = refined.log_prob(z)
    log_ratio = own - density
    share = log_ratio.softmax(dim=0)
    kl = log_weights.logsumexp(dim=0) - log_ratio.logsumexp(dim=0)
    kl = kl - (share * (value - own)).sum(dim=0)
    error = (1 / effective - 1 / len(z)).clamp(min=0).sqrt()
    return Sampled(log_px, error, log_px - kl, effective)


def _values(joint: Joint, z: Tensor) -> Tensor:
    """log p(x, z) of draws (N, n, K): (N, n)."""
    owner = torch.arange(len(joint)).repeat(len(z))
    return joint(owner, z.reshape(-1, z.shape[-1])).reshape(len(z), -1).clamp(min=NOTHING)


def _effective(log_weights: Tensor) -> Tensor:
    """How many equal weights these are worth (Kish), (n,)."""
    return 1 / log_weights.softmax(dim=0).square().sum(dim=0)


@dataclass(frozen=True)
class _Proposal:
    """The mixture.

    Arguments:
        mean: (n, K).
        scale: The covariance's Cholesky factor, (n, K, K).
        refined: The third part.
    """

    mean: Tensor
    scale: Tensor
    refined: Gaussian

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws (N, n, K), in proportion to the shares, and the log-density of each, (N, n)."""
        noise = torch.randn((count, *self.mean.shape), generator=generator, dtype=torch.float64)
        first, second = (round(count * share) for share in SHARES[:2])
        # Chi-squared numbers are sums of squared normal ones.
        chi = torch.randn(
            (second, len(self.mean), int(FREEDOM)), generator=generator, dtype=torch.float64
        )
        heavy = noise[first : first + second]
        heavy *= (FREEDOM / chi.square().sum(dim=-1, keepdim=True)).sqrt()
        both = noise[: first + second]
        z = torch.cat(
            [
                self.mean + torch.einsum("nij,lnj->lni", self.scale, both),
                self.refined.sample(noise[first + second :]),
            ]
        )
        return z, self.log_prob(z)

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density at (N, n, K): (N, n)."""
        dim = z.shape[-1]
        away = (z - self.mean).permute(1, 2, 0)
        squares = (
            torch.linalg.solve_triangular(self.scale, away, upper=False).square().sum(dim=1).T
        )
        log_det = self.scale.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        gaussian = -0.5 * (dim * math.log(2 * math.pi) + squares) - log_det
        student = (
            math.lgamma((FREEDOM + dim) / 2)
            - math.lgamma(FREEDOM / 2)
            - 0.5 * dim * math.log(FREEDOM * math.pi)
            - log_det
            - 0.5 * (FREEDOM + dim) * (squares / FREEDOM).log1p()
        )
        parts = gaussian, student, self.refined.log_prob(z)
        return torch.stack(
            [part + math.log(share) for part, share in zip(parts, SHARES, strict=True)]
        ).logsumexp(dim=0)

    def moved(self, z: Tensor, log_weights: Tensor) -> "_Proposal":
        """The mixture with the weighted draws' mean and covariance, where they tell enough."""
        weights = log_weights.softmax(dim=0)
        mean = (weights[:, :, None] * z).sum(dim=0)
        away = z - mean
        covariance = torch.einsum("ln,lni,lnj->nij", weights, away, away)
        scale, failed = torch.linalg.cholesky_ex(covariance)
        effective = _effective(log_weights)
        told = (effective < WELL * len(z)) & (effective > ENOUGH * z.shape[-1]) & (failed == 0)
        return _Proposal(
            torch.where(told[:, None], mean, self.mean),
            torch.where(told[:, None, None], scale, self.scale),
            self.refined,
        )
