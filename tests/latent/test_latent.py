"""Grids, reconstructions and scores of the latent space."""

import numpy as np
import pytest
import scipy.stats
import torch

from vae import VAE, elbo
from vae.errors import VisageError
from vae.latent.arrays import (
    decode,
    decoder_layers,
    encode,
    evaluate,
    manifold_axis,
    manifold_grid,
    manifold_sheet,
    match_prior,
    reconstruct,
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VAE((4, 3), latent_dim=2, hidden_dims=(6, 5)).requires_grad_(False)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).random((700, 12), dtype=np.float32)


@pytest.mark.parametrize("count", [1, 2, 10, 40])
@pytest.mark.parametrize("tail", [0.001, 0.01, 0.2])
def test_an_axis_is_evenly_spaced_in_probability(count, tail):
    axis = manifold_axis(count, tail)
    shares = scipy.stats.norm.cdf(axis)
    np.testing.assert_allclose(np.diff(shares), (1 - 2 * tail) / max(1, count - 1), atol=1e-12)
    np.testing.assert_allclose(axis, -axis[::-1], atol=1e-12)
    if count > 1:
        np.testing.assert_allclose(shares[[0, -1]], [tail, 1 - tail])


@pytest.mark.parametrize(("count", "tail"), [(0, 0.1), (3, 0), (3, 0.5), (3, -1)])
def test_an_impossible_axis_gets_a_sentence(count, tail):
    with pytest.raises(VisageError, match="grid needs"):
        manifold_axis(count, tail)


def test_a_grid_has_its_largest_ordinate_on_top():
    z = manifold_grid(5, latent_dim=4, axes=(2, 1), centre=np.array([7.0, 0, 0, 8.0]))
    assert z.shape == (5, 5, 4)
    assert (np.diff(z[0, :, 2]) > 0).all()
    assert (np.diff(z[:, 0, 1]) < 0).all()
    assert (z[..., 0] == 7).all()
    assert (z[..., 3] == 8).all()


def test_a_grid_of_one_latent_repeats_its_row():
    z = manifold_grid(4, latent_dim=1)
    assert z.shape == (4, 4, 1)
    np.testing.assert_array_equal(z[0], z[3])


def test_a_sheet_of_one_latent_is_one_row():
    z = manifold_sheet(4, latent_dim=1)
    assert z.shape == (1, 4, 1)
    np.testing.assert_array_equal(z[0], manifold_grid(4, latent_dim=1)[0])
    np.testing.assert_array_equal(manifold_sheet(4), manifold_grid(4))


def test_decoding_gives_images(model):
    z = np.random.default_rng(0).standard_normal((2, 3, 2))
    mean, std = decode(model, z)
    assert mean.shape == std.shape == (2, 3, 4, 3)
    expected = model.decode(torch.from_numpy(z).float())
    np.testing.assert_allclose(mean.reshape(2, 3, 12), expected.mean, atol=1e-6)
    np.testing.assert_allclose(std.reshape(2, 3, 12), (expected.log_var / 2).exp(), rtol=1e-5)


def test_a_set_is_encoded_whole_and_in_order(model, pixels):
    posterior = encode(model, pixels)
    expected = model.encode(torch.from_numpy(pixels))
    np.testing.assert_allclose(posterior.mean, expected.mean, atol=1e-5)
    np.testing.assert_allclose(posterior.log_var, expected.log_var, atol=1e-5)


def test_scores_are_the_objective_s(model, pixels):
    found = evaluate(model, pixels, samples=400, seed=3)
    noise = torch.randn(400, 700, 2)
    expected = elbo(model, torch.from_numpy(pixels), noise)
    np.testing.assert_allclose(found["kl"], expected.kl, atol=1e-4)
    np.testing.assert_allclose(found["elbo"], expected.elbo, atol=0.5)
    np.testing.assert_allclose(found["elbo"], found["log_likelihood"] - found["kl"], atol=1e-4)
    np.testing.assert_allclose(found["kl_per_latent"].sum(1), found["kl"], atol=1e-4)
    assert "importance_weighted" not in found


def test_scores_repeat_and_the_tighter_bound_is_higher(model, pixels):
    first, again = (evaluate(model, pixels, importance_samples=64) for _ in range(2))
    np.testing.assert_array_equal(first["elbo"], again["elbo"])
    np.testing.assert_array_equal(first["importance_weighted"], again["importance_weighted"])
    assert first["importance_weighted"].mean() > first["elbo"].mean()


def test_reconstructions_decode_the_posterior_s_mean(model, pixels):
    found = reconstruct(model, pixels[:5])
    np.testing.assert_array_equal(found.mean, decode(model, found.z_mean)[0])
    np.testing.assert_allclose(found.z_std, np.exp(encode(model, pixels[:5]).log_var / 2))
    assert found.elbo.shape == found.kl.shape == (5,)


def test_layers_are_enough_to_decode(model):
    z = np.random.default_rng(0).standard_normal((9, 2)).astype(np.float32)
    *hidden, (weight, bias) = decoder_layers(model)
    h = z
    for w, b in hidden:
        h = np.tanh(h @ w.T + b)
    logits = (h @ weight.T + bias)[:, :12]
    np.testing.assert_allclose(
        1 / (1 + np.exp(-logits)), decode(model, z)[0].reshape(9, 12), atol=1e-6
    )


def test_matching_the_prior_keeps_reconstructions_and_lowers_the_kl(model, pixels):
    with torch.no_grad():
        model.encoder.head.weight.mul_(5)
    before = reconstruct(model, pixels, samples=4)
    matched, posterior = match_prior(model, encode(model, pixels))
    after = reconstruct(matched, pixels, samples=4)
    np.testing.assert_allclose(after.mean, before.mean, atol=1e-5)
    np.testing.assert_allclose(after.log_likelihood, before.log_likelihood, atol=1e-3)
    np.testing.assert_allclose(posterior.mean, after.z_mean, atol=1e-4)
    np.testing.assert_allclose(np.exp(posterior.log_var / 2), after.z_std, rtol=1e-3)
    assert after.kl.mean() < before.kl.mean()
    np.testing.assert_allclose(posterior.mean.mean(0), 0, atol=1e-4)
    spread = posterior.mean.var(0) + np.exp(posterior.log_var).mean(0)
    np.testing.assert_allclose(spread, 1, rtol=1e-3)
