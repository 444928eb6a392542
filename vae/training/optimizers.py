"""PyTorch's optimisers on one long vector, without the bookkeeping that a short step feels.

A step of :class:`torch.optim.Adam` on the article's network spends over a quarter of its time on
looking after parameter groups and hooks. PyTorch offers the arithmetic as functions too, and these
are called here; what they remember from step to step is kept in plain sight, by PyTorch's names.
"""

__all__ = ["OPTIMIZERS", "Adagrad", "Adam"]

import torch
from torch import Tensor
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam


class Adam:
    """Adam (Kingma & Ba, 2015), https://arxiv.org/abs/1412.6980

    Arguments:
        weights: What is optimised, of shape (P,).

    Attributes:
        memory: What the next step depends on besides the weights and their gradient.
    """

    def __init__(self, weights: Tensor):
        self.weights = weights
        self.memory = {
            "exp_avg": torch.zeros_like(weights),
            "exp_avg_sq": torch.zeros_like(weights),
            "step": weights.new_zeros(()),
        }

    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """Change the weights in place, given the loss's gradient of shape (P,)."""
        adam(
            [self.weights],
            [gradient],
            [self.memory["exp_avg"]],
            [self.memory["exp_avg_sq"]],
            [],
            [self.memory["step"]],
            foreach=False,
            fused=True,
            lr=learning_rate,
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            weight_decay=0.0,
            amsgrad=False,
            maximize=False,
        )


class Adagrad:
    """Adagrad (Duchi, Hazan & Singer, 2011), https://jmlr.org/papers/v12/duchi11a.html

    Arguments and attributes are those of :class:`Adam`.
    """

    def __init__(self, weights: Tensor):
        self.weights = weights
        self.memory = {"sum": torch.zeros_like(weights), "step": torch.zeros(())}

    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """Change the weights in place, given the loss's gradient of shape (P,)."""
        tensors = [self.weights], [gradient], [self.memory["sum"]], [self.memory["step"]]
        choices = {"lr_decay": 0.0, "eps": 1e-10, "weight_decay": 0.0, "maximize": False}
        if self.weights.device.type == "cpu":
            # What adagrad(…, fused=True) calls in the end; on its way there it spends another
            # quarter of the time. PyTorch has this kernel for processors alone; without a decay of
            # the rate it needs no count of the steps.
            step = torch._fused_adagrad_  # pyright: ignore[reportPrivateImportUsage]
            step(*tensors, lr=learning_rate, **choices)
        else:
            adagrad(*tensors, foreach=False, lr=learning_rate, **choices)


OPTIMIZERS = {"adagrad": Adagrad, "adam": Adam}
