"""A variational autoencoder of faces: the model, its training, and its latent space."""

__all__ = [
    "VAE",
    "datasets",
    "elbo",
    "importance_weighted_bound",
    "load_checkpoint",
    "save_checkpoint",
]

import torch

from vae import datasets
from vae.checkpoint import load_checkpoint, save_checkpoint
from vae.model import VAE
from vae.objective import elbo, importance_weighted_bound

# Adam's squared gradients of weights that hardly matter sink below what a float holds normally,
# and processors take many times as long over such numbers. Set before torch starts its threads,
# which inherit it.
torch.set_flush_denormal(True)
