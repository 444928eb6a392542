"""Networks that somebody else trained, translated into steps that Visage knows.

They are ours from then on: differentiable, checked at the door as any checkpoint is, and decoded
in the browser. :mod:`vae.models.translation` makes the steps of an ONNX graph.
"""

__all__ = ["Stepped", "Translated"]

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from vae.errors import VisageError
from vae.models.foreign.networks import Missing, Onnx, Reading
from vae.models.gaussian import Gaussian
from vae.models.network import Network
from vae.models.steps import WEIGHTED, Shape, Step, apply, shape_of, weight_shapes, work_of

MOST_STEPS = 600

# Multiplications an image, of one network: several seconds' worth.
MOST_WORK = 2**34

# And so many that a browser takes without a jerk: more are done by the server, which is faster.
BROWSERS_WORK = 2**27

# And so many values between the steps.
BROWSERS_VALUES = 2**23

# Values of a batch that one step gives at once.
VALUES_AT_ONCE = 2**25


@dataclass(frozen=True)
class Translated:
    """Encoder and decoder of steps.

    The decoder begins with a ``scale`` of the latents and the encoder ends with one of each
    output, so that the model's coordinates of the latents can be told with them.

    Arguments:
        decoder_steps: From K latents to an image's D values in [0, 1], row by row.
        decoder_outputs: The places of the mean and, if the decoder tells it, of the log-variance,
            (D,) each.
        log_var: The log-variance of each value where the decoder tells none.
        encoder_steps: From D values to the posterior; empty where there is no encoder.
        encoder_outputs: The places of its mean and log-variance, (K,) each, or of the mean.
        encoder_log_var: The log-variance of each latent where the encoder tells none.
        encoder_file: How an encoder is read that was not understood, and is asked.

    Raises:
        VisageError: These are no steps.
    """

    kind: ClassVar[str] = "graph"
    in_general: ClassVar[str] = "of a model that was trained elsewhere, translated step by step"

    decoder_steps: tuple[Step, ...]
    decoder_outputs: tuple[int, ...]
    log_var: float = 0.0
    encoder_steps: tuple[Step, ...] = ()
    encoder_outputs: tuple[int, ...] = ()
    encoder_log_var: float = 0.0
    encoder_file: Reading | None = None

    def __post_init__(self):
        for part in ("decoder", "encoder"):
            steps, outputs = getattr(self, f"{part}_steps"), getattr(self, f"{part}_outputs")
            if not all(isinstance(given, list | tuple) for given in (steps, outputs)):
                raise VisageError("A network's steps are a list.")
            if len(steps) > MOST_STEPS:
                raise VisageError(f"A network may have {MOST_STEPS} steps at most.")
            object.__setattr__(self, f"{part}_steps", tuple(map(Step.told, steps)))
            object.__setattr__(self, f"{part}_outputs", tuple(outputs))
        for log_var in (self.log_var, self.encoder_log_var):
            if type(log_var) not in (int, float) or not abs(log_var) < 80:
                raise VisageError("A network's log-variance is a number.")
        if isinstance(self.encoder_file, Mapping):
            object.__setattr__(self, "encoder_file", Reading(**self.encoder_file))
        elif self.encoder_file is not None and not isinstance(self.encoder_file, Reading):
            raise VisageError("It does not tell how its encoder is read.")
        if self.encoder_file is not None and self.encoder_steps:
            raise VisageError("A model has one encoder.")

    def encoder(self, image_shape: Sequence[int], latent_dim: int) -> Network:
        """A new encoder."""
        if self.encoder_file is not None:
            return Onnx(self.encoder_file, self.encoder_file).encoder(image_shape, latent_dim)
        if not self.encoder_steps:
            return Missing(latent_dim)
        plan = self._encoder_plan(image_shape, latent_dim)
        return Stepped(plan, self.encoder_outputs, self.encoder_log_var, is_encoder=True)

    def decoder(self, image_shape: Sequence[int], latent_dim: int) -> "Stepped":
        """A new decoder."""
        plan = self._decoder_plan(image_shape, latent_dim)
        return Stepped(plan, self.decoder_outputs, self.log_var)

    def weights(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of both networks' parameters, without making them."""
        plans = self._plans(image_shape, latent_dim)
        asked = self.encoder_file.bytes // 4 if self.encoder_file else 0
        return asked + sum(
            math.prod(shape) for plan in plans for pair in plan.weights for shape in pair
        )

    def activations(self, image_shape: Sequence[int], latent_dim: int) -> int:
        """The number of values between layers, an image, of both networks."""
        plans = self._plans(image_shape, latent_dim)
        return sum(math.prod(shape) for plan in plans for shape in plan.shapes)

    def _plans(self, image_shape: Sequence[int], latent_dim: int) -> "list[_Plan]":
        plans = [self._decoder_plan(image_shape, latent_dim)]
        if self.encoder_steps:
            plans.append(self._encoder_plan(image_shape, latent_dim))
        return plans

    def in_words(self) -> str:
        """What tells it from others of its kind."""
        weighted = [step.op for step in self.decoder_steps if step.op in WEIGHTED - {"scale"}]
        dense = weighted.count("affine")
        parts = [f"{dense} dense"] if dense else []
        if convolutions := len(weighted) - dense:
            parts.append(f"{convolutions} convolutional")
        alone = "" if self.encoder_steps or self.encoder_file else ", a decoder alone"
        return " ".join([*parts, "layers" if parts else "steps"]) + alone

    def _decoder_plan(self, image_shape: Sequence[int], latent_dim: int) -> "_Plan":
        plan = _planned(self.decoder_steps, (latent_dim,))
        if self.decoder_steps[:1] != (Step("scale", (0,), (latent_dim,)),):
            raise VisageError("A decoder's first step scales the latents.")
        if any(0 in step.of for step in self.decoder_steps[1:]):
            raise VisageError("Nothing but a decoder's first step takes the latents as they are.")
        _check_outputs(plan, self.decoder_outputs, math.prod(image_shape))
        return plan

    def _encoder_plan(self, image_shape: Sequence[int], latent_dim: int) -> "_Plan":
        plan = _planned(self.encoder_steps, (math.prod(image_shape),))
        _check_outputs(plan, self.encoder_outputs, latent_dim)
        last = [self.encoder_steps[place - 1] for place in self.encoder_outputs]
        if len({*self.encoder_outputs}) < len(last) or any(
            place < 1 or step.op != "scale" or step.sizes != (latent_dim,)
            for place, step in zip(self.encoder_outputs, last, strict=True)
        ):
            raise VisageError("An encoder's last step scales the latents.")
        return plan


@dataclass(frozen=True)
class _Plan:
    """Steps with the shapes of all that they give, the input's first."""

    steps: tuple[Step, ...]
    shapes: tuple[Shape, ...]
    work: int

    @property
    def weights(self) -> list[tuple[Shape, Shape]]:
        """The shapes of weight and bias of each step that has them."""
        return [
            weight_shapes(step, self.shapes[step.of[0]])
            for step in self.steps
            if step.op in WEIGHTED
        ]


def _planned(steps: tuple[Step, ...], given: Shape) -> _Plan:
    shapes = [given]
    work = 0
    for step in steps:
        if not all(0 <= place < len(shapes) for place in step.of):
            raise VisageError("A step takes what is not there yet.")
        taken = [shapes[place] for place in step.of]
        shapes.append(shape_of(step, taken))
        work += work_of(step, taken, shapes[-1])
    if work > MOST_WORK:
        raise VisageError("A network's steps take more time than anyone would wait.")
    return _Plan(steps, tuple(shapes), work)


def _check_outputs(plan: _Plan, outputs: tuple[int, ...], size: int) -> None:
    if not 1 <= len(outputs) <= 2 or not all(
        type(place) is int and 0 <= place < len(plan.shapes) for place in outputs
    ):
        raise VisageError("A network's steps lead to a mean and a log-variance, or a mean alone.")
    if any(plan.shapes[place] != (size,) for place in outputs):
        raise VisageError(f"A network's steps do not lead to {size} values.")


class Stepped(Network):
    """A network of steps.

    Arguments:
        plan: The steps.
        outputs: The places of the mean and the log-variance, or of the mean.
        log_var: The log-variance where no place has it.
        is_encoder: Whether it gives the latents, not takes them.
    """

    def __init__(
        self, plan: _Plan, outputs: tuple[int, ...], log_var: float, is_encoder: bool = False
    ):
        super().__init__()
        self.is_encoder = is_encoder
        self.knows_variance = len(outputs) > 1
        self.plan = plan
        self.outputs = outputs
        self.log_var = log_var
        self.weight = nn.ParameterList(torch.zeros(shape) for shape, _ in plan.weights)
        self.bias = nn.ParameterList(torch.zeros(shape) for _, shape in plan.weights)
        largest = max(math.prod(shape) for shape in plan.shapes)
        self._at_once = max(1, VALUES_AT_ONCE // largest)
        self._last_use = {
            place: number for number, step in enumerate(plan.steps) for place in step.of
        }

    def forward(self, x: Tensor) -> Gaussian:
        """The Gaussian given x. Shapes: (*, in_features) -> (*, D) each."""
        batch = x.shape[:-1]
        rows = x.reshape(-1, x.shape[-1])
        parts = [self._given(part) for part in rows.split(self._at_once)]
        mean, log_var = (torch.cat(part) for part in zip(*parts, strict=True))
        return Gaussian(mean.reshape(*batch, -1), log_var.reshape(*batch, -1))

    def _given(self, x: Tensor) -> Gaussian:
        values: list[Tensor | None] = [x]
        layers = zip(self.weight, self.bias, strict=True)
        for number, step in enumerate(self.plan.steps):
            taken = [value for place in step.of if (value := values[place]) is not None]
            weight, bias = next(layers) if step.op in WEIGHTED else (None, None)
            values.append(apply(step, taken, weight, bias))
            for place in step.of:
                # Large ones are many: what nobody takes any more goes.
                if self._last_use[place] == number and place not in self.outputs:
                    values[place] = None
        found = [value for place in self.outputs if (value := values[place]) is not None]
        if len(found) < 2:
            found.append(torch.full_like(found[0], self.log_var))
        return Gaussian(*found)

    def stepped(
        self, shift: np.ndarray, scale: np.ndarray
    ) -> tuple[dict, list[tuple[np.ndarray, np.ndarray]]] | None:
        """As :meth:`Network.stepped`."""
        plan = self.plan
        values = sum(math.prod(shape) for shape in plan.shapes)
        if plan.work > BROWSERS_WORK or values > BROWSERS_VALUES:
            return None
        layers = [
            (weight.detach().numpy(), bias.detach().numpy())
            for weight, bias in zip(self.weight, self.bias, strict=True)
        ]
        told, layer_of = [], {}
        for number, (step, shape) in enumerate(zip(plan.steps, plan.shapes[1:], strict=True)):
            said = {"op": step.op, "of": step.of, "sizes": step.sizes, "values": step.values}
            if step.op in WEIGHTED:
                layer_of[number + 1] = len(layer_of)
                said["counts"] = [part.size for part in layers[layer_of[number + 1]]]
            told.append(said | {"shape": shape})
        if self.is_encoder:
            for place, output in enumerate(self.outputs):
                weight, bias = layers[layer_of[output]]
                layers[layer_of[output]] = (
                    (weight, bias - 2 * np.log(scale))
                    if place
                    else (weight / scale, (bias - shift) / scale)
                )
        else:
            weight, bias = layers[0]
            layers[0] = weight * scale, bias + weight * shift
        return {"steps": told, "outputs": self.outputs, "log_var": self.log_var}, layers

    def with_layers(self, layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> "Stepped":
        """As :meth:`Network.with_layers`."""
        twin = copy.deepcopy(self)
        for place, (weight, bias) in enumerate(layers):
            twin.weight[place].data.copy_(torch.tensor(weight))
            twin.bias[place].data.copy_(torch.tensor(bias))
        return twin
