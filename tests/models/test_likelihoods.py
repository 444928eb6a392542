"""Likelihoods: each is a density that integrates to 1, and draws what it says of itself."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch

from vae import VAE, elbo, importance_weighted_bound, load_checkpoint, save_checkpoint
from vae.errors import VisageError
from vae.latent import decode, sample
from vae.models.architecture import Architecture
from vae.models.gaussian import Gaussian
from vae.models.likelihoods import (
    LIKELIHOODS,
    NEIGHBOURS,
    Correlated,
    Logistic,
    Student,
    bits_per_dimension,
)
from vae.models.mlp import MLP
from vae.training.gradient import AutogradGradient, ElboGradient, gradient_of

SHAPE = (5, 4)
PIXELS = 20


def of(name: str, shape: tuple[int, ...] = SHAPE) -> VAE:
    """A model whose likelihood has weights that are not those that it starts with."""
    torch.manual_seed(0)
    model = VAE.of(Architecture(shape, 2, MLP((7,)), likelihood=name))
    generator = torch.Generator().manual_seed(1)
    for weight in model.likelihood.parameters():
        weight.data += 0.2 * torch.randn(weight.shape, generator=generator)
    return model


@pytest.fixture(params=LIKELIHOODS)
def name(request) -> str:
    return request.param


def integral(distribution, low: float, high: float, points: int = 121) -> float:
    """Of a density over two pixels, by the trapezium rule, which is exact enough where it ends."""
    axis = torch.linspace(low, high, points, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    step = float(axis[1] - axis[0])
    return float(distribution.log_prob(x).detach().exp().sum() * step**2)


def gaussian_parameters(pixels: int) -> Gaussian:
    mean = torch.linspace(0.3, 0.6, pixels, dtype=torch.float64)
    return Gaussian(mean, torch.linspace(-2.5, -2.0, pixels, dtype=torch.float64))


def test_the_density_of_correlated_noise_integrates_to_one():
    likelihood = Correlated((1, 2)).double()
    likelihood.weights.data[0, 1] = 0.7
    assert integral(likelihood.given(gaussian_parameters(2)), -4, 5) == pytest.approx(1, abs=1e-9)


def test_the_density_of_students_t_integrates_to_one_and_is_scipys():
    likelihood = Student((1, 2)).double()
    likelihood.log_excess.data[:] = math.log(28.0)
    found = likelihood.given(gaussian_parameters(2))
    assert integral(found, -9, 10, 601) == pytest.approx(1, abs=1e-6)
    x = torch.tensor([0.1, 0.9], dtype=torch.float64)
    scale = (0.5 * found.log_var).exp() * math.sqrt(28 / 30)
    wanted = scipy.stats.t.logpdf(x.numpy(), 30, found.mean.numpy(), scale.numpy()).sum()
    assert float(found.log_prob(x)) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("spread", [1e-4, 0.01, 0.3, 5.0])
@pytest.mark.parametrize("mean", [0.0, 0.4, 1.0])
def test_the_logistics_levels_sum_to_one(mean, spread):
    levels = torch.arange(256, dtype=torch.float32)[:, None] / 255
    parameters = Gaussian(torch.tensor([mean]), torch.tensor([2 * math.log(spread)]))
    found = Logistic((1, 1)).given(parameters).log_prob(levels)
    assert float(found.double().exp().sum()) == pytest.approx(1, abs=1e-4)
    scale = spread * math.sqrt(3) / math.pi
    edges = np.r_[-np.inf, (np.arange(255) + 0.5) / 255, np.inf]
    wanted = np.diff(scipy.stats.logistic.cdf(edges, mean, scale))
    close = wanted > 1e-6
    np.testing.assert_allclose(found.exp()[close], wanted[close], rtol=2e-2)


def test_bits_per_dimension_are_those_of_probabilities():
    # A pixel that is any of 256 levels alike takes 8 bits.
    assert bits_per_dimension(-PIXELS * math.log(256), PIXELS) == pytest.approx(8)


def test_samples_have_the_moments_that_the_distribution_says(name):
    model = of(name)
    with torch.no_grad():
        found = model.decode(torch.zeros(2))
        # Away from black and white, where the logistic's levels end.
        mean, log_var = (part.clone() for part in found)
        found = model.likelihood.given(Gaussian(torch.full((PIXELS,), 0.5), log_var - 5))
        noise = model.likelihood.noise((100_000, PIXELS), torch.Generator().manual_seed(0))
        assert abs(float(noise.mean())) < 0.01
        samples = found.sample(noise)
    mean, log_var = found
    assert mean.shape == log_var.shape == (PIXELS,)
    np.testing.assert_allclose(samples.mean(dim=0), mean, atol=0.002)
    np.testing.assert_allclose(samples.var(dim=0), log_var.detach().exp(), rtol=0.04)


@pytest.mark.parametrize("shape", [(5, 4), (3, 3, 3)])
def test_a_correlated_sample_is_drawn_pixel_by_pixel(shape):
    """Against the definition, written out; and its density is the product of the factors."""
    model = of("correlated", shape)
    pixels = math.prod(shape)
    noise = torch.randn(pixels, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        found = model.decode(torch.tensor([0.4, -1.0]))
        sample = found.sample(noise)
        height, width, *channels = shape
        channels = channels[0] if channels else 1
        mean, scale = found.mean.view(height, width, channels), found.own_log_var.mul(0.5).exp()
        weights = model.likelihood.weights.view(-1, height, width, channels)
        residual = np.zeros((height, width, channels))
        predicted = np.zeros_like(residual)
        for row, column, channel in np.ndindex(residual.shape):
            for weight, (down, right) in zip(weights, NEIGHBOURS, strict=True):
                above, beside = row + down, column + right
                if above >= 0 and 0 <= beside < width:
                    predicted[row, column, channel] += (
                        weight[row, column, channel] * residual[above, beside, channel]
                    )
            place = (row * width + column) * channels + channel
            residual[row, column, channel] = (
                predicted[row, column, channel] + scale[place] * noise[place]
            )
        np.testing.assert_allclose(sample.numpy(), (mean.numpy() + residual).flatten(), atol=1e-5)
        wanted = scipy.stats.norm.logpdf(
            sample.numpy(), found.mean.numpy() + predicted.flatten(), scale.numpy()
        ).sum()
        assert float(found.log_prob(sample)) == pytest.approx(wanted, abs=1e-3)


def test_correlated_noise_with_weights_of_zero_is_the_gaussian():
    model = of("correlated")
    model.likelihood.weights.data.zero_()
    x = torch.rand(3, PIXELS)
    z = torch.randn(3, 2)
    with torch.no_grad():
        found, gaussian = model.decode(z), Gaussian(*model.decode(z))
        torch.testing.assert_close(found.log_prob(x), gaussian.log_prob(x))
        torch.testing.assert_close(found.sample(x), gaussian.sample(x))


def test_its_neighbours_all_come_before_a_pixel():
    assert len(set(NEIGHBOURS)) == 12
    assert all(place < (0, 0) for place in NEIGHBOURS)


def test_any_likelihood_serves_the_bounds_for_many_samples(name):
    model = of(name)
    x = torch.randint(256, (3, PIXELS)) / 255
    with torch.no_grad():
        terms = elbo(model, x, torch.randn(6, 3, 2))
        assert terms.elbo.shape == (3,)
        assert importance_weighted_bound(model, x, torch.randn(6, 3, 2)).shape == (3,)
        z = torch.randn(4, 3, 2)
        together = model.decode(z).log_prob(x)
        one_by_one = [
            [model.decode(p).log_prob(q) for p, q in zip(row, x, strict=True)] for row in z
        ]
        torch.testing.assert_close(together, torch.tensor(one_by_one), atol=1e-3, rtol=1e-4)


def test_every_weight_is_reached_by_the_gradient(name):
    model = of(name)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    gradient = gradient_of(model, 8)
    assert isinstance(gradient, ElboGradient if name == "gaussian" else AutogradGradient)
    x = torch.rand(8, PIXELS)
    gradient(x, torch.randn(8, 2), x)
    for where, weight in model.named_parameters():
        assert weight.grad.abs().sum() > 0, where


def test_a_checkpoint_keeps_the_likelihood_and_its_weights(name, tmp_path):
    model = of(name)
    save_checkpoint(tmp_path / "model.safetensors", model)
    found = load_checkpoint(tmp_path / "model.safetensors")
    assert found.card.likelihood == name
    x = torch.rand(3, PIXELS)
    with torch.no_grad():
        pair = (one.decode(torch.ones(3, 2)).log_prob(x) for one in (model, found.model))
        torch.testing.assert_close(*pair, rtol=0, atol=0)


def test_samples_are_of_its_own_noise_around_the_mean(name):
    model = of(name).requires_grad_(False)
    z = np.tile([[0.5, -1.0]], (4_000, 1))
    drawn = sample(model, z, seed=3)
    assert drawn.shape == (4_000, *SHAPE)
    mean, std = decode(model, z[:1])
    deviation = drawn - mean
    # Levels of the logistic's are cut off at black and white.
    if name != "logistic":
        assert np.abs(deviation.mean(axis=0) / std[0]).max() < 0.12
        assert deviation.std(axis=0) == pytest.approx(std[0], rel=0.35)
    assert deviation.std(axis=0).min() > 0
    np.testing.assert_array_equal(drawn, sample(model, z, seed=3))
    assert not np.array_equal(drawn, sample(model, z, seed=4))


def test_a_gaussian_file_is_one_that_earlier_versions_read_and_others_are_not(name, tmp_path):
    save_checkpoint(tmp_path / "model.safetensors", of(name))
    version = load_checkpoint(tmp_path / "model.safetensors").info["format_version"]
    assert version == (2 if name == "gaussian" else 3)


def test_a_likelihood_that_there_is_not_is_refused_in_words():
    with pytest.raises(VisageError, match="A likelihood is one of gaussian, student"):
        Architecture(SHAPE, 2, likelihood="magic")
    with pytest.raises(VisageError, match="choose the gaussian likelihood, or smaller images"):
        Architecture((100, 100), 2, likelihood="correlated")


def test_each_is_offered_with_a_sentence():
    words = [kind.in_words for kind in LIKELIHOODS.values()]
    assert all(words) and not any(a == b for a, b in itertools.pairwise(words))
