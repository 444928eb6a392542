r"""Paths from face to face through the latent space: straight, spherical and geodesic.

NumPy in and NumPy out, in float64.

References:
    Latent Space Oddity: on the Curvature of Deep Generative Models (Arvanitidis, Hansen & Hauberg,
    2018) https://arxiv.org/abs/1710.11379
"""

__all__ = [
    "KINDS",
    "LatentPath",
    "frames",
    "geodesic",
    "join",
    "route",
    "spherical",
    "straight",
]

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.fft
import scipy.optimize
import scipy.sparse.csgraph
import torch

from vae import threads
from vae.errors import VisageError
from vae.latent.metric import constant_speed, image_change, length
from vae.latent.surface import Surface, embedded

KINDS = ("straight", "spherical", "geodesic")

# Segments of one leg of a path; a power of two, for the sine transform.
SEGMENTS = 64

MOST_ITERATIONS = 300

# A decoder that takes long is asked for a minimum less near: seconds a leg, about, and the fewest
# iterations that are worth their time.
PATIENCE = 15.0
LEAST_ITERATIONS = 12


@dataclass(frozen=True)
class LatentPath:
    """A path through latent space.

    Arguments:
        kind: ``straight``, ``spherical`` or ``geodesic``.
        points: Of shape (T, K), from end to end; each leg has as many segments as any other.
        lengths: The length of each leg in the metric, in units of a pixel's [0, 1].
        converged: Whether the search for every leg ended at a minimum; True where none was needed.
    """

    kind: str
    points: np.ndarray
    lengths: tuple[float, ...]
    converged: bool = True

    @property
    def length(self) -> float:
        """The length of the whole path in the metric."""
        return sum(self.lengths)


def route(surface: Surface, stops: np.ndarray, kind: str) -> LatentPath:
    """A path of one kind through two or more faces, one leg after another.

    Arguments:
        surface: The surface.
        stops: Latent points, of shape (n, K).
        kind: ``straight``, ``spherical`` or ``geodesic``.

    Raises:
        VisageError: There are fewer than two stops, or no such kind of path.
    """
    if len(stops) < 2:
        raise VisageError("A path needs two faces at least: pick another.")
    if kind not in KINDS:
        raise VisageError(f"A path is one of {', '.join(KINDS)}, not '{kind}'.")
    draw = {"straight": straight, "spherical": spherical, "geodesic": geodesic}[kind]
    return join([draw(surface, start, end) for start, end in pairwise(stops)])


def join(legs: Sequence[LatentPath]) -> LatentPath:
    """One path of several of its kind, each of which begins where the last one ends."""
    points = np.concatenate([legs[0].points, *(leg.points[1:] for leg in legs[1:])])
    lengths = tuple(leg.length for leg in legs)
    return LatentPath(legs[0].kind, points, lengths, all(leg.converged for leg in legs))


def straight(surface: Surface, start: np.ndarray, end: np.ndarray) -> LatentPath:
    """The straight line between two latent points, of shape (K,) each."""
    points = np.linspace(_point(surface, start), _point(surface, end), SEGMENTS + 1)
    return LatentPath("straight", points, (length(surface, points),))


def spherical(surface: Surface, start: np.ndarray, end: np.ndarray) -> LatentPath:
    r"""The spherical interpolation between two latent points, of shape (K,) each.

    .. math::
        \frac{\sin((1 - t)\, \omega)}{\sin \omega} a + \frac{\sin(t\, \omega)}{\sin \omega} b,
        \qquad \omega = \angle(a, b)

    It stays at radii where the prior of many latents has its mass. Where the angle says nothing,
    as at the origin or between opposite points, it is the straight line.

    References:
        Sampling Generative Networks (White, 2016) https://arxiv.org/abs/1609.04468
    """
    a, b = _point(surface, start), _point(surface, end)
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    cosine = np.clip(a @ b / norms, -1, 1) if norms > 0 else 1.0
    angle = math.acos(cosine)
    if math.sin(angle) < 1e-6:
        points = np.linspace(a, b, SEGMENTS + 1)
    else:
        t = np.linspace(0, 1, SEGMENTS + 1)[:, None]
        points = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / math.sin(angle)
        points[0], points[-1] = a, b
    return LatentPath("spherical", points, (length(surface, points),))


@threads.single()
def geodesic(surface: Surface, start: np.ndarray, end: np.ndarray) -> LatentPath:
    r"""The shortest path between two latent points that could be found, at constant speed.

    Minimises the energy of a path of T segments with L-BFGS,

    .. math:: E = T \sum_t \lVert f(z_{t+1}) - f(z_t) \rVert^2,

    whose minima are the geodesics run through at constant speed. The search starts from the
    straight line or from the shortest path in :attr:`Surface.graph`, whichever is shorter, and
    moves the amplitudes of the sine waves that are added to the straight line, each in proportion
    to its wavelength: where the metric is constant, E curves alike in all of them. What it ends
    with is kept only if it is shorter than the straight line.

    Arguments:
        surface: The surface.
        start: Of shape (K,).
        end: Of shape (K,).
    """
    line = straight(surface, start, end)
    a, b = line.points[0], line.points[-1]
    if line.length < 1e-9:
        # Identical faces, or a decoder that draws the same face everywhere between them.
        return replace(line, kind="geodesic")
    steady_line = constant_speed(surface, line.points, SEGMENTS + 1)
    if surface.latent_dim == 1:
        return LatentPath("geodesic", steady_line, line.lengths)
    candidates = [steady_line]
    shortcut = _graph_path(surface, a, b)
    if shortcut is not None:
        candidates.append(constant_speed(surface, shortcut, SEGMENTS + 1))
    points, converged = _relaxed(surface, min(candidates, key=lambda path: _energy(surface, path)))
    points = constant_speed(surface, points, SEGMENTS + 1)
    relaxed_length = length(surface, points)
    if relaxed_length < line.length:
        return LatentPath("geodesic", points, (relaxed_length,), converged)
    return LatentPath("geodesic", steady_line, line.lengths, converged)


@threads.single()
def frames(surface: Surface, path: LatentPath, count: int, steady: bool = False) -> np.ndarray:
    """Latent points of a film along a path, in which every stop is a frame.

    Arguments:
        surface: The surface.
        path: The path.
        count: How many frames; at least one more than legs.
        steady: Whether the mean image changes by the same amount in each step. Otherwise each leg
            keeps its own pace: a straight line that of z, a geodesic that of the metric.

    Returns:
        Of shape (count, K).
    """
    legs = [
        path.points[SEGMENTS * leg : SEGMENTS * (leg + 1) + 1] for leg in range(len(path.lengths))
    ]
    shares = np.ones(len(legs))
    if steady:
        shares = np.array([image_change(surface, leg).sum() for leg in legs])
    parts = [path.points[:1]]
    for leg, steps in zip(legs, _apportioned(count - 1, shares), strict=True):
        if steady:
            points = constant_speed(surface, leg, steps + 1, std=False)
        else:
            time = np.linspace(0, SEGMENTS, steps + 1)
            points = np.stack(
                [np.interp(time, np.arange(len(leg)), column) for column in leg.T], axis=1
            )
        parts.append(points[1:])
    return np.concatenate(parts)


def _apportioned(count: int, shares: np.ndarray) -> list[int]:
    """A number shared out in whole numbers of at least one, as evenly as they allow."""
    steps = np.ones(len(shares), dtype=int)
    for _ in range(count - len(shares)):
        steps[np.argmax(shares / steps)] += 1
    return steps.tolist()


def _relaxed(surface: Surface, points: np.ndarray) -> tuple[np.ndarray, bool]:
    """Minimise the energy from a first guess (T + 1, K) with its ends fixed."""
    ends = np.linspace(points[0], points[-1], len(points))
    waves = np.arange(1, len(points) - 1)[:, None]
    scale = max(_energy(surface, points), 1e-30)

    def path(amplitudes: np.ndarray) -> np.ndarray:
        inner = scipy.fft.idst(amplitudes.reshape(len(waves), -1) / waves, 1, axis=0, norm="ortho")
        return np.concatenate([ends[:1], ends[1:-1] + inner, ends[-1:]])

    def energy(amplitudes: np.ndarray) -> tuple[float, np.ndarray]:
        z = torch.from_numpy(path(amplitudes)).requires_grad_()
        value = (len(z) - 1) * surface.embed(z).diff(dim=0).square().sum() / scale
        (gradient,) = torch.autograd.grad(value, z)
        waved = np.asarray(scipy.fft.dst(gradient.numpy()[1:-1], 1, axis=0, norm="ortho"))
        return float(value.detach()), (waved / waves).ravel()

    first = np.asarray(scipy.fft.dst((points - ends)[1:-1], 1, axis=0, norm="ortho")) * waves
    began = time.perf_counter()
    energy(first.ravel())
    affordable = PATIENCE / max(time.perf_counter() - began, 1e-9)
    most = int(np.clip(affordable, LEAST_ITERATIONS, MOST_ITERATIONS))
    minimum = scipy.optimize.minimize(
        energy,
        first.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": most, "maxcor": 20, "ftol": 1e-8, "gtol": 1e-6},
    )
    return path(minimum.x), bool(minimum.success)


def _energy(surface: Surface, points: np.ndarray) -> float:
    steps = np.diff(embedded(surface, points), axis=0)
    return float(len(steps) * np.square(steps).sum())


def _graph_path(surface: Surface, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """The shortest path in the surface's graph between the nodes nearest to two points."""
    nodes, edges = surface.graph
    if len(nodes) < 2:
        return None
    first, last = (int(np.square(nodes - z).sum(axis=1).argmin()) for z in (start, end))
    _, before = scipy.sparse.csgraph.dijkstra(
        edges, directed=False, indices=first, return_predecessors=True
    )
    way = [last]
    while way[-1] != first:
        if before[way[-1]] < 0:
            return None
        way.append(int(before[way[-1]]))
    # The nodes next to the ends are left out: going there first could be a step back.
    return np.concatenate([start[None], nodes[way[::-1]][1:-1], end[None]])


def _point(surface: Surface, z: np.ndarray) -> np.ndarray:
    point = np.asarray(z, dtype=np.float64)
    if point.shape != (surface.latent_dim,) or not np.isfinite(point).all():
        raise VisageError(f"A face must be {surface.latent_dim} finite numbers, not {point}.")
    return point
