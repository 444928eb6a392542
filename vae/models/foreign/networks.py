"""Networks that somebody else trained, as ONNX graphs that are asked and not understood.

Of such a graph nothing is known but what it answers, and how its inputs and outputs are to be
read: that is what is stored of it, beside the file itself.
"""

__all__ = ["ORDERS", "RANGES", "VARIANCES", "Asked", "Missing", "Onnx", "Reading", "tensor_of"]

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vae.errors import VisageError
from vae.models.foreign import differences
from vae.models.foreign.runtime import Graph, graph_of
from vae.models.gaussian import Gaussian
from vae.models.network import Network

# How the values of a colour image follow each other: channel by channel, or pixel by pixel.
ORDERS = ("nchw", "nhwc")

# What an image's values mean: [0, 1], [−1, 1], what a sigmoid makes [0, 1] of, or [0, 255].
RANGES = ("unit", "symmetric", "logits", "bytes")

# What an output tells of the variance.
VARIANCES = ("log_var", "log_std", "std", "var")

# Rows that are asked for at once, and values that they hold at most.
ROWS, VALUES = 64, 2**21

# A log-variance beyond these is as good as none.
LOG_VARS = -40.0, 40.0

LONGEST_NAME = 500
LARGEST_FILE = 2**31


@dataclass(frozen=True)
class Reading:
    """How one graph is read.

    Arguments:
        bytes: The length of its file.
        input: The name of its input.
        shape: What one input is like there, without the batch.
        mean: The output that is the mean.
        variance: The output that tells of the variance; empty where there is none. Where it is
            the same as the mean, one output holds both, the mean first.
        variance_is: What that output tells: one of :data:`VARIANCES`.
        order: How the values of colour images follow each other: one of :data:`ORDERS`.
        range: What the values of images mean: one of :data:`RANGES`.
        batch: How many inputs it takes at once; 0 where that is all the same.
        dtype: The numbers that its input is made of.
        std: The standard deviation where there is no variance, in units of what the mean becomes.
    """

    bytes: int
    input: str
    shape: tuple[int, ...]
    mean: str
    variance: str = ""
    variance_is: str = "log_var"
    order: str = "nchw"
    range: str = "unit"
    batch: int = 0
    dtype: str = "float32"
    std: float = 0.1

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(self.shape))
        numbers = (self.bytes, *self.shape, self.batch + 1)
        names = self.input, self.mean, self.variance
        if not all(type(number) is int and 0 < number < LARGEST_FILE for number in numbers):
            raise VisageError("Its graphs' sizes are not numbers that a graph can have.")
        if not all(isinstance(name, str) and len(name) <= LONGEST_NAME for name in names):
            raise VisageError("Its graphs' inputs and outputs have no names.")
        for chosen, choices, what in (
            (self.order, ORDERS, "An order of channels"),
            (self.range, RANGES, "A range"),
            (self.variance_is, VARIANCES, "What is told of the variance"),
            (self.dtype, ("float32", "float64", "float16"), "The type of an input"),
        ):
            if chosen not in choices:
                raise VisageError(f"{what} is one of {', '.join(choices)}, not '{chosen!s:.40}'.")
        if isinstance(self.std, bool) or not isinstance(self.std, int | float):
            raise VisageError("A standard deviation is a number.")
        if not 1e-6 <= self.std <= 1e3:
            raise VisageError("A standard deviation lies between 0.000001 and 1,000.")


@dataclass(frozen=True)
class Onnx:
    """ONNX graphs of somebody else: a decoder, and an encoder where there is one.

    Arguments:
        decoder_file: How the decoder's graph is read.
        encoder_file: How the encoder's is; None where there is none.
    """

    kind: ClassVar[str] = "onnx"
    in_general: ClassVar[str] = "a graph that somebody else trained, run by onnxruntime"

    decoder_file: Reading
    encoder_file: Reading | None = None

    def __post_init__(self):
        for name in ("decoder_file", "encoder_file"):
            said: Any = getattr(self, name)
            if isinstance(said, Mapping):
                object.__setattr__(self, name, Reading(**said))
            elif not isinstance(said, Reading) and (said is not None or name == "decoder_file"):
                raise VisageError(f"It does not tell how its {name.split('_')[0]} is read.")

    def encoder(self, image_shape: Sequence[int], latent_dim: int) -> Network:
        """The encoder, whose file is still to be brought; or what stands for a missing one."""
        if self.encoder_file is None:
            return Missing(latent_dim)
        if math.prod(self.encoder_file.shape) != math.prod(image_shape):
            raise VisageError("Its encoder takes images of another size than its decoder gives.")
        return Asked(self.encoder_file, image_shape, latent_dim, is_decoder=False)

    def decoder(self, image_shape: Sequence[int], latent_dim: int) -> "Asked":
        """The decoder, whose file is still to be brought."""
        if math.prod(self.decoder_file.shape) != latent_dim:
            raise VisageError("Its decoder takes another number of latents than it says.")
        return Asked(self.decoder_file, image_shape, latent_dim, is_decoder=True)

    def weights(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """About as many as float32 has in files of this size."""
        return sum(part.bytes for part in (self.decoder_file, self.encoder_file) if part) // 4

    def activations(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """Of no model that is trained."""
        return 0

    def in_words(self) -> str:
        """What tells it from others of its kind."""
        alone = "" if self.encoder_file else ", a decoder alone"
        return f"ONNX, by onnxruntime{alone}"


class Asked(Network):
    """An ONNX graph as a network: asked for values, and for nothing else.

    Its derivatives are differences of what it answers (:mod:`vae.models.foreign.differences`).

    Arguments:
        reading: How it is read.
        image_shape: (H, W) or (H, W, 3).
        latent_dim: The number K of latents.
        is_decoder: Whether it gives images, or takes them.

    Attributes:
        file: Its bytes, uint8.
    """

    file: Tensor
    is_exact = False

    def __init__(
        self, reading: Reading, image_shape: Sequence[int], latent_dim: int, is_decoder: bool
    ):
        super().__init__()
        self.reading = reading
        self.image_shape = tuple(image_shape)
        self.is_decoder = is_decoder
        self.knows_variance = bool(reading.variance)
        self.sizes = latent_dim, math.prod(image_shape)
        if not is_decoder:
            self.sizes = self.sizes[::-1]
        self.register_buffer("file", torch.zeros(reading.bytes, dtype=torch.uint8))
        self._graph: tuple[Tensor, Graph] | None = None
        self._step: tuple[Tensor, float] | None = None

    def __deepcopy__(self, known: dict) -> "Asked":
        """A copy that shares the file, which nobody changes."""
        other = Asked.__new__(Asked)
        Network.__init__(other)
        other.__dict__.update(
            {name: value for name, value in self.__dict__.items() if not name.startswith("_")}
        )
        other.register_buffer("file", self.file)
        other._graph, other._step = self._graph, self._step
        return other.train(self.training)

    @property
    def graph(self) -> Graph:
        """What runs the file."""
        if self._graph is None or self._graph[0] is not self.file:
            self._graph = self.file, graph_of(self.file.cpu().numpy().tobytes())
        return self._graph[1]

    @property
    def least_step(self) -> float:
        """The distance over which its differences are taken."""
        if self._step is None or self._step[0] is not self.file:
            self._step = self.file, self._best_step()
        return self._step[1]

    def forward(self, x: Tensor) -> Gaussian:
        """The Gaussian given x. Shapes: (*, in_features) -> (*, D) each."""
        *batch, size = x.shape
        rows = x.reshape(-1, size)
        step = self.least_step if x.requires_grad and torch.is_grad_enabled() else 0.0
        both = differences.differentiable(self._answers, rows, step)
        mean, log_var = both.reshape(*batch, 2 * self.sizes[1]).chunk(2, dim=-1)
        return Gaussian(mean, log_var)

    def mean_map(self, outputs: Tensor | None = None) -> "_AskedMean":
        """As :meth:`Network.mean_map`, by differences."""
        return _AskedMean(self, outputs)

    def _best_step(self) -> float:
        generator = torch.Generator().manual_seed(1)
        if self.is_decoder:
            centres = torch.randn(differences.PROBES, self.sizes[0], generator=generator)
            return differences.best_step(lambda z: self._answers(z)[:, : self.sizes[1]], centres)
        centres = torch.rand(differences.PROBES, self.sizes[0], generator=generator)
        return differences.best_step(lambda x: self._answers(x)[:, : self.sizes[1]], centres)

    def _answers(self, rows: Tensor) -> Tensor:
        """Mean and log-variance side by side. Shapes: (B, in) -> (B, 2 out)."""
        arrays = rows.detach().cpu().numpy()
        size = self.reading.batch or max(1, min(ROWS, VALUES // max(self.sizes)))
        parts = [self._some(arrays[at : at + size]) for at in range(0, len(arrays), size)]
        if not parts:
            return rows.new_zeros((0, 2 * self.sizes[1]))
        return torch.from_numpy(np.concatenate(parts)).to(rows)

    def _some(self, rows: np.ndarray) -> np.ndarray:
        reading, count = self.reading, len(rows)
        if reading.batch > count:
            rows = np.concatenate([rows, np.repeat(rows[-1:], reading.batch - count, axis=0)])
        given = rows
        if not self.is_decoder:
            given = _ranged(given, reading.range)
            given = _reordered(given, self.image_shape, reading.order)
        given = given.reshape(-1, *reading.shape).astype(reading.dtype)
        wanted = list(dict.fromkeys(name for name in (reading.mean, reading.variance) if name))
        try:
            found = self.graph.run({reading.input: given}, wanted)
        except VisageError as error:
            what = "decoder" if self.is_decoder else "encoder"
            sentence = str(error)
            raise VisageError(
                f"The {what} of this model: {sentence[:1].lower()}{sentence[1:]}"
            ) from error
        mean, spread = self._mean_and_spread(dict(zip(wanted, found, strict=True)), len(rows))
        if self.is_decoder:
            if spread is not None:
                spread = _ordered(spread, self.image_shape, reading.order)
            mean = _ordered(mean, self.image_shape, reading.order)
        mean, log_var = self._in_our_units(mean, spread)
        return np.concatenate([mean, log_var], axis=1)[:count]

    def _mean_and_spread(
        self, found: dict[str, np.ndarray], rows: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        reading, size = self.reading, self.sizes[1]
        mean = found[reading.mean]
        spread = found.get(reading.variance) if reading.variance else None
        if reading.variance == reading.mean:
            mean, spread = self._halves(mean)
        for array in (mean, spread):
            if array is not None and array.size != rows * size:
                raise VisageError(
                    f"The graph gives {array.size // max(rows, 1):,} values where it gave "
                    f"{size:,} when it was opened: open it again."
                )
        flat = None if spread is None else spread.reshape(rows, size)
        return mean.reshape(rows, size), flat

    def _halves(self, both: np.ndarray) -> list[np.ndarray]:
        """Mean and what is told of the variance, one behind the other among the channels."""
        channels_last = self.is_decoder and both.ndim == 4 and self.reading.order == "nhwc"
        axis = both.ndim - 1 if channels_last else 1
        return np.array_split(both, 2, axis=axis)

    def _in_our_units(
        self, mean: np.ndarray, spread: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        reading = self.reading
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            if spread is None:
                # Stated, and so in our units already.
                log_var = np.full_like(mean, 2 * math.log(reading.std))
            else:
                log_var = _log_var(spread, reading.variance_is)
            if self.is_decoder:
                mean, per_unit = _unit(mean, reading.range)
                log_var = log_var if spread is None else log_var + 2 * math.log(per_unit)
        return mean, np.clip(np.nan_to_num(log_var, nan=0.0), *LOG_VARS)


class _AskedMean:
    """As :class:`vae.models.network.MeanMap`, of a graph that is asked."""

    def __init__(self, network: Asked, outputs: Tensor | None):
        self.network = network
        self.outputs = outputs

    def __call__(self, x: Tensor) -> Tensor:
        step = self.network.least_step if x.requires_grad and torch.is_grad_enabled() else 0.0
        return differences.differentiable(self._mean, x, step)

    def push(self, x: Tensor, tangents: Tensor) -> Tensor:
        tangents = tangents.expand(-1, len(x), -1)
        return differences.push(self._mean, x, tangents, self.network.least_step)

    def to(self, dtype: torch.dtype) -> "_AskedMean":
        return self

    def _mean(self, x: Tensor) -> Tensor:
        mean = self.network._answers(x)[:, : self.network.sizes[1]]
        return mean if self.outputs is None else mean[:, self.outputs]


class Missing(Network):
    """What stands for an encoder that a model does not have."""

    is_there = False
    knows_variance = False

    def __init__(self, latent_dim: int):
        super().__init__()

    def forward(self, x: Tensor) -> Gaussian:
        """Raises VisageError: there is none."""
        raise VisageError(
            "This model has no encoder, so no image has a place among its latents: open it again "
            "with its encoder."
        )


def tensor_of(content: bytes) -> Tensor:
    """A file as a network keeps it, uint8."""
    return torch.from_numpy(np.frombuffer(content, np.uint8).copy())


def _ranged(x: np.ndarray, range: str) -> np.ndarray:
    """Pixels in [0, 1] as an encoder wants them."""
    if range == "symmetric":
        return 2 * x - 1
    return 255 * x if range == "bytes" else x


def _unit(mean: np.ndarray, range: str) -> tuple[np.ndarray, float]:
    """A decoder's mean as pixels in [0, 1], and how much of that a unit of it is."""
    match range:
        case "symmetric":
            return (mean + 1) / 2, 0.5
        case "bytes":
            return mean / 255, 1 / 255
        case "logits":
            return 0.5 * (1 + np.tanh(0.5 * mean)), 1.0
    return mean, 1.0


def _log_var(spread: np.ndarray, what: str) -> np.ndarray:
    match what:
        case "log_std":
            return 2 * spread
        case "std":
            return 2 * np.log(np.abs(spread))
        case "var":
            return np.log(np.abs(spread))
    return spread


def _reordered(rows: np.ndarray, image_shape: tuple[int, ...], order: str) -> np.ndarray:
    """Our images (B, D), pixel by pixel, in another order."""
    if len(image_shape) < 3 or order == "nhwc":
        return rows
    return rows.reshape(-1, *image_shape).transpose(0, 3, 1, 2)


def _ordered(rows: np.ndarray, image_shape: tuple[int, ...], order: str) -> np.ndarray:
    """Images of another order, (B, D), in ours."""
    if len(image_shape) < 3 or order == "nhwc":
        return rows
    height, width, channels = image_shape
    images = rows.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    return images.reshape(len(rows), -1)
