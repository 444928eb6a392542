"""One run on several processes: torchrun's ranks share each minibatch.

    torchrun --nproc-per-node 2 -m vae train --dataset frey

Every rank draws the same minibatch and computes what its share adds to the gradient, as a process
alone does for all of it; then the ranks add up. A model's gradient lies in one vector, so that is
one ``all_reduce``. So N ranks take the steps that one process would take on the joined minibatch.

DistributedDataParallel would do the same and stay: its reducer holds on to the process group after
that was destroyed, so gloo's threads live on, and one that lets go of a tensor while the
interpreter ends takes the process down with it (SIGABRT, in one run of twenty).
"""

__all__ = ["add_up", "any_rank", "from_first_rank", "joined", "rank", "world_size"]

import contextlib
import os
from collections.abc import Iterator
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")


def rank() -> int:
    """This process's place among the ranks; 0 where there is only one process."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """The number of ranks that torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1))


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Be one of the ranks, if there are several, until the end of the block.

    At its end the threads of the process group have ended too: nothing but this block keeps it.
    """
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


def from_first_rank(value: Value) -> Value:
    """The first rank's value, on every rank."""
    if not dist.is_initialized():
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def add_up(values: Tensor) -> None:
    """Put the sum over all ranks in place of each rank's values; alone, leave them."""
    if dist.is_initialized():
        dist.all_reduce(values)
