"""How well latents keep factors apart: against other ways to compute it, and in plain cases."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from vae.datasets.labels import Labels, categorical, continuous
from vae.latent.arrays import Posterior
from vae.latent.disentanglement import dci, judge, lasso, mutual_information_gap

COUNT = 4_000


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, size=(COUNT, 3))


def columns(values: np.ndarray) -> list:
    return [continuous(f"factor {place}", column) for place, column in enumerate(values.T)]


def turned(z: np.ndarray) -> np.ndarray:
    """The first two latents, each an equal mixture of both."""
    first, second, *rest = z.T
    return np.stack([first + second, first - second, *rest], axis=1)


def test_the_gap_is_that_of_entropies_counted_otherwise():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(500, 3))
    factors = [
        continuous("a", z[:, 0] + rng.normal(size=500)),
        categorical("b", (z[:, 1] + z[:, 2] > 0).astype(int) + (z[:, 1] > 1), ["x", "y", "z"]),
    ]

    def ranks(column):
        # Twenty bins of 25 images each.
        return (scipy.stats.rankdata(column, method="ordinal") - 1).astype(int) // 25

    gaps = []
    for codes in (ranks(factors[0].values), factors[1].values):
        told = []
        for latent in z.T:
            table = scipy.stats.contingency.crosstab(ranks(latent), codes).count
            p = table / table.sum()
            product = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
            told.append(scipy.stats.entropy(p.ravel(), product.ravel()))
        second, first = sorted(told)[-2:]
        gaps.append((first - second) / scipy.stats.entropy(np.bincount(codes)))
    assert mutual_information_gap(z, factors) == pytest.approx(np.mean(gaps), abs=1e-9)


def test_the_lasso_is_the_minimum_that_another_solver_finds():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 5))
    x[:, 1] += 0.8 * x[:, 0]
    x -= x.mean(axis=0)
    y = x @ [1.0, 0.0, -0.5, 0.02, 0.0] + 0.3 * rng.normal(size=300)
    y -= y.mean()

    def loss(parts):
        up, down = parts.reshape(2, 5)
        return np.square(y - x @ (up - down)).sum() / 600 + 0.05 * (up + down).sum()

    found = scipy.optimize.minimize(
        loss, np.zeros(10), method="L-BFGS-B", bounds=[(0, None)] * 10, tol=1e-14
    )
    up, down = found.x.reshape(2, 5)
    np.testing.assert_allclose(lasso(x, y[:, None], 0.05)[:, 0], up - down, atol=2e-4)


def test_dci_is_made_of_the_entropies_of_its_importance(values):
    mixed = values @ [[1.0, 0.3, 0.0], [0.0, 1.0, 0.0], [0.2, 0.0, 1.0]]
    found = dci(mixed, columns(values))
    latents, factors = found.importance.shape
    apart = [1 - scipy.stats.entropy(row, base=factors) for row in found.importance]
    whole = [1 - scipy.stats.entropy(column, base=latents) for column in found.importance.T]
    weights = found.importance.sum(axis=1) / found.importance.sum()
    assert found.disentanglement == pytest.approx(np.dot(weights, apart))
    assert found.completeness == pytest.approx(np.mean(whole))


def test_a_latent_a_factor_is_as_good_as_can_be(values):
    # In another order, of other scales and signs.
    z = values[:, [2, 0, 1]] * [5.0, -0.3, 1.0]
    assert mutual_information_gap(z, columns(values)) > 0.9
    found = dci(z, columns(values))
    assert found.disentanglement > 0.98 and found.completeness > 0.98 and found.error < 0.05


def test_factors_that_share_latents_are_not_apart(values):
    pair, z = columns(values)[:2], turned(values[:, :2])
    assert mutual_information_gap(z, pair) < 0.05
    found = dci(z, pair)
    assert found.disentanglement < 0.05 and found.completeness < 0.05
    # All is there, in no latent of its own.
    assert found.error < 0.05


def test_latents_that_tell_nothing_predict_nothing(values):
    noise = np.random.default_rng(3).normal(size=(COUNT, 4))
    assert mutual_information_gap(noise, columns(values)) < 0.02
    assert dci(noise, columns(values)).error > 0.95


def test_a_constant_latent_counts_for_nothing(values):
    factors = columns(values)
    z = np.concatenate([values, np.full((COUNT, 1), 7.0)], axis=1)
    assert mutual_information_gap(z, factors) == mutual_information_gap(values, factors)
    found, without = dci(z, factors), dci(values, factors)
    assert found.disentanglement == pytest.approx(without.disentanglement)
    assert (found.importance[3] == 0).all()


def test_kinds_are_factors_too(values):
    kinds = np.digitize(values[:, 1], [-0.3, 0.4])
    factors = [columns(values)[0], categorical("hair", kinds, ["short", "long", "none"])]
    found = dci(values[:, :2], factors)
    assert found.disentanglement > 0.85 and found.completeness > 0.85
    assert mutual_information_gap(values[:, :2], factors) > 0.8


@pytest.mark.parametrize("usual", [0.0, 5.0])
def test_a_number_that_is_mostly_the_same_is_a_factor_too(values, usual):
    """A count that is 0 of nearly all, or a score that nearly all reach."""
    seldom = np.where(np.arange(COUNT) < COUNT // 40, 1 + values[:, 1], usual)
    factors = [columns(values)[0], continuous("seldom", seldom)]
    told = np.stack([values[:, 0], seldom], axis=1)
    assert mutual_information_gap(told, factors) > 0.9
    assert mutual_information_gap(values[:, [0, 2]], factors) < 0.6
    found = judge(Posterior(told, told * 0 - 9), Labels(tuple(factors)))
    assert found.factors == ("factor 0", "seldom")


def test_what_is_alike_in_all_that_is_measured_is_not_called_predicted(values):
    once = np.arange(COUNT) == np.random.default_rng(0).permutation(COUNT)[0]
    factors = [columns(values)[0], categorical("once", once, ["no", "yes"])]
    assert dci(values, factors, seed=0).error == pytest.approx(0.5, abs=0.02)


def test_a_latent_at_the_prior_is_not_in_use_whatever_its_mean_says(values):
    """A collapsed posterior's mean may follow a factor by a hair, which no sample of it shows."""
    means = np.concatenate([values, 0.001 * values[:, :1]], axis=1)
    log_var = np.full(means.shape, -8.0)
    log_var[:, 3] = 0
    labels = Labels(tuple(columns(values)))
    found = judge(Posterior(means, log_var), labels)
    alone = judge(Posterior(values, log_var[:, :3]), labels)
    assert found.disentanglement == pytest.approx(alone.disentanglement)
    assert found.mutual_information_gap == pytest.approx(alone.mutual_information_gap, abs=0.02)
    assert found.factors == ("factor 0", "factor 1", "factor 2") and found.images == COUNT


def test_what_is_no_factor_is_left_out_and_unknown_images_too(values):
    known = values.copy()
    known[::4, 0] = np.nan
    labels = Labels(
        (
            *columns(known),
            categorical("name", np.arange(COUNT), [f"n{place}" for place in range(COUNT)]),
            continuous("same", np.ones(COUNT)),
            continuous("never", np.full(COUNT, np.nan)),
            continuous("seldom", np.where(np.arange(COUNT) < 100, known[:, 1], np.nan)),
        )
    )
    found = judge(Posterior(values, values * 0 - 6), labels)
    assert found.factors == ("factor 0", "factor 1", "factor 2") and found.images == 3_000


def test_without_two_factors_there_is_nothing_to_tell_apart(values):
    posterior = Posterior(values, values * 0)
    assert judge(posterior, None) is None
    assert judge(posterior, Labels(tuple(columns(values)[:1]))) is None
    few = Posterior(values[:50], values[:50])
    assert judge(few, Labels(tuple(columns(values[:50])))) is None
