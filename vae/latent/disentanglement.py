r"""How well latents keep known factors apart: the mutual information gap, and DCI.

Both ask of data whose factors are known whether each factor has a latent of its own.

The *mutual information gap* looks, for each factor v, at the two latents that tell most of it:

.. math:: \mathrm{MIG} = \frac1M \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

with z drawn from the posterior, one sample an image, so that a latent which stays at the prior is
noise here and counts for nothing. Information is counted in bins that hold as many images each, of
latents and of factors that are numbers. Counting so few images in so many bins finds some in noise
too, as much in either latent: the gap is what is left.

*DCI* predicts each factor from the posterior means with a lasso and reads the sizes of its
weights, R, as how important latent i is for factor j. *Disentanglement* is 1 where a latent serves
one factor alone, *completeness* 1 where a factor is served by one latent alone; the third figure,
which its authors call informativeness, is the error of the prediction, over that of always
guessing the mean: 0 is best. A factor of several kinds is predicted by an indicator of each, and
their weights are added up. The lasso is linear: what a latent tells in bends, it does not see.

References:
    Isolating Sources of Disentanglement in VAEs (Chen, Li, Grosse & Duvenaud, 2018), section 4
    https://arxiv.org/abs/1802.04942

    A Framework for the Quantitative Evaluation of Disentangled Representations (Eastwood &
    Williams, 2018) https://openreview.net/forum?id=By-7dz-AZ
"""

__all__ = ["DCI", "Disentanglement", "dci", "judge", "lasso", "mutual_information_gap"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vae.datasets.labels import Column, Labels
from vae.latent.arrays import Posterior

BINS = 20

# A column of more kinds than this names images; it is no factor of them.
MOST_KINDS = 50

# With fewer images the figures would be of chance, and of more they would not change.
FEWEST, MOST = 200, 20_000

# The variance of its posterior mean below which a latent is not in use, as in ``active_units``.
IN_USE = 0.01

# Strengths of the lasso's penalty, of which validation chooses one for each factor.
PENALTIES = (0.003, 0.01, 0.03, 0.1)


class DCI(NamedTuple):
    """Disentanglement and completeness, in [0, 1], and the error of the prediction; 0 is best.

    Arguments:
        importance: How important a latent is for a factor, (K, M).
    """

    disentanglement: float
    completeness: float
    error: float
    importance: np.ndarray


@dataclass(frozen=True)
class Disentanglement:
    """How well a model keeps the factors of its images apart."""

    mutual_information_gap: float
    disentanglement: float
    completeness: float
    prediction_error: float
    factors: tuple[str, ...]
    images: int

    def figures(self) -> dict[str, float | int | list[str]]:
        """All of it, for JSON."""
        return {
            "mutual_information_gap": self.mutual_information_gap,
            "disentanglement": self.disentanglement,
            "completeness": self.completeness,
            "prediction_error": self.prediction_error,
            "factors": list(self.factors),
            "images": self.images,
        }


def judge(posterior: Posterior, labels: Labels | None, seed: int = 0) -> Disentanglement | None:
    """How well the latents keep apart what is known of the images.

    Arguments:
        posterior: Of some images, (N, K) each.
        labels: What is known of them.
        seed: Of the posterior's samples and of the split that DCI predicts on.

    Returns:
        The figures, or None where fewer than two factors are known, or of too few images. A label
        that is the same for all, known of less than half, or of so many kinds that it names them
        is no factor.
    """
    if labels is None or len(labels) != len(posterior.mean):
        return None
    columns = [column for column in labels if _is_factor(column)]
    if len(columns) < 2:
        return None
    known = np.logical_and.reduce([column.known for column in columns])
    known &= np.isfinite(posterior.mean).all(axis=1) & np.isfinite(posterior.log_var).all(axis=1)
    rows = np.flatnonzero(known)
    if len(rows) < FEWEST:
        return None
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(int)]
    # What is left may have become the same for all.
    factors = [column for column in Labels(tuple(columns)).at(rows) if _is_factor(column)]
    if len(factors) < 2:
        return None
    mean, log_var = (np.asarray(part[rows], dtype=np.float64) for part in posterior)
    noise = np.random.default_rng(seed).standard_normal(mean.shape)
    found = dci(np.where(mean.var(axis=0) > IN_USE, mean, 0.0), factors, seed)
    return Disentanglement(
        mutual_information_gap(mean + np.exp(0.5 * log_var) * noise, factors),
        found.disentanglement,
        found.completeness,
        found.error,
        tuple(column.name for column in factors),
        len(rows),
    )


def mutual_information_gap(z: np.ndarray, factors: Sequence[Column]) -> float:
    """The mean over the factors of the gap between the two latents that tell most of each.

    Arguments:
        z: Samples of the posterior, (N, K); with K = 1 there is nothing to be apart from.
        factors: Of the same images, each known of all; none is the same for all.

    Returns:
        In [0, 1].
    """
    binned = [_binned(latent) for latent in z.T]
    gaps = []
    for factor in factors:
        codes = factor.values if factor.is_categorical else _binned(factor.values)
        told = sorted((_information(latent, codes) for latent in binned), reverse=True)
        gaps.append((told[0] - (told[1] if len(told) > 1 else 0.0)) / _entropy(codes))
    return float(np.mean(gaps))


def dci(z: np.ndarray, factors: Sequence[Column], seed: int = 0) -> DCI:
    """Disentanglement, completeness and informativeness, by a lasso on the latents.

    Arguments:
        z: Posterior means, (N, K); a latent that is the same for all counts for nothing.
        factors: Two at least, of the same images, each known of all; none is the same for all.
        seed: Of the split into images to learn from (3/5), to choose the penalty on, and to
            measure the error on.
    """
    order = np.random.default_rng(seed).permutation(len(z))
    learnt, chosen, measured = np.split(order, [len(z) * 3 // 5, len(z) * 4 // 5])
    spread = z[learnt].std(axis=0)
    inputs = (z - z[learnt].mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    inputs = np.where(spread > 1e-9, inputs, 0.0)
    importance = np.zeros((z.shape[1], len(factors)))
    errors = []
    for place, factor in enumerate(factors):
        targets = _targets(factor, learnt)
        weights = [lasso(inputs[learnt], targets[learnt], penalty) for penalty in PENALTIES]
        best = min(weights, key=lambda w: _error(inputs[chosen], targets[chosen], w))
        importance[:, place] = np.abs(best).sum(axis=1)
        errors.append(_error(inputs[measured], targets[measured], best))
    total = importance.sum()
    of_latents, of_factors = importance.sum(axis=1), importance.sum(axis=0)
    apart = np.array([_concentration(row) for row in importance])
    # A factor that no latent tells of is served by none.
    whole = np.array([_concentration(column) for column in importance.T])
    return DCI(
        float((of_latents * apart).sum() / total) if total > 0 else 0.0,
        float(np.where(of_factors > 0, whole, 0.0).mean()),
        float(np.mean(errors)),
        importance,
    )


def lasso(x: np.ndarray, y: np.ndarray, penalty: float, sweeps: int = 1_000) -> np.ndarray:
    r"""The weights that minimise :math:`\frac{1}{2n} \|y - x w\|^2 + \lambda \|w\|_1`.

    By coordinate descent on the covariances, so that a sweep costs the same for any number of
    images (Friedman, Hastie & Tibshirani, 2010, section 2.2).

    Arguments:
        x: Centred inputs, (n, K); a column of zeros gets the weight 0.
        y: Centred targets, (n, T).
        penalty: λ.
        sweeps: At most.

    Returns:
        (K, T).
    """
    own, shared = x.T @ x / len(x), x.T @ y / len(x)
    weights = np.zeros_like(shared)
    for _ in range(sweeps):
        farthest = 0.0
        for place in np.flatnonzero(own.diagonal()):
            pull = shared[place] - own[place] @ weights + own[place, place] * weights[place]
            new = np.sign(pull) * np.maximum(np.abs(pull) - penalty, 0) / own[place, place]
            farthest = max(farthest, float(np.abs(new - weights[place]).max()))
            weights[place] = new
        if farthest < 1e-7:
            break
    return weights


def _is_factor(column: Column) -> bool:
    # One that is mostly unknown would leave few images to judge the others by.
    if column.known.mean() < 0.5:
        return False
    there = np.unique(column.values[column.known])
    if column.is_categorical and len(there) > MOST_KINDS:
        return False
    return len(there) > 1


def _targets(factor: Column, learnt: np.ndarray) -> np.ndarray:
    """A factor as numbers to predict, of mean 0 and variance 1 in all, (N, T): one a kind.

    Arguments:
        learnt: The images whose mean and variance they are.
    """
    values = factor.values
    if factor.is_categorical:
        targets = (values[:, None] == np.unique(values)).astype(np.float64)
    else:
        targets = values[:, None].astype(np.float64)
    targets = targets - targets[learnt].mean(axis=0)
    variance = targets[learnt].var(axis=0).sum()
    return targets / np.sqrt(variance) if variance > 0 else targets


def _error(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """The root mean square error of a prediction, over that of guessing the mean that was learnt.

    Where all are alike nothing is better than to guess, and it is 1.

    Arguments:
        y: Less the mean that was learnt, (n, T).
    """
    guessed = np.square(y).sum()
    return float(np.sqrt(np.square(y - x @ weights).sum() / guessed)) if guessed > 0 else 1.0


def _concentration(parts: np.ndarray) -> float:
    """1 where all lies in one part, 0 where all parts are alike."""
    if len(parts) < 2 or not parts.sum() > 0:
        return 1.0
    shares = parts / parts.sum()
    return float(1 + (shares[shares > 0] * np.log(shares[shares > 0])).sum() / np.log(len(parts)))


def _binned(values: np.ndarray) -> np.ndarray:
    """The bins that numbers are in, each of as many images; few values are a bin each.

    Images of one value share a bin, that of the middle of their ranks: numbers that are not all
    the same are never in one bin, even where most of them are.
    """
    distinct, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(distinct) <= BINS:
        return codes
    middle = np.cumsum(counts) - counts / 2
    return (BINS * middle / len(values)).astype(int)[codes]


def _entropy(codes: np.ndarray) -> float:
    """In nats."""
    shares = np.unique(codes, return_counts=True)[1] / len(codes)
    return float(-(shares * np.log(shares)).sum())


def _information(one: np.ndarray, other: np.ndarray) -> float:
    """The mutual information of two columns of codes, in nats."""
    together = one.astype(np.int64) * (int(other.max()) + 1) + other
    return max(0.0, _entropy(one) + _entropy(other) - _entropy(together))
