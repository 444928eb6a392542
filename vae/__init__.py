"""A variational autoencoder of faces: the model, its training, and its latent space."""

__all__ = [
    "VAE",
    "datasets",
    "elbo",
    "importance_weighted_bound",
    "load_checkpoint",
    "save_checkpoint",
    "save_model",
]

import importlib
from typing import TYPE_CHECKING

from vae import threads

# Before torch and scipy are loaded, in the one place that every way to start a run passes.
threads.prepare()

if TYPE_CHECKING:
    from vae import datasets
    from vae.models.checkpoint import load_checkpoint, save_checkpoint
    from vae.models.foreign.pytorch import save_model
    from vae.models.objective import elbo, importance_weighted_bound
    from vae.models.vae import VAE

# Where they are at home. They are fetched when they are asked for: a process that only reads
# images starts in 0.2 s, and with torch it would take seconds.
_HOMES = {
    "VAE": "vae.models.vae",
    "elbo": "vae.models.objective",
    "importance_weighted_bound": "vae.models.objective",
    "load_checkpoint": "vae.models.checkpoint",
    "save_checkpoint": "vae.models.checkpoint",
    "save_model": "vae.models.foreign.pytorch",
}


def __getattr__(name: str) -> object:
    if name == "datasets":
        return importlib.import_module("vae.datasets")
    if name not in _HOMES:
        raise AttributeError(f"module 'vae' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
