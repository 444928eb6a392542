"""One run on several processes: torchrun's ranks share each minibatch.

    torchrun --nproc-per-node 2 -m vae train --dataset frey

Every rank draws the same minibatch and takes its share of it; DistributedDataParallel averages the
gradients. So N ranks take the steps that one process would take on the joined minibatch.
"""

__all__ = ["DistributedGradient", "any_rank", "from_first_rank", "joined", "rank", "world_size"]

import contextlib
import os
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vae.models.objective import elbo_given_posterior
from vae.models.vae import VAE


def rank() -> int:
    """This process's place among the ranks; 0 where there is only one process."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """The number of ranks that torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1))


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Be one of the ranks, if there are several, until the end of the block."""
    if world_size() == 1:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def any_rank(flag: bool) -> bool:
    """Whether the flag is up on any rank: all ranks get the same answer."""
    if not dist.is_initialized():
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    flags = torch.tensor(int(flag), device=device)
    dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags)


def from_first_rank(value: object) -> object:
    """The first rank's value, on every rank."""
    if not dist.is_initialized():
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


class DistributedGradient:
    """Fills ``.grad`` of a model's parameters with the gradient of a minibatch that ranks share.

    Arguments:
        model: The model; every parameter has a ``.grad`` of its own shape, which is overwritten.
        batch_size: The number of images in the joined minibatch.
    """

    def __init__(self, model: VAE, batch_size: int):
        self.batch_size = batch_size
        self.gradients = [weight.grad for weight in model.parameters()]
        self.loss = DistributedDataParallel(_Loss(model))

    def __call__(self, x: Tensor, noise: Tensor, encoder_input: Tensor) -> Tensor:
        """One forward and backward pass; arguments and result are those of this rank's share."""
        torch._foreach_zero_(self.gradients)
        log_likelihood, kl = self.loss(x, noise, encoder_input)
        # DistributedDataParallel averages over ranks what is wanted as a sum over images.
        scale = world_size() / self.batch_size
        ((kl - log_likelihood).sum() * scale).backward()
        return torch.stack((log_likelihood.mean(), kl.mean())).detach()


class _Loss(nn.Module):
    """The two terms as a module's forward pass, which is what gets distributed."""

    def __init__(self, model: VAE):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, noise: Tensor, encoder_input: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.model.encode(encoder_input)
        return tuple(elbo_given_posterior(self.model, x, posterior, noise))
