"""What the posteriors of a training set say together, against other ways to count it."""

import numpy as np
import pytest
import scipy.stats

from vae.errors import VisageError
from vae.latent.posteriors import aggregate_posterior, group_direction
from vae.models.vae import Gaussian


def test_aggregate_posterior_is_the_mixture_of_the_posteriors(rng):
    mean, log_var = rng.standard_normal((2, 30, 3))
    z = rng.standard_normal((4, 2, 3))
    densities = [
        scipy.stats.multivariate_normal(m, np.diag(np.exp(v))).pdf(z)
        for m, v in zip(mean, log_var, strict=True)
    ]
    found = aggregate_posterior(z, Gaussian(mean, log_var))
    np.testing.assert_allclose(found, np.log(np.mean(densities, axis=0)), rtol=1e-9)


def test_group_direction_is_the_difference_of_the_means(rng):
    marked, others = rng.standard_normal((5, 4)), rng.standard_normal((3, 4))
    found = group_direction(marked, others)
    np.testing.assert_allclose(found, marked.mean(axis=0) - others.mean(axis=0))
    with pytest.raises(VisageError, match="both sides"):
        group_direction(marked, others[:0])
    with pytest.raises(VisageError, match="same mean"):
        group_direction(marked, marked)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
