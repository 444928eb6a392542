"""The variational autoencoder of Kingma & Welling: two Gaussian MLPs, an encoder and a decoder.

References:
    Auto-Encoding Variational Bayes (Kingma & Welling, 2014), section 3 and appendix C.2
    https://arxiv.org/abs/1312.6114
"""

__all__ = ["VAE", "Gaussian", "GaussianMLP"]

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae.errors import VisageError


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


class GaussianMLP(nn.Module):
    r"""An MLP that maps a vector to the parameters of a diagonal Gaussian (appendix C.2).

    .. math::
        h = \tanh(W_1 x + b_1), \quad
        \mu = W_2 h + b_2, \quad
        \log \sigma^2 = W_3 h + b_3

    :math:`W_2` and :math:`W_3` are the two halves of one linear layer, the head. With any number
    of hidden layers, each is a linear map followed by tanh.

    Arguments:
        in_features: The size of the input vector.
        out_features: The size D of the Gaussian.
        hidden_dims: The number of units of each hidden layer.
        sigmoid_mean: Whether the mean passes through a sigmoid, as the decoder's does.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden_dims: Sequence[int] = (200,),
        sigmoid_mean: bool = False,
    ):
        super().__init__()
        sizes = (in_features, *hidden_dims)
        self.hidden = nn.ModuleList(map(nn.Linear, sizes[:-1], sizes[1:]))
        self.head = nn.Linear(sizes[-1], 2 * out_features)
        self.sigmoid_mean = sigmoid_mean

    def forward(self, x: Tensor) -> Gaussian:
        """The Gaussian given x. Shapes: (*, in_features) -> (*, out_features) each."""
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        mean, log_var = self.head(x).chunk(2, dim=-1)
        return Gaussian(mean.sigmoid() if self.sigmoid_mean else mean, log_var)


class VAE(nn.Module):
    r"""A variational autoencoder with Gaussian encoder, decoder and prior.

    .. math::
        p(z) = \mathcal{N}(0, I), \quad
        p_\theta(x \mid z) = \mathcal{N}(x; \mu_\theta(z), \sigma_\theta^2(z)), \quad
        q_\phi(z \mid x) = \mathcal{N}(z; \mu_\phi(x), \sigma_\phi^2(x))

    Arguments:
        image_shape: (H, W) for grey images, (H, W, 3) for colour.
        latent_dim: The number K of latent dimensions.
        hidden_dims: The hidden units of the encoder, and in reverse order of the decoder.

    Raises:
        VisageError: A size is not a positive whole number.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 20),
        latent_dim: int = 2,
        hidden_dims: Sequence[int] = (200,),
    ):
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.latent_dim = latent_dim
        self.hidden_dims = tuple(hidden_dims)
        check_sizes(self.image_shape, latent_dim, self.hidden_dims)
        self.encoder = GaussianMLP(self.pixels, latent_dim, self.hidden_dims)
        self.decoder = GaussianMLP(
            latent_dim, self.pixels, self.hidden_dims[::-1], sigmoid_mean=True
        )

    @property
    def pixels(self) -> int:
        """The number D of values in one flattened image."""
        return math.prod(self.image_shape)

    def encode(self, x: Tensor) -> Gaussian:
        """The approximate posterior q(z|x). Shapes: (*, D) in [0, 1] -> (*, K) each."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Gaussian:
        """The likelihood p(x|z). Shapes: (*, K) -> (*, D) each, the mean in (0, 1)."""
        return self.decoder(z)


def check_sizes(image_shape: tuple, latent_dim: int, hidden_dims: tuple) -> None:
    """Refuse sizes that no model can have, with a sentence."""

    def positive(size: object) -> bool:
        return isinstance(size, int) and not isinstance(size, bool) and size > 0

    grey = len(image_shape) == 2
    colour = len(image_shape) == 3 and image_shape[2] == 3
    if not (grey or colour) or not all(map(positive, image_shape)):
        raise VisageError(
            "Images must have a height and a width of at least 1 pixel, and 3 channels or none; "
            f"these are {_said(image_shape, '×')}."
        )
    if not positive(latent_dim):
        raise VisageError(
            f"The number of latent dimensions must be a whole number of at least 1, "
            f"not {latent_dim}."
        )
    if not hidden_dims or not all(map(positive, hidden_dims)):
        raise VisageError(
            "Give at least one hidden layer, each of a whole number of at least 1 unit, such as "
            f"200 200: these are {_said(hidden_dims)}."
        )


def _said(sizes: tuple, between: str = " ") -> str:
    """Sizes as people write them."""
    return between.join(map(str, sizes)) or "none"
