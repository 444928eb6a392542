"""The variational autoencoder of Kingma & Welling: an encoder, a decoder, and a Gaussian prior.

References:
    Auto-Encoding Variational Bayes (Kingma & Welling, 2014), section 3 and appendix C.2
    https://arxiv.org/abs/1312.6114
"""

__all__ = ["VAE", "Gaussian"]

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vae.models.architecture import Architecture
from vae.models.gaussian import Gaussian
from vae.models.likelihoods import STATED, Distribution, Likelihood
from vae.models.mlp import MLP
from vae.models.network import Network


class VAE(nn.Module):
    r"""A variational autoencoder with Gaussian encoder, decoder and prior.

    .. math::
        p(z) = \mathcal{N}(0, I), \quad
        p_\theta(x \mid z) = \mathcal{N}(x; \mu_\theta(z), \sigma_\theta^2(z)), \quad
        q_\phi(z \mid x) = \mathcal{N}(z; \mu_\phi(x), \sigma_\phi^2(x))

    Another likelihood than the Gaussian may be chosen: :mod:`vae.models.likelihoods`.

    The networks need not work in the units of x and z. The encoder sees images less a mean image
    :math:`\bar x`, since inputs around zero make its first gradients well conditioned (LeCun et
    al., Efficient BackProp, 1998, section 4.3), and between the networks lie their own latents
    :math:`w = s \odot z + c`, so that z can be put where it suits the prior
    (:meth:`in_coordinates`). All three are parts of the model, kept with it and not learnt:

    .. math::
        q_\phi(z \mid x) = \mathcal{N}\!\left(z;\, (m(x - \bar x) - c) / s,\,
            v(x - \bar x) / s^2\right), \quad
        \mu_\theta(z) = \mu(s \odot z + c), \quad
        \sigma_\theta(z) = \sigma(s \odot z + c)

    Arguments:
        image_shape: (H, W) for grey images, (H, W, 3) for colour.
        latent_dim: The number K of latent dimensions.
        hidden_dims: The hidden units of the encoder, and in reverse order of the decoder, both
            perceptrons; :meth:`of` makes a model of networks of any kind.

    Attributes:
        mean_image: :math:`\bar x`, of shape (D,); zeros at first.
        latent_shift: :math:`c`, of shape (K,); zeros at first.
        latent_scale: :math:`s`, of shape (K,); ones at first.

    Raises:
        VisageError: A size is not a positive whole number.
    """

    mean_image: Tensor
    latent_shift: Tensor
    latent_scale: Tensor

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 20),
        latent_dim: int = 2,
        hidden_dims: Sequence[int] = (200,),
    ):
        super().__init__()
        self._build(Architecture(tuple(image_shape), latent_dim, MLP(tuple(hidden_dims))))

    @classmethod
    def of(cls, architecture: Architecture) -> "VAE":
        """A new model of this architecture."""
        model = cls.__new__(cls)
        nn.Module.__init__(model)
        model._build(architecture)
        return model

    def _build(self, architecture: Architecture) -> None:
        self.architecture = architecture
        sizes = architecture.image_shape, architecture.latent_dim
        self.encoder: Network = architecture.network.encoder(*sizes)
        self.decoder: Network = architecture.network.decoder(*sizes)
        likelihood = STATED[architecture.likelihood]
        self.likelihood: Likelihood = likelihood(architecture.image_shape)
        self.register_buffer("mean_image", torch.zeros(self.pixels))
        self.register_buffer("latent_shift", torch.zeros(self.latent_dim))
        self.register_buffer("latent_scale", torch.ones(self.latent_dim))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        return self.architecture.image_shape

    @property
    def latent_dim(self) -> int:
        """The number K of latent dimensions."""
        return self.architecture.latent_dim

    @property
    def pixels(self) -> int:
        """The number D of values in one flattened image."""
        return self.architecture.pixels

    @property
    def can_encode(self) -> bool:
        """Whether there is an encoder; without one :meth:`encode` raises VisageError."""
        return self.encoder.is_there

    @property
    def why_no_nats(self) -> str:
        """Why no ELBO and no likelihood can be told of it, in a sentence; empty where they can."""
        if not self.likelihood.is_stated:
            return (
                "It states no likelihood of its images, so there are no nats: open it again and "
                "say what noise it was trained with, gaussian or bernoulli."
            )
        if not self.encoder.is_there:
            return "It has no encoder, so there is no ELBO: open it again with its encoder."
        if not self.encoder.knows_variance:
            return (
                "Its encoder gives a mean and no variance, so there is no posterior, and no ELBO."
            )
        return ""

    def encode(self, x: Tensor) -> Gaussian:
        """The approximate posterior q(z|x). Shapes: (*, D) in [0, 1] -> (*, K) each."""
        return self.encode_centred(x - self.mean_image)

    def encode_centred(self, centred: Tensor) -> Gaussian:
        """The same of images less the mean image, as the encoder sees them."""
        mean, log_var = self.encoder(centred)
        return Gaussian(
            (mean - self.latent_shift) / self.latent_scale, log_var - 2 * self.latent_scale.log()
        )

    def decode(self, z: Tensor) -> Distribution:
        """The likelihood p(x|z). Shapes: (*, K) -> (*, D) each, the mean in (0, 1)."""
        return self.likelihood.given(self.decoder(z * self.latent_scale + self.latent_shift))

    def in_coordinates(self, shift: Tensor, scale: Tensor) -> "VAE":
        r"""A copy of the model with other latents, :math:`z' = (z - c) / s`.

        Every reconstruction stays as it is; the KL divergence alone changes.

        Arguments:
            shift: :math:`c`, of shape (K,).
            scale: :math:`s`, of shape (K,), above 0.
        """
        moved = copy.deepcopy(self)
        moved.latent_shift.add_(shift.to(self.latent_shift) * self.latent_scale)
        moved.latent_scale.mul_(scale.to(self.latent_scale))
        return moved
