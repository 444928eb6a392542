r"""Derivatives of a function that can only be asked for values, by central differences.

.. math::
    \frac{\partial f}{\partial z_k} \approx \frac{f(z + h e_k) - f(z - h e_k)}{2 h}

whose error is of the order of :math:`h^2` by the curve that the difference cuts off, and of
:math:`\epsilon / h` by the rounding of values known to :math:`\epsilon`. So h is chosen where the
estimates over h and over 2h agree best.

References:
    Numerical Recipes (Press, Teukolsky, Vetterling & Flannery, 2007), section 5.7
"""

__all__ = ["best_step", "differentiable", "push"]

from collections.abc import Callable

import torch
from torch import Tensor

from vae.errors import VisageError

# Steps that are tried, in units of the input's own.
STEPS = tuple(2.0**-power for power in range(2, 12))

# Estimates that differ by more than this share of themselves tell of no derivative.
ROUGHEST = 0.1

# Slopes below this share of the steepest are none.
FLATTEST = 1e-3

# Points that steps are tried at.
PROBES = 4

Function = Callable[[Tensor], Tensor]


def best_step(function: Function, centres: Tensor, scale: float = 1.0) -> float:
    """The step over which differences tell the derivative best.

    Arguments:
        function: (B, K) -> (B, D).
        centres: Points where it is needed, (P, K).
        scale: The distance over which the input varies.

    Raises:
        VisageError: They tell of no derivative at all: the function jumps.
    """
    directions = torch.nn.functional.normalize(
        torch.randn(centres.shape, generator=torch.Generator().manual_seed(0)).to(centres), dim=1
    )
    steps = torch.tensor([2 * STEPS[0], *STEPS]).to(centres) * scale
    # Each step ahead of and behind each centre, (S, 2, P, K).
    signs = torch.tensor([1.0, -1.0]).to(centres)
    points = centres + steps[:, None, None, None] * signs[:, None, None] * directions
    values = function(points.reshape(-1, centres.shape[1])).double()
    values = values.reshape(len(steps), 2, len(centres), -1)
    slopes = (values[:, 0] - values[:, 1]) / (2 * steps.double()[:, None, None])
    size = slopes.square().sum(dim=(1, 2)).sqrt()
    apart = (slopes[1:] - slopes[:-1]).square().sum(dim=(1, 2)).sqrt()
    if not bool(size.max() > 0):
        # The same image everywhere: any step will do.
        return float(steps[4])
    share = (apart / size[1:].clamp(min=1e-30)).nan_to_num(torch.inf)
    # Between two jumps nothing changes, and of that all estimates agree.
    share[size[1:] < FLATTEST * size.max()] = torch.inf
    best = int(share.argmin())
    if not float(share[best]) < ROUGHEST:
        raise VisageError(
            "This decoder's images jump as z moves, so they have no derivative: what needs one "
            "(geodesics, refined posteriors) can't be had of it."
        )
    return float(steps[1:][best])


def differentiable(function: Function, x: Tensor, step: float) -> Tensor:
    """The function's values, which autograd differentiates once. Shapes: (B, K) -> (B, D)."""
    if not (torch.is_grad_enabled() and x.requires_grad):
        return function(x)
    return _Differences.apply(x, function, step)  # pyright: ignore[reportReturnType]


def push(function: Function, x: Tensor, tangents: Tensor, step: float) -> Tensor:
    """Directions as the function carries them on. Shapes: (B, K), (K', B, K) -> (K', B, D)."""
    count, batch, size = tangents.shape
    # Short or long, each is gone along over the same distance.
    length = tangents.norm(dim=2, keepdim=True)
    moves = step * tangents / length.clamp(min=1e-30)
    points = torch.stack([x + moves, x - moves]).reshape(-1, size)
    ahead, behind = function(points).reshape(2, count, batch, -1)
    return (ahead - behind) * (length / (2 * step))


class _Differences(torch.autograd.Function):
    """The products of a gradient with the Jacobian, which is never kept."""

    @staticmethod
    def forward(ctx, x: Tensor, function: Function, step: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.function, ctx.step = function, step
        return function(x.detach())

    @staticmethod
    def backward(ctx, *by_outputs: Tensor) -> tuple[Tensor, None, None]:
        (by_output,) = by_outputs
        (x,) = ctx.saved_tensors
        by_input = torch.empty_like(x)
        for latent in range(x.shape[1]):
            move = torch.zeros_like(x)
            move[:, latent] = ctx.step
            ahead, behind = ctx.function(torch.cat([x + move, x - move])).chunk(2)
            by_input[:, latent] = ((ahead - behind) * by_output).sum(dim=1) / (2 * ctx.step)
        return by_input, None, None
