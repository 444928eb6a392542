"""A variational autoencoder of faces: the model, its training, and its latent space."""

__all__ = [
    "VAE",
    "datasets",
    "elbo",
    "importance_weighted_bound",
    "load_checkpoint",
    "save_checkpoint",
]

from vae import datasets
from vae.checkpoint import load_checkpoint, save_checkpoint
from vae.model import VAE
from vae.objective import elbo, importance_weighted_bound
