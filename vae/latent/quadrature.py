r"""The integral :math:`p(x) = \int p(x \mid z) \, p(z) \, dz` over one or two latents.

Three steps, each of which could be drawn:

1. **Search.** log p(x, z) on a grid over z, even in z; again on one of twice its extent, and so on
   twice as far out as anything could matter to an image: where :math:`\lVert z \rVert^2 / 2`
   exceeds all that the likelihood has been seen to gain. The grids' summits, and the encoder's
   mean, are where climbs begin (:meth:`vae.latent.joint.Joint.climb`).
2. **Grow.** A lattice around the largest peak, with the axes of its Hessian and three quarters of
   its standard deviations as spacings (less where another peak is narrower), grows from all peaks
   into whatever lies within 16 nats of the highest.
3. **Add up**: the values at the lattice's points times the area of its cell. For a smooth
   function that vanishes outside this rule converges faster than any power of the spacing
   (Trefethen & Weideman): a Gaussian's relative error is
   :math:`2 e^{-2 \pi^2 (\sigma / h)^2}` an axis, :math:`10^{-15}` here.

The points of even and odd coordinates are lattices of twice the spacing, each with an estimate of
its own. By how much they differ is the error that is stated, and where it is too much the lattice
is halved.

References:
    The Exponentially Convergent Trapezoidal Rule (Trefethen & Weideman, 2014)
    https://doi.org/10.1137/130932132
"""

__all__ = ["Integral", "integrate", "search"]

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae.latent.joint import HOPELESS, Joint, Peaks, likelihoods
from vae.models.vae import VAE

# The first grid reaches this far to either side, with so many points a side for 1 and 2 latents.
EXTENT = 4.0
POINTS_A_SIDE = {1: 1025, 2: 65}

# Twice as far, as often as this at most.
GRIDS = 12

# What lies so far below the highest point, in nats, is left out: of a Gaussian 10⁻⁷.
LEFT_OUT = 16.0

# Summits of each grid that are climbed from.
SUMMITS = 12

# A peak may rise above a grid's summit by this many times as much as the summit above its
# neighbours.
STEEPER = 2

# The lattice's spacing in standard deviations, and how far it reaches at first.
SPACING = 0.75
REACH = 6.0

# The stated error at which no finer lattice is made, in nats, and how many finer ones are made.
ERROR = 0.01
HALVINGS = 4

# Points of one image's lattice: a posterior that needs more is no longer resolved.
MOST_POINTS = 40_000


class Integral(NamedTuple):
    """log p(x) of each image.

    Arguments:
        log_px: In nats, (n,), float64.
        error: By how much estimates on parts of the lattice differ, in nats, (n,).
        points: How many points of the latent space were added up, (n,).
    """

    log_px: Tensor
    error: Tensor
    points: Tensor


def search(model: VAE, joint: Joint) -> tuple[Tensor, Tensor]:
    """Summits of log p(x, z) on grids over the latent space, to climb from.

    Arguments:
        model: The model, of one or two latents, in single precision: these are starts only.
        joint: The images.

    Returns:
        Which image each is of, (N,), and where it is, (N, K), float64.
    """
    images, dim = len(joint), joint.latent_dim
    side = POINTS_A_SIDE[dim]
    best = torch.full((images,), -math.inf)
    likeliest = torch.full((images,), -math.inf)
    looking = torch.arange(images)
    owners, starts = [], []
    for turn in range(GRIDS):
        extent = EXTENT * 2**turn
        axis = torch.linspace(-extent, extent, side)
        z = torch.cartesian_prod(*[axis] * dim).reshape(-1, dim)
        # The grid before has looked at the inner half, more closely.
        seen = z.abs().amax(dim=1) < extent / 2 if turn else torch.zeros(len(z), dtype=torch.bool)
        likelihood = torch.full((len(z), len(looking)), -math.inf)
        likelihood[~seen] = likelihoods(model, joint.x[looking].float(), z[~seen])
        value = likelihood - 0.5 * z.square().sum(dim=1, keepdim=True)
        best[looking] = torch.maximum(best[looking], value.amax(dim=0))
        likeliest[looking] = torch.maximum(likeliest[looking], likelihood.amax(dim=0))
        place, whose = _summits(value, best[looking], side, dim)
        owners.append(looking[whose])
        starts.append(z[place])
        gain = likeliest[looking] - best[looking] + LEFT_OUT
        # Once more beyond what matters by what is known: more may be gained there.
        looking = looking[2 * (2 * gain).sqrt() > extent]
        if not len(looking):
            break
    return torch.cat(owners), torch.cat(starts).double()


def integrate(joint: Joint, peaks: Peaks) -> Integral:
    """Steps 2 and 3.

    Arguments:
        joint: The images.
        peaks: Of each image at least one.
    """
    images, dim = len(joint), joint.latent_dim
    mass = peaks.log_mass()
    best = peaks.best(images)
    matters = peaks.reached & (mass > mass[best][peaks.owner] - LEFT_OUT)
    matters[best] = True
    peaks = Peaks(*(part[matters] for part in peaks))
    best = peaks.best(images)

    origin = peaks.z[best]
    size, axes = torch.linalg.eigh(peaks.precision[best])
    cell = axes * size.rsqrt()[:, None]
    # Where another peak is narrower than the largest one, it sets the spacing.
    seen = cell[peaks.owner].mT @ peaks.precision @ cell[peaks.owner]
    narrowest = torch.ones(images).double()
    narrowest.scatter_reduce_(0, peaks.owner, torch.linalg.eigvalsh(seen)[:, -1], "amax")
    cell = SPACING * cell * narrowest.clamp(1, 64).rsqrt()[:, None, None]

    found = Integral(*(torch.zeros(images).double() for _ in range(3)))
    todo = torch.arange(images)
    at = torch.linalg.inv(cell)[peaks.owner] @ (peaks.z - origin[peaks.owner])[:, :, None]
    at = at[:, :, 0].round().long()
    disc = _disc(math.ceil(REACH / SPACING), dim)
    owner, seeds = _around(peaks.owner, at, disc)
    for halving in range(HALVINGS + 1):
        lattice = _grown(joint, owner, seeds, origin, cell)
        integral = _added_up(lattice, cell, images)
        for whole, part in zip(found, integral, strict=True):
            whole[todo] = part[todo]
        rough = (integral.error > ERROR) & (integral.points < MOST_POINTS / 2**dim)
        todo = todo[rough[todo]]
        if not len(todo) or halving == HALVINGS:
            break
        cell[todo] /= 2
        owner, at, value = lattice
        kept = rough[owner] & (value > _highest(owner, value, images)[owner] - LEFT_OUT)
        owner, seeds = _around(owner[kept], 2 * at[kept], _disc(1, dim))
    return found


def _summits(value: Tensor, best: Tensor, side: int, dim: int) -> tuple[Tensor, Tensor]:
    """The highest points of a grid that no neighbour exceeds: their places, and whose they are.

    Between its points a peak may be higher than on them, by about as much as they are higher than
    their neighbours. What is lower than the best by far more than that is none to climb.
    """
    grid = value.T.reshape(-1, 1, *[side] * dim)
    pool = torch.nn.functional.max_pool1d if dim == 1 else torch.nn.functional.max_pool2d
    summit = (grid >= pool(grid, 3, 1, 1)).reshape(len(grid), -1)
    heights = torch.where(summit, value.T, -math.inf)
    top, places = heights.topk(SUMMITS, dim=1)
    lowest = -pool(torch.where(grid.isfinite(), -grid, -math.inf), 3, 1, 1).reshape(len(grid), -1)
    drop = top - lowest.gather(1, places)
    worth = top.isfinite() & (top + STEEPER * drop + HOPELESS > best[:, None])
    whose, rank = torch.nonzero(worth, as_tuple=True)
    return places[whose, rank], whose


def _disc(radius: int, dim: int) -> Tensor:
    """Whole coordinates within a radius, (points, K); of radius 1, corners too."""
    axis = torch.arange(-radius, radius + 1)
    points = torch.cartesian_prod(*[axis] * dim).reshape(-1, dim)
    return points[points.square().sum(dim=1) <= max(radius**2, dim)]


def _around(owner: Tensor, at: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """The lattice's points at these offsets from some, each once."""
    points = (at[:, None] + offsets).reshape(-1, at.shape[1])
    both = torch.cat([owner.repeat_interleave(len(offsets))[:, None], points], dim=1)
    # A millionth cell is further away than any posterior reaches.
    both = both[(points.abs() < 2**20).all(dim=1)]
    key = _key(both)
    _, first = np.unique(key.numpy(), return_index=True)
    both = both[torch.from_numpy(first)]
    return both[:, 0], both[:, 1:]


def _key(both: Tensor) -> Tensor:
    """One whole number for an image and a point of its lattice."""
    key = both[:, 0]
    for column in both[:, 1:].T:
        key = (key << 21) + column + 2**20
    return key


def _grown(
    joint: Joint, owner: Tensor, at: Tensor, origin: Tensor, cell: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """A lattice with all neighbours of what matters: whose, where, and log p(x, z)."""
    images, neighbours = len(joint), _disc(1, joint.latent_dim)
    lattice = owner[:0], at[:0], origin.new_zeros(0)
    known = np.zeros(0, dtype=np.int64)
    while len(owner):
        z = origin[owner] + (cell[owner] @ at.double()[:, :, None])[:, :, 0]
        new = owner, at, joint(owner, z)
        whose, where, value = (torch.cat(both) for both in zip(lattice, new, strict=True))
        lattice = whose, where, value
        known = np.sort(_key(torch.cat([lattice[0][:, None], lattice[1]], dim=1)).numpy())
        highest = _highest(lattice[0], lattice[2], images)
        counts = torch.bincount(lattice[0], minlength=images)
        matters = (new[2] > highest[owner] - LEFT_OUT) & (counts[owner] < MOST_POINTS)
        owner, at = _around(owner[matters], at[matters], neighbours)
        key = _key(torch.cat([owner[:, None], at], dim=1)).numpy()
        unknown = torch.from_numpy(~np.isin(key, known, assume_unique=True))
        owner, at = owner[unknown], at[unknown]
    return lattice


def _highest(owner: Tensor, value: Tensor, images: int) -> Tensor:
    highest = torch.full((images,), -math.inf).double()
    return highest.scatter_reduce_(0, owner, value, "amax")


def _added_up(lattice: tuple[Tensor, Tensor, Tensor], cell: Tensor, images: int) -> Integral:
    """The sums over the lattice, and over each of its parts of twice the spacing."""
    owner, at, value = lattice
    parts = 2 ** at.shape[1]
    highest = _highest(owner, value, images)
    sums = torch.zeros(images * parts).double()
    which = (at % 2) @ (2 ** torch.arange(at.shape[1]))
    sums.index_add_(0, owner * parts + which, (value - highest[owner]).exp())
    estimates = sums.reshape(images, parts).log()
    log_px = highest + estimates.logsumexp(dim=1) + torch.linalg.slogdet(cell).logabsdet
    points = torch.bincount(owner, minlength=images)
    error = estimates.amax(dim=1) - estimates.amin(dim=1)
    return Integral(log_px, error.where(points < MOST_POINTS, math.inf), points.double())
