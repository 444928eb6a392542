"""The steps that a translated network is made of: what each gives, and how PyTorch takes it.

A step takes values that came before and gives one. It stands for one image at a time: shapes leave
out the batch. All that it is told with are whole and other numbers, so a checkpoint can hold it; a
weight and a bias, where it has them, are tensors of the checkpoint.
"""

__all__ = ["WEIGHTED", "Step", "apply", "shape_of", "weight_shapes", "work_of"]

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from vae.errors import VisageError

Shape = tuple[int, ...]

# What takes one value as it is and gives one of its shape.
CURVES: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": functional.softplus,
    "erf": torch.erf,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
}

# The same with so many numbers, which the step's ``values`` are.
SHAPED: dict[str, tuple[int, Callable[..., Tensor]]] = {
    "leaky_relu": (1, lambda x, slope: torch.where(x < 0, x * slope, x)),
    "elu": (1, lambda x, alpha: torch.where(x < 0, alpha * torch.expm1(x.clamp(max=0)), x)),
    "clip": (2, lambda x, low, high: x.clamp(low, high)),
}

# A step with more values than this, of one image, is none that a person waits for.
LARGEST_VALUE = 2**24

# So many axes besides the batch: what is laid out anew has more than an image.
MOST_AXES = 8


@dataclass(frozen=True)
class Step:
    """One operation.

    Arguments:
        op: Its name.
        of: Places of the values that it takes: 0 is the input's, and the first step gives 1.
        sizes: The whole numbers that it is told with, which depend on the operation:

            * ``affine``: the outputs;
            * ``conv``: outputs; the kernel's height and width; strides down and across; zeros
              above, left, below and right; dilation down and across; groups;
            * ``conv_transpose``: the same, and rows and columns that are added at the end;
            * ``scale``: the shape of weight and bias, with 1 where an axis has but one;
            * ``reshape``: the shape;
            * ``transpose``: which axis becomes the first, and so on;
            * ``resize``: how often each value is there, down and across;
            * ``pad``: how many values are put before each axis, then behind each;
            * ``max_pool`` and ``mean_pool``: height, width, strides down and across;
            * ``concat``: the axis;
            * ``slice``: the axis, the first and the one after the last.
        values: Other numbers: of ``leaky_relu``, ``elu`` and ``clip``, and what ``pad`` puts.
    """

    op: str
    of: tuple[int, ...]
    sizes: tuple[int, ...] = ()
    values: tuple[float, ...] = ()

    @classmethod
    def told(cls, said: object) -> "Step":
        """The step that a file tells, or which is one.

        Raises:
            VisageError: It tells none.
        """
        if isinstance(said, Step):
            said = {"op": said.op, "of": said.of, "sizes": said.sizes, "values": said.values}
        if not isinstance(said, dict) or set(said) != {"op", "of", "sizes", "values"}:
            raise VisageError("A step tells its op, of, sizes and values.")
        lists = [said[name] for name in ("of", "sizes", "values")]
        if not isinstance(said["op"], str) or not all(isinstance(x, list | tuple) for x in lists):
            raise VisageError("A step tells a name and lists of numbers.")
        of, sizes, values = (list[Any](part) for part in lists)
        if not all(type(number) is int and abs(number) < 2**31 for number in (*of, *sizes)):
            raise VisageError("A step's sizes are whole numbers.")
        if not all(type(x) in (int, float) and math.isfinite(x) for x in values):
            raise VisageError("A step's values are finite numbers.")
        return cls(said["op"], tuple(of), tuple(sizes), tuple(map(float, values)))


def shape_of(step: Step, given: Sequence[Shape]) -> Shape:
    """The shape of what a step gives, of the shapes that it takes.

    Raises:
        VisageError: There is no such step, or none of such sizes.
    """
    find = _SHAPES.get(step.op)
    if find is None and step.op in CURVES | SHAPED:
        find = _unchanged
    if find is None:
        raise VisageError(f"There is no step '{step.op[:40]}'.")
    count = {"add": 2, "mul": 2}.get(step.op)
    if (step.op == "concat" and not 2 <= len(given) <= 64) or (
        step.op != "concat" and len(given) != (count or 1)
    ):
        raise VisageError(f"A step {step.op} does not take {len(given)} values.")
    try:
        shape = find(step, *given)
    except (ValueError, IndexError) as error:
        raise VisageError(f"A step {step.op} has sizes that it can't have.") from error
    if not 1 <= len(shape) <= MOST_AXES or not all(side > 0 for side in shape):
        raise VisageError(f"A step {step.op} would give nothing.")
    if math.prod(shape) > LARGEST_VALUE:
        raise VisageError(f"A step {step.op} would give too many values.")
    return shape


def weight_shapes(step: Step, given: Shape) -> tuple[Shape, Shape]:
    """The shapes of a weighted step's weight and bias, of what it takes."""
    match step.op:
        case "affine":
            return (step.sizes[0], given[-1]), (step.sizes[0],)
        case "conv":
            out, high, wide, *_, groups = step.sizes
            return (out, given[0] // groups, high, wide), (out,)
        case "conv_transpose":
            out, high, wide = step.sizes[:3]
            return (given[0], out // step.sizes[11], high, wide), (out,)
        case _:
            return step.sizes, step.sizes


# The steps that have a weight and a bias.
WEIGHTED = frozenset({"affine", "conv", "conv_transpose", "scale"})


def work_of(step: Step, given: Sequence[Shape], shape: Shape) -> int:
    """How many multiplications a step takes, about."""
    if step.op not in WEIGHTED:
        return math.prod(shape)
    weights = math.prod(weight_shapes(step, given[0])[0])
    match step.op:
        case "affine":
            return weights * math.prod(shape[:-1])
        case "conv":
            return weights * math.prod(shape[1:])
        case "conv_transpose":
            return weights * math.prod(given[0][1:])
        case _:
            return math.prod(shape)


def apply(step: Step, x: Sequence[Tensor], weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """What a step gives, of values with a batch before their shapes."""
    first = x[0]
    if step.op in CURVES:
        return CURVES[step.op](first)
    if step.op in SHAPED:
        return SHAPED[step.op][1](first, *step.values)
    sizes = step.sizes
    match step.op:
        case "affine":
            assert weight is not None
            return functional.linear(first, weight, bias)
        case "scale":
            assert weight is not None and bias is not None
            return first * weight + bias
        case "conv":
            assert weight is not None
            _, _, _, *strides, above, left, below, right, down, across, groups = sizes
            if above or left or below or right:
                first = functional.pad(first, (left, right, above, below))
            return functional.conv2d(first, weight, bias, strides, 0, (down, across), groups)
        case "conv_transpose":
            assert weight is not None and bias is not None
            strides, (above, left) = sizes[3:5], sizes[5:7]
            _, rows, columns = shape_of(step, [tuple(first.shape[1:])])
            whole = functional.conv_transpose2d(
                first, weight, None, strides, groups=sizes[11], dilation=sizes[9:11]
            )
            # Cut off on all sides, and at the end filled up where more is wanted than there is.
            beyond = rows + above - whole.shape[2], columns + left - whole.shape[3]
            inside = functional.pad(whole, (-left, beyond[1], -above, beyond[0]))
            return inside + bias[:, None, None]
        case "reshape":
            return first.reshape(-1, *sizes)
        case "transpose":
            return first.permute(0, *(axis + 1 for axis in sizes))
        case "resize":
            return first.repeat_interleave(sizes[0], -2).repeat_interleave(sizes[1], -1)
        case "pad":
            before, behind = sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :]
            pairs = [
                side for pair in zip(before[::-1], behind[::-1], strict=True) for side in pair
            ]
            return functional.pad(first, pairs, value=step.values[0])
        case "max_pool":
            return functional.max_pool2d(first, sizes[:2], sizes[2:])
        case "mean_pool":
            return functional.avg_pool2d(first, sizes[:2], sizes[2:])
        case "add":
            return first + x[1]
        case "mul":
            return first * x[1]
        case "concat":
            return torch.cat(list(x), dim=sizes[0] + 1)
        case _:
            axis, start, end = sizes
            return first.narrow(axis + 1, start, end - start)


def _unchanged(step: Step, given: Shape) -> Shape:
    if len(step.values) != SHAPED.get(step.op, (0,))[0]:
        raise ValueError
    return given


def _affine(step: Step, given: Shape) -> Shape:
    (out,) = step.sizes
    return (*given[:-1], out)


def _scale(step: Step, given: Shape) -> Shape:
    if len(step.sizes) != len(given):
        raise ValueError
    if not all(own in (1, side) for own, side in zip(step.sizes, given, strict=True)):
        raise ValueError
    return given


def _check_kernel(given: Shape, sizes: Sequence[int]) -> None:
    out, high, wide, down, across, *pads, tall, broad, groups = sizes
    positive = (out, high, wide, down, across, tall, broad, groups)
    if min(positive) < 1 or min(pads) < 0 or len(pads) != 4 or max(sizes[1:]) > 2**12:
        raise ValueError
    if given[0] % groups or out % groups:
        raise ValueError


def _conv(step: Step, given: Shape) -> Shape:
    _, rows, columns = given
    _check_kernel(given, step.sizes)
    out, high, wide, down, across, above, left, below, right, tall, broad, _ = step.sizes
    rows = rows + above + below - tall * (high - 1) - 1
    columns = columns + left + right - broad * (wide - 1) - 1
    if rows < 0 or columns < 0:
        raise ValueError
    return out, rows // down + 1, columns // across + 1


def _conv_transpose(step: Step, given: Shape) -> Shape:
    _, rows, columns = given
    *sizes, more_rows, more_columns = step.sizes
    _check_kernel(given, sizes)
    if not (0 <= more_rows < 64 and 0 <= more_columns < 64):
        raise ValueError
    out, high, wide, down, across, above, left, below, right, tall, broad, _ = sizes
    rows = (rows - 1) * down - above - below + tall * (high - 1) + 1 + more_rows
    columns = (columns - 1) * across - left - right + broad * (wide - 1) + 1 + more_columns
    return out, rows, columns


def _reshape(step: Step, given: Shape) -> Shape:
    if min(step.sizes) < 1 or math.prod(step.sizes) != math.prod(given):
        raise ValueError
    return step.sizes


def _transpose(step: Step, given: Shape) -> Shape:
    if sorted(step.sizes) != list(range(len(given))):
        raise ValueError
    return tuple(given[axis] for axis in step.sizes)


def _resize(step: Step, given: Shape) -> Shape:
    *before, rows, columns = given
    down, across = step.sizes
    if not (1 <= down <= 64 and 1 <= across <= 64):
        raise ValueError
    return *before, rows * down, columns * across


def _pad(step: Step, given: Shape) -> Shape:
    axes = len(given)
    if len(step.sizes) != 2 * axes or len(step.values) != 1 or min(step.sizes) < 0:
        raise ValueError
    return tuple(side + step.sizes[k] + step.sizes[axes + k] for k, side in enumerate(given))


def _pool(step: Step, given: Shape) -> Shape:
    channels, rows, columns = given
    high, wide, down, across = step.sizes
    if min(step.sizes) < 1 or high > rows or wide > columns:
        raise ValueError
    return channels, (rows - high) // down + 1, (columns - wide) // across + 1


def _alike(step: Step, one: Shape, other: Shape) -> Shape:
    if one != other:
        raise ValueError
    return one


def _concat(step: Step, *given: Shape) -> Shape:
    (axis,) = step.sizes
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in given}
    if not 0 <= axis < len(given[0]) or len(rest) > 1 or len({*map(len, given)}) > 1:
        raise ValueError
    first = given[0]
    return *first[:axis], sum(shape[axis] for shape in given), *first[axis + 1 :]


def _slice(step: Step, given: Shape) -> Shape:
    axis, start, end = step.sizes
    if not (0 <= axis < len(given) and 0 <= start < end <= given[axis]):
        raise ValueError
    return *given[:axis], end - start, *given[axis + 1 :]


_SHAPES: dict[str, Callable[..., Shape]] = {
    "affine": _affine,
    "scale": _scale,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "reshape": _reshape,
    "transpose": _transpose,
    "resize": _resize,
    "pad": _pad,
    "max_pool": _pool,
    "mean_pool": _pool,
    "add": _alike,
    "mul": _alike,
    "concat": _concat,
    "slice": _slice,
}
