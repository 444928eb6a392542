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

# Before torch loads OpenMP, which reads it once: its threads sleep while they wait for each other
# and don't spin. Where another process has a core, the one that spins waits for one that can't
# run: two threads made 10 steps/s beside two busy processes, and make 67 so. It is said here, in
# the one place that every way to start a run passes before torch; GOMP_SPINCOUNT says otherwise.
if "GOMP_SPINCOUNT" not in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

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
