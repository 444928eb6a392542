"""A variational autoencoder of faces: the model, its training, and its latent space."""

__all__ = [
    "VAE",
    "datasets",
    "elbo",
    "importance_weighted_bound",
    "load_checkpoint",
    "save_checkpoint",
]

import os

# Before torch reads it: how long GNU's OpenMP threads spin before they sleep. With its default two
# threads crawl beside another busy process, at 35 steps/s where this gives 110; without spinning
# they take twice as long on a quiet machine, where this costs nothing.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Before scipy's linear algebra reads it: its idle threads sleep after 2⁴ cycles
# and not 2²⁶. Where they spin, torch's wait for a core: on two, a geodesic took up to 16 s.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

from vae import datasets
from vae.models.checkpoint import load_checkpoint, save_checkpoint
from vae.models.objective import elbo, importance_weighted_bound
from vae.models.vae import VAE
