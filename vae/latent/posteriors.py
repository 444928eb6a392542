"""What the posteriors of a training set say together: their density, and directions in them."""

__all__ = ["aggregate_posterior", "group_direction"]

import math

import numpy as np
import torch
from torch import Tensor

from vae.errors import VisageError
from vae.latent.surface import in_chunks
from vae.models.vae import Gaussian


def aggregate_posterior(z: np.ndarray, posterior: Gaussian) -> np.ndarray:
    r"""The log-density of the aggregate posterior, :math:`q(z) = \frac1N \sum_n q(z \mid x_n)`.

    Where the prior is larger than this, it promises faces that the data never had.

    Arguments:
        z: Of shape (*, K).
        posterior: Of the training set, (N, K) each.

    Returns:
        In nats, of shape (*).

    References:
        ELBO surgery: yet another way to carve up the variational evidence lower bound (Hoffman &
        Johnson, 2016)
    """
    mean, log_var = (torch.as_tensor(np.asarray(part, dtype=np.float64)) for part in posterior)
    precision = torch.exp(-log_var)
    constant = -0.5 * (log_var + math.log(2 * math.pi) + mean.square() * precision).sum(dim=1)

    def density(part: Tensor) -> Tensor:
        part = part.double()
        squares = part @ (mean * precision).T - 0.5 * part.square() @ precision.T
        return torch.logsumexp(squares + constant, dim=1) - math.log(len(mean))

    z = np.asarray(z, dtype=np.float64)
    return in_chunks(density, z.reshape(-1, z.shape[-1])).reshape(z.shape[:-1])


def group_direction(marked: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The direction from one group of faces to another: the difference of their means.

    Arguments:
        marked: Posterior means of faces that have a property, of shape (n, K).
        others: Those of faces that have not, of shape (m, K).

    Returns:
        Of shape (K,).

    Raises:
        VisageError: A group is empty, or the two have the same mean.

    References:
        Autoencoding beyond pixels using a learned similarity metric (Larsen, Sønderby, Larochelle
        & Winther, 2016), section 3.2 https://arxiv.org/abs/1512.09300
    """
    if not len(marked) or not len(others):
        raise VisageError("A direction needs faces on both sides: mark one of each at least.")
    direction = np.mean(marked, axis=0, dtype=np.float64) - np.mean(others, axis=0)
    if not np.linalg.norm(direction) > 1e-9:
        raise VisageError("The two groups have the same mean, so nothing tells them apart.")
    return direction
