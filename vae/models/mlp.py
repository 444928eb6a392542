r"""Multilayer perceptrons, the paper's networks (appendix C.2); only this file knows their layers.

References:
    Auto-Encoding Variational Bayes (Kingma & Welling, 2014), appendix C.2
    https://arxiv.org/abs/1312.6114
"""

__all__ = ["ACTIVATIONS", "BLOCK", "MLP", "GaussianMLP"]

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from vae.errors import VisageError
from vae.models.gaussian import Gaussian
from vae.models.network import Graph, LinearHead, add_activation, add_affine

# More layers than that take long to lay out, and tanh learns nothing through so many.
MOST_LAYERS = 100

# What may follow a hidden layer: the paper's, and two that pass large values on.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "silu": nn.functional.silu,
}


def _tanh(x: Tensor) -> tuple[Tensor, Tensor]:
    y = x.tanh()
    return y, 1 - y * y


def _relu(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.relu(), (x > 0).to(x.dtype)


def _silu(x: Tensor) -> tuple[Tensor, Tensor]:
    gate = x.sigmoid()
    y = x * gate
    return y, gate * (1 + x - y)


# Each with its derivative.
SLOPES: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "tanh": _tanh,
    "relu": _relu,
    "silu": _silu,
}

# Values that PyTorch gives one thread at least. More at once are shared out, and the last of each
# share are computed another way: their last bit would depend on how many threads there are.
BLOCK = 2**15

# What autograd calls as well: the gradient by the input from that by the output, in one pass.
tanh_backward = torch.ops.aten.tanh_backward.grad_input


@dataclass(frozen=True)
class MLP:
    """Encoder and decoder as perceptrons that mirror each other.

    Arguments:
        hidden_dims: The hidden units of the encoder, and in reverse order of the decoder.
        activation: What follows each of them, by its name in :data:`ACTIVATIONS`.

    Raises:
        VisageError: There is no layer, or one without a unit, or no such activation.
    """

    kind: ClassVar[str] = "mlp"
    in_general: ClassVar[str] = "the paper's perceptron"

    hidden_dims: tuple[int, ...] = (200,)
    # Of files of before there was a choice it was tanh.
    activation: str = field(default="tanh", metadata={"came_later": True})

    def __post_init__(self):
        object.__setattr__(self, "hidden_dims", tuple(self.hidden_dims))
        units = [unit for unit in self.hidden_dims if type(unit) is int and unit > 0]
        if not units or len(units) < len(self.hidden_dims):
            given = " ".join(map(str, self.hidden_dims)) or "none"
            raise VisageError(
                "Give at least one hidden layer, each of a whole number of at least 1 unit, such "
                f"as 200 200: these are {given}."
            )
        if len(units) > MOST_LAYERS:
            raise VisageError(f"A model may have {MOST_LAYERS} hidden layers at most.")
        if self.activation not in ACTIVATIONS:
            raise VisageError(
                f"An activation is one of {', '.join(ACTIVATIONS)}, not "
                f"'{str(self.activation)[:100]}'."
            )

    def encoder(self, image_shape: Sequence[int], latent_dim: int) -> "GaussianMLP":
        """A new encoder."""
        return GaussianMLP(
            math.prod(image_shape), latent_dim, self.hidden_dims, activation=self.activation
        )

    def decoder(self, image_shape: Sequence[int], latent_dim: int) -> "GaussianMLP":
        """A new decoder."""
        pixels = math.prod(image_shape)
        return GaussianMLP(latent_dim, pixels, self.hidden_dims[::-1], True, self.activation)

    def weights(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of both networks' parameters, without making them."""
        pixels = math.prod(image_shape)
        return sum(
            (before + 1) * after
            for sizes in (
                (pixels, *self.hidden_dims, 2 * latent_dim),
                (latent_dim, *self.hidden_dims[::-1], 2 * pixels),
            )
            for before, after in pairwise(sizes)
        )

    def activations(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of values between layers, an image, of both networks."""
        return 2 * sum(self.hidden_dims) + 2 * latent_dim + 2 * math.prod(image_shape)

    def in_words(self) -> str:
        """What tells it from others of its kind."""
        layers = " ".join(map(str, self.hidden_dims))
        return layers if self.activation == "tanh" else f"{layers} {self.activation}"


class GaussianMLP(LinearHead):
    r"""An MLP that maps a vector to the parameters of a diagonal Gaussian (appendix C.2).

    .. math::
        h = \tanh(W_1 x + b_1), \quad
        \mu = W_2 h + b_2, \quad
        \log \sigma^2 = W_3 h + b_3

    :math:`W_2` and :math:`W_3` are the two halves of one linear layer, the head. With any number
    of hidden layers, each is a linear map followed by tanh, or by another activation.

    Arguments:
        in_features: The size of the input vector.
        out_features: The size D of the Gaussian.
        hidden_dims: The number of units of each hidden layer.
        sigmoid_mean: Whether the mean passes through a sigmoid, as the decoder's does.
        activation: Its name in :data:`ACTIVATIONS`. Back-propagation by hand is for tanh alone;
            with another, whoever asks for it goes another way.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden_dims: Sequence[int] = (200,),
        sigmoid_mean: bool = False,
        activation: str = "tanh",
    ):
        super().__init__()
        sizes = (in_features, *hidden_dims)
        self.hidden = nn.ModuleList(map(nn.Linear, sizes[:-1], sizes[1:]))
        self.head = nn.Linear(sizes[-1], 2 * out_features)
        self.sigmoid_mean = sigmoid_mean
        self.activation = activation

    def forward(self, x: Tensor) -> Gaussian:
        """The Gaussian given x. Shapes: (*, in_features) -> (*, out_features) each."""
        activation = ACTIVATIONS[self.activation]
        for layer in self.hidden:
            x = activation(layer(x))
        return self.given(x)

    def backpropagation(self, batch_size: int) -> "_Backpropagation | None":
        """As :meth:`Network.backpropagation`."""
        if self.activation != "tanh":
            return None
        return _Backpropagation(self._affine(), batch_size)

    def layers(self) -> list[tuple[np.ndarray, np.ndarray]] | None:
        """As :meth:`Network.layers`."""
        return [
            (layer.weight.detach().numpy(), layer.bias.detach().numpy())
            for layer in self._affine()
        ]

    def mean_map(self, outputs: Tensor | None = None) -> "_MeanMap | None":
        """As :meth:`Network.mean_map`."""
        *hidden, (weight, bias) = (
            (layer.weight.detach().double(), layer.bias.detach().double())
            for layer in self._affine()
        )
        if outputs is None:
            outputs = torch.arange(len(bias) // 2)
        layers = [*hidden, (weight[outputs], bias[outputs])]
        return _MeanMap(
            tuple((weight.T.contiguous(), bias.clone()) for weight, bias in layers),
            self.sigmoid_mean,
            self.activation,
        )

    def add_to(self, graph: Graph, source: str) -> tuple[str, str]:
        """As :meth:`Network.add_to`."""
        for depth, layer in enumerate(self._affine()[:-1]):
            source = add_affine(graph, source, f"a{depth}", layer.weight, layer.bias)
            source = add_activation(graph, source, f"h{depth}", self.activation)
        return self.add_head_to(graph, source)

    def _affine(self) -> list[nn.Linear]:
        layers = [*self.hidden, self.head]
        return [layer for layer in layers if isinstance(layer, nn.Linear)]


class _Backpropagation:
    """As :class:`vae.models.network.Backpropagation`."""

    def __init__(self, layers: list[nn.Linear], batch_size: int):
        # Detached, so that nothing here is recorded for autograd.
        self.weights = [layer.weight.detach() for layer in layers]
        self.transposed = [weight.t() for weight in self.weights]
        self.biases = [layer.bias.detach() for layer in layers]
        self.weight_gradients = [_gradient(layer.weight) for layer in layers]
        self.bias_gradients = [_gradient(layer.bias) for layer in layers]
        self.by_output = self.bias_gradients[-1]
        new = self.weights[0].new_empty
        *self.hidden, self.output = [new(batch_size, layer.out_features) for layer in layers]
        self.gradients = [new(batch_size, layer.in_features) for layer in layers]
        self.blocks = [hidden.view(-1).split(BLOCK) for hidden in self.hidden]
        self.minus_one = self.output.new_tensor(-1.0)

    def forward(self, x: Tensor) -> None:
        for place, hidden in enumerate(self.hidden):
            torch.addmm(self.biases[place], x, self.transposed[place], out=hidden)
            # tanh a = 2 sigmoid 2a - 1. PyTorch leaves tanh itself to a library that is slow on
            # AMD's processors; in three passes this takes a third of its time.
            for block in self.blocks[place]:
                torch.add(self.minus_one, block.mul_(2).sigmoid_(), alpha=2, out=block)
            x = hidden
        torch.addmm(self.biases[-1], x, self.transposed[-1], out=self.output)

    def backward(self, x: Tensor) -> Tensor:
        gradient = self._down_to_the_first(x)
        return torch.mm(gradient, self.weights[0], out=self.gradients[0])

    def backward_to_parameters(self, x: Tensor) -> None:
        self._down_to_the_first(x)

    def _down_to_the_first(self, x: Tensor) -> Tensor:
        """Fill the gradients by the parameters; return that by the first layer's output."""
        gradient = self.output
        below = [x, *self.hidden]
        for place in reversed(range(len(below))):
            torch.mm(gradient.t(), below[place], out=self.weight_gradients[place])
            torch.sum(gradient, dim=0, out=self.bias_gradients[place])
            if place:
                gradient = torch.mm(gradient, self.weights[place], out=self.gradients[place])
                tanh_backward(gradient, below[place], grad_input=gradient)
        return gradient


def _gradient(weight: Tensor) -> Tensor:
    """A parameter's own buffer; where it has none yet, one to be thrown away."""
    return torch.empty_like(weight) if weight.grad is None else weight.grad


@dataclass(frozen=True)
class _MeanMap:
    """As :class:`vae.models.network.MeanMap`.

    Arguments:
        layers: Transposed weight (in, out) and bias of each.
        sigmoid: Whether the mean passes through a sigmoid.
        activation: What follows the hidden ones, by its name in :data:`ACTIVATIONS`.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    sigmoid: bool
    activation: str

    def to(self, dtype: torch.dtype) -> "_MeanMap":
        layers = tuple((weight.to(dtype), bias.to(dtype)) for weight, bias in self.layers)
        return _MeanMap(layers, self.sigmoid, self.activation)

    def __call__(self, x: Tensor) -> Tensor:
        *hidden, (weight, bias) = self.layers
        activation = ACTIVATIONS[self.activation]
        for inner, inner_bias in hidden:
            x = activation(torch.addmm(inner_bias, x, inner))
        mean = torch.addmm(bias, x, weight)
        return mean.sigmoid() if self.sigmoid else mean

    def push(self, x: Tensor, tangents: Tensor) -> Tensor:
        *hidden, (weight, bias) = self.layers
        activation = SLOPES[self.activation]
        for inner, inner_bias in hidden:
            x, slope = activation(torch.addmm(inner_bias, x, inner))
            tangents = (tangents @ inner) * slope
        if not self.sigmoid:
            return tangents @ weight
        mean = torch.addmm(bias, x, weight).sigmoid_()
        return (tangents @ weight).mul_(mean * (1 - mean))
