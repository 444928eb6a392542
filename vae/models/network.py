"""What encoders and decoders have in common, whatever they are made of.

A network maps vectors to Gaussians. What else it can do it is asked for, and it may say that it
can't: whoever asks knows no layer of it, and goes another way then.
"""

__all__ = [
    "Backpropagation",
    "Graph",
    "LinearHead",
    "MeanMap",
    "Network",
    "Networks",
    "add_activation",
    "add_affine",
]

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vae.models.gaussian import Gaussian


class Backpropagation(Protocol):
    """The passes through a network without autograd, in buffers that are made once.

    Attributes:
        output: What :meth:`forward` fills, of shape (B, 2D), mean (before a sigmoid) and
            log-variance side by side; before :meth:`backward` the caller puts the loss's gradient
            by it in its place.
        by_output: The sum of that gradient over the batch, (2D,), as :meth:`backward` leaves it.
    """

    output: Tensor
    by_output: Tensor

    def forward(self, x: Tensor) -> None:
        """Fill the output, from (B, in_features)."""
        ...

    def backward(self, x: Tensor) -> Tensor:
        """Fill the parameters' gradients; return that by the input, (B, in_features)."""
        ...

    def backward_to_parameters(self, x: Tensor) -> None:
        """The same where nothing lies before the input."""
        ...


class MeanMap(Protocol):
    """The mean as a function of the input, with its derivatives, in one type of numbers."""

    def __call__(self, x: Tensor) -> Tensor:
        """The mean. Shapes: (B, in_features) -> (B, D)."""
        ...

    def push(self, x: Tensor, tangents: Tensor) -> Tensor:
        """Directions at x as the mean carries them on, (K, B, in_features) -> (K, B, D)."""
        ...

    def to(self, dtype: torch.dtype) -> "MeanMap":
        """The same in another type."""
        ...


class Graph(Protocol):
    """An ONNX graph in the making."""

    def constant(self, name: str, values: Tensor) -> str:
        """Keep a tensor under a name; returns the name."""
        ...

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add an operation; returns its output's name."""
        ...


class Networks(Protocol):
    """A kind of encoder and decoder with what was chosen of it: a frozen dataclass.

    What is chosen are its fields, and a checkpoint keeps them. Those that a run's configuration
    has a field of the same name for come from there; the others need defaults.

    Attributes:
        kind: Its name in :data:`vae.models.architecture.KINDS`.
        in_general: What it is, for whoever chooses it, as the sentence goes on that begins with
            its name.
    """

    kind: ClassVar[str]
    in_general: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def encoder(self, image_shape: Sequence[int], latent_dim: int) -> "Network":
        """A new encoder, from D values to a Gaussian of K."""
        ...

    def decoder(self, image_shape: Sequence[int], latent_dim: int) -> "Network":
        """A new decoder, from K values to a Gaussian of D."""
        ...

    def weights(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of both networks' parameters, without making them."""
        ...

    def activations(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of values between layers, an image, of both networks."""
        ...

    def in_words(self) -> str:
        """What tells it from others of its kind."""
        ...


class Network(nn.Module):
    """A map from a vector to a diagonal Gaussian; every other method may have no answer.

    Attributes:
        activation: What lies between the layers that :meth:`layers` tells of, if it tells of any,
            by its name in :data:`vae.models.mlp.ACTIVATIONS`.
        is_there: False of what stands for a network that a model does not have.
        knows_variance: Whether the log-variance is its own word, and not one number for all.
        is_exact: Whether its derivatives are. Otherwise they are differences of what it answers,
            each of which costs two passes for each of its inputs.
    """

    activation: str = "tanh"
    is_there: bool = True
    knows_variance: bool = True
    is_exact: bool = True

    @property
    def least_step(self) -> float:
        """The distance over which its derivatives are differences; 0 where they are exact."""
        return 0.0

    def forward(self, x: Tensor) -> Gaussian:
        """The Gaussian given x. Shapes: (*, in_features) -> (*, D) each."""
        raise NotImplementedError

    def start_at(self, mean: Tensor, log_var: Tensor) -> None:
        """Answer about this Gaussian before anything is learnt, (D,) each, if that can be set."""

    def log_var_parameters(self) -> list[tuple[Tensor, slice]]:
        """The parameters, and which of their rows, that the log-variance alone depends on."""
        return []

    def backpropagation(self, batch_size: int) -> Backpropagation | None:
        """Passes derived by hand, for minibatches of one size, on a processor."""
        return None

    def layers(self) -> list[tuple[np.ndarray, np.ndarray]] | None:
        """Weights of affine layers with the activation between them, for an implementation
        elsewhere.

        Returns:
            (weight, bias) of each, float32, of shape (out, in) and (out,). The last layer's first
            D rows give the mean, before its sigmoid if it has one, its last D the log-variance.
        """
        return None

    def convolved(self) -> tuple[dict[str, int], list[tuple[np.ndarray, np.ndarray]]] | None:
        """As :meth:`layers`, of a decoder that ends with convolutions which enlarge, or an encoder
        that begins with such as undo them.

        Returns:
            The ``rows`` and ``columns`` of the smallest grid and the ``channels`` between
            convolutions; and of a decoder two dense layers, those that enlarge, of shape
            (4 × out, in, 3, 3), and a last one, whose bias is each value's own, (2D,): the means'
            logits, then the log-variances. Of an encoder its convolutions, (out, 4 × in, 3, 3),
            and two dense layers.
        """
        return None

    def stepped(
        self, shift: np.ndarray, scale: np.ndarray
    ) -> tuple[dict[str, Any], list[tuple[np.ndarray, np.ndarray]]] | None:
        """As :meth:`convolved`, of a network that is a list of steps (:mod:`vae.models.steps`).

        Arguments:
            shift: What the model moves its latents by, (K,): the layers take or give z itself.
            scale: What it stretches them by, (K,).

        Returns:
            The ``steps`` with the shapes that they give, the places of its ``outputs`` and the
            ``log_var`` where none has it; and the weight and bias of each step that has them.
        """
        return None

    def with_layers(self, layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> "Network":
        """A copy with other weights in the place of those that :meth:`convolved` or
        :meth:`stepped` told."""
        raise NotImplementedError

    def mean_map(self, outputs: Tensor | None = None) -> MeanMap | None:
        """The mean with its derivatives, in double precision.

        Arguments:
            outputs: Places of the values that are wanted, (d,); all of them by default.
        """
        return None

    def add_to(self, graph: Graph, source: str) -> tuple[str, str] | None:
        """Add the forward pass to an ONNX graph; the names of mean and log-variance."""
        return None


class LinearHead(Network):
    """A network that ends with one linear layer: half of it the mean, half the log-variance.

    Attributes:
        head: That layer, of 2D outputs.
        sigmoid_mean: Whether the mean passes through a sigmoid, as the decoder's does.
    """

    head: nn.Linear
    sigmoid_mean: bool

    def given(self, h: Tensor) -> Gaussian:
        """The Gaussian, (*, D) each, that the last hidden units (*, H) stand for."""
        mean, log_var = self.head(h).chunk(2, dim=-1)
        return Gaussian(mean.sigmoid() if self.sigmoid_mean else mean, log_var)

    def start_at(self, mean: Tensor, log_var: Tensor) -> None:
        """As :meth:`Network.start_at`, by the head's bias."""
        bias = self.head.bias.data
        bias[: len(mean)] = mean.logit() if self.sigmoid_mean else mean
        bias[len(mean) :] = log_var

    def log_var_parameters(self) -> list[tuple[Tensor, slice]]:
        """As :meth:`Network.log_var_parameters`: the second half of the head."""
        rows = slice(self.head.out_features // 2, None)
        return [(self.head.weight, rows), (self.head.bias, rows)]

    def add_head_to(self, graph: Graph, source: str) -> tuple[str, str]:
        """Add the head to an ONNX graph; the names of mean and log-variance."""
        mean, log_var = (
            add_affine(graph, source, f"head.{name}", weight, bias)
            for name, weight, bias in zip(
                ("mean", "log_var"),
                self.head.weight.chunk(2),
                self.head.bias.chunk(2),
                strict=True,
            )
        )
        if self.sigmoid_mean:
            mean = graph.node("Sigmoid", [mean], "sigmoid")
        return mean, log_var


def add_affine(graph: Graph, source: str, target: str, weight: Tensor, bias: Tensor) -> str:
    """Add a linear layer, weight (out, in) and bias (out,), to an ONNX graph; its name."""
    names = graph.constant(f"{target}.weight", weight), graph.constant(f"{target}.bias", bias)
    return graph.node("Gemm", [source, *names], target, transB=1)


def add_activation(graph: Graph, source: str, target: str, activation: str) -> str:
    """Add an activation, by its name in :data:`vae.models.mlp.ACTIVATIONS`; its name there."""
    if activation == "silu":
        gate = graph.node("Sigmoid", [source], f"{target}.gate")
        return graph.node("Mul", [source, gate], target)
    return graph.node({"tanh": "Tanh", "relu": "Relu"}[activation], [source], target)
