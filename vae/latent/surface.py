r"""The curved surface of images that a decoder lays the latent space out as.

Distances on that surface, and not those in z, say how much a face changes:
:mod:`vae.latent.metric` measures them, and :mod:`vae.latent.paths` finds the shortest ways.

References:
    Latent Space Oddity: on the Curvature of Deep Generative Models (Arvanitidis, Hansen & Hauberg,
    2018) https://arxiv.org/abs/1710.11379
"""

__all__ = ["DecoderSurface", "Surface", "embedded", "in_chunks"]

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.cluster.vq
import scipy.sparse
import scipy.spatial
import torch
from torch import Tensor

from vae.errors import VisageError
from vae.latent.graph import grid_edges, neighbour_edges
from vae.models.gaussian import Gaussian
from vae.models.network import MeanMap, Network
from vae.models.vae import VAE

# Points that pass through a surface at once: what is between two layers stays in the cache.
CHUNK = 512

# Of the precision network: how many centres, and their widths as the class below says.
CENTRES = 48
BANDWIDTH = 1.5
REACH = 0.6
FITTING_POINTS = 1000
FITTING_STEPS = 60

# Values of an image beyond which as many of them stand for all.
MOST_VALUES = 2**12

# Values that are decoded at once for the precision network.
FITTED_AT_ONCE = 2**23

# Values of a graph's edges that are compared at once.
COMPARED_AT_ONCE = 2**22

# The precision of a pixel that nothing is known of: that of a uniform grey value in [0, 1].
LEAST_PRECISION = 12.0

# What takes no part in a sum of single precision, and whose product with another such is still a
# normal number.
NEGLIGIBLE = 1e-18


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
            nodes, start, end = grid_edges(self.points)
        else:
            nodes, start, end = neighbour_edges(self.points)
        embedded = in_chunks(self.embed, nodes)
        parts = 1 + len(start) * embedded.shape[1] // COMPARED_AT_ONCE
        lengths = np.concatenate(
            [
                np.linalg.norm(embedded[start[part]] - embedded[end[part]], axis=1)
                for part in np.array_split(np.arange(len(start)), parts)
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

    Of images with very many values some, chosen at random, stand for all, each counting for as
    many as it stands for: neighbours change together.

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
        """The same metric as :meth:`Surface.gram`, by K tangents that the network carries on."""
        return self._decoder(z.dtype).gram(z, std)

    def _mean(self, z: Tensor) -> Tensor:
        return self._decoder(z.dtype).mean(z)

    def _std(self, z: Tensor) -> Tensor:
        return self._decoder(z.dtype).std(z)

    def _decoder(self, dtype: torch.dtype) -> "_Decoder":
        if dtype not in self._decoders:
            self._decoders[dtype] = self._decoders[torch.float64].to(dtype)
        return self._decoders[dtype]


@dataclass(frozen=True)
class _Decoder:
    """A decoder's mean and the precision network, in one type of numbers.

    Arguments:
        mean_map: The decoder's mean as a function of its own latents.
        shift: What z is moved by to become those, (K,), after it was multiplied by ``scale``.
        each_counts: What a value counts: 1, or more where some stand for all.
        centres: Of the radial basis functions, (C, K).
        rates: Their :math:`\\lambda`, (C,).
        weights: Their weights, (C, D), or (C, 1) where one stands for all.
        each_std_counts: What a standard deviation counts, beside that.
    """

    mean_map: MeanMap
    shift: Tensor
    scale: Tensor
    each_counts: float
    centres: Tensor
    rates: Tensor
    weights: Tensor
    each_std_counts: float = 1.0

    @classmethod
    def of(cls, model: VAE, means: np.ndarray) -> "_Decoder":
        values, some = model.pixels, None
        if values > MOST_VALUES:
            chosen = np.random.default_rng(0).choice(values, MOST_VALUES, replace=False)
            some = torch.from_numpy(np.sort(chosen))
        mean_map = model.decoder.mean_map(some)
        if mean_map is None:
            mean_map = _Differentiated(model.decoder, some)
        counted = values if some is None else len(some)
        if not model.decoder.knows_variance:
            # All values have one variance, so that one network of precisions is that of all.
            some = torch.zeros(1, dtype=torch.long)
        centres, rates = _centres(means)
        chosen = means[np.linspace(0, len(means) - 1, min(len(means), FITTING_POINTS)).astype(int)]
        with torch.no_grad():
            z = torch.from_numpy(chosen)
            decoder = cls(
                mean_map,
                model.latent_shift.double(),
                model.latent_scale.double(),
                values / counted,
                centres,
                rates,
                torch.empty(0),
            )
            parts = z.float().split(max(1, FITTED_AT_ONCE // values))
            log_vars = (model.decode(part).log_var for part in parts)
            log_var = torch.cat([one if some is None else one[:, some] for one in log_vars])
            # In single precision, which takes half the time: what is fitted is itself a guess.
            variances = log_var.float().clamp(-20, 20).exp()
            weights = _fitted_weights(decoder._basis(z).float(), variances).double()
        return replace(decoder, weights=weights, each_std_counts=counted / weights.shape[1])

    def to(self, dtype: torch.dtype) -> "_Decoder":
        shift, scale, centres, rates, weights = (
            part.to(dtype)
            for part in (self.shift, self.scale, self.centres, self.rates, self.weights)
        )
        counts = self.each_counts, self.each_std_counts
        return _Decoder(
            self.mean_map.to(dtype), shift, scale, counts[0], centres, rates, weights, counts[1]
        )

    def mean(self, z: Tensor) -> Tensor:
        mean = self.mean_map(z * self.scale + self.shift)
        return mean if self.each_counts == 1 else mean * math.sqrt(self.each_counts)

    def std(self, z: Tensor) -> Tensor:
        std = self.precision(z).rsqrt()
        counts = self.each_counts * self.each_std_counts
        return std if counts == 1 else std * math.sqrt(counts)

    def precision(self, z: Tensor) -> Tensor:
        return self._basis(z) @ self.weights + LEAST_PRECISION

    def gram(self, z: Tensor, std: bool) -> Tensor:
        """M from the network's own derivatives. Shapes: (B, K) -> (B, K, K)."""
        tangents = torch.diag(self.scale)[:, None]
        products = _products(self.mean_map.push(z * self.scale + self.shift, tangents))
        if std:
            # d sigma = -1/2 precision^(-3/2) d precision.
            basis = self._basis(z)
            towards = (self.centres - z[:, None]) * (2 * self.rates * basis)[..., None]
            slopes = torch.cat([basis[None], towards.permute(2, 0, 1)]) @ self.weights
            root = slopes[0].add_(LEAST_PRECISION).rsqrt_()
            products += (
                _products(slopes[1:].mul_(-0.5 * root * root * root)) * self.each_std_counts
            )
        return products * self.each_counts

    def _basis(self, z: Tensor) -> Tensor:
        distances = (z[:, None] - self.centres).square().sum(dim=-1)
        return torch.exp(-self.rates * distances)


class _Differentiated:
    """As :class:`vae.models.network.MeanMap`, for a network that has none of its own.

    Whatever the numbers that go in, the network computes in single precision: convolutions in
    double take PyTorch twenty times as long.
    """

    def __init__(self, network: Network, outputs: Tensor | None):
        self.network = network
        self.outputs = outputs

    def __call__(self, x: Tensor) -> Tensor:
        mean = self.network(x.float()).mean.to(x.dtype)
        return mean if self.outputs is None else mean[:, self.outputs]

    def push(self, x: Tensor, tangents: Tensor) -> Tensor:
        def along(tangent: Tensor) -> Tensor:
            return torch.func.jvp(self, (x,), (tangent.expand_as(x),))[1]

        return torch.stack([along(tangent) for tangent in tangents])

    def to(self, dtype: torch.dtype) -> "_Differentiated":
        return self


def _products(tangents: Tensor) -> Tensor:
    """Inner products of tangents. Shapes: (K, B, D) -> (B, K, K)."""
    latent_dim = len(tangents)
    if latent_dim > 4:
        tangents = tangents.transpose(0, 1)
        return tangents @ tangents.mT
    products = tangents.new_empty((tangents.shape[1], latent_dim, latent_dim))
    for i in range(latent_dim):
        for j in range(i + 1):
            products[:, i, j] = products[:, j, i] = torch.linalg.vecdot(tangents[i], tangents[j])
    return products


def _centres(means: np.ndarray) -> tuple[Tensor, Tensor]:
    """Centres (C, K) and rates (C,) of the radial basis functions of some latent points."""
    count = min(CENTRES, len(means))
    # SciPy's types know the new name of the seed alone, which draws otherwise.
    centres, cluster = scipy.cluster.vq.kmeans2(
        means,
        count,
        minit="++",
        seed=0,  # pyright: ignore[reportCallIssue]
    )
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

    Most weights of a decoder that says one variance everywhere vanish, and a processor takes many
    times as long over numbers that are nearly 0 (subnormal ones): nothing here gets so small.

    Shapes: (n, C), (n, D) -> (C, D).
    """
    basis = torch.where(basis < NEGLIGIBLE, 0.0, basis)
    weights = (1 / variances).mean(dim=0).expand(basis.shape[1], -1) / basis.sum(dim=1).mean()
    expected = (basis.T @ variances).clamp_(min=NEGLIGIBLE)
    for _ in range(FITTING_STEPS):
        precision = basis @ weights + LEAST_PRECISION
        weights = (weights * (basis.T @ (1 / precision)) / expected).clamp_(min=NEGLIGIBLE)
    return weights


def embedded(surface: Surface, points: np.ndarray, std: bool = True) -> np.ndarray:
    """The images of latent points, (T, K), under f, or under its mean alone, in float64."""
    return in_chunks(surface.embed if std else surface.mean, np.asarray(points, np.float64))


def in_chunks(function: Callable[[Tensor], Tensor], z: np.ndarray) -> np.ndarray:
    """A function of latent points, (B, K), without a gradient, of not too many at a time."""
    with torch.no_grad():
        return torch.cat([function(part) for part in torch.from_numpy(z).split(CHUNK)]).numpy()
