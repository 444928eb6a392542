"""Trainers as processes of their own, forked from one that has imported torch already."""

import multiprocessing
import os
import resource
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from vae import datasets
from vae.errors import VisageError
from vae.runs import Run, trainer
from vae.training.loop import TrainingState
from vae.training.recipes import TrainingConfig

# The process that trainers are forked from imports this module. It reads the images, and imports
# what PyTorch does when its first optimiser is made, once.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.runs.trainers"])
TrainingState(TrainingConfig(hidden_dims=(8,)), datasets.load("olivetti").image_shape)

ENVIRONMENT = ("VISAGE_DATA", "VISAGE_RUNS", "VISAGE_QUEUE", "VISAGE_MAX_RUNS")

# Far more often than in earnest, so that a test sees many.
CHECKPOINT_SECONDS = 0.1


def start(run: Run, largest_file: int | None = None) -> BaseProcess:
    """Train a run in a process of its own."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    process = processes.Process(target=_train, args=(run.path, environment, largest_file))
    process.start()
    return process


def _train(path: Path, environment: Mapping[str, str], largest_file: int | None) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    trainer.CHECKPOINT_SECONDS = CHECKPOINT_SECONDS
    trainer.CHECKPOINT_SHARE = 1.0
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    try:
        for _ in trainer.trained(Run(path)):
            pass
    except VisageError:
        raise SystemExit(2) from None
