"""The published protocol in bits per dimension: what its figures mean."""

import math

import numpy as np
import pytest
import torch

from benchmarks import bits
from vae import VAE, datasets, importance_weighted_bound
from vae.models.architecture import Architecture
from vae.models.gated import Gated
from vae.models.gaussian import Gaussian
from vae.models.likelihoods import LIKELIHOODS, Logistic


def test_levels_given_their_neighbours_add_up_to_one():
    torch.manual_seed(0)
    likelihood = bits.CorrelatedLogistic((1, 2)).requires_grad_(False)
    likelihood.weights.normal_()
    given = likelihood.given(Gaussian(torch.tensor([0.3, 0.6]), torch.tensor([-3.0, -4.0])))
    levels = torch.arange(256) / 255
    images = torch.cartesian_prod(levels, levels).double()
    assert given.log_prob(images).exp().sum() == pytest.approx(1, abs=1e-5)
    # And a neighbour is told of.
    dark, light = (given.log_prob(torch.tensor([left, 0.6])) for left in (0.2, 0.4))
    alone = Logistic((1, 2)).given(Gaussian(given.mean, given.own_log_var))
    assert light - dark != pytest.approx(
        float(alone.log_prob(torch.tensor([0.4, 0.6])) - alone.log_prob(torch.tensor([0.2, 0.6])))
    )


def test_without_weights_it_is_the_logistic():
    shape = (4, 5)
    parameters = Gaussian(torch.rand(20), torch.randn(20) - 4)
    x = torch.randint(256, (7, 20)) / 255
    torch.testing.assert_close(
        bits.CorrelatedLogistic(shape).given(parameters).log_prob(x),
        Logistic(shape).given(parameters).log_prob(x),
    )


def test_the_bounds_are_the_librarys_whatever_is_decoded_at_once(monkeypatch):
    torch.manual_seed(0)
    model = VAE.of(Architecture((4, 5), 3, Gated((8,)), "logistic")).requires_grad_(False)
    x = torch.randint(256, (6, 20)) / 255
    found = []
    for size in (7, 1000):
        monkeypatch.setattr(bits, "AT_ONCE", size)
        found.append(bits.judge(model, x.numpy(), 3000))
    bound = importance_weighted_bound(model, x, torch.randn(3000, 6, 3)).mean()
    for minus_elbo, nll in found:
        assert nll == pytest.approx(float(-bound / (20 * math.log(2))), abs=2e-3)
        assert minus_elbo >= nll


def test_the_split_is_the_published_one(frey):
    faces = datasets.load("frey")
    parts = bits.split(123)
    assert [len(part) for part in parts] == [1565, 200, 200]
    np.random.seed(123)
    shuffled = faces.images.reshape(1965, -1) / 255.0
    np.random.shuffle(shuffled)
    np.testing.assert_allclose(np.concatenate(parts), shuffled, atol=1e-7)


def test_a_model_is_trained_and_judged(monkeypatch, capsys):
    monkeypatch.setitem(LIKELIHOODS, bits.CorrelatedLogistic.name, bits.CorrelatedLogistic)
    random = np.random.default_rng(0)
    sets = np.split(random.integers(256, size=(140, 560)).astype(np.float32) / 255, [120, 130])
    monkeypatch.setattr(bits, "split", lambda permutation: tuple(sets))
    found = []
    for likelihood in ("logistic", bits.CorrelatedLogistic.name):
        found += bits.learn(bits.configured(2, likelihood, 30), 123, 20)
    # Levels that are noise take 8 bits, whoever describes them.
    assert all(7.9 < value < 9 for value in found)
    assert "permutation 123" in capsys.readouterr().out
