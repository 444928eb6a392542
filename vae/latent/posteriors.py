"""What the posteriors of a training set say together: their density, and directions in them."""

__all__ = [
    "aggregate_posterior",
    "group_direction",
    "label_direction",
    "told_by",
    "training_places",
]

import math

import numpy as np
import torch
from torch import Tensor

from vae.datasets.faces import Faces
from vae.datasets.labels import Column
from vae.errors import VisageError
from vae.latent.surface import in_chunks
from vae.models.card import ModelCard
from vae.models.vae import Gaussian


def aggregate_posterior(z: np.ndarray, posterior: Gaussian) -> np.ndarray:
    r"""The log-density of the aggregate posterior, :math:`q(z) = \frac1N \sum_n q(z \mid x_n)`.

    Where the prior is larger than this, it promises faces that the data never had.

    Arguments:
        z: Of shape (*, K).
        posterior: Of the training set, (N, K) each.

    Returns:
        In nats, of shape (*).

    References:
        ELBO surgery: yet another way to carve up the variational evidence lower bound (Hoffman &
        Johnson, 2016)
    """
    mean, log_var = (torch.as_tensor(np.asarray(part, dtype=np.float64)) for part in posterior)
    precision = torch.exp(-log_var)
    constant = -0.5 * (log_var + math.log(2 * math.pi) + mean.square() * precision).sum(dim=1)

    def density(part: Tensor) -> Tensor:
        part = part.double()
        squares = part @ (mean * precision).T - 0.5 * part.square() @ precision.T
        return torch.logsumexp(squares + constant, dim=1) - math.log(len(mean))

    z = np.asarray(z, dtype=np.float64)
    return in_chunks(density, z.reshape(-1, z.shape[-1])).reshape(z.shape[:-1])


def group_direction(marked: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The direction from one group of faces to another: the difference of their means.

    Arguments:
        marked: Posterior means of faces that have a property, of shape (n, K).
        others: Those of faces that have not, of shape (m, K).

    Returns:
        Of shape (K,).

    Raises:
        VisageError: A group is empty, or the two have the same mean.

    References:
        Autoencoding beyond pixels using a learned similarity metric (Larsen, Sønderby, Larochelle
        & Winther, 2016), section 3.2 https://arxiv.org/abs/1512.09300
    """
    if not len(marked) or not len(others):
        raise VisageError("A direction needs faces on both sides: mark one of each at least.")
    direction = np.mean(marked, axis=0, dtype=np.float64) - np.mean(others, axis=0)
    if not np.linalg.norm(direction) > 1e-9:
        raise VisageError("The two groups have the same mean, so nothing tells them apart.")
    return direction


def label_direction(
    means: np.ndarray, column: Column, kind: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""The middle of labelled faces, and the direction that goes with a label.

    Of a kind, the mean of its faces less the mean of those of all other kinds. Of a number y, the
    least-squares fit :math:`z \approx a + b y` gives b, how far z moves on average a unit of y;
    the direction is b times two standard deviations of y, and so as long as that between two
    groups. Of a number that is 0 or 1, as many of each, the two are the same.

    Arguments:
        means: Posterior means, (N, K).
        column: The label of each; faces of which it is not known are left out.
        kind: Of a categorical one, the kind's place in ``column.kinds``.

    Returns:
        The middle and the direction, (K,) each.

    Raises:
        VisageError: All faces are alike in it, none is known, or it moves nothing.
    """
    known = column.known & np.isfinite(means).all(axis=1)
    z, values = np.asarray(means[known], dtype=np.float64), column.values[known]
    if column.is_categorical:
        has = values == kind
        if has.all() or not has.any():
            raise VisageError(
                "This label does not tell the training faces apart: choose another, or mark faces."
            )
        middle = (z[has].mean(axis=0) + z[~has].mean(axis=0)) / 2
        return middle, group_direction(z[has], z[~has])
    y = values.astype(np.float64)
    if len(y) < 2 or not y.std() > 1e-9 * max(1.0, np.abs(y).max()):
        raise VisageError(
            "This label does not tell the training faces apart: choose another, or mark faces."
        )
    standard = (y - y.mean()) / y.std()
    direction = 2 * (standard @ (z - z.mean(axis=0))) / len(y)
    if not np.linalg.norm(direction) > 1e-9:
        raise VisageError("The latents do not move with this label, so there is no axis of it.")
    return z.mean(axis=0), direction


def told_by(means: np.ndarray, direction: np.ndarray, column: Column, kind: int = -1) -> float:
    """How much a label goes with the place along a direction, from 0, not at all, to 1.

    Of numbers it is the absolute correlation; of one kind, that with being of it; of all kinds
    together the correlation ratio, the square root of the share of the variance between them.

    Arguments:
        means: Posterior means, (N, K).
        direction: (K,).
        column: The label of each.
        kind: One kind's place, or −1 for all together.
    """
    known = column.known & np.isfinite(means).all(axis=1)
    place = np.asarray(means[known], dtype=np.float64) @ direction
    values = column.values[known]
    if not column.is_categorical or kind >= 0:
        y = (values == kind) if column.is_categorical else values
        y = y.astype(np.float64)
        if len(y) < 2 or not y.std() > 0 or not place.std() > 0:
            return 0.0
        return float(abs(np.corrcoef(place, y)[0, 1]))
    if len(place) < 2 or not place.std() > 0:
        return 0.0
    counts = np.bincount(values)
    there = counts > 0
    centres = np.bincount(values, weights=place - place.mean())[there] / counts[there]
    return float(np.sqrt((counts[there] * centres**2).sum() / len(place)) / place.std())


def training_places(card: ModelCard, data: Faces, count: int) -> np.ndarray | None:
    """Where in a data set the images are whose posterior a checkpoint holds.

    Arguments:
        card: What the checkpoint says of itself.
        data: The data set that it was trained on.
        count: The number N of images whose posterior it holds, at least one.

    Returns:
        Their places, (N,), in the posterior's order; None where they are not known.

    Raises:
        VisageError: The split that the model records can't be made.
    """
    split = card.split
    if split is None:
        # Of a model from elsewhere nobody knows what it has learnt from: those whose means it has.
        places = np.arange(len(data))
    else:
        sets = data.splits_indices(split.holdout, split.test, split.how, split.seed)
        places = sets.learning_from(split.training_images).training
    # While a run goes on, its checkpoints hold the posterior of a part of a large set.
    places = places[:: -(-len(places) // count)]
    return places if len(places) == count else None
