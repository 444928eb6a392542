"""What the lesson of the page Learn needs of a model, beside its weights."""

__all__ = ["is_teachable", "journeys"]

import numpy as np

from vae.latent.arrays import decoder_layers, encoder_layers
from vae.latent.paths import route
from vae.latent.surface import Surface
from vae.models.vae import VAE

# Pairs of faces that ways lead between, and how far apart they lie at least, in units of the
# prior's standard deviation.
JOURNEYS = 3
APART = 1.2

# Points of a way that are kept: of the shapes that are drawn, no more would be seen.
POINTS = 33

# Pairs that are looked at until there are enough.
PAIRS = 200


def is_teachable(model: VAE) -> bool:
    """Whether it has a plane of two latents, the paper's likelihood, and slopes that the browser
    knows: those of perceptrons with tanh."""
    return (
        model.latent_dim == 2
        and model.architecture.likelihood == "gaussian"
        and decoder_layers(model) is not None
        and encoder_layers(model) is not None
        and model.decoder.activation == "tanh"
    )


def journeys(surface: Surface, means: np.ndarray) -> list[dict]:
    """Straight lines and geodesics between some faces: their points and their lengths.

    Arguments:
        surface: The decoder's.
        means: Posterior means, (n, K).

    Returns:
        For each pair ``straight`` and ``geodesic``, each with ``points``, (33, K), and ``length``
        in the metric, in units of a pixel's [0, 1]. Fewer pairs, or none, where too few means lie
        apart.
    """
    # In the data's midst: whoever lies far out is alone there.
    means = means[np.linalg.norm(means, axis=1) < 2]
    generator = np.random.default_rng(3)
    found: list[dict] = []
    for _ in range(PAIRS if len(means) > 1 else 0):
        ends = means[generator.choice(len(means), 2, replace=False)]
        if np.linalg.norm(ends[0] - ends[1]) < APART:
            continue
        ways = {}
        for kind in ("straight", "geodesic"):
            way = route(surface, ends, kind)
            chosen = np.linspace(0, len(way.points) - 1, POINTS).round().astype(int)
            ways[kind] = {"points": way.points[chosen].tolist(), "length": float(way.length)}
        found.append(ways)
        if len(found) == JOURNEYS:
            break
    return found
