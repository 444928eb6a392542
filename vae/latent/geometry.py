r"""The geometry of the latent space: what the decoder does to lengths, areas and shortest paths.

A decoder lays the latent space out as a curved surface in the space of images. Distances on that
surface, and not those in z, say how much a face changes. NumPy in and NumPy out, in float64.

References:
    Latent Space Oddity: on the Curvature of Deep Generative Models (Arvanitidis, Hansen & Hauberg,
    2018) https://arxiv.org/abs/1710.11379
"""

__all__ = [
    "DecoderSurface",
    "Path",
    "Surface",
    "aggregate_posterior",
    "constant_speed",
    "equal_area_grid",
    "frames",
    "geodesic",
    "group_direction",
    "image_change",
    "length",
    "log_magnification",
    "metric",
    "places_on_grid",
    "principal_directions",
    "route",
    "spherical",
    "straight",
]

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import scipy.cluster.vq
import scipy.fft
import scipy.optimize
import scipy.sparse.csgraph
import scipy.spatial
import torch
from torch import Tensor

from vae.errors import VisageError
from vae.models.vae import VAE, Gaussian

KINDS = ("straight", "spherical", "geodesic")

# Segments of one leg of a path; a power of two, for the sine transform.
SEGMENTS = 64

# Chords that a leg's length is measured with; twice as coarse a measure bounds the error.
CHORDS = 512

# Points that pass through a surface at once: what is between two layers stays in the cache.
CHUNK = 512

# Nodes of the graph that a geodesic's first guess is found in: a grid's side, or data points.
GRID_SIDE = 48
GRAPH_POINTS = 1500
NEIGHBOURS = 12

# The box of the grid holds the prior's bulk, whatever the data.
PRIOR_EXTENT = 3.0

# Of the precision network: how many centres, and their widths as the class below says.
CENTRES = 48
BANDWIDTH = 1.5
REACH = 0.6
FITTING_POINTS = 1000
FITTING_STEPS = 60

# The precision of a pixel that nothing is known of: that of a uniform grey value in [0, 1].
LEAST_PRECISION = 12.0

MOST_ITERATIONS = 300


class Surface:
    r"""A smooth map from the latent space into image space, whose geometry z inherits.

    .. math::
        f(z) = (\mu(z), \sigma(z)), \qquad
        M(z) = J_f^\top J_f = J_\mu^\top J_\mu + J_\sigma^\top J_\sigma

    The metric M is the expectation of the random metric that a decoder's samples
    :math:`\mu(z) + \sigma(z) \odot \epsilon` induce (Arvanitidis et al., equation 5), and at the
    same time the one that f pulls back from Euclidean space: so the length of a path is that of
    its image under f.

    Arguments:
        mean: The map :math:`\mu`, twice differentiable. Shapes: (B, K) -> (B, D).
        latent_dim: The number K of latents.
        std: The map :math:`\sigma`, of the same shapes, or None where there is none.
        points: Latent points where data lie, (N, K), for the first guess of a geodesic.
    """

    def __init__(
        self,
        mean: Callable[[Tensor], Tensor],
        latent_dim: int,
        std: Callable[[Tensor], Tensor] | None = None,
        points: np.ndarray | None = None,
    ):
        self.mean = mean
        self.std = std
        self.latent_dim = latent_dim
        self.points = np.zeros((0, latent_dim)) if points is None else np.asarray(points, float)

    def embed(self, z: Tensor) -> Tensor:
        r"""The point :math:`f(z)`. Shapes: (B, K) -> (B, 2D), or (B, D) without a std."""
        if self.std is None:
            return self.mean(z)
        return torch.cat([self.mean(z), self.std(z)], dim=-1)

    def gram(self, z: Tensor, std: bool = True) -> Tensor:
        """The metric by forward-mode differentiation. Shapes: (B, K) -> (B, K, K).

        Arguments:
            z: Latent points.
            std: Whether the standard deviation counts as well as the mean.
        """
        embed = self.embed if std else self.mean
        jacobian = torch.func.vmap(torch.func.jacfwd(lambda point: embed(point[None])[0]))(z)
        return jacobian.mT @ jacobian

    @cached_property
    def graph(self) -> tuple[np.ndarray, scipy.sparse.csr_array]:
        """Nodes (n, K) and the distances between neighbours: what a geodesic is first sought in.

        A grid over the plane of two latents; with more, the data and their nearest neighbours.
        """
        if self.latent_dim == 2:
            nodes, start, end = _grid_edges(self.points)
        else:
            nodes, start, end = _neighbour_edges(self.points)
        embedded = _in_chunks(self.embed, nodes)
        lengths = np.concatenate(
            [
                np.linalg.norm(embedded[start[part]] - embedded[end[part]], axis=1)
                for part in np.array_split(np.arange(len(start)), 1 + len(start) // 4096)
            ]
        )
        # An edge of length zero would count as none.
        weights = np.maximum(lengths, 1e-12)
        return nodes, scipy.sparse.csr_array((weights, (start, end)), shape=(len(nodes),) * 2)


class DecoderSurface(Surface):
    r"""The surface of a decoder, with a variance that grows away from the data.

    An MLP's variance says nothing where it has seen no data. Here each pixel's precision is
    instead a network of radial basis functions with positive weights (Arvanitidis et al., section
    4.1), so it falls, and the standard deviation grows, away from its centres:

    .. math::
        \sigma^{-2}(z) = W v(z) + \zeta, \qquad
        v_c(z) = \exp\left(-\lambda_c \lVert z - c \rVert^2\right)

    The centres are the k-means of the posterior's means, and :math:`\lambda_c = h_c^{-2}/2` with
    a width :math:`h_c` of 1.5 times the mean distance of a cluster's points to its centre, or 0.6
    times the centre's to the next if that is larger. The weights maximise the likelihood of
    residuals as large as the decoder itself expects at the posterior's means.
    :math:`\zeta = 12`: far from data a pixel is as uncertain as a uniform grey value.

    Arguments:
        model: The model.
        posterior: The posterior of its training set, (N, K) each; None to stand samples of the
            prior in for it.

    Raises:
        VisageError: The model's weights are not finite numbers.
    """

    def __init__(self, model: VAE, posterior: Gaussian | None = None):
        if not all(torch.isfinite(weight).all() for weight in model.parameters()):
            raise VisageError(
                "This model's weights are not all numbers, as when training diverged: choose "
                "another model."
            )
        means = np.zeros((0, model.latent_dim))
        if posterior is not None:
            means = np.asarray(posterior.mean, dtype=np.float64)
            means = means[np.isfinite(means).all(axis=1)]
        self.knows_data = len(means) > 0
        if not self.knows_data:
            means = np.random.default_rng(0).standard_normal((FITTING_POINTS, model.latent_dim))
        self._decoders = {torch.float64: _Decoder.of(model, means)}
        super().__init__(self._mean, model.latent_dim, self._std, means)

    def gram(self, z: Tensor, std: bool = True) -> Tensor:
        """The same metric as :meth:`Surface.gram`, by K tangents carried through the layers."""
        return self._decoder(z.dtype).gram(z, std)

    def _mean(self, z: Tensor) -> Tensor:
        return self._decoder(z.dtype).mean(z)

    def _std(self, z: Tensor) -> Tensor:
        return self._decoder(z.dtype).precision(z).rsqrt()

    def _decoder(self, dtype: torch.dtype) -> "_Decoder":
        if dtype not in self._decoders:
            self._decoders[dtype] = self._decoders[torch.float64].to(dtype)
        return self._decoders[dtype]


@dataclass(frozen=True)
class _Decoder:
    """The mean's half of a decoder and the precision network, as tensors of one type.

    Arguments:
        hidden: Transposed weight (in, out) and bias of each hidden layer; ``head`` of the last.
        centres: Of the radial basis functions, (C, K).
        rates: Their :math:`\\lambda`, (C,).
        weights: Their weights, (C, D).
    """

    hidden: tuple[tuple[Tensor, Tensor], ...]
    head: tuple[Tensor, Tensor]
    centres: Tensor
    rates: Tensor
    weights: Tensor

    @classmethod
    def of(cls, model: VAE, means: np.ndarray) -> "_Decoder":
        hidden = tuple(
            (layer.weight.detach().double().T.contiguous(), layer.bias.detach().double())
            for layer in model.decoder.hidden
        )
        weight, bias = (part.detach().double() for part in model.decoder.head.parameters())
        head = weight[: model.pixels].T.contiguous(), bias[: model.pixels].clone()
        centres, rates = _centres(means)
        chosen = means[np.linspace(0, len(means) - 1, min(len(means), FITTING_POINTS)).astype(int)]
        with torch.no_grad():
            z = torch.from_numpy(chosen)
            log_var = model.decode(z.float()).log_var.double()
            decoder = cls(hidden, head, centres, rates, torch.empty(0))
            weights = _fitted_weights(decoder._basis(z), log_var.clamp(-20, 20).exp())
        return replace(decoder, weights=weights)

    def to(self, dtype: torch.dtype) -> "_Decoder":
        return _Decoder(
            tuple((weight.to(dtype), bias.to(dtype)) for weight, bias in self.hidden),
            (self.head[0].to(dtype), self.head[1].to(dtype)),
            *(part.to(dtype) for part in (self.centres, self.rates, self.weights)),
        )

    def mean(self, z: Tensor) -> Tensor:
        h = z
        for weight, bias in self.hidden:
            h = torch.tanh(torch.addmm(bias, h, weight))
        return torch.addmm(self.head[1], h, self.head[0]).sigmoid()

    def precision(self, z: Tensor) -> Tensor:
        return self._basis(z) @ self.weights + LEAST_PRECISION

    def gram(self, z: Tensor, std: bool) -> Tensor:
        """M from the layers' own derivatives. Shapes: (B, K) -> (B, K, K)."""
        h, tangents = z, torch.eye(z.shape[1], dtype=z.dtype)[:, None]
        for weight, bias in self.hidden:
            h = torch.tanh(torch.addmm(bias, h, weight))
            tangents = (tangents @ weight) * (1 - h * h)
        mean = torch.addmm(self.head[1], h, self.head[0]).sigmoid_()
        found = _products((tangents @ self.head[0]).mul_(mean * (1 - mean)))
        if std:
            # d sigma = -1/2 precision^(-3/2) d precision.
            basis = self._basis(z)
            towards = (self.centres - z[:, None]) * (2 * self.rates * basis)[..., None]
            slopes = torch.cat([basis[None], towards.permute(2, 0, 1)]) @ self.weights
            root = slopes[0].add_(LEAST_PRECISION).rsqrt_()
            found += _products(slopes[1:].mul_(-0.5 * root * root * root))
        return found

    def _basis(self, z: Tensor) -> Tensor:
        distances = (z[:, None] - self.centres).square().sum(dim=-1)
        return torch.exp(-self.rates * distances)


def _products(tangents: Tensor) -> Tensor:
    """Inner products of tangents. Shapes: (K, B, D) -> (B, K, K)."""
    latent_dim = len(tangents)
    if latent_dim > 4:
        tangents = tangents.transpose(0, 1)
        return tangents @ tangents.mT
    found = tangents.new_empty((tangents.shape[1], latent_dim, latent_dim))
    for i in range(latent_dim):
        for j in range(i + 1):
            found[:, i, j] = found[:, j, i] = torch.linalg.vecdot(tangents[i], tangents[j])
    return found


def _centres(means: np.ndarray) -> tuple[Tensor, Tensor]:
    """Centres (C, K) and rates (C,) of the radial basis functions of some latent points."""
    count = min(CENTRES, len(means))
    centres, cluster = scipy.cluster.vq.kmeans2(means, count, minit="++", seed=0)
    sizes = np.bincount(cluster, minlength=count)
    distances = np.linalg.norm(means - centres[cluster], axis=1)
    spread = np.bincount(cluster, distances, minlength=count) / np.maximum(sizes, 1)
    centres, spread = centres[sizes > 0], spread[sizes > 0]
    width = BANDWIDTH * spread
    # Wide enough to reach the next centre: the decoder is not unsure halfway between neighbours,
    # and a cluster of one point is not infinitely narrow.
    if len(centres) > 1:
        apart, _ = scipy.spatial.KDTree(centres).query(centres, 2)
        width = np.maximum(width, REACH * apart[:, 1])
    # Alone, it is as wide as the prior.
    width = np.where(width > 0, width, 1.0)
    return torch.from_numpy(centres), torch.from_numpy(0.5 / np.square(width))


def _fitted_weights(basis: Tensor, variances: Tensor) -> Tensor:
    r"""Positive weights W of the precision network, by maximum likelihood.

    Maximises :math:`\sum_n \tfrac12 (\log \beta_n - \beta_n s_n)` with
    :math:`\beta = V W + \zeta` and the variances s that are expected. Jensen's inequality on the
    logarithm bounds it from below by a function whose maximum is known, so each step can only
    raise it and no weight turns negative.

    Shapes: (n, C), (n, D) -> (C, D).
    """
    weights = (1 / variances).mean(dim=0).expand(basis.shape[1], -1) / basis.sum(dim=1).mean()
    expected = basis.T @ variances
    for _ in range(FITTING_STEPS):
        precision = basis @ weights + LEAST_PRECISION
        weights = weights * (basis.T @ (1 / precision)) / expected
    return weights


@dataclass(frozen=True)
class Path:
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


def metric(surface: Surface, z: np.ndarray, std: bool = True) -> np.ndarray:
    """The metric tensor M at latent points.

    Arguments:
        surface: The surface.
        z: Of shape (*, K).
        std: Whether the standard deviation counts as well as the mean.

    Returns:
        Of shape (*, K, K), in squared units of a pixel's [0, 1] for a unit step in z.
    """
    z = np.asarray(z, dtype=np.float32)
    latent_dim = surface.latent_dim
    found = _in_chunks(lambda part: surface.gram(part, std), z.reshape(-1, latent_dim))
    return found.reshape(*z.shape, latent_dim).astype(np.float64)


def log_magnification(
    surface: Surface, z: np.ndarray, axes: Sequence[int] | None = None, std: bool = True
) -> np.ndarray:
    r"""The logarithm of the magnification factor, :math:`\log \sqrt{\det M(z)}`.

    How much larger a small piece of latent space becomes among images.

    Arguments:
        surface: The surface.
        z: Of shape (*, K).
        axes: The latents of a plane through z whose area is meant; all of them by default.
        std: Whether the standard deviation counts as well as the mean.

    Returns:
        Of shape (*); minus infinity where the surface has no extent at all.
    """
    found = metric(surface, z, std)
    if axes is not None:
        found = found[..., list(axes), :][..., list(axes)]
    sign, log_det = np.linalg.slogdet(found)
    return np.where(sign > 0, 0.5 * log_det, -np.inf)


def principal_directions(surface: Surface, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The directions in which the image changes most, next most … least at z.

    Arguments:
        surface: The surface.
        z: One latent point, of shape (K,).

    Returns:
        How much it changes for a unit step, falling, of shape (K,); and unit vectors, of shape
        (K, K), one a row: the eigenvectors of M.
    """
    values, vectors = np.linalg.eigh(metric(surface, z))
    return np.sqrt(np.maximum(values[::-1], 0)), vectors.T[::-1]


def length(surface: Surface, points: np.ndarray, chords: int = CHORDS) -> float:
    r"""The length of a path in the metric, :math:`\int \sqrt{\dot z^\top M \dot z}\, dt`.

    Measured as the chords between images of many points along the straight segments, and half as
    many, whose difference tells what the chords cut off (Richardson's extrapolation).

    Arguments:
        surface: The surface.
        points: Of shape (T, K).
        chords: How many, at least.
    """
    each = 2 * max(1, math.ceil(chords / 2 / max(1, len(points) - 1)))
    embedded = _embedded(surface, _refined(points, each))
    fine = np.linalg.norm(np.diff(embedded, axis=0), axis=1).sum()
    coarse = np.linalg.norm(np.diff(embedded[::2], axis=0), axis=1).sum()
    return float(fine + (fine - coarse) / 3)


def image_change(surface: Surface, points: np.ndarray) -> np.ndarray:
    """The Euclidean distance between the mean images of neighbouring points.

    Arguments:
        surface: The surface.
        points: Of shape (T, K).

    Returns:
        Of shape (T - 1,), in units of a pixel's [0, 1].
    """
    return np.linalg.norm(np.diff(_embedded(surface, points, std=False), axis=0), axis=1)


def constant_speed(
    surface: Surface, points: np.ndarray, count: int, std: bool = True
) -> np.ndarray:
    """Points of the same path between which the image changes by the same amount each.

    Arguments:
        surface: The surface.
        points: Of shape (T, K).
        count: How many are wanted.
        std: Whether the change of the standard deviation counts as well as the mean's.

    Returns:
        Of shape (count, K); where nothing changes, at constant speed in z.
    """
    fine = _refined(points, max(1, CHORDS // max(1, len(points) - 1)))
    steps = np.linalg.norm(np.diff(_embedded(surface, fine, std), axis=0), axis=1)
    total = steps.sum()
    along = np.r_[0.0, np.cumsum(steps)] / total if total > 0 else np.linspace(0, 1, len(fine))
    wanted = np.linspace(0, 1, count)
    found = np.stack([np.interp(wanted, along, column) for column in fine.T], axis=1)
    found[0], found[-1] = points[0], points[-1]
    return found


def frames(surface: Surface, path: Path, count: int, steady: bool = False) -> np.ndarray:
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
    found = [path.points[:1]]
    for leg, steps in zip(legs, _apportioned(count - 1, shares), strict=True):
        if steady:
            points = constant_speed(surface, leg, steps + 1, std=False)
        else:
            time = np.linspace(0, SEGMENTS, steps + 1)
            points = np.stack(
                [np.interp(time, np.arange(len(leg)), column) for column in leg.T], axis=1
            )
        found.append(points[1:])
    return np.concatenate(found)


def _apportioned(count: int, shares: np.ndarray) -> list[int]:
    """A number shared out in whole numbers of at least one, as evenly as they allow."""
    steps = np.ones(len(shares), dtype=int)
    for _ in range(count - len(shares)):
        steps[np.argmax(shares / steps)] += 1
    return steps.tolist()


def route(surface: Surface, stops: np.ndarray, kind: str) -> Path:
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
    legs = [draw(surface, start, end) for start, end in pairwise(stops)]
    points = np.concatenate([legs[0].points, *(leg.points[1:] for leg in legs[1:])])
    lengths = tuple(leg.length for leg in legs)
    return Path(kind, points, lengths, all(leg.converged for leg in legs))


def straight(surface: Surface, start: np.ndarray, end: np.ndarray) -> Path:
    """The straight line between two latent points, of shape (K,) each."""
    points = np.linspace(_point(surface, start), _point(surface, end), SEGMENTS + 1)
    return Path("straight", points, (length(surface, points),))


def spherical(surface: Surface, start: np.ndarray, end: np.ndarray) -> Path:
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
    return Path("spherical", points, (length(surface, points),))


def geodesic(surface: Surface, start: np.ndarray, end: np.ndarray) -> Path:
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
        return Path("geodesic", steady_line, line.lengths)
    candidates = [steady_line]
    shortcut = _graph_path(surface, a, b)
    if shortcut is not None:
        candidates.append(constant_speed(surface, shortcut, SEGMENTS + 1))
    points, converged = _relaxed(surface, min(candidates, key=lambda path: _energy(surface, path)))
    points = constant_speed(surface, points, SEGMENTS + 1)
    found = length(surface, points)
    if found < line.length:
        return Path("geodesic", points, (found,), converged)
    return Path("geodesic", steady_line, line.lengths, converged)


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
        waved = scipy.fft.dst(gradient.numpy()[1:-1], 1, axis=0, norm="ortho") / waves
        return float(value.detach()), waved.ravel()

    first = scipy.fft.dst((points - ends)[1:-1], 1, axis=0, norm="ortho") * waves
    found = scipy.optimize.minimize(
        energy,
        first.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MOST_ITERATIONS, "maxcor": 20, "ftol": 1e-8, "gtol": 1e-6},
    )
    return path(found.x), bool(found.success)


def _energy(surface: Surface, points: np.ndarray) -> float:
    steps = np.diff(_embedded(surface, points), axis=0)
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
    places = [last]
    while places[-1] != first:
        if before[places[-1]] < 0:
            return None
        places.append(int(before[places[-1]]))
    # The nodes next to the ends are left out: going there first could be a step back.
    return np.concatenate([start[None], nodes[places[::-1]][1:-1], end[None]])


def _grid_edges(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes of a grid over the plane, joined to their neighbours and a knight's move away."""
    low = np.minimum(points.min(axis=0, initial=-PRIOR_EXTENT), -PRIOR_EXTENT)
    high = np.maximum(points.max(axis=0, initial=PRIOR_EXTENT), PRIOR_EXTENT)
    sides = [np.linspace(low[axis], high[axis], GRID_SIDE) for axis in range(2)]
    nodes = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 2)
    place = np.arange(GRID_SIDE**2).reshape(GRID_SIDE, GRID_SIDE)
    start, end = [], []
    for right, up in ((1, 0), (0, 1), (1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1)):
        rows = slice(None, GRID_SIDE - right), slice(right, None)
        columns = slice(None, GRID_SIDE - up), slice(up, None)
        if up < 0:
            columns = slice(-up, None), slice(None, GRID_SIDE + up)
        start.append(place[rows[0], columns[0]].ravel())
        end.append(place[rows[1], columns[1]].ravel())
    return nodes, np.concatenate(start), np.concatenate(end)


def _neighbour_edges(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Data points joined to their nearest neighbours."""
    chosen = np.linspace(0, len(points) - 1, min(len(points), GRAPH_POINTS)).astype(int)
    nodes = np.unique(points[chosen], axis=0)
    if len(nodes) < 2:
        return nodes, np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    count = min(NEIGHBOURS + 1, len(nodes))
    _, found = scipy.spatial.KDTree(nodes).query(nodes, count)
    # Each pair once: two equal entries of a sparse matrix would be added up.
    pairs = np.stack([np.repeat(np.arange(len(nodes)), count - 1), found[:, 1:].ravel()])
    start, end = np.unique(np.sort(pairs, axis=0), axis=1)
    return nodes, start, end


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
    return _in_chunks(density, z.reshape(-1, z.shape[-1])).reshape(z.shape[:-1])


def equal_area_grid(
    surface: Surface,
    z: np.ndarray,
    count: int,
    axes: Sequence[int] = (0, 1),
) -> np.ndarray:
    """A grid in each of whose cells the mean image changes by the same amount.

    Columns are cut where they share out the area of the surface evenly, and then each column into
    cells, as a picture is: the first row has the largest value upwards.

    Arguments:
        surface: The surface.
        z: A fine regular grid as :func:`vae.latent.manifold_grid` makes it, of shape (R, C, K).
        count: Cells a side.
        axes: The latents that run across and upwards.

    Returns:
        The centres of the cells, of shape (count, count, K); one row of them with K = 1.
    """
    shares = (np.arange(count) + 0.5) / count
    if surface.latent_dim == 1:
        length_element = np.exp(log_magnification(surface, z[0], std=False))
        return _quantiles(z[0, :, 0], length_element, shares).reshape(1, count, 1)
    across, upwards = axes
    x, y = z[0, :, across], z[::-1, 0, upwards]
    area = np.exp(log_magnification(surface, z[::-1], axes, std=False))
    grid = np.empty((count, count, z.shape[-1]))
    grid[:] = z[0, 0]
    columns = _quantiles(x, np.trapezoid(area, y, axis=0), shares)
    grid[..., across] = columns
    for place, column in enumerate(columns):
        nearby = np.array([np.interp(column, x, row) for row in area])
        grid[::-1, place, upwards] = _quantiles(y, nearby, shares)
    return grid


def places_on_grid(grid: np.ndarray, z: np.ndarray, axes: Sequence[int] = (0, 1)) -> np.ndarray:
    """Where latent points lie on a grid, even or of equal area, in rows and columns.

    Arguments:
        grid: Of shape (R, C, K), with K > 1.
        z: Latent points, of shape (n, K).
        axes: The latents that run across and upwards.

    Returns:
        Row and column of each point, (n, 2), fractions between neighbours; NaN beyond the grid.
    """
    across, upwards = axes
    columns = np.arange(grid.shape[1])
    column = np.interp(z[:, across], grid[0, :, across], columns, np.nan, np.nan)
    row = np.full(len(z), np.nan)
    for place in np.flatnonzero(np.isfinite(column)):
        values = np.array([np.interp(column[place], columns, line) for line in grid[..., upwards]])
        rows = np.arange(len(grid))[::-1]
        row[place] = np.interp(z[place, upwards], values[::-1], rows, np.nan, np.nan)
    return np.stack([row, column], axis=1)


def _quantiles(x: np.ndarray, density: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Where the shares of a density, known at rising x, lie."""
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(x)
    if steps.sum() <= 0:
        steps = np.diff(x)
    return np.interp(shares, np.r_[0.0, np.cumsum(steps)] / steps.sum(), x)


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


def _point(surface: Surface, z: np.ndarray) -> np.ndarray:
    point = np.asarray(z, dtype=np.float64)
    if point.shape != (surface.latent_dim,) or not np.isfinite(point).all():
        raise VisageError(f"A face must be {surface.latent_dim} finite numbers, not {point}.")
    return point


def _refined(points: np.ndarray, each: int) -> np.ndarray:
    """The same polyline with so many segments in place of each."""
    time = np.arange((len(points) - 1) * each + 1) / each
    places = np.arange(len(points))
    return np.stack([np.interp(time, places, column) for column in np.transpose(points)], axis=1)


def _embedded(surface: Surface, points: np.ndarray, std: bool = True) -> np.ndarray:
    return _in_chunks(surface.embed if std else surface.mean, np.asarray(points, np.float64))


def _in_chunks(function: Callable[[Tensor], Tensor], z: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return torch.cat([function(part) for part in torch.from_numpy(z).split(CHUNK)]).numpy()
