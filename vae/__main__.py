"""The command line: ``python -m vae``.

Errors are one sentence on stderr and exit code 2.
"""

import click
import torch

from vae.commands.data_sets import list_datasets
from vae.commands.draw import export_command, manifold_command, sample_command
from vae.commands.evaluate import evaluate_command
from vae.commands.manage_runs import runs_group
from vae.commands.open_model import open_command
from vae.commands.share import share_command
from vae.commands.sweep import sweep_command, sweeps_group
from vae.commands.terminal import Commands
from vae.commands.train import train_command


@click.group(cls=Commands)
def main() -> None:
    """Train, judge and draw variational autoencoders of faces."""


for command in (
    list_datasets,
    train_command,
    runs_group,
    sweep_command,
    sweeps_group,
    evaluate_command,
    manifold_command,
    sample_command,
    export_command,
    open_command,
    share_command,
):
    main.add_command(command)


def start(name: str) -> None:
    """Run what this process was called with, by the name that it was called by."""
    # Adam's squared gradients of weights that hardly matter sink below what a float holds
    # normally, and processors take many times as long over such numbers. For this process alone,
    # and before torch starts its threads, which inherit it.
    torch.set_flush_denormal(True)
    main(prog_name=name)


if __name__ == "__main__":
    start("python -m vae")
