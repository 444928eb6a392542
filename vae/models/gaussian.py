"""The diagonal Gaussian, of which prior, posterior and likelihood are made."""

__all__ = ["Gaussian"]

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Gaussian(NamedTuple):
    r"""A diagonal Gaussian :math:`\mathcal{N}(\mu, \operatorname{diag} \sigma^2)`.

    Arguments:
        mean: The mean :math:`\mu`, of shape (*, D).
        log_var: The log-variance :math:`\log \sigma^2`, of shape (*, D).
    """

    mean: Tensor
    log_var: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        r"""The reparametrised sample :math:`\mu + \sigma \odot \epsilon` (section 2.4).

        Arguments:
            noise: Standard normal :math:`\epsilon`, broadcastable to the mean.
        """
        return self.mean + torch.exp(0.5 * self.log_var) * noise

    def log_prob(self, x: Tensor) -> Tensor:
        r"""The log-density :math:`\log \mathcal{N}(x; \mu, \sigma^2)` in nats, of shape (*)."""
        squares = (x - self.mean).square() * torch.exp(-self.log_var)
        return -0.5 * (math.log(2 * math.pi) + self.log_var + squares).sum(dim=-1)

    def kl_from_prior(self) -> Tensor:
        r"""The KL divergence from this Gaussian to the prior, a term per dimension.

        .. math:: \tfrac12 \left(\mu^2 + \sigma^2 - \log \sigma^2 - 1\right)

        Appendix B of the paper, not yet summed: of shape (*, D), in nats.
        """
        return 0.5 * (self.mean.square() + self.log_var.exp() - self.log_var - 1)
