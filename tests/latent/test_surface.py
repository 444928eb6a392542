"""The surface of a decoder and its uncertainty."""

import math

import numpy as np
import pytest
import torch

from tests.latent.surfaces import FREY, frey_surface, small_model, small_posterior
from vae.errors import VisageError
from vae.latent.paths import geodesic
from vae.latent.surface import LEAST_PRECISION, NEGLIGIBLE, DecoderSurface, _fitted_weights
from vae.models.checkpoint import load_checkpoint


def test_uncertainty_is_the_decoders_own_on_data_and_grows_away_from_it():
    surface, means = frey_surface()
    model = load_checkpoint(FREY).model
    trained = model.decode(torch.from_numpy(means).float()).log_var.mul(0.5).exp().numpy()
    regularised = surface.std(torch.from_numpy(means)).numpy()
    assert np.median(np.abs(np.log(regularised / trained))) < 0.2
    directions = torch.from_numpy(means[:50] / np.linalg.norm(means[:50], axis=1, keepdims=True))
    averages = [surface.std(radius * directions).mean() for radius in (5.0, 8.0, 12.0)]
    assert averages == sorted(averages)
    assert averages[-1] == pytest.approx(math.sqrt(1 / 12), rel=1e-3)


def test_the_precision_networks_weights_are_positive_and_no_step_lowers_the_likelihood(rng):
    basis = torch.from_numpy(rng.random((40, 5)))
    variances = torch.from_numpy(rng.random((40, 3)) * 0.05 + 1e-3)

    def likelihood(steps: int) -> float:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("vae.latent.surface.FITTING_STEPS", steps)
            weights = _fitted_weights(basis, variances)
        assert (weights > 0).all()
        precision = basis @ weights + LEAST_PRECISION
        return float((precision.log() - precision * variances).sum())

    reached = [likelihood(steps) for steps in (0, 1, 2, 5, 20, 60)]
    assert reached == sorted(reached)


def test_no_number_of_the_precision_network_is_so_small_that_it_is_slow(rng):
    """Where all variances are alike all weights but a few vanish, and no data may be near some."""
    basis = torch.from_numpy(np.exp(-rng.random((360, 48)) * 200)).float()
    basis[:, 7] = 0
    weights = _fitted_weights(basis, torch.full((360, 20), 0.9))
    assert (weights == NEGLIGIBLE).any()
    assert (weights >= NEGLIGIBLE).all() and weights.isfinite().all()


def test_without_a_posterior_samples_of_the_prior_stand_in_for_it():
    surface = DecoderSurface(small_model(2))
    assert not surface.knows_data
    assert surface.points.std() == pytest.approx(1, abs=0.1)
    assert geodesic(surface, np.zeros(2), np.ones(2)).converged


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("latent_dim", [2, 5])
def test_a_handful_of_data_is_enough(count, latent_dim):
    surface = DecoderSurface(small_model(latent_dim), small_posterior(latent_dim, count))
    path = geodesic(surface, np.zeros(latent_dim), np.ones(latent_dim))
    assert np.isfinite(path.points).all()


def test_a_diverged_model_is_a_sentence():
    model = small_model(2)
    model.decoder.head.bias[0] = math.nan
    with pytest.raises(VisageError, match="not all numbers"):
        DecoderSurface(model)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
