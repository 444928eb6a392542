"""From an ONNX graph to steps that are our own: :mod:`vae.models.steps`.

What a graph computes of sizes is computed here, once: exporters write out how a reshape's sizes
come from the batch. Whatever there is no step for raises :class:`UntranslatableError`: such a
graph is run as it is. What comes out is to be compared with what ONNX Runtime gives.
"""

__all__ = ["Builder", "Translation", "UntranslatableError", "translate"]

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vae.errors import VisageError
from vae.models.steps import Shape, Step, shape_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

# Stands for a batch of any size where a graph asks for it: a number that no layer is likely to
# have.
ANY_BATCH = 7919

# What is computed of sizes is small.
LARGEST_FOLDED = 2**16

# Steps that are followed, of which not all need be kept; and the values of their weights.
MOST_STEPS = 2_000
MOST_HELD = 2**27

# A bound that no value reaches.
FAR = 1e30

# What a graph that says what can't be raises, of whoever computes with it.
_WRONG = ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError

Layer = tuple[np.ndarray, np.ndarray]


class UntranslatableError(VisageError):
    """There is no step for something that a graph does."""


class Place(NamedTuple):
    """A value that depends on the input, by its place among the steps' values."""

    number: int


class Translation(NamedTuple):
    """Steps, their weights, and where the outputs are.

    Arguments:
        steps: The steps.
        layers: Weight and bias of each step that has them, float32.
        outputs: The places of the outputs.
    """

    steps: tuple[Step, ...]
    layers: list[Layer]
    outputs: tuple[int, ...]


class Builder:
    """Steps in the making.

    Arguments:
        given: The shape of the input.
    """

    def __init__(self, given: Shape):
        self.steps: list[Step] = []
        self.shapes: list[Shape] = [given]
        self.layers: dict[int, Layer] = {}
        self.held = 0

    def add(
        self,
        op: str,
        of: Sequence[Place],
        sizes: Sequence[int] = (),
        values: Sequence[float] = (),
        layer: Layer | None = None,
    ) -> Place:
        """Add a step; raises where it can't be."""
        step = Step(op, tuple(of_.number for of_ in of), tuple(map(int, sizes)), tuple(values))
        self.held += 0 if layer is None else layer[0].size + layer[1].size
        if len(self.steps) >= MOST_STEPS or self.held > MOST_HELD:
            raise UntranslatableError("The graph has more steps than can be followed.")
        shape = shape_of(step, [self.shapes[place.number] for place in of])
        self.steps.append(step)
        self.shapes.append(shape)
        place = Place(len(self.steps))
        if layer is not None:
            weight, bias = (np.ascontiguousarray(part, dtype=np.float32) for part in layer)
            self.layers[place.number] = weight, bias
        return place

    def shape(self, place: Place) -> Shape:
        """The shape of a value."""
        return self.shapes[place.number]

    def reshape(self, source: Place, shape: Sequence[int]) -> Place:
        """Another shape, if it is another."""
        if tuple(shape) == self.shape(source):
            return source
        return self.add("reshape", [source], shape)

    def transpose(self, source: Place, axes: Sequence[int]) -> Place:
        """Another order of the axes, if it is another."""
        if list(axes) == list(range(len(axes))):
            return source
        return self.add("transpose", [source], axes)

    def scale(
        self, source: Place, weight: np.ndarray, bias: np.ndarray, fold: bool = False
    ) -> Place:
        """The value times a weight, plus a bias, broadcast over its axes.

        Arguments:
            source: The value.
            weight: Of as many axes as it has, or fewer; so is ``bias``.
            bias: What is added.
            fold: Whether nothing else takes the value: then the layer that gives it may take this
                up.
        """
        shape = self.shape(source)
        weight, bias = (_broadcast(part, len(shape)) for part in (weight, bias))
        if fold and self._fold(source, weight, bias):
            return source
        sizes = np.broadcast_shapes(weight.shape, bias.shape)
        layer = np.broadcast_to(weight, sizes), np.broadcast_to(bias, sizes)
        return self.add("scale", [source], sizes, layer=layer)

    def _fold(self, source: Place, weight: np.ndarray, bias: np.ndarray) -> bool:
        held = self.layers.get(source.number)
        shape = self.shape(source)
        if held is None:
            return False
        op = self.steps[source.number - 1].op
        axis = len(shape) - 1 if op == "affine" else 0
        if op == "scale" or any(
            side != 1 for part in (weight, bias) for k, side in enumerate(part.shape) if k != axis
        ):
            return False
        count = shape[axis]
        factor = np.broadcast_to(weight.ravel(), count).astype(np.float64)
        more = np.broadcast_to(bias.ravel(), count).astype(np.float64)
        inner, own = held
        if op == "conv_transpose":
            groups = self.steps[source.number - 1].sizes[11]
            spread = factor.reshape(groups, 1, -1).repeat(inner.shape[0] // groups, 1)
            inner = inner * spread.reshape(inner.shape[0], -1, 1, 1)
        else:
            inner = inner * factor.reshape(-1, *[1] * (inner.ndim - 1))
        self.layers[source.number] = (
            inner.astype(np.float32),
            (own * factor + more).astype(np.float32),
        )
        return True

    def done(self, *outputs: Place) -> Translation:
        """The steps that lead to some values."""
        needed = {place.number for place in outputs}
        for number in range(len(self.steps), 0, -1):
            if number in needed:
                needed.update(self.steps[number - 1].of)
        kept = [number for number in range(1, len(self.steps) + 1) if number in needed]
        moved = {0: 0} | {number: place for place, number in enumerate(kept, start=1)}
        steps = []
        for number in kept:
            step = self.steps[number - 1]
            of = tuple(moved[place] for place in step.of)
            steps.append(Step(step.op, of, step.sizes, step.values))
        layers = [self.layers[number] for number in kept if number in self.layers]
        return Translation(tuple(steps), layers, tuple(moved[place.number] for place in outputs))


def translate(
    model: "ModelProto", builder: Builder, source: Place, outputs: Sequence[str]
) -> list[Place]:
    """Add a graph's steps to others.

    Arguments:
        model: The graph, which has been checked, with all its weights in it.
        builder: The steps before it.
        source: What goes into the graph's only input, without the batch.
        outputs: The names of the outputs that are wanted.

    Returns:
        Their places.

    Raises:
        UntranslatableError: The graph does what there is no step for.
    """
    try:
        return _Translator(model, builder, source).places(outputs)
    except UntranslatableError:
        raise
    except (VisageError, *_WRONG) as error:
        raise UntranslatableError(f"This graph can't be followed: {str(error)[:200]}") from error


def _broadcast(part: np.ndarray, axes: int) -> np.ndarray:
    """A constant with as many axes as a value has without its batch."""
    part = np.asarray(part, dtype=np.float32)
    if part.ndim == axes + 1 and part.shape[0] == 1:
        part = part[0]
    if part.ndim > axes:
        raise UntranslatableError("A constant differs from image to image of a batch.")
    return part.reshape((1,) * (axes - part.ndim) + part.shape)


@dataclass
class _Node:
    """An operation of the graph, with what it takes."""

    proto: "NodeProto"
    given: list[Any]
    attributes: dict[str, Any]
    alone: bool

    def __getitem__(self, place: int) -> Any:
        return self.given[place] if place < len(self.given) else None

    def number(self, name: str, default: float) -> float:
        return float(self.attributes.get(name, default))

    def whole(self, name: str, default: Sequence[int]) -> list[int]:
        return [int(side) for side in self.attributes.get(name, default)]

    def axes(self, rank: int, place: int = 1) -> list[int] | None:
        """The axes of an operation, whose opset has them as an attribute or as an input."""
        axes = self.attributes.get("axes")
        if axes is None:
            axes = self[place]
        return None if axes is None else [int(axis) % rank for axis in np.ravel(axes)]


class _Translator:
    def __init__(self, model: "ModelProto", builder: Builder, source: Place):
        from onnx import numpy_helper

        graph = model.graph
        self.builder = builder
        self.graph: GraphProto = graph
        self.values: dict[str, Any] = {
            held.name: numpy_helper.to_array(held) for held in graph.initializer
        }
        given = [value for value in graph.input if value.name not in self.values]
        if len(given) != 1:
            raise UntranslatableError("The graph takes more than one input.")
        first = given[0].type.tensor_type.shape.dim
        self.batch = int(first[0].dim_value) if first and first[0].dim_value else ANY_BATCH
        self.values[given[0].name] = source
        self.uses = Counter(name for node in graph.node for name in node.input)
        self.uses.update(value.name for value in graph.output)
        # By how many names a place goes: an identity gives it a second.
        self.named: Counter[int] = Counter()
        self.held = 0

    def places(self, outputs: Sequence[str]) -> list[Place]:
        from onnx import helper

        wanted, nodes = set(outputs), []
        for proto in reversed(self.graph.node):
            if wanted & set(proto.output):
                wanted.update(proto.input)
                nodes.append(proto)
        for proto in reversed(nodes):
            if proto.domain not in ("", "ai.onnx"):
                raise UntranslatableError(f"There is no step for {proto.domain[:40]}.")
            given = [self.values[name] if name else None for name in proto.input]
            attributes = {held.name: helper.get_attribute_value(held) for held in proto.attribute}
            alone = all(
                self.uses[name] == 1 and self.named[value.number] == 1
                for name, value in zip(proto.input, given, strict=True)
                if isinstance(value, Place)
            )
            node = _Node(proto, given, attributes, alone)
            found = self.run(node)
            for name, value in zip(proto.output, found, strict=False):
                if name:
                    self.values[name] = value
                    if isinstance(value, Place):
                        self.named[value.number] += 1
        places = [self.values[name] for name in outputs]
        if not all(isinstance(place, Place) for place in places):
            raise UntranslatableError("An output does not depend on the input.")
        return places

    def run(self, node: _Node) -> list[Any]:
        op = node.proto.op_type
        if not any(isinstance(value, Place) for value in node.given):
            return self.folded(_folded(node, op))
        if op == "Shape":
            start, end = node.attributes.get("start", 0), node.attributes.get("end")
            return [np.array(self.full_shape(node[0])[start:end], dtype=np.int64)]
        if op == "Split":
            return self.split(node)
        if op in ("Identity", "Dropout", "Cast"):
            return [node[0]]
        if (curve := _CURVES.get(op)) is not None:
            return [curve(self.builder, node[0], node)]
        method = getattr(self, f"op_{op.lower()}", None)
        if method is None:
            raise UntranslatableError(f"There is no step for {op[:40]}.")
        return [method(node)]

    def folded(self, found: list[Any]) -> list[Any]:
        """What was computed of constants, counted: each copy of a weight is as large as it."""
        self.held += sum(np.size(value) for value in found if np.asarray(value).base is None)
        if self.held > MOST_HELD:
            raise UntranslatableError("The graph computes too much of constants.")
        return found

    def full_shape(self, place: Place) -> Shape:
        return self.batch, *self.builder.shape(place)

    def rank(self, place: Place) -> int:
        return 1 + len(self.builder.shape(place))

    # Layers

    def op_gemm(self, node: _Node) -> Place:
        x, weight, bias = node[0], node[1], node[2]
        if not isinstance(x, Place) or isinstance(weight, Place) or isinstance(bias, Place):
            raise UntranslatableError(
                "A product of two values that depend on the input has no step."
            )
        if node.attributes.get("transA"):
            raise UntranslatableError("A product of a turned value has no step.")
        if not node.attributes.get("transB"):
            weight = weight.T
        weight = weight * node.number("alpha", 1)
        own = np.zeros(1) if bias is None else np.ravel(bias) * node.number("beta", 1)
        return self.affine(x, weight, own)

    def op_matmul(self, node: _Node) -> Place:
        x, weight = node[0], node[1]
        if not isinstance(x, Place) or isinstance(weight, Place) or weight.ndim != 2:
            raise UntranslatableError(
                "A product of two values that depend on the input has no step."
            )
        return self.affine(x, weight.T, np.zeros(1))

    def affine(self, x: Place, weight: np.ndarray, bias: np.ndarray) -> Place:
        layer = weight, np.broadcast_to(bias, len(weight))
        if weight.shape[1] != self.builder.shape(x)[-1]:
            raise UntranslatableError("A layer does not take as many values as there are.")
        return self.builder.add("affine", [x], [len(weight)], layer=layer)

    def op_conv(self, node: _Node) -> Place:
        weight = self.kernel(node)
        strides, dilations, groups = self.sliding(node)
        out, given, *kernel = weight.shape
        pads = self.pads(node, kernel, strides, dilations)
        if given * groups != self.builder.shape(node[0])[0]:
            raise UntranslatableError("A convolution does not take as many channels as there are.")
        bias = np.zeros(out) if node[2] is None else node[2]
        sizes = [out, *kernel, *strides, *pads, *dilations, groups]
        return self.builder.add("conv", [node[0]], sizes, layer=(weight, bias))

    def op_convtranspose(self, node: _Node) -> Place:
        weight = self.kernel(node)
        strides, dilations, groups = self.sliding(node)
        given, out, *kernel = weight.shape
        out *= groups
        channels, *sides = self.builder.shape(node[0])
        if given != channels:
            raise UntranslatableError("A convolution does not take as many channels as there are.")
        more = node.whole("output_padding", [0, 0])
        auto = _text(node.attributes.get("auto_pad", "NOTSET"))
        wanted = node.attributes.get("output_shape")
        if wanted is None and auto in ("SAME_UPPER", "SAME_LOWER"):
            wanted = [side * stride for side, stride in zip(sides, strides, strict=True)]
        if wanted is None:
            pads = node.whole("pads", [0, 0, 0, 0])
        else:
            pads = [0, 0, 0, 0]
            for k, want in enumerate(list(wanted)[-2:]):
                whole = strides[k] * (sides[k] - 1) + dilations[k] * (kernel[k] - 1) + 1
                total = whole + more[k] - int(want)
                half = total // 2
                before = half if auto == "SAME_UPPER" else total - half
                pads[k], pads[k + 2] = before, total - before
                if total < 0:
                    pads[k], pads[k + 2], more[k] = 0, 0, more[k] - total
        bias = np.zeros(out) if node[2] is None else node[2]
        sizes = [out, *kernel, *strides, *pads, *dilations, groups, *more]
        return self.builder.add("conv_transpose", [node[0]], sizes, layer=(weight, bias))

    def kernel(self, node: _Node) -> np.ndarray:
        if not isinstance(node[0], Place) or isinstance(node[1], Place):
            raise UntranslatableError(
                "A convolution by a kernel that depends on the input has no step."
            )
        if node[1].ndim != 4 or len(self.builder.shape(node[0])) != 3:
            raise UntranslatableError("A convolution over other than two axes has no step.")
        return node[1]

    def sliding(self, node: _Node) -> tuple[list[int], list[int], int]:
        strides, dilations = node.whole("strides", [1, 1]), node.whole("dilations", [1, 1])
        return strides, dilations, int(node.attributes.get("group", 1))

    def pads(
        self, node: _Node, kernel: Sequence[int], strides: list[int], dilations: list[int]
    ) -> list[int]:
        """Above, left, below and right."""
        auto = _text(node.attributes.get("auto_pad", "NOTSET"))
        if auto in ("NOTSET", ""):
            return node.whole("pads", [0, 0, 0, 0])
        pads = [0, 0, 0, 0]
        if auto == "VALID":
            return pads
        for k, side in enumerate(self.builder.shape(node[0])[1:]):
            reach = dilations[k] * (kernel[k] - 1) + 1
            total = max(0, (-(-side // strides[k]) - 1) * strides[k] + reach - side)
            before = total - total // 2 if auto == "SAME_LOWER" else total // 2
            pads[k], pads[k + 2] = before, total - before
        return pads

    def op_batchnormalization(self, node: _Node) -> Place:
        x, *constants = node.given[:5]
        if not isinstance(x, Place) or any(isinstance(part, Place) for part in constants):
            raise UntranslatableError("A normalisation by what depends on the input has no step.")
        if node.attributes.get("training_mode"):
            raise UntranslatableError("A normalisation by the batch has no step.")
        scale, bias, mean, variance = (np.asarray(part, dtype=np.float64) for part in constants)
        factor = scale / np.sqrt(variance + node.number("epsilon", 1e-5))
        axes = [1] * (self.rank(x) - 2)
        more = (bias - mean * factor).reshape(-1, *axes)
        return self.builder.scale(x, factor.reshape(-1, *axes), more, node.alone)

    # Arithmetic

    def op_add(self, node: _Node) -> Place:
        return self.sum(node, 1)

    def op_sub(self, node: _Node) -> Place:
        return self.sum(node, -1)

    def sum(self, node: _Node, sign: int) -> Place:
        one, other, add = node[0], node[1], self.builder
        if isinstance(one, Place) and isinstance(other, Place):
            if sign < 0:
                other = add.scale(other, np.array(-1.0), np.array(0.0))
            return add.add("add", [one, other])
        if isinstance(one, Place):
            return add.scale(one, np.array(1.0), sign * self.constant(other, one), node.alone)
        return add.scale(other, np.array(float(sign)), self.constant(one, other), node.alone)

    def op_mul(self, node: _Node) -> Place:
        one, other, add = node[0], node[1], self.builder
        if isinstance(one, Place) and isinstance(other, Place):
            return add.add("mul", [one, other])
        if isinstance(one, Place):
            return add.scale(one, self.constant(other, one), np.array(0.0), node.alone)
        return add.scale(other, self.constant(one, other), np.array(0.0), node.alone)

    def op_div(self, node: _Node) -> Place:
        one, other = node[0], node[1]
        if not isinstance(one, Place) or isinstance(other, Place):
            raise UntranslatableError("A division by what depends on the input has no step.")
        factor = 1 / self.constant(other, one)
        return self.builder.scale(one, factor, np.array(0.0), node.alone)

    def constant(self, value: np.ndarray, beside: Place) -> np.ndarray:
        part = np.asarray(value, dtype=np.float64)
        if part.ndim > self.rank(beside) or (part.ndim == self.rank(beside) and len(part) != 1):
            raise UntranslatableError("A constant differs from image to image of a batch.")
        return part[0] if part.ndim == self.rank(beside) else part

    def op_pow(self, node: _Node) -> Place:
        if isinstance(node[1], Place) or float(np.ravel(node[1])[0]) not in (2.0, 3.0, 0.5):
            raise UntranslatableError("Such a power has no step.")
        power, x = float(np.ravel(node[1])[0]), node[0]
        if power == 0.5:
            return self.builder.add("sqrt", [x])
        square = self.builder.add("mul", [x, x])
        return square if power == 2 else self.builder.add("mul", [square, x])

    def op_clip(self, node: _Node) -> Place:
        bounds = []
        for place, name, default in ((1, "min", -FAR), (2, "max", FAR)):
            held = node[place]
            if isinstance(held, Place):
                raise UntranslatableError("A bound that depends on the input has no step.")
            bound = node.number(name, default) if held is None else float(np.ravel(held)[0])
            bounds.append(float(np.clip(bound, -FAR, FAR)))
        return self.builder.add("clip", [node[0]], values=bounds)

    def op_prelu(self, node: _Node) -> Place:
        x, add = node[0], self.builder
        if isinstance(node[1], Place):
            raise UntranslatableError("A slope that depends on the input has no step.")
        slope, zero = self.constant(node[1], x), np.array(0.0)
        mirrored = add.add("relu", [add.scale(x, np.array(-1.0), zero)])
        return add.add("add", [add.add("relu", [x]), add.scale(mirrored, -slope, zero)])

    # What is laid out anew

    def op_reshape(self, node: _Node) -> Place:
        x = node[0]
        if isinstance(node[1], Place):
            raise UntranslatableError("A shape that depends on the input has no step.")
        full = self.full_shape(x)
        target = [int(side) for side in np.ravel(node[1])]
        if not node.attributes.get("allowzero"):
            target = [full[k] if side == 0 else side for k, side in enumerate(target)]
        if -1 in target:
            rest = math.prod(side for side in target if side != -1)
            target[target.index(-1)] = math.prod(full) // rest
        return self.reshaped(x, target)

    def reshaped(self, x: Place, target: Sequence[int]) -> Place:
        if (
            not target
            or target[0] != self.batch
            or math.prod(target) != math.prod(self.full_shape(x))
        ):
            raise UntranslatableError("A reshape that mixes images of a batch has no step.")
        # A single number an image is a vector of one.
        return self.builder.reshape(x, target[1:] or [1])

    def op_flatten(self, node: _Node) -> Place:
        full = self.full_shape(node[0])
        axis = int(node.attributes.get("axis", 1)) % (len(full) + 1)
        return self.reshaped(node[0], [math.prod(full[:axis]), math.prod(full[axis:])])

    def op_squeeze(self, node: _Node) -> Place:
        full = self.full_shape(node[0])
        axes = node.axes(len(full))
        if axes is None:
            axes = [k for k, side in enumerate(full) if side == 1]
        return self.reshaped(node[0], [side for k, side in enumerate(full) if k not in axes])

    def op_unsqueeze(self, node: _Node) -> Place:
        given = node.attributes.get("axes")
        count = len(np.ravel(node[1] if given is None else given))
        full = list(self.full_shape(node[0]))
        for axis in sorted(node.axes(len(full) + count) or []):
            full.insert(axis, 1)
        return self.reshaped(node[0], full)

    def op_transpose(self, node: _Node) -> Place:
        rank = self.rank(node[0])
        axes = node.whole("perm", range(rank)[::-1])
        if axes[0] != 0:
            raise UntranslatableError("A transposition of the batch has no step.")
        return self.builder.transpose(node[0], [axis - 1 for axis in axes[1:]])

    def op_depthtospace(self, node: _Node) -> Place:
        channels, rows, columns = self.builder.shape(node[0])
        block = int(node.attributes["blocksize"])
        inner = channels // block**2
        add = self.builder
        if _text(node.attributes.get("mode", "DCR")) == "CRD":
            x = add.reshape(node[0], [inner, block, block, rows, columns])
            x = add.transpose(x, [0, 3, 1, 4, 2])
        else:
            x = add.reshape(node[0], [block, block, inner, rows, columns])
            x = add.transpose(x, [2, 3, 0, 4, 1])
        return add.reshape(x, [inner, rows * block, columns * block])

    def op_spacetodepth(self, node: _Node) -> Place:
        channels, rows, columns = self.builder.shape(node[0])
        block = int(node.attributes["blocksize"])
        add = self.builder
        down, across = rows // block, columns // block
        x = add.reshape(node[0], [channels, down, block, across, block])
        x = add.transpose(x, [2, 4, 0, 1, 3])
        return add.reshape(x, [channels * block**2, down, across])

    def op_resize(self, node: _Node) -> Place:
        if _text(node.attributes.get("mode", "nearest")) != "nearest":
            raise UntranslatableError("A resize by interpolation has no step.")
        full = self.full_shape(node[0])
        sizes = node[3]
        scales = node[1] if node.proto.op_type == "Upsample" else node[2]
        if scales is None and "scales" in node.attributes:
            scales = node.attributes["scales"]
        if sizes is not None:
            scales = [side / before for side, before in zip(sizes, full, strict=True)]
        if scales is None or isinstance(scales, Place):
            raise UntranslatableError("A resize to what depends on the input has no step.")
        factors = [float(scale) for scale in np.ravel(scales)]
        if len(factors) != 4 or factors[:2] != [1, 1] or any(f % 1 or f < 1 for f in factors):
            raise UntranslatableError("A resize by such factors has no step.")
        return self.builder.add("resize", [node[0]], [int(factor) for factor in factors[2:]])

    op_upsample = op_resize

    def op_pad(self, node: _Node) -> Place:
        if _text(node.attributes.get("mode", "constant")) != "constant":
            raise UntranslatableError("Such a padding has no step.")
        pads = node.attributes.get("pads", node[1])
        value = node[2] if node[2] is not None else node.attributes.get("value", 0.0)
        if isinstance(pads, Place) or isinstance(value, Place):
            raise UntranslatableError("A padding that depends on the input has no step.")
        sides = [int(side) for side in np.ravel(pads)]
        rank = self.rank(node[0])
        if node[3] is not None:
            spread = [0] * (2 * rank)
            axes = [int(axis) % rank for axis in np.ravel(node[3])]
            for place, axis in enumerate(axes):
                spread[axis], spread[rank + axis] = sides[place], sides[len(axes) + place]
            sides = spread
        if sides[0] or sides[rank]:
            raise UntranslatableError("A padding of the batch has no step.")
        inner = [*sides[1:rank], *sides[rank + 1 :]]
        x = node[0]
        for k in range(rank - 1):
            # What is cut off on the way.
            before, behind = min(inner[k], 0), min(inner[rank - 1 + k], 0)
            if before or behind:
                side = self.builder.shape(x)[k]
                x = self.builder.add("slice", [x], [k, -before, side + behind])
        inner = [max(side, 0) for side in inner]
        if not any(inner):
            return x
        return self.builder.add("pad", [x], inner, [float(np.ravel(value)[0])])

    def op_slice(self, node: _Node) -> Place:
        rank = self.rank(node[0])
        starts, ends = (
            np.ravel(
                held if (held := node.attributes.get(name)) is not None else node.given[place]
            )
            for name, place in (("starts", 1), ("ends", 2))
        )
        axes = node.axes(rank, 3) or list(range(len(starts)))
        steps = np.ravel(node[4]) if node[4] is not None else np.ones(len(starts), dtype=int)
        x = node[0]
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            side = self.full_shape(x)[axis]
            first, last, stride = slice(int(start), int(end), int(step)).indices(side)
            if stride != 1:
                raise UntranslatableError("A slice with gaps has no step.")
            if (first, last) == (0, side):
                continue
            x = self.cut(x, axis, first, last)
        return x

    def cut(self, x: Place, axis: int, first: int, last: int) -> Place:
        if axis == 0:
            raise UntranslatableError("A slice of the batch has no step.")
        return self.builder.add("slice", [x], [axis - 1, first, last])

    def op_gather(self, node: _Node) -> Place:
        if isinstance(node[1], Place) or np.size(node[1]) != 1:
            raise UntranslatableError("A choice of several has no step.")
        full = self.full_shape(node[0])
        axis = int(node.attributes.get("axis", 0)) % len(full)
        index = int(np.ravel(node[1])[0]) % full[axis]
        found = self.cut(node[0], axis, index, index + 1)
        if np.ndim(node[1]):
            return found
        return self.reshaped(found, [*full[:axis], *full[axis + 1 :]])

    def split(self, node: _Node) -> list[Place]:
        full = self.full_shape(node[0])
        axis = int(node.attributes.get("axis", 0)) % len(full)
        parts = node.attributes.get("split", node[1])
        if parts is None:
            count = int(node.attributes.get("num_outputs", len(node.proto.output)))
            each = -(-full[axis] // count)
            parts = [min(each, full[axis] - k * each) for k in range(count)]
        ends = np.cumsum(np.ravel(parts)).tolist()
        return [
            self.cut(node[0], axis, int(end - part), int(end))
            for part, end in zip(np.ravel(parts), ends, strict=True)
        ]

    def op_concat(self, node: _Node) -> Place:
        if not all(isinstance(value, Place) for value in node.given):
            raise UntranslatableError("A constant beside a value has no step.")
        axis = int(node.attributes["axis"]) % self.rank(node[0])
        if axis == 0:
            raise UntranslatableError("Batches that are joined have no step.")
        if len(node.given) == 1:
            return node[0]
        return self.builder.add("concat", node.given, [axis - 1])

    # Pooling

    def op_maxpool(self, node: _Node) -> Place:
        return self.pooled(node, "max_pool")

    def op_averagepool(self, node: _Node) -> Place:
        return self.pooled(node, "mean_pool")

    def pooled(self, node: _Node, op: str) -> Place:
        kernel = node.whole("kernel_shape", [])
        strides = node.whole("strides", [1, 1])
        if (
            len(kernel) != 2
            or node.attributes.get("ceil_mode")
            or node.whole("dilations", [1, 1]) != [1, 1]
            or any(self.pads(node, kernel, strides, [1, 1]))
        ):
            raise UntranslatableError("Such a pooling has no step.")
        return self.builder.add(op, [node[0]], [*kernel, *strides])

    def op_globalaveragepool(self, node: _Node) -> Place:
        _, rows, columns = self.builder.shape(node[0])
        return self.builder.add("mean_pool", [node[0]], [rows, columns, 1, 1])

    def op_reducemean(self, node: _Node) -> Place:
        full = self.full_shape(node[0])
        axes = node.axes(len(full))
        if len(full) != 4 or axes is None or sorted(axes) != [2, 3]:
            raise UntranslatableError("Such a mean has no step.")
        found = self.op_globalaveragepool(node)
        return found if node.attributes.get("keepdims", 1) else self.reshaped(found, full[:2])


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _plain(op: str) -> Callable[[Builder, Place, _Node], Place]:
    return lambda add, x, node: add.add(op, [x])


def _hard_sigmoid(add: Builder, x: Place, alpha: float, beta: float) -> Place:
    return add.add("clip", [add.scale(x, np.array(alpha), np.array(beta))], values=[0.0, 1.0])


def _gelu(add: Builder, x: Place, node: _Node) -> Place:
    half, zero = np.array(0.5), np.array(0.0)
    if _text(node.attributes.get("approximate", "none")) == "tanh":
        cube = add.add("mul", [add.add("mul", [x, x]), x])
        inner = add.add("add", [x, add.scale(cube, np.array(0.044715), zero)])
        bent = add.add("tanh", [add.scale(inner, np.array(math.sqrt(2 / math.pi)), zero)])
    else:
        bent = add.add("erf", [add.scale(x, np.array(1 / math.sqrt(2)), zero)])
    return add.add("mul", [x, add.scale(bent, half, half)])


def _selu(add: Builder, x: Place, node: _Node) -> Place:
    alpha, gamma = (
        node.number("alpha", 1.67326319217681884765625),
        node.number("gamma", 1.05070102214813232421875),
    )
    return add.scale(add.add("elu", [x], values=[alpha]), np.array(gamma), np.array(0.0))


def _product(add: Builder, x: Place, gate: Place) -> Place:
    return add.add("mul", [x, gate])


_CURVES: dict[str, Callable[[Builder, Place, _Node], Place]] = {
    **{
        name: _plain(name.lower())
        for name in ("Relu", "Tanh", "Sigmoid", "Softplus", "Erf", "Exp", "Log", "Sqrt", "Abs")
    },
    "LeakyRelu": lambda add, x, node: add.add(
        "leaky_relu", [x], values=[node.number("alpha", 0.01)]
    ),
    "Elu": lambda add, x, node: add.add("elu", [x], values=[node.number("alpha", 1.0)]),
    "Selu": _selu,
    "Gelu": _gelu,
    "HardSigmoid": lambda add, x, node: _hard_sigmoid(
        add, x, node.number("alpha", 0.2), node.number("beta", 0.5)
    ),
    "HardSwish": lambda add, x, node: _product(add, x, _hard_sigmoid(add, x, 1 / 6, 0.5)),
    "Swish": lambda add, x, node: _product(
        add,
        x,
        add.add("sigmoid", [add.scale(x, np.array(node.number("alpha", 1.0)), np.array(0.0))]),
    ),
    "Mish": lambda add, x, node: _product(add, x, add.add("tanh", [add.add("softplus", [x])])),
    "Neg": lambda add, x, node: add.scale(x, np.array(-1.0), np.array(0.0)),
}


# What may be computed of constants: sizes, above all.
_FOLDED: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Mod": np.mod,
    "Min": lambda *parts: np.minimum.reduce(np.broadcast_arrays(*parts)),
    "Max": lambda *parts: np.maximum.reduce(np.broadcast_arrays(*parts)),
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Equal": np.equal,
    "Where": np.where,
    "Identity": lambda value: value,
    "Shape": lambda value: np.array(np.shape(value), dtype=np.int64),
}


def _folded(node: _Node, op: str) -> list[Any]:
    """What an operation gives of constants alone."""
    from onnx import helper, numpy_helper

    attributes = node.attributes
    given: list[Any] = [None if value is None else np.asarray(value) for value in node.given]
    if op == "Constant":
        (name, value), *_ = attributes.items()
        return [numpy_helper.to_array(value) if name == "value" else np.array(value)]
    if op in ("Identity", "Transpose", "Reshape", "Cast", "Unsqueeze", "Squeeze"):
        # Weights may pass through these as well.
        pass
    elif sum(value.size for value in given if value is not None) > LARGEST_FOLDED:
        raise UntranslatableError("The graph computes too much of constants.")
    if op == "ConstantOfShape":
        if math.prod(map(int, given[0])) > LARGEST_FOLDED:
            raise UntranslatableError("The graph computes too much of constants.")
        fill = attributes.get("value")
        value = np.zeros(1, np.float32) if fill is None else numpy_helper.to_array(fill)
        return [np.full(given[0], value.ravel()[0])]
    if op == "Range":
        start, limit, step = (float(value) for value in given)
        if step == 0 or (limit - start) / step > LARGEST_FOLDED:
            raise UntranslatableError("The graph computes too much of constants.")
        return [np.arange(start, limit, step).astype(given[0].dtype)]
    match op:
        case "Gather":
            rows = given[0].shape[int(attributes.get("axis", 0))]
            _check_folded(given[1].size * given[0].size // max(rows, 1))
            return [np.take(given[0], given[1], axis=int(attributes.get("axis", 0)))]
        case "Concat":
            return [np.concatenate(given, axis=int(attributes["axis"]))]
        case "Unsqueeze":
            axes = attributes.get("axes", node[1])
            return [np.expand_dims(given[0], tuple(int(axis) for axis in np.ravel(axes)))]
        case "Squeeze":
            axes = attributes.get("axes", node[1])
            chosen = None if axes is None else tuple(int(axis) for axis in np.ravel(axes))
            return [np.squeeze(given[0], chosen)]
        case "Cast":
            return [given[0].astype(helper.tensor_dtype_to_np_dtype(attributes["to"]), copy=False)]
        case "Transpose":
            return [np.transpose(given[0], attributes.get("perm"))]
        case "Reshape":
            return [np.reshape(given[0], [int(side) for side in np.ravel(given[1])])]
        case "Div":
            _check_folded(math.prod(np.broadcast_shapes(*(value.shape for value in given))))
            whole = given[0].dtype.kind in "iu"
            return [given[0] // given[1] if whole else given[0] / given[1]]
        case "Slice":
            axes = given[3] if len(given) > 3 and given[3] is not None else range(len(given[1]))
            strides = given[4] if len(given) > 4 else np.ones(len(given[1]), dtype=int)
            cut = [slice(None)] * given[0].ndim
            for start, end, axis, stride in zip(given[1], given[2], axes, strides, strict=True):
                cut[int(axis)] = slice(int(start), int(end), int(stride))
            return [given[0][tuple(cut)]]
        case "ReduceProd":
            return [np.prod(given[0], keepdims=bool(attributes.get("keepdims", 1)))]
    if op in _FOLDED:
        if op not in ("Identity", "Shape"):
            _check_folded(math.prod(np.broadcast_shapes(*(value.shape for value in given))))
        found = _FOLDED[op](*given)
        return [found]
    raise UntranslatableError(f"There is no step for {op[:40]} of constants.")


def _check_folded(values: int) -> None:
    """Refuse what would be large before it is computed."""
    if values > LARGEST_FOLDED:
        raise UntranslatableError("The graph computes too much of constants.")
