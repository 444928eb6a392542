"""What is maximised: the evidence lower bound, and a tighter bound to judge it by.

References:
    Auto-Encoding Variational Bayes (Kingma & Welling, 2014), equations 7 and 10
    https://arxiv.org/abs/1312.6114

    Importance Weighted Autoencoders (Burda, Grosse & Salakhutdinov, 2016), equation 8
    https://arxiv.org/abs/1509.00519

    Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives (Tucker, Lawson, Gu &
    Maddison, 2019), equation 8
    https://arxiv.org/abs/1810.04152
"""

__all__ = [
    "DECODED_PIXELS",
    "ELBO",
    "OBJECTIVES",
    "Objective",
    "elbo",
    "elbo_given_posterior",
    "importance_weighted_bound",
    "jensen_gap",
    "weigh",
]

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vae.models.gaussian import Gaussian
from vae.models.vae import VAE

# Pixels that are decoded at once, of all samples of all images: 34 MB, of which a few are needed.
DECODED_PIXELS = 2**23


class ELBO(NamedTuple):
    r"""The two terms of the bound :math:`\mathcal{L}(\theta, \phi; x)`, in nats an image.

    Arguments:
        log_likelihood: :math:`E_{q(z \mid x)} \log p(x \mid z)`, estimated, of shape (B,).
        kl: :math:`D_{KL}(q(z \mid x) \,\|\, p(z))`, exact, of shape (B,).
    """

    log_likelihood: Tensor
    kl: Tensor

    @property
    def elbo(self) -> Tensor:
        """The bound itself, of shape (B,)."""
        return self.log_likelihood - self.kl


def elbo(model: VAE, x: Tensor, noise: Tensor, encoder_input: Tensor | None = None) -> ELBO:
    r"""The evidence lower bound of each image.

    .. math::
        \mathcal{L} = -D_{KL}(q_\phi(z \mid x) \,\|\, p(z))
            + \frac1L \sum_{l=1}^{L} \log p_\theta(x \mid z^{(l)}), \quad
        z^{(l)} = \mu_\phi(x) + \sigma_\phi(x) \odot \epsilon^{(l)}

    Arguments:
        model: The model.
        x: Flattened images with pixels in [0, 1], of shape (B, D).
        noise: Standard normal :math:`\epsilon`, of shape (B, K) for one sample an image or
            (L, B, K) for L samples.
        encoder_input: What the encoder sees of x, (B, D), where that is not x less the mean image.
    """
    posterior = model.encode(x) if encoder_input is None else model.encode_centred(encoder_input)
    return elbo_given_posterior(model, x, posterior, noise)


# What training climbs, given what :func:`elbo` is given: the terms that are recorded, and what is
# maximised, of shape (B,) in nats. The terms are always the ELBO's own: curves can be compared.
Objective = Callable[[VAE, Tensor, Tensor, Tensor | None], tuple[ELBO, Tensor]]


def _elbo_itself(
    model: VAE, x: Tensor, noise: Tensor, encoder_input: Tensor | None
) -> tuple[ELBO, Tensor]:
    terms = elbo(model, x, noise, encoder_input)
    return terms, terms.elbo


def _importance_weighted(
    model: VAE, x: Tensor, noise: Tensor, encoder_input: Tensor | None
) -> tuple[ELBO, Tensor]:
    r"""The importance-weighted bound, with doubly reparametrised gradients.

    The decoder's is the bound's own, :math:`\sum_l \tilde w^{(l)} \nabla_\theta \log w^{(l)}` with
    :math:`\tilde w` the weights over their sum; the encoder's goes through the samples alone,

    .. math::
        \sum_{l} \left(\tilde w^{(l)}\right)^2
            \frac{\partial \log w^{(l)}}{\partial z^{(l)}} \nabla_\phi z^{(l)},

    which has the same mean, and whose noise does not drown it as the number of samples grows.
    """
    posterior = model.encode(x) if encoder_input is None else model.encode_centred(encoder_input)
    z = posterior.sample(noise if noise.dim() == 3 else noise.unsqueeze(0))
    log_likelihood = model.decode(z).log_prob(x)
    prior = Gaussian(torch.zeros_like(z), torch.zeros_like(z))
    fixed = Gaussian(posterior.mean.detach(), posterior.log_var.detach())
    log_weights = log_likelihood + prior.log_prob(z) - fixed.log_prob(z)
    bound = log_weights.detach().logsumexp(dim=0) - math.log(len(z))
    shares = log_weights.detach().softmax(dim=0)
    if z.requires_grad:
        # Beside the share that the sum below gives it, the way to the encoder takes a second.
        z.register_hook(lambda gradient: gradient * shares.unsqueeze(-1))
    climbed = (shares * log_weights).sum(dim=0)
    terms = ELBO(log_likelihood.mean(dim=0), posterior.kl_from_prior().sum(dim=-1))
    return terms, bound + climbed - climbed.detach()


# By the name that a recipe calls them.
OBJECTIVES: dict[str, Objective] = {"elbo": _elbo_itself, "iwae": _importance_weighted}


def elbo_given_posterior(model: VAE, x: Tensor, posterior: Gaussian, noise: Tensor) -> ELBO:
    """The same bound where the posterior of x is known already, as when it has been refined."""
    log_likelihood = model.decode(posterior.sample(noise)).log_prob(x)
    if noise.dim() == 3:
        log_likelihood = log_likelihood.mean(dim=0)
    return ELBO(log_likelihood, posterior.kl_from_prior().sum(dim=-1))


def importance_weighted_bound(model: VAE, x: Tensor, noise: Tensor) -> Tensor:
    r"""The importance-weighted bound on :math:`\log p(x)`, which tightens as L grows.

    .. math::
        \log \frac1L \sum_{l=1}^{L} w^{(l)}, \quad
        w^{(l)} = \frac{p(x \mid z^{(l)}) \, p(z^{(l)})}{q(z^{(l)} \mid x)}

    Arguments:
        model: The model.
        x: Flattened images with pixels in [0, 1], of shape (B, D).
        noise: Standard normal noise of shape (L, B, K).

    Returns:
        The bound of each image in nats, of shape (B,); with L = 1 an estimate of the ELBO.
    """
    _, log_weights = weigh(model, x, model.encode(x), noise)
    return log_weights.logsumexp(dim=0) - math.log(len(noise))


def weigh(model: VAE, x: Tensor, posterior: Gaussian, noise: Tensor) -> tuple[Tensor, Tensor]:
    r"""What importance samples of a posterior, the encoder's or a refined one, say of x.

    Arguments:
        model: The model.
        x: Flattened images with pixels in [0, 1], of shape (B, D).
        posterior: What the samples come from, of shape (B, K) each.
        noise: Standard normal noise of shape (L, B, K).

    Returns:
        :math:`\log p(x \mid z^{(l)})` and the log-weights :math:`\log w^{(l)}`, (L, B) each.
    """
    z = posterior.sample(noise)
    # Of large images a few samples at a time.
    parts = z.split(max(1, DECODED_PIXELS // x.numel()))
    log_likelihood = torch.cat([model.decode(part).log_prob(x) for part in parts])
    prior = Gaussian(torch.zeros_like(z), torch.zeros_like(z))
    return log_likelihood, log_likelihood + prior.log_prob(z) - posterior.log_prob(z)


def jensen_gap(log_weights: Tensor) -> Tensor:
    r"""How far the importance-weighted bound lies above the ELBO, never less than 0.

    .. math:: \log \frac1L \sum_{l=1}^{L} w^{(l)} - \frac1L \sum_{l=1}^{L} \log w^{(l)}

    The ELBO with its exact KL divergence plus this gap is on average the importance-weighted
    bound, since the sampling error of the KL divergence is zero on average; and by Jensen's
    inequality it is above the ELBO for any samples at all, as the bound itself need not be.

    Arguments:
        log_weights: Of L importance samples, of shape (L, B).

    Returns:
        In nats, of shape (B,).
    """
    # Around their mean: for an image like no other they are −10⁵, where float32 is coarse.
    around = log_weights - log_weights.mean(dim=0)
    return (around.logsumexp(dim=0) - math.log(len(around)) - around.mean(dim=0)).clamp(min=0)
