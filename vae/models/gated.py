r"""Perceptrons whose hidden units are gated, which learn grey levels better than tanh does.

References:
    VAE with a VampPrior (Tomczak & Welling, 2018), section 5, whose networks these are
    https://arxiv.org/abs/1705.07120

    Language Modeling with Gated Convolutional Networks (Dauphin, Fan, Auli & Grangier, 2017), of
    the gate https://arxiv.org/abs/1612.08083
"""

__all__ = ["Gated", "GaussianGated"]

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from vae.models.gaussian import Gaussian
from vae.models.mlp import MLP
from vae.models.network import Graph, LinearHead, add_affine


@dataclass(frozen=True)
class Gated:
    """Encoder and decoder of gated layers that mirror each other.

    Arguments:
        hidden_dims: The hidden units of the encoder, and in reverse order of the decoder.

    Raises:
        VisageError: There is no layer, or one without a unit.
    """

    kind: ClassVar[str] = "gated"
    in_general: ClassVar[str] = (
        "a perceptron whose units are gated: it learns further and is slower, has no activation "
        "to choose, and is decoded on the server, not in the browser"
    )

    hidden_dims: tuple[int, ...] = (300, 300)

    def __post_init__(self):
        # What a perceptron's layers can't be, these can't either.
        object.__setattr__(self, "hidden_dims", MLP(self.hidden_dims).hidden_dims)

    def encoder(self, image_shape: Sequence[int], latent_dim: int) -> "GaussianGated":
        """A new encoder."""
        return GaussianGated(math.prod(image_shape), latent_dim, self.hidden_dims)

    def decoder(self, image_shape: Sequence[int], latent_dim: int) -> "GaussianGated":
        """A new decoder."""
        return GaussianGated(latent_dim, math.prod(image_shape), self.hidden_dims[::-1], True)

    def weights(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of both networks' parameters, without making them."""
        pixels = math.prod(image_shape)
        return sum(
            (before + 1) * 2 * after
            for sizes in (
                (pixels, *self.hidden_dims, latent_dim),
                (latent_dim, *self.hidden_dims[::-1], pixels),
            )
            for before, after in pairwise(sizes)
        )

    def activations(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of values between layers, an image, of both networks."""
        return 6 * sum(self.hidden_dims) + 2 * latent_dim + 2 * math.prod(image_shape)

    def in_words(self) -> str:
        """What tells it from others of its kind."""
        return f"{' '.join(map(str, self.hidden_dims))} gated"


class GaussianGated(LinearHead):
    r"""Gated layers that map a vector to the parameters of a diagonal Gaussian.

    .. math::
        h = (W x + b) \odot \operatorname{sigmoid}(V x + c)

    after each of which the next follows; the head is linear, as that of
    :class:`vae.models.mlp.GaussianMLP`. W and V are the two halves of one linear layer.

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
        hidden_dims: Sequence[int],
        sigmoid_mean: bool = False,
    ):
        super().__init__()
        sizes = in_features, *hidden_dims
        self.hidden = nn.ModuleList(
            nn.Linear(before, 2 * after) for before, after in pairwise(sizes)
        )
        self.head = nn.Linear(sizes[-1], 2 * out_features)
        self.sigmoid_mean = sigmoid_mean

    def forward(self, x: Tensor) -> Gaussian:
        """The Gaussian given x. Shapes: (*, in_features) -> (*, out_features) each."""
        for layer in self.hidden:
            x = nn.functional.glu(layer(x))
        return self.given(x)

    def add_to(self, graph: Graph, source: str) -> tuple[str, str]:
        """As :meth:`Network.add_to`."""
        for depth, layer in enumerate(self.hidden):
            assert isinstance(layer, nn.Linear)
            value, gate = (
                add_affine(graph, source, f"{name}{depth}", weight, bias)
                for name, weight, bias in zip(
                    ("value", "gate"), layer.weight.chunk(2), layer.bias.chunk(2), strict=True
                )
            )
            opened = graph.node("Sigmoid", [gate], f"open{depth}")
            source = graph.node("Mul", [value, opened], f"h{depth}")
        return self.add_head_to(graph, source)
