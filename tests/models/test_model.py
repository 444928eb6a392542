"""The model against PyTorch's own distributions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Independent, Normal, kl_divergence

from vae import VAE
from vae.errors import VisageError
from vae.models.gaussian import Gaussian
from vae.models.mlp import GaussianMLP

sizes = st.integers(1, 5)


def gaussian(*shape: int) -> Gaussian:
    return Gaussian(torch.randn(shape, dtype=torch.float64), torch.randn(shape).double())


def oracle(given: Gaussian) -> Independent:
    return Independent(Normal(given.mean, (0.5 * given.log_var).exp()), 1)


@settings(deadline=None)
@given(sizes, sizes, sizes)
def test_log_density_is_that_of_torch_distributions(samples, batch, features):
    likelihood = gaussian(samples, batch, features)
    x = torch.randn(batch, features).double()
    torch.testing.assert_close(likelihood.log_prob(x), oracle(likelihood).log_prob(x))


@settings(deadline=None)
@given(sizes, sizes)
def test_kl_is_that_of_torch_distributions(batch, features):
    posterior = gaussian(batch, features)
    prior = oracle(Gaussian(torch.zeros(features).double(), torch.zeros(features).double()))
    expected = kl_divergence(oracle(posterior), prior.expand((batch,)))
    torch.testing.assert_close(posterior.kl_from_prior().sum(-1), expected)


def test_sampling_is_differentiable_and_has_the_right_moments():
    posterior = Gaussian(torch.full((3,), 2.0), torch.full((3,), math.log(0.25)))
    posterior.mean.requires_grad_()
    samples = posterior.sample(torch.randn(200_000, 3))
    torch.testing.assert_close(samples.mean(0), posterior.mean, atol=0.01, rtol=0)
    torch.testing.assert_close(samples.std(0), torch.full((3,), 0.5), atol=0.01, rtol=0)
    samples.mean().backward()
    torch.testing.assert_close(posterior.mean.grad, torch.full((3,), 1 / 3))


@pytest.mark.parametrize("image_shape", [(28, 20), (5, 4, 3)])
@pytest.mark.parametrize("hidden_dims", [(7,), (9, 6), (9, 6, 4)])
def test_shapes_and_ranges(image_shape, hidden_dims):
    model = VAE(image_shape, latent_dim=3, hidden_dims=hidden_dims)
    pixels = math.prod(image_shape)
    posterior = model.encode(torch.rand(8, pixels))
    assert posterior.mean.shape == posterior.log_var.shape == (8, 3)
    likelihood = model.decode(100 * torch.randn(2, 8, 3))
    assert likelihood.mean.shape == likelihood.log_var.shape == (2, 8, pixels)
    assert likelihood.mean.min() >= 0
    assert likelihood.mean.max() <= 1


def test_encoder_and_decoder_are_one_class_and_mirror_each_other():
    model = VAE((4, 4), latent_dim=2, hidden_dims=(9, 6))
    assert type(model.encoder) is type(model.decoder) is GaussianMLP
    assert [layer.out_features for layer in model.encoder.hidden] == [9, 6]
    assert [layer.out_features for layer in model.decoder.hidden] == [6, 9]


def test_the_article_s_network_is_its_formula():
    network = GaussianMLP(4, 3, hidden_dims=(5,), sigmoid_mean=True)
    x = torch.randn(2, 4)
    (hidden,), head = network.hidden, network.head
    h = torch.tanh(x @ hidden.weight.T + hidden.bias)
    mean = torch.sigmoid(h @ head.weight[:3].T + head.bias[:3])
    log_var = h @ head.weight[3:].T + head.bias[3:]
    torch.testing.assert_close(network(x), Gaussian(mean, log_var))


@pytest.mark.parametrize(
    "sizes",
    [
        {"latent_dim": 0},
        {"latent_dim": -1},
        {"latent_dim": 1.5},
        {"latent_dim": True},
        {"hidden_dims": ()},
        {"hidden_dims": (200, 0)},
        {"image_shape": (28,)},
        {"image_shape": (28, 20, 4)},
        {"image_shape": (0, 20)},
    ],
)
def test_impossible_sizes_get_a_sentence(sizes):
    with pytest.raises(VisageError, match=r"must be|must have|Give at least") as caught:
        VAE(**sizes)
    assert "(" not in str(caught.value), "a tuple is not how people write sizes"
