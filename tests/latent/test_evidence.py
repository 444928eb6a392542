"""log p(x): what independent integrals say it is, and never below what is called a bound of it."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import torch

from vae import VAE, datasets, load_checkpoint
from vae.latent.evidence import Evidence, judge
from vae.latent.joint import Peaks
from vae.models.architecture import KINDS, Architecture
from vae.models.gaussian import Gaussian
from vae.models.network import Network

SHIPPED = Path(__file__).parents[2] / "checkpoints"

SHAPE = (4, 3)
PIXELS = math.prod(SHAPE)


@dataclass(frozen=True)
class Formula:
    """Networks of another kind: a decoder by a formula, and an encoder that is always wrong."""

    kind: ClassVar[str] = "formula"

    mean: Callable[[torch.Tensor], torch.Tensor]
    log_var: float

    def encoder(self, image_shape, latent_dim):
        return Constant(latent_dim)

    def decoder(self, image_shape, latent_dim):
        return ByFormula(self.mean, self.log_var)

    def weights(self, image_shape, latent_dim):
        return 2 * latent_dim

    def activations(self, image_shape, latent_dim):
        return 2 * math.prod(image_shape)


class Constant(Network):
    def __init__(self, size: int):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.full((size,), 0.3))
        self.log_var = torch.nn.Parameter(torch.full((size,), -1.0))

    def forward(self, x):
        shape = (*x.shape[:-1], len(self.mean))
        return Gaussian(self.mean.expand(shape), self.log_var.expand(shape))


class ByFormula(Network):
    def __init__(self, mean: Callable[[torch.Tensor], torch.Tensor], log_var: float):
        super().__init__()
        self.mean, self.log_var = mean, log_var

    def forward(self, z):
        mean = self.mean(z)
        return Gaussian(mean, torch.full_like(mean, self.log_var))


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "formula", Formula)


def by_formula(mean: Callable[[torch.Tensor], torch.Tensor], log_var: float, dim: int) -> VAE:
    return VAE.of(Architecture(SHAPE, dim, Formula(mean, log_var))).requires_grad_(False)


def linear(dim: int, std: float = 0.5) -> tuple[VAE, np.ndarray]:
    """A model whose every figure has a closed form, and its weight, (D, K)."""
    weight = np.random.default_rng(dim).standard_normal((PIXELS, dim)) / 2
    # Latents that do much the same make a posterior that no diagonal Gaussian resembles.
    weight[:, 1:] = 0.6 * weight[:, 1:] + 0.4 * weight[:, :1]
    constant = torch.from_numpy(weight)
    return by_formula(lambda z: z @ constant.to(z).T, 2 * math.log(std), dim), weight


def exact(weight: np.ndarray, std: float, x: np.ndarray) -> tuple[np.ndarray, float]:
    """log p(x) of the linear model, and what its best diagonal posterior lies below that."""
    dim = weight.shape[1]
    marginal = weight @ weight.T + std**2 * np.eye(PIXELS)
    precision = np.eye(dim) + weight.T @ weight / std**2
    gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    return scipy.stats.multivariate_normal(np.zeros(PIXELS), marginal).logpdf(x), gap


def unusual(shape: tuple[int, ...], face: np.ndarray) -> np.ndarray:
    """Images like no face of the training set, flattened."""
    down, across = np.indices(shape)
    face = face.reshape(shape)
    images = [
        np.random.default_rng(0).random(shape),
        (down + across) / sum(shape),
        np.zeros(shape),
        np.ones(shape),
        (down + across) % 2,
        down // 4 % 2,
        face[::-1],
        1 - face,
    ]
    return np.stack(images).reshape(len(images), -1).astype(np.float32)


def log_joint(model: VAE, image: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """log p(x, z), by SciPy's densities."""
    decoder = copy.deepcopy(model).double()
    image = image.astype(np.float64)

    def value(z: np.ndarray) -> np.ndarray:
        mean, log_var = (part.numpy() for part in decoder.decode(torch.from_numpy(z)))
        likelihood = scipy.stats.norm.logpdf(image, mean, np.exp(log_var / 2)).sum(axis=-1)
        return likelihood + scipy.stats.norm.logpdf(z).sum(axis=-1)

    return value


def assert_in_order(found: Evidence) -> None:
    """Exactly so when sampled; an integral is known to its error and a ten-millionth."""
    assert np.isfinite(found.log_px).all()
    assert (found.encoder_elbo <= found.refined_elbo).all()
    slack = found.error + 1e-7 * np.abs(found.log_px) if found.is_integral else 0
    assert (found.refined_elbo <= found.log_px + slack).all()


@pytest.mark.parametrize("dim", [1, 2])
def test_an_integral_of_a_linear_model_is_exact(dim):
    model, weight = linear(dim)
    x = np.random.default_rng(0).normal(0, 1, (30, PIXELS)).astype(np.float32)
    found = judge(model, x)
    expected, gap = exact(weight, 0.5, x)
    assert found.is_integral
    np.testing.assert_allclose(found.log_px, expected, atol=1e-4)
    np.testing.assert_allclose(found.approximation_gap, gap, atol=0.01)
    assert (np.abs(found.log_px - expected) <= found.error + 1e-6).all()
    assert_in_order(found)


@pytest.mark.parametrize("dim", [3, 20])
def test_sampling_a_linear_model_is_exact_within_its_stated_error(dim):
    model, weight = linear(dim)
    x = np.random.default_rng(0).normal(0, 1, (40, PIXELS)).astype(np.float32)
    found = judge(model, x)
    expected, gap = exact(weight, 0.5, x)
    off = found.log_px - expected
    assert not found.is_integral
    assert found.error.max() < 0.1
    assert (np.abs(off) < 5 * found.error).all()
    assert abs(off.mean()) < 4 * np.sqrt(np.square(found.error).mean() / len(x))
    assert found.approximation_gap.mean() == pytest.approx(gap, abs=0.5)
    assert_in_order(found)


def test_a_posterior_far_beyond_the_prior_is_found():
    model, weight = linear(2, std=0.1)
    x = (np.array([[40.0, -30.0], [300.0, 200.0], [0.0, 0.0]]) @ weight.T).astype(np.float32)
    expected, _ = exact(weight, 0.1, x)
    np.testing.assert_allclose(judge(model, x).log_px, expected, rtol=1e-5, atol=1e-3)


def test_every_peak_counts():
    """x = z² (and of two latents, both squared) has two posteriors, or four, each tiny."""
    for dim in (1, 2):
        model = by_formula(
            lambda z: z.square().repeat_interleave(PIXELS // z.shape[-1], dim=-1), -9.0, dim
        )
        z = np.array([[1.3, 2.1]])[:, :dim]
        x = np.repeat(z**2, PIXELS // dim, axis=1).astype(np.float32)
        found = judge(model, x)
        axis = np.linspace(-4, 4, 80_001)[:, None]
        expected = 0.0
        for target in z[0] ** 2:
            each = (
                PIXELS // dim * scipy.stats.norm.logpdf(np.float32(target), axis**2, np.exp(-4.5))
            )
            total = scipy.special.logsumexp(each + scipy.stats.norm.logpdf(axis))
            expected += total + np.log(8 / 80_000)
        np.testing.assert_allclose(found.log_px, expected, atol=0.01)
        # One Gaussian sits on one of them.
        assert found.approximation_gap[0] == pytest.approx(dim * math.log(2), abs=0.05)
        assert_in_order(found)


def test_two_latents_agree_with_scipys_adaptive_quadrature():
    """Over the whole plane, told nothing of where the mass is."""
    torch.manual_seed(3)
    model = VAE(SHAPE, 2, (8,)).requires_grad_(False)
    model.decoder.hidden[0].weight.mul_(4)
    model.decoder.head.weight[:PIXELS].mul_(6)
    x = np.random.default_rng(1).random((1, PIXELS), dtype=np.float32)
    found = judge(model, x)
    for image, log_px in zip(x, found.log_px, strict=True):
        value = log_joint(model, image)
        integral, _ = scipy.integrate.dblquad(
            lambda b, a, value=value: float(np.exp(value(np.array([a, b])))),
            -5, 5, -5, 5, epsabs=0, epsrel=1e-2,
        )  # fmt: skip
        assert log_px == pytest.approx(math.log(integral), abs=0.01)


@pytest.fixture(scope="module")
def faces() -> dict[str, tuple[VAE, np.ndarray]]:
    """A shipped model and images for it: unusual ones, then held-out faces of its kind."""
    found = {}
    for name in ("olivetti-2d", "frey-2d", "frey-10d"):
        model = load_checkpoint(SHIPPED / f"{name}.safetensors").model
        # Frey Face is not on every machine; faces cut to its shape are strangers to it.
        height, width = model.image_shape
        heldout = datasets.load("olivetti").images[::50, :height, :width]
        heldout = heldout.reshape(len(heldout), -1).astype(np.float32) / 255
        found[name] = (
            model,
            np.concatenate([unusual(model.image_shape, heldout[0]), heldout[:3]]),
        )
    return found


@pytest.mark.parametrize("name", ["olivetti-2d", "frey-2d"])
def test_faces_agree_with_a_dense_grid_around_scipys_optimum(faces, name):
    model, images = faces[name]
    images = images[[4, -1]]
    found = judge(model, images)
    for image, log_px in zip(images, found.log_px, strict=True):
        value = log_joint(model, image)
        axis = torch.linspace(-50, 50, 251)
        grid = torch.cartesian_prod(axis, axis)
        decoded = model.decode(grid)
        heights = decoded.log_prob(torch.from_numpy(image)) - grid.square().sum(dim=1) / 2
        start = grid[heights.argmax()].numpy()
        optimum = scipy.optimize.minimize(
            lambda z, value=value: -value(z), start, method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-8},
        )  # fmt: skip
        # As far as anything lies within 20 nats, then 101 points a side over it.
        width = 1e-4
        while any(
            value(optimum.x + width * np.array([np.cos(a), np.sin(a)])) > -optimum.fun - 20
            for a in np.linspace(0, 2 * np.pi, 24)
        ):
            width *= 1.3
        axis = np.linspace(-width, width, 101)
        window = optimum.x + np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        heights = np.concatenate([value(part) for part in np.array_split(window, 10)])
        expected = scipy.special.logsumexp(heights) + 2 * np.log(axis[1] - axis[0])
        assert log_px == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("name", ["olivetti-2d", "frey-2d", "frey-10d"])
def test_nothing_called_a_bound_lies_above_what_it_bounds(faces, name):
    model, images = faces[name]
    found = judge(model, images)
    assert_in_order(found)
    # The encoder has never seen the like, and a sampler that starts at it would not tell.
    assert found.amortisation_gap[:8].min() > 100
    # An estimate of its own, from samples of the refined posterior, comes as close as it can.
    q = torch.distributions.Normal(
        torch.from_numpy(found.refined.mean).double(),
        (torch.from_numpy(found.refined.log_var).double() / 2).exp(),
    )
    torch.manual_seed(0)
    z = q.sample((1000,))
    decoder = copy.deepcopy(model).double()
    weights = (
        decoder.decode(z).log_prob(torch.from_numpy(images).double())
        + torch.distributions.Normal(0, 1).log_prob(z).sum(-1)
        - q.log_prob(z).sum(-1)
    )
    np.testing.assert_allclose(
        weights.mean(0), found.refined_elbo, atol=5 * weights.std(0).max() / 1000**0.5 + 0.3
    )
    estimate = (weights.logsumexp(0) - math.log(1000)).numpy()
    error = weights.softmax(0).square().sum(0).sqrt().numpy()
    assert (estimate < found.log_px + 6 * error).all()


def test_one_latent_keeps_the_order_too():
    torch.manual_seed(0)
    model = VAE((12, 9), 1, (16,)).requires_grad_(False)
    model.decoder.hidden[0].weight.mul_(5)
    model.decoder.head.weight.mul_(3)
    images = unusual((12, 9), np.random.default_rng(3).random((12, 9)))
    found = judge(model, images)
    assert_in_order(found)
    axis = np.linspace(-30, 30, 60_001)[:, None]
    for image, log_px in zip(images, found.log_px, strict=True):
        value = log_joint(model, image)
        heights = np.concatenate([value(part) for part in np.array_split(axis, 10)])
        expected = scipy.special.logsumexp(heights) + np.log(60 / 60_000)
        assert log_px == pytest.approx(expected, abs=0.01)


class HeavyTailed(torch.distributions.StudentT):
    """Another likelihood: it has a log_prob, and nothing else is asked of it."""

    def log_prob(self, x):
        return super().log_prob(x).sum(dim=-1)


class OfStudent(VAE):
    def decode(self, z):
        mean, log_var = super().decode(z)
        return HeavyTailed(4.0, mean, (log_var / 2).exp())


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_any_likelihood_will_do(dim):
    torch.manual_seed(1)
    model = OfStudent(SHAPE, dim, (8,)).requires_grad_(False)
    x = np.random.default_rng(1).random((4, PIXELS), dtype=np.float32)
    found = judge(model, x)
    assert_in_order(found)
    axis = torch.linspace(-6, 6, 61 if dim == 3 else 241).double()
    z = torch.cartesian_prod(*[axis] * dim).reshape(-1, 1, dim)
    decoded = copy.deepcopy(model).double().decode(z)
    values = decoded.log_prob(torch.from_numpy(x).double())
    values = values + torch.distributions.Normal(0, 1).log_prob(z).sum(-1)
    expected = values.logsumexp(0) + dim * (axis[1] - axis[0]).log()
    np.testing.assert_allclose(found.log_px, expected, atol=0.02 if dim < 3 else 0.2)


def test_the_largest_peak_is_each_images_own():
    generator = torch.Generator().manual_seed(0)
    owner = torch.arange(400).repeat(300)[torch.randperm(120_000, generator=generator)]
    height = torch.rand(120_000, generator=generator).double()
    one = torch.ones(120_000, 1, 1).double()
    peaks = Peaks(owner, one[:, 0], height, one, owner > -1)
    best = peaks.best(400)
    highest = torch.zeros(400).double().scatter_reduce_(0, owner, height, "amax")
    assert torch.equal(owner[best], torch.arange(400))
    assert torch.equal(height[best], highest)


@pytest.mark.parametrize("dim", [2, 3])
def test_images_are_judged_one_by_one_and_always_alike(dim):
    torch.manual_seed(1)
    model = VAE((5, 4, 3), dim, (8,)).requires_grad_(False)
    x = np.random.default_rng(0).random((300, 60), dtype=np.float32)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    found, again = judge(model, x), judge(model, x)
    np.testing.assert_array_equal(found.log_px, again.log_px)
    np.testing.assert_array_equal(found.refined_elbo, again.refined_elbo)
    assert len(found.log_px) == len(found.encoder.mean) == len(found.refined.log_var) == 300
    alone = judge(model, x[290:291])
    np.testing.assert_allclose(found.log_px[290], alone.log_px[0], atol=1e-5 if dim == 2 else 0.1)
    np.testing.assert_allclose(
        found.refined_elbo[290], alone.refined_elbo[0], atol=1e-3 if dim == 2 else 0.5
    )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("factor", [1e20, float("nan")])
def test_a_broken_model_gives_no_number_and_no_error(dim, factor):
    model = VAE(SHAPE, dim, (8,)).requires_grad_(False)
    for weight in model.parameters():
        weight.mul_(factor)
    found = judge(model, np.random.default_rng(0).random((2, PIXELS), dtype=np.float32))
    assert found.log_px.shape == (2,)
