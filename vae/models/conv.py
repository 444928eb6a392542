r"""Convolutional networks for images larger than a thumbnail, small enough for a browser to draw.

References:
    Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network (Shi et al., 2016), of the layers that enlarge https://arxiv.org/abs/1609.05158
"""

__all__ = ["WIDTHS", "Conv", "Plan"]

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vae.errors import VisageError
from vae.models.gaussian import Gaussian
from vae.models.mlp import ACTIVATIONS
from vae.models.network import Graph, LinearHead, Network, add_activation, add_affine

# Channels between two convolutions, and units of the layer between them and the latents.
WIDTHS = {"small": (8, 128), "medium": (16, 200), "large": (32, 320)}

# The sides of images that these networks are for.
SIDES = 16, 128

# Up to this side two layers enlarge, each twofold; beyond it three, so that the grid where they
# begin, which has most of the weights, stays about as large.
TWO_STAGES = 64


@dataclass(frozen=True)
class Plan:
    """The sizes of networks for images of one shape.

    Arguments:
        height: Of an image; so are the others.
        width: Pixels.
        colours: 3, or 1 for grey.
        stages: How many layers enlarge.
        channels: Between two of them.
        units: Of the dense layer.
    """

    height: int
    width: int
    colours: int
    stages: int
    channels: int
    units: int

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns where the first layer that enlarges begins."""
        factor = 2**self.stages
        return -(-self.height // factor), -(-self.width // factor)

    @property
    def cells(self) -> int:
        """The values there."""
        rows, columns = self.grid
        return self.channels * rows * columns

    @property
    def values(self) -> int:
        """The number D of values in one image."""
        return self.height * self.width * self.colours

    @property
    def folds(self) -> int:
        """How often the encoder halves an image: once more than the decoder doubles it, so that
        its dense layer has half of the weights."""
        return self.stages + 1

    @property
    def folded(self) -> list[int]:
        """The channels that the encoder's convolutions give: few where there are many pixels."""
        return [min(self.channels << fold, 4 * self.channels) // 2 for fold in range(self.folds)]

    @property
    def folded_grid(self) -> tuple[int, int]:
        """Rows and columns of what the last of them gives."""
        factor = 2**self.folds
        return -(-self.height // factor), -(-self.width // factor)

    @property
    def enlarged(self) -> list[int]:
        """The channels that the decoder's convolutions give, before each four become one."""
        return [*[4 * self.channels] * (self.stages - 1), 8 * self.colours]


@dataclass(frozen=True)
class Conv:
    """Encoder and decoder of sub-pixel convolutions that mirror each other.

    Deeper ones, of four stages with less at each, learn less in equal time on a processor.

    Arguments:
        width: How wide they are, by its name in :data:`WIDTHS`.
        activation: What follows each layer but the last, by its name in
            :data:`vae.models.mlp.ACTIVATIONS`.

    Raises:
        VisageError: There is no such width or activation.
    """

    kind: ClassVar[str] = "conv"
    in_general: ClassVar[str] = (
        f"of convolutions, for images of {SIDES[0]} to {SIDES[1]} pixels a side: a fraction of "
        "the weights, and as wide as its width says, whatever the hidden units"
    )

    width: str = "medium"
    activation: str = "tanh"

    def __post_init__(self):
        for value, choices, what in (
            (self.width, WIDTHS, "The width of a convolutional network"),
            (self.activation, ACTIVATIONS, "An activation"),
        ):
            if value not in choices:
                raise VisageError(
                    f"{what} is one of {', '.join(choices)}, not '{str(value)[:100]}'."
                )

    def plan(self, image_shape: Sequence[int]) -> Plan:
        """The sizes for images of a shape.

        Raises:
            VisageError: They are too small or too large for these networks.
        """
        height, width, *colours = image_shape
        smallest, largest = SIDES
        if not (smallest <= min(height, width) and max(height, width) <= largest):
            raise VisageError(
                f"The network conv is for images of {smallest} to {largest} pixels a side, not "
                f"{height}×{width}: choose the network mlp, or store the images in another size."
            )
        stages = 2 if max(height, width) <= TWO_STAGES else 3
        channels, units = WIDTHS[self.width]
        return Plan(height, width, colours[0] if colours else 1, stages, channels, units)

    def encoder(self, image_shape: Sequence[int], latent_dim: int) -> "ConvEncoder":
        """A new encoder."""
        return ConvEncoder(self.plan(image_shape), latent_dim, self.activation)

    def decoder(self, image_shape: Sequence[int], latent_dim: int) -> "ConvDecoder":
        """A new decoder."""
        return ConvDecoder(self.plan(image_shape), latent_dim, self.activation)

    def weights(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of both networks' parameters, without making them."""
        plan = self.plan(image_shape)
        channels, units, cells = plan.channels, plan.units, plan.cells
        between = 9 * 4 * channels * channels
        given = [plan.colours, *plan.folded]
        encoder = sum(9 * 4 * given[place] * out + out for place, out in enumerate(plan.folded))
        encoder += (plan.folded[-1] * math.prod(plan.folded_grid) + 1) * units
        encoder += (units + 1) * 2 * latent_dim
        decoder = (latent_dim + 1) * units + (units + 1) * cells
        decoder += (plan.stages - 1) * (between + 4 * channels)
        decoder += 9 * 8 * plan.colours * channels + 2 * plan.values
        return encoder + decoder

    def activations(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of values between layers, an image, of both networks."""
        plan = self.plan(image_shape)
        # Each layer's values are also laid out anew, where four become one or one four.
        grids = sum(4**stage for stage in range(plan.stages))
        rows, columns = plan.folded_grid
        folded = sum(
            2 * channels * rows * columns * 4 ** (plan.folds - 1 - fold)
            for fold, channels in enumerate(plan.folded)
        )
        enlarged = 2 * plan.cells * grids
        return folded + enlarged + 2 * plan.units + 4 * plan.values + 2 * latent_dim

    def in_words(self) -> str:
        """What tells it from others of its kind."""
        words = f"{self.width} conv"
        return words if self.activation == "tanh" else f"{words} {self.activation}"


class _Convolutional(Network):
    """What encoder and decoder have in common: the layers that a browser is told."""

    plan: Plan

    def convolved(self) -> tuple[dict[str, int], list[tuple[np.ndarray, np.ndarray]]]:
        """As :meth:`Network.convolved`."""
        rows, columns = self.smallest_grid
        said = {"rows": rows, "columns": columns, "channels": self.plan.channels}
        layers = [
            (weight.detach().numpy(), bias.detach().numpy()) for weight, bias in self._told()
        ]
        return said, layers

    @property
    def smallest_grid(self) -> tuple[int, int]:
        """Its rows and columns."""
        raise NotImplementedError

    def with_layers(self, layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> "_Convolutional":
        """As :meth:`Network.with_layers`."""
        twin = copy.deepcopy(self)
        for mine, theirs in zip(twin._told(), layers, strict=True):
            for part, values in zip(mine, theirs, strict=True):
                part.data.copy_(torch.from_numpy(values))
        return twin

    def _told(self) -> list[tuple[Tensor, Tensor]]:
        raise NotImplementedError


class ConvEncoder(_Convolutional, LinearHead):
    """Convolutions of images of which each four neighbours have become channels, then dense.

    Arguments:
        plan: The sizes.
        latent_dim: The number K of latents.
        activation: Its name.
    """

    def __init__(self, plan: Plan, latent_dim: int, activation: str):
        super().__init__()
        self.plan = plan
        self.activation = activation
        given = [plan.colours, *plan.folded[:-1]]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(4 * channels, out, 3, padding=1)
            for channels, out in zip(given, plan.folded, strict=True)
        )
        self.dense = nn.Linear(plan.folded[-1] * math.prod(plan.folded_grid), plan.units)
        self.head = nn.Linear(plan.units, 2 * latent_dim)
        self.sigmoid_mean = False

    def forward(self, x: Tensor) -> Gaussian:
        """The Gaussian given x. Shapes: (*, D) -> (*, K) each."""
        plan, activation = self.plan, ACTIVATIONS[self.activation]
        batch = x.shape[:-1]
        x = x.reshape(-1, plan.height, plan.width, plan.colours)
        below, beside = _beyond(plan)
        if below or beside:
            x = functional.pad(x, (0, 0, 0, beside, 0, below))
        for layer in self.convolutions:
            assert isinstance(layer, nn.Conv2d)
            x = activation(_convolve(_folded(x), _folded_weight(layer.weight), layer.bias))
        # As many values as the grid has, channel by channel.
        x = activation(self.dense(x.permute(0, 3, 1, 2).flatten(1)))
        return self.given(x.reshape(*batch, -1))

    @property
    def smallest_grid(self) -> tuple[int, int]:
        """Where its convolutions end."""
        return self.plan.folded_grid

    def _told(self) -> list[tuple[Tensor, Tensor]]:
        return [_parts(layer) for layer in (*self.convolutions, self.dense, self.head)]

    def add_to(self, graph: Graph, source: str) -> tuple[str, str]:
        """As :meth:`Network.add_to`."""
        plan = self.plan
        images = _reshaped(graph, source, "images", [-1, plan.height, plan.width, plan.colours])
        source = graph.node("Transpose", [images], "planes", perm=[0, 3, 1, 2])
        below, beside = _beyond(plan)
        if below or beside:
            pads = graph.constant("beyond", torch.tensor([0, 0, 0, 0, 0, 0, below, beside]))
            source = graph.node("Pad", [source, pads], "padded")
        for depth, convolution in enumerate(self.convolutions):
            assert isinstance(convolution, nn.Conv2d)
            source = graph.node("SpaceToDepth", [source], f"folded{depth}", blocksize=2)
            # ONNX lays the four neighbours before the channels.
            out, given, *_ = convolution.weight.shape
            weight = convolution.weight.reshape(out, given // 4, 4, 3, 3).transpose(1, 2)
            source = _convolved(
                graph, source, f"c{depth}", weight.reshape(out, given, 3, 3), convolution.bias
            )
            source = add_activation(graph, source, f"h{depth}", self.activation)
        source = graph.node("Flatten", [source], "flat")
        source = add_affine(graph, source, "dense", self.dense.weight, self.dense.bias)
        source = add_activation(graph, source, "units", self.activation)
        return self.add_head_to(graph, source)


class ConvDecoder(_Convolutional):
    r"""Dense, then convolutions whose channels become pixels, four by four.

    Mean and log-variance are channels of the last one, and each pixel of both has a bias of its
    own: the model starts as the mean image, and what is at the same place in all images need not
    be drawn by a kernel that slides.

    Arguments:
        plan: The sizes.
        latent_dim: The number K of latents.
        activation: Its name.
    """

    def __init__(self, plan: Plan, latent_dim: int, activation: str):
        super().__init__()
        self.plan = plan
        self.activation = activation
        self.dense = nn.ModuleList(
            [nn.Linear(latent_dim, plan.units), nn.Linear(plan.units, plan.cells)]
        )
        *inner, last = plan.enlarged
        self.convolutions = nn.ModuleList(
            nn.Conv2d(plan.channels, channels, 3, padding=1) for channels in inner
        )
        self.head = nn.Conv2d(plan.channels, last, 3, padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(2 * plan.values))

    def forward(self, x: Tensor) -> Gaussian:
        """The Gaussian given z. Shapes: (*, K) -> (*, D) each, the mean in (0, 1)."""
        plan, activation = self.plan, ACTIVATIONS[self.activation]
        batch = x.shape[:-1]
        x = x.reshape(-1, x.shape[-1])
        for layer in self.dense:
            x = activation(layer(x))
        x = x.reshape(-1, plan.channels, *plan.grid).permute(0, 2, 3, 1)
        for layer in self.convolutions:
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            weight, bias = _by_place(layer.weight), _by_place(layer.bias)
            x = _unfolded(activation(_convolve(x, weight, bias)))
        # The means' channels, then the log-variances'.
        halves = [_by_place(half) for half in self.head.weight.chunk(2)]
        outputs = [
            _unfolded(half)[:, : plan.height, : plan.width].reshape(-1, plan.values)
            for half in _convolve(x, torch.cat(halves), None).chunk(2, dim=-1)
        ]
        mean, log_var = (
            (output + bias).reshape(*batch, plan.values)
            for output, bias in zip(outputs, self.bias.chunk(2), strict=True)
        )
        return Gaussian(mean.sigmoid(), log_var)

    def start_at(self, mean: Tensor, log_var: Tensor) -> None:
        """As :meth:`Network.start_at`, by each pixel's bias."""
        self.bias.data[: len(mean)] = mean.logit()
        self.bias.data[len(mean) :] = log_var

    def log_var_parameters(self) -> list[tuple[Tensor, slice]]:
        """As :meth:`Network.log_var_parameters`: half of the last channels and of the biases."""
        channels = slice(self.head.out_channels // 2, None)
        return [(self.head.weight, channels), (self.bias, slice(self.plan.values, None))]

    @property
    def smallest_grid(self) -> tuple[int, int]:
        """Where its convolutions begin."""
        return self.plan.grid

    def _told(self) -> list[tuple[Tensor, Tensor]]:
        inner = [*self.dense, *self.convolutions]
        return [*map(_parts, inner), (self.head.weight, self.bias)]

    def add_to(self, graph: Graph, source: str) -> tuple[str, str]:
        """As :meth:`Network.add_to`."""
        plan = self.plan
        for depth, layer in enumerate(self.dense):
            assert isinstance(layer, nn.Linear)
            source = add_affine(graph, source, f"a{depth}", layer.weight, layer.bias)
            source = add_activation(graph, source, f"h{depth}", self.activation)
        source = _reshaped(graph, source, "cells", [-1, plan.channels, *plan.grid])
        for depth, layer in enumerate([*self.convolutions, self.head]):
            assert isinstance(layer, nn.Conv2d)
            source = _convolved(graph, source, f"c{depth}", layer.weight, layer.bias)
            if layer is not self.head:
                source = add_activation(graph, source, f"g{depth}", self.activation)
            source = graph.node(
                "DepthToSpace", [source], f"enlarged{depth}", blocksize=2, mode="CRD"
            )
        source = _sliced(graph, source, "inside", [0, 0], [plan.height, plan.width], [2, 3])
        split = [-1, 2, plan.colours, plan.height, plan.width]
        source = _reshaped(graph, source, "halves", split)
        source = graph.node("Transpose", [source], "pixels", perm=[0, 1, 3, 4, 2])
        source = _reshaped(graph, source, "values", [-1, 2 * plan.values])
        source = graph.node("Add", [source, graph.constant("bias", self.bias)], "outputs")
        logits = _sliced(graph, source, "logits", [0], [plan.values], [1])
        ends = [plan.values], [2 * plan.values], [1]
        return graph.node("Sigmoid", [logits], "sigmoid"), _sliced(graph, source, "logs", *ends)


def _parts(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None
    return layer.weight, layer.bias


# Between the layers values lie as (B, rows, columns, channels): as images do, and as convolutions
# on a processor are twice as fast. There the four of a square are moved in runs of all channels,
# which takes a quarter of the time; so their place in it counts before the channel, where in
# weights that are stored, as in PyTorch's and ONNX's layers, the channel counts before the place.


def _folded(x: Tensor) -> Tensor:
    """Each square of four becomes one. Shapes: (B, 2h, 2w, C) -> (B, h, w, 4C)."""
    count, height, width, channels = x.shape
    rows = x.reshape(count, height // 2, 2, width // 2, 2 * channels)
    return rows.transpose(2, 3).reshape(count, height // 2, width // 2, 4 * channels)


def _unfolded(x: Tensor) -> Tensor:
    """The inverse. Shapes: (B, h, w, 4C) -> (B, 2h, 2w, C)."""
    count, height, width, channels = x.shape
    squares = x.reshape(count, height, width, 2, channels // 2).transpose(2, 3)
    return squares.reshape(count, 2 * height, 2 * width, channels // 4)


def _by_place(weight: Tensor) -> Tensor:
    """What gives channels that are unfolded, (4C, …), from the stored order into that one."""
    return weight.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1)


def _folded_weight(weight: Tensor) -> Tensor:
    """What takes channels that were folded, (out, 4C, 3, 3), likewise."""
    return weight.unflatten(1, (-1, 4)).transpose(1, 2).flatten(1, 2)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Shapes: (B, h, w, in) -> (B, h, w, out)."""
    return functional.conv2d(x.permute(0, 3, 1, 2), weight, bias, padding=1).permute(0, 2, 3, 1)


def _beyond(plan: Plan) -> tuple[int, int]:
    """Rows and columns that an image lacks to be halved so often."""
    factor = 2**plan.folds
    return -plan.height % factor, -plan.width % factor


def _convolved(graph: Graph, source: str, target: str, weight: Tensor, bias: Tensor | None) -> str:
    names = [graph.constant(f"{target}.weight", weight)]
    if bias is not None:
        names.append(graph.constant(f"{target}.bias", bias))
    return graph.node("Conv", [source, *names], target, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def _reshaped(graph: Graph, source: str, target: str, shape: list[int]) -> str:
    return graph.node(
        "Reshape", [source, graph.constant(f"{target}.shape", torch.tensor(shape))], target
    )


def _sliced(
    graph: Graph, source: str, target: str, starts: list[int], ends: list[int], axes: list[int]
) -> str:
    names = [
        graph.constant(f"{target}.{name}", torch.tensor(places))
        for name, places in (("starts", starts), ("ends", ends), ("axes", axes))
    ]
    return graph.node("Slice", [source, *names], target)
