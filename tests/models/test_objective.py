"""The objective against closed forms, quadrature and autograd."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from vae import VAE, elbo, importance_weighted_bound
from vae.models.network import Network
from vae.models.objective import OBJECTIVES, elbo_given_posterior
from vae.models.vae import Gaussian
from vae.training.gradient import AutogradGradient, ElboGradient, gradient_of
from vae.training.loop import one_buffer


class LinearGaussian:
    """x = A z + b + noise: a model whose posterior and evidence are known in closed form."""

    def __init__(self, pixels: int = 4, latent_dim: int = 2):
        generator = torch.Generator().manual_seed(1)
        self.map = torch.randn(pixels, latent_dim, generator=generator).double()
        self.bias = torch.randn(pixels, generator=generator).double()
        self.variance = 0.3
        self.latent_dim = latent_dim

    def decode(self, z: torch.Tensor) -> Gaussian:
        mean = z @ self.map.T + self.bias
        return Gaussian(mean, torch.full_like(mean, math.log(self.variance)))

    def encode(self, x: torch.Tensor) -> Gaussian:
        # A diagonal Gaussian, wider than the true posterior and a little off its mean.
        mean = (x - self.bias) @ torch.linalg.pinv(self.map).T + 0.1
        return Gaussian(mean, torch.full_like(mean, -1.0))

    def evidence(self, x: torch.Tensor) -> torch.Tensor:
        covariance = self.map @ self.map.T + self.variance * torch.eye(len(self.map)).double()
        return MultivariateNormal(self.bias, covariance).log_prob(x)

    def exact_elbo(self, x: torch.Tensor) -> torch.Tensor:
        posterior = self.encode(x)
        residual = x - self.decode(posterior.mean).mean
        spread = (self.map.square() @ posterior.log_var.exp().T).T
        log_likelihood = -0.5 * (
            math.log(2 * math.pi * self.variance) + (residual.square() + spread) / self.variance
        ).sum(-1)
        return log_likelihood - posterior.kl_from_prior().sum(-1)


@pytest.fixture
def linear():
    return LinearGaussian()


@pytest.fixture
def images():
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(2)).double()


def test_estimate_of_the_elbo_has_the_closed_form_as_its_mean(linear, images):
    noise = torch.randn(200_000, 3, 2, generator=torch.Generator().manual_seed(3)).double()
    estimate = elbo(linear, images, noise)
    torch.testing.assert_close(estimate.elbo, linear.exact_elbo(images), rtol=0, atol=0.05)
    torch.testing.assert_close(estimate.elbo, estimate.log_likelihood - estimate.kl)


def test_bounds_are_ordered_and_the_tighter_one_reaches_the_evidence(linear, images):
    noise = torch.randn(50_000, 3, 2, generator=torch.Generator().manual_seed(3)).double()
    bound = importance_weighted_bound(linear, images, noise)
    evidence = linear.evidence(images)
    assert (linear.exact_elbo(images) < bound).all()
    torch.testing.assert_close(bound, evidence, rtol=0, atol=0.02)


def test_importance_weighted_bound_of_one_sample_estimates_the_elbo(linear, images):
    noise = torch.randn(100_000, 3, 2, generator=torch.Generator().manual_seed(3)).double()
    one_by_one = importance_weighted_bound(
        linear, images.repeat(100_000, 1), noise.reshape(1, -1, 2)
    )
    mean = one_by_one.reshape(-1, 3).mean(0)
    torch.testing.assert_close(mean, linear.exact_elbo(images), rtol=0, atol=0.1)


def test_several_samples_are_the_mean_of_single_ones():
    model = VAE((4, 3), hidden_dims=(6,))
    x, noise = torch.rand(5, 12), torch.randn(7, 5, 2)
    single = torch.stack([elbo(model, x, one).log_likelihood for one in noise])
    several = elbo(model, x, noise)
    assert several.elbo.shape == (5,)
    torch.testing.assert_close(several.log_likelihood, single.mean(0))


def test_a_given_posterior_takes_the_encoder_s_place():
    model = VAE((4, 3), hidden_dims=(6,))
    x, noise = torch.rand(5, 12), torch.randn(5, 2)
    torch.testing.assert_close(
        elbo_given_posterior(model, x, model.encode(x), noise), elbo(model, x, noise)
    )


def test_gradient_agrees_with_finite_differences():
    torch.manual_seed(0)
    model = VAE((3, 2), hidden_dims=(4,)).double()
    x, noise = torch.rand(5, 6).double(), torch.randn(5, 2).double()

    def loss(*weights):
        state = dict(zip(dict(model.named_parameters()), weights, strict=True))
        terms = torch.func.functional_call(Elbo(model), state_under("model", state), (x, noise))
        return -terms.mean()

    assert torch.autograd.gradcheck(loss, tuple(model.parameters()))


class Elbo(torch.nn.Module):
    """The bound as a module's forward pass, which is what functional_call needs."""

    def __init__(self, model: VAE):
        super().__init__()
        self.model = model

    def forward(self, x, noise):
        return elbo(self.model, x, noise).elbo


def state_under(prefix: str, state: dict) -> dict:
    return {f"{prefix}.{name}": weight for name, weight in state.items()}


@pytest.mark.parametrize("gradient_of_share", [AutogradGradient, ElboGradient])
@pytest.mark.parametrize("hidden_dims", [(7,), (9, 6), (9, 6, 5)])
@pytest.mark.parametrize("latent_dim", [1, 2, 10])
def test_gradients_of_shares_add_up_to_autograd_s(gradient_of_share, hidden_dims, latent_dim):
    torch.manual_seed(0)
    model = VAE((5, 4), latent_dim, hidden_dims).double()
    x, noise = torch.rand(8, 20).double(), torch.randn(8, latent_dim).double()
    seen = x + 0.1 * torch.randn_like(x)

    terms = elbo_given_posterior(model, x, model.encode(seen), noise)
    (-terms.elbo.mean()).backward()
    expected = [weight.grad.clone() for weight in model.parameters()]

    _, gradient = one_buffer(model)
    found, total = torch.zeros(2).double(), torch.zeros_like(gradient)
    for share in (slice(0, 3), slice(3, 8)):
        compute = gradient_of_share(model, 8, share.stop - share.start)
        found += compute(x[share], noise[share], seen[share])
        total += gradient
    torch.testing.assert_close(found[0], terms.log_likelihood.mean())
    torch.testing.assert_close(found[1], terms.kl.mean())
    gradient.copy_(total)
    for weight, wanted in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, wanted)


def test_the_gradient_by_hand_is_taken_for_perceptrons_on_a_processor_alone():
    model = VAE((5, 4), 2, (7,))
    one_buffer(model)
    assert isinstance(gradient_of(model, 8), ElboGradient)
    away = VAE((5, 4), 2, (7,)).to("meta")
    one_buffer(away)
    assert isinstance(gradient_of(away, 8), AutogradGradient)
    model.decoder = Network()
    assert isinstance(gradient_of(model, 8), AutogradGradient)


def gradients(model: VAE, maximised: torch.Tensor) -> torch.Tensor:
    """The gradient by all parameters, the encoder's first, end to end."""
    found = torch.autograd.grad(maximised.sum(), list(model.parameters()))
    return torch.cat([one.flatten() for one in found])


def test_the_importance_weighted_gradient_is_that_of_the_bound_s_mean():
    torch.manual_seed(0)
    model = VAE((3, 2), hidden_dims=(4,)).double()
    encoder = sum(weight.numel() for weight in model.encoder.parameters())
    x, draws = torch.rand(1, 6).double(), 20_000
    many = x.expand(draws, -1)
    noise = torch.randn(5, draws, 2).double()
    terms, maximised = OBJECTIVES["iwae"](model, many, noise, None)
    bound = importance_weighted_bound(model, many, noise)
    torch.testing.assert_close(maximised, bound)
    torch.testing.assert_close(terms.elbo, elbo(model, many, noise).elbo)
    found = gradients(model, maximised) / draws
    plain = gradients(model, bound) / draws
    # Of the decoder, image by image and draw by draw, the same; of the encoder in the mean.
    torch.testing.assert_close(found[encoder:], plain[encoder:])
    scale = plain[:encoder].abs().max()
    assert not torch.allclose(found[:encoder], plain[:encoder], rtol=1e-6)
    torch.testing.assert_close(found[:encoder] / scale, plain[:encoder] / scale, rtol=0, atol=0.04)


def test_the_encoder_s_doubly_reparametrised_gradient_is_less_noisy_than_the_plain_one():
    torch.manual_seed(0)
    model = VAE((3, 2), hidden_dims=(4,)).double()
    encoder = sum(weight.numel() for weight in model.encoder.parameters())
    x = torch.rand(1, 6).double()
    spreads = []
    for objective in (
        lambda noise: OBJECTIVES["iwae"](model, x, noise, None)[1],
        lambda noise: importance_weighted_bound(model, x, noise),
    ):
        drawn = [gradients(model, objective(torch.randn(32, 1, 2).double())) for _ in range(40)]
        spreads.append(torch.stack(drawn)[:, :encoder].var(dim=0).sum())
    assert spreads[0] < 0.7 * spreads[1]


@pytest.mark.parametrize("gradient_of_share", [AutogradGradient, ElboGradient])
def test_beta_weighs_the_kl_divergence_of_the_gradient_alone(gradient_of_share):
    torch.manual_seed(0)
    model = VAE((5, 4), 3, (7, 6)).double()
    x, noise = torch.rand(8, 20).double(), torch.randn(8, 3).double()
    terms = elbo(model, x, noise)
    expected = gradients(model, (2.5 * terms.kl - terms.log_likelihood) / 8)
    _, gradient = one_buffer(model)
    compute = gradient_of_share(model, 8)
    compute.beta = 2.5
    recorded = compute(x, noise, x)
    torch.testing.assert_close(gradient, expected)
    torch.testing.assert_close(recorded[1], terms.kl.mean())
    torch.testing.assert_close(recorded[0], terms.log_likelihood.mean())
