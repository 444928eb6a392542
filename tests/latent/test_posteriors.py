"""What the posteriors of a training set say together, against other ways to count it."""

import numpy as np
import pytest
import scipy.stats

from vae.datasets.labels import categorical, continuous
from vae.errors import VisageError
from vae.latent.posteriors import (
    aggregate_posterior,
    group_direction,
    label_direction,
    told_by,
)
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


def test_the_axis_of_a_kind_goes_from_all_others_to_it(rng):
    means = rng.normal(size=(60, 3))
    codes = np.arange(60) % 4 - 1
    middle, direction = label_direction(means, categorical("who", codes, ["a", "b", "c"]), 1)
    # Those of whom nothing is known are on neither side.
    own, others = means[codes == 1].mean(axis=0), means[(codes == 0) | (codes == 2)].mean(axis=0)
    np.testing.assert_allclose(direction, own - others)
    np.testing.assert_allclose(middle, (own + others) / 2)


def test_the_axis_of_a_number_is_the_least_squares_fit(rng):
    smile = rng.normal(size=200)
    means = np.outer(smile, [1.0, -0.5, 0.0]) + rng.normal(size=(200, 3)) + 4
    known = np.where(np.arange(200) % 5 == 0, np.nan, smile)
    y = known[~np.isnan(known)].astype(np.float32).astype(float)
    fit = [scipy.stats.linregress(y, means[~np.isnan(known), axis]).slope for axis in range(3)]
    _, direction = label_direction(means, continuous("smile", known))
    np.testing.assert_allclose(direction, 2 * y.std() * np.array(fit), rtol=1e-5)
    assert told_by(means, direction, continuous("smile", known)) == pytest.approx(
        abs(np.corrcoef(y, means[~np.isnan(known)] @ direction)[0, 1]), rel=1e-6
    )


def test_of_two_halves_both_ways_give_the_same_axis(rng):
    means, half = rng.normal(size=(40, 2)), np.arange(40) % 2
    _, of_kind = label_direction(means, categorical("glasses", half, ["no", "yes"]), 1)
    _, of_number = label_direction(means, continuous("glasses", half))
    np.testing.assert_allclose(of_kind, of_number)


def test_all_kinds_together_are_told_by_the_share_of_variance_between_them(rng):
    means, codes = rng.normal(size=(90, 2)), np.arange(90) % 3
    place = means @ [1.0, 2.0]
    anova = scipy.stats.f_oneway(*(place[codes == kind] for kind in range(3)))
    share = 2 * anova.statistic / (2 * anova.statistic + 87)
    found = told_by(means, np.array([1.0, 2.0]), categorical("who", codes, ["a", "b", "c"]))
    assert found == pytest.approx(np.sqrt(share))
    nothing = told_by(means * 0, np.ones(2), categorical("who", codes, ["a", "b", "c"]))
    assert nothing == 0


@pytest.mark.parametrize(
    "column",
    [
        continuous("x", [np.nan] * 4),
        continuous("x", [3.0] * 4),
        categorical("x", [0] * 4, ["a", "b"]),
        categorical("x", [-1] * 4, ["a"]),
    ],
)
def test_a_label_that_tells_nothing_apart_is_a_sentence(column, rng):
    with pytest.raises(VisageError, match="does not tell the training faces apart"):
        label_direction(rng.normal(size=(4, 2)), column, 0)
