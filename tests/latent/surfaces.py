"""Surfaces whose geometry is known, and small decoders, for the tests of the latent space."""

import functools
from pathlib import Path

import numpy as np
import torch

from vae.latent.surface import DecoderSurface, Surface
from vae.models.checkpoint import load_checkpoint
from vae.models.vae import VAE, Gaussian

FREY = Path(__file__).parents[2] / "checkpoints" / "frey-2d.safetensors"


def linear(matrix: np.ndarray) -> Surface:
    """A flat surface, z ↦ Az: its metric is AᵀA everywhere and its geodesics are straight."""
    a = torch.from_numpy(matrix)
    return Surface(lambda z: z @ a.to(z.dtype).T, matrix.shape[1])


def sphere() -> Surface:
    """The unit sphere by latitude and longitude: its geodesics are great circles."""

    def mean(z: torch.Tensor) -> torch.Tensor:
        latitude, longitude = z[:, 0], z[:, 1]
        return torch.stack(
            [
                latitude.cos() * longitude.cos(),
                latitude.cos() * longitude.sin(),
                latitude.sin(),
            ],
            dim=1,
        )

    return Surface(mean, 2)


def small_model(latent_dim: int, hidden_dims: tuple[int, ...] = (30, 20)) -> VAE:
    torch.manual_seed(latent_dim)
    return VAE((6, 5), latent_dim, hidden_dims).requires_grad_(False)


def small_posterior(latent_dim: int, count: int = 200) -> Gaussian:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(count, latent_dim, generator=generator)
    return Gaussian(mean, torch.full_like(mean, -4.0))


def small_surface(latent_dim: int) -> DecoderSurface:
    return DecoderSurface(small_model(latent_dim), small_posterior(latent_dim))


@functools.cache
def frey_surface() -> tuple[DecoderSurface, np.ndarray]:
    """The shipped model's surface, and the posterior means of its training set."""
    checkpoint = load_checkpoint(FREY)
    return DecoderSurface(
        checkpoint.model, checkpoint.posterior
    ), checkpoint.posterior.mean.double().numpy()
