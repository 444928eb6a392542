"""Lengths and areas in the latent space, against surfaces whose geometry is known."""

import numpy as np
import pytest
import torch

from tests.latent.surfaces import linear, small_model, small_surface, sphere
from vae.latent.metric import (
    constant_speed,
    image_change,
    log_magnification,
    metric,
    principal_directions,
)
from vae.latent.surface import DecoderSurface, Surface


def test_metric_of_a_linear_map_is_its_gram_matrix(rng):
    a = rng.standard_normal((7, 3))
    found = metric(linear(a), rng.standard_normal((4, 5, 3)))
    assert found.shape == (4, 5, 3, 3)
    np.testing.assert_allclose(found, np.broadcast_to(a.T @ a, found.shape), rtol=1e-5)


def test_metric_of_one_hidden_layer_is_its_closed_form(rng):
    """J of sigmoid(W₂ tanh(W₁ z + b₁) + b₂) is diag(μ(1 - μ)) W₂ diag(1 - h²) W₁."""
    model = small_model(2, (30,))
    z = rng.standard_normal(2)
    w1, b1 = (part.double().numpy() for part in model.decoder.hidden[0].parameters())
    w2, b2 = (part.double().numpy()[:30] for part in model.decoder.head.parameters())
    h = np.tanh(w1 @ z + b1)
    mean = 1 / (1 + np.exp(-(w2 @ h + b2)))
    jacobian = (mean * (1 - mean))[:, None] * w2 * (1 - h**2) @ w1
    found = metric(DecoderSurface(model), z, std=False)
    np.testing.assert_allclose(found, jacobian.T @ jacobian, rtol=1e-4)


@pytest.mark.parametrize("latent_dim", [1, 2, 3, 20])
def test_metric_matches_finite_differences_and_automatic_differentiation(latent_dim, rng):
    surface = small_surface(latent_dim)
    z = torch.from_numpy(rng.standard_normal((6, latent_dim)))
    step = 1e-5 * torch.eye(latent_dim, dtype=torch.float64)
    jacobian = torch.stack(
        [(surface.embed(z + d) - surface.embed(z - d)) / 2e-5 for d in step], dim=-1
    )
    expected = (jacobian.mT @ jacobian).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(surface.gram(z).numpy(), expected, atol=1e-4 * scale)
    np.testing.assert_allclose(
        surface.gram(z).numpy(), Surface.gram(surface, z).numpy(), atol=1e-9 * scale
    )
    np.testing.assert_allclose(metric(surface, z.numpy()), expected, rtol=1e-4, atol=1e-4 * scale)


def test_magnification_of_a_linear_map_is_its_area_factor(rng):
    a = rng.standard_normal((6, 3))
    z = rng.standard_normal((5, 3))
    expected = 0.5 * np.linalg.slogdet(a.T @ a)[1]
    np.testing.assert_allclose(log_magnification(linear(a), z), expected, atol=1e-5)
    plane = a[:, [0, 2]]
    expected = 0.5 * np.linalg.slogdet(plane.T @ plane)[1]
    found = log_magnification(linear(a), z, axes=(0, 2))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_magnification_of_a_surface_without_extent_is_nothing():
    flat = linear(np.array([[1.0, 0.0]]))
    assert log_magnification(flat, np.zeros(2)) == -np.inf


def test_principal_directions_are_the_singular_vectors_of_a_linear_map(rng):
    a = rng.standard_normal((9, 4))
    change, directions = principal_directions(linear(a), np.zeros(4))
    _, singular, vectors = np.linalg.svd(a)
    np.testing.assert_allclose(change, singular, rtol=1e-5)
    np.testing.assert_allclose(np.abs((directions * vectors).sum(axis=1)), 1, rtol=1e-4)


def test_constant_speed_gives_every_step_the_same_change():
    surface = sphere()
    points = np.linspace([0.0, 0.0], [1.4, 2.0], 30) ** 2
    steady = constant_speed(surface, points, 200)
    change = image_change(surface, steady)
    assert change.max() < 1.01 * change.min()
    np.testing.assert_array_equal(steady[[0, -1]], points[[0, -1]])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
