"""A variational autoencoder of faces: the model, its training, and its latent space."""

__all__ = [
    "VAE",
    "datasets",
    "elbo",
    "importance_weighted_bound",
    "load_checkpoint",
    "save_checkpoint",
]

import importlib
import os
from typing import TYPE_CHECKING

# Before torch reads it: how long GNU's OpenMP threads spin before they sleep. With its default two
# threads crawl beside another busy process, at 35 steps/s where this gives 110; without spinning
# they take twice as long on a quiet machine, where this costs nothing.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Before scipy's linear algebra reads it: its idle threads sleep after 2⁴ cycles
# and not 2²⁶. Where they spin, torch's wait for a core: on two, a geodesic took up to 16 s.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

from vae import datasets

if TYPE_CHECKING:
    from vae.models.checkpoint import load_checkpoint, save_checkpoint
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
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'vae' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
