"""Refined posteriors: never worse than the encoder's, and where the ELBO is highest."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from vae import VAE, datasets, load_checkpoint
from vae.latent.arrays import encode, reconstruct
from vae.latent.refine import refine
from vae.models.objective import elbo_given_posterior
from vae.models.vae import Gaussian

CHECKPOINT = Path(__file__).parents[2] / "checkpoints" / "olivetti-2d.safetensors"


@pytest.fixture(scope="module")
def trained() -> tuple[VAE, np.ndarray]:
    heldout = datasets.load("olivetti").split(0.1)[1]
    return load_checkpoint(CHECKPOINT).model, np.asarray(heldout)[:12]


def bound(model, x, mean, log_var, noise) -> torch.Tensor:
    return elbo_given_posterior(model, torch.from_numpy(x), Gaussian(mean, log_var), noise).elbo


def test_no_image_gets_worse_and_most_get_better(trained):
    model, images = trained
    found = refine(model, images)
    assert (found.elbo >= found.encoder_elbo).all()
    assert (found.elbo > found.encoder_elbo + 1).mean() > 0.5
    np.testing.assert_allclose(found.elbo, found.log_likelihood - found.kl, atol=1e-3)


def test_it_finds_what_a_quasi_newton_method_finds(trained):
    """SciPy's L-BFGS over the same four numbers, started where the refinement ended."""
    model, images = trained
    noise = torch.randn((512, 1, 2), generator=torch.Generator().manual_seed(7))
    for image in images[:3]:
        x = image[None]
        found = refine(model, x, steps=60, samples=256).posterior

        def descent(values, x=x):
            both = torch.tensor(values, dtype=torch.float32).requires_grad_()
            loss = -bound(model, x, both[None, :2], both[None, 2:], noise).sum()
            (gradient,) = torch.autograd.grad(loss, both)
            return loss.item(), gradient.double().numpy()

        start = np.concatenate([found.mean[0], found.log_var[0]]).astype(float)
        optimum = minimize(descent, start, jac=True, method="L-BFGS-B")
        assert descent(start)[0] - optimum.fun < 1.0


def test_images_do_not_touch_each_other(trained):
    model, images = trained
    noise_of_one = [refine(model, images[place : place + 1]).elbo[0] for place in range(3)]
    together = refine(model, images[:3])
    assert together.posterior.mean.shape == (3, 2)
    # Only the noise differs.
    np.testing.assert_allclose(together.elbo, noise_of_one, rtol=0.02)


def test_without_steps_it_is_the_encoder(trained):
    model, images = trained
    found = refine(model, images, steps=0)
    encoded = encode(model, images)
    # One thread adds up in another order than two.
    np.testing.assert_allclose(found.posterior.mean, encoded.mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.posterior.log_var, encoded.log_var, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found.elbo, found.encoder_elbo)


def test_it_leaves_the_model_alone(trained):
    model, images = trained
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    first, again = refine(model, images[:2]), refine(model, images[:2])
    np.testing.assert_array_equal(first.elbo, again.elbo)
    assert all(weight.grad is None for weight in model.parameters())
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])


def test_an_image_like_no_other_stays_finite(trained):
    model, images = trained
    odd = np.stack([np.zeros_like(images[0]), np.ones_like(images[0])])
    odd = np.concatenate([odd, np.random.default_rng(0).random(odd.shape, dtype=np.float32)])
    found = refine(model, odd)
    assert np.isfinite(found.posterior.mean).all()
    assert np.isfinite(found.posterior.log_var).all()
    assert (found.elbo >= found.encoder_elbo).all()


def unusual(shape: tuple[int, int]) -> np.ndarray:
    """Images that no face resembles, flattened."""
    down, across = np.indices(shape)
    face = (down + across) / sum(shape)
    noise = np.random.default_rng(0).random(shape)
    images = [noise, face, 1 - face, 0 * face, 1 + 0 * face, (down + across) % 2, down // 4 % 2]
    return np.stack(images).reshape(len(images), -1).astype(np.float32)


@pytest.mark.parametrize("name", ["frey-2d", "frey-10d", "olivetti-2d"])
def test_no_bound_lies_above_what_it_bounds(name):
    model = load_checkpoint(CHECKPOINT.with_stem(name)).model
    images = unusual(model.image_shape)
    found = refine(model, images)
    assert (found.encoder_elbo <= found.elbo).all()
    assert (found.elbo <= found.importance_weighted).all()
    encoded = reconstruct(model, images, samples=16)
    assert (encoded.elbo <= encoded.importance_weighted).all()
    # And it is the estimate of a sampler that knows nothing of this one, not just any above.
    noise = torch.randn((4000, len(images), model.latent_dim))
    mean, log_var = map(torch.from_numpy, found.posterior)
    z = torch.distributions.Normal(mean, (log_var / 2).exp())
    points = z.mean + z.stddev * noise
    weights = (
        torch.distributions.Normal(0, 1).log_prob(points).sum(-1)
        - z.log_prob(points).sum(-1)
        + model.decode(points).log_prob(torch.from_numpy(images))
    )
    ordinary = weights.std(0) < 3
    expected = torch.logsumexp(weights.double(), 0) - np.log(4000)
    np.testing.assert_allclose(
        found.importance_weighted[ordinary], expected[ordinary], atol=5, rtol=1e-3
    )


def test_colour_images_keep_their_shape():
    torch.manual_seed(0)
    model = VAE((5, 4, 3), 3, (8,)).eval()
    pixels = np.random.default_rng(0).random((2, 60), dtype=np.float32)
    assert refine(model, pixels, steps=3).mean.shape == (2, 5, 4, 3)
