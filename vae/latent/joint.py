r"""The density :math:`\log p(x, z)` over the latent space, with its slopes, peaks and widths.

As a function of z it is the posterior of an image but for a constant, log p(x). Everything here is
in double precision: for an image like no other it is about −10⁶, where float32 counts in tenths.

References:
    Numerical Optimization (Nocedal & Wright, 2006), section 3.4: Newton's method whose curvatures
    are made positive
"""

__all__ = ["Joint", "Peaks", "likelihoods"]

import copy
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae.datasets.faces import Pixels
from vae.models.gaussian import Gaussian
from vae.models.vae import VAE

# Values that are decoded at once: as many as a processor's caches hold.
DECODED = 2**19

# Finite differences of slopes are taken over this distance; where slopes are differences
# themselves, over so many times theirs.
NEARBY = 1e-5
BEYOND = 4

# Shares of Newton's step that are tried, all at once, where the whole of it gains less than this
# share of what it promises.
SHARES = (2.0, 0.5, 0.2, 0.05, 0.01, 0.001)
KEPT = 0.8

# A curvature below this is taken for this: the prior alone has 1.
FLATTEST = 0.1

# A climb ends where the next step promises less, in nats; and one that is so far below another of
# the same image, with ten times of what it is promised, is given up.
LITTLE = 1e-5
HOPELESS = 50.0


class Peaks(NamedTuple):
    """Where climbs have ended.

    Arguments:
        owner: The place of the image that each is of, (N,).
        z: (N, K).
        height: log p(x, z) there, in nats, (N,).
        precision: The negative Hessian there, made positive definite, (N, K, K).
        reached: Whether the climb came to its end; others were given up.
    """

    owner: Tensor
    z: Tensor
    height: Tensor
    precision: Tensor
    reached: Tensor

    def log_mass(self) -> Tensor:
        r"""What Laplace's approximation takes the peak's part of log p(x) for, (N,), in nats.

        .. math:: \log p(x, \hat z) + \tfrac K2 \log 2\pi - \tfrac12 \log \det H
        """
        constant = 0.5 * self.z.shape[1] * math.log(2 * math.pi)
        return self.height + constant - 0.5 * torch.logdet(self.precision)

    def best(self, images: int) -> Tensor:
        """The place of each image's peak of the largest mass, (images,)."""
        mass = self.log_mass().nan_to_num(-math.inf)
        order = np.lexsort((mass.numpy(), self.owner.numpy()))
        # The last of each image's own, which has one at least.
        ends = np.cumsum(np.bincount(self.owner.numpy(), minlength=images)) - 1
        return torch.from_numpy(order[ends])


class Joint:
    """log p(x, z) of a few images.

    Arguments:
        model: The model; a copy of it is taken.
        pixels: Flattened images with pixels in [0, 1], of shape (n, D).
    """

    def __init__(self, model: VAE, pixels: np.ndarray | Pixels):
        self.model = copy.deepcopy(model).cpu().double().requires_grad_(False).eval()
        self.x = torch.from_numpy(np.asarray(pixels, dtype=np.float64))
        self.latent_dim = model.latent_dim
        self.nearby = NEARBY if model.decoder.is_exact else BEYOND * model.decoder.least_step

    def __len__(self) -> int:
        return len(self.x)

    def __call__(self, owner: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) in nats.

        Arguments:
            owner: Which image each point is asked of, (N,).
            z: The points, (N, K).

        Returns:
            (N,); −∞ where a decoder's numbers overflow.
        """
        with torch.no_grad():
            parts = [self._value(*part) for part in self._parts(owner, z)]
        return torch.cat(parts) if parts else z.new_zeros(0)

    def slopes(self, owner: Tensor, z: Tensor) -> Tensor:
        """The gradient by z, (N, K); 0 where it is not a number."""
        found = []
        for some, points in self._parts(owner, z):
            with torch.enable_grad():
                leaf = points.detach().requires_grad_()
                (slope,) = torch.autograd.grad(self._value(some, leaf).sum(), leaf)
            found.append(slope.nan_to_num(0, 0, 0))
        return torch.cat(found) if found else z

    def curvatures(self, owner: Tensor, z: Tensor, slopes: Tensor) -> Tensor:
        """The Hessian by z, by how much slopes differ from those at z itself, (N, K, K)."""
        dim = z.shape[1]
        around = (z[:, None] + self.nearby * torch.eye(dim).to(z)).reshape(-1, dim)
        ahead = self.slopes(owner.repeat_interleave(dim), around).reshape(-1, dim, dim)
        hessian = (ahead - slopes[:, None]) / self.nearby
        return 0.5 * (hessian + hessian.mT)

    def climb(self, owner: Tensor, z: Tensor, steps: int = 40) -> Peaks:
        """Newton's method from each point to a peak above it.

        Arguments:
            owner: Which image each start is of, (N,).
            z: The starts, (N, K).
            steps: How many at most.
        """
        z, height = z.clone(), self(owner, z)
        precision = torch.eye(z.shape[1]).to(z).repeat(len(z), 1, 1)
        climbing = torch.arange(len(z))[height.isfinite()]
        reached = torch.zeros(len(z), dtype=torch.bool)
        shares = torch.tensor(SHARES).to(z)
        for _ in range(steps):
            if not len(climbing):
                break
            whose, here = owner[climbing], z[climbing]
            slope = self.slopes(whose, here)
            size, axes = torch.linalg.eigh(-self.curvatures(whose, here, slope))
            size = size.abs().clamp(min=FLATTEST)
            precision[climbing] = axes @ (size[:, :, None] * axes.mT)
            along = (axes.mT @ slope[:, :, None])[:, :, 0]
            step = (axes @ (along / size)[:, :, None])[:, :, 0]
            promised = 0.5 * (along.square() / size).sum(dim=1)

            there = here + step
            highest = self(whose, there)
            # Where the whole step keeps what it promised no share of it is tried.
            short = torch.nonzero(highest - height[climbing] < KEPT * promised)[:, 0]
            trials = here[short, None] + shares[:, None] * step[short, None]
            heights = self(
                whose[short].repeat_interleave(len(shares)), trials.reshape(-1, z.shape[1])
            )
            best, which = heights.reshape(-1, len(shares)).max(dim=1)
            better = best > highest[short]
            highest[short] = torch.where(better, best, highest[short])
            there[short] = torch.where(
                better[:, None], trials[torch.arange(len(short)), which], there[short]
            )
            rises = highest > height[climbing]
            z[climbing] = torch.where(rises[:, None], there, z[climbing])
            height[climbing] = torch.where(rises, highest, height[climbing])

            summit = torch.full((len(self),), -math.inf).to(z)
            summit.scatter_reduce_(0, owner, height, "amax")
            hopeless = height[climbing] + 10 * promised + HOPELESS < summit[whose]
            arrived = ~rises | (promised < LITTLE)
            reached[climbing] = arrived & ~hopeless
            climbing = climbing[~(arrived | hopeless)]
        # What has not ended after all these steps is nearly there.
        reached[climbing] = True
        return Peaks(owner, z, height, precision, reached)

    def _value(self, owner: Tensor, z: Tensor) -> Tensor:
        prior = -0.5 * (z.square().sum(dim=-1) + z.shape[-1] * math.log(2 * math.pi))
        value = prior + self.model.decode(z).log_prob(self.x[owner])
        return value.nan_to_num(-math.inf, -math.inf, -math.inf)

    def _parts(self, owner: Tensor, z: Tensor) -> list[tuple[Tensor, Tensor]]:
        size = max(1, DECODED // self.x.shape[1])
        return list(zip(owner.split(size), z.split(size), strict=True)) if len(z) else []


def likelihoods(model: VAE, x: Tensor, z: Tensor) -> Tensor:
    """log p(x|z) of every image at every point, in the model's own precision.

    Arguments:
        model: The model.
        x: Flattened images, (n, D).
        z: Points, (N, K).

    Returns:
        In nats, (N, n); −∞ where a decoder's numbers overflow.
    """
    device = model.mean_image.device
    found = []
    with torch.inference_mode():
        # A Gaussian and nothing that is one with more to it.
        is_gaussian = type(model.decode(z[:1].to(device))) is Gaussian
        for part in z.split(max(1, DECODED // (x.shape[1] if is_gaussian else x.numel()))):
            if is_gaussian:
                value = _of_all(Gaussian(*model.decode(part.to(device))), x.to(device)).float()
            else:
                value = model.decode(part[:, None].to(device)).log_prob(x[None].to(device))
            found.append(value.cpu())
    return torch.cat(found).nan_to_num(-math.inf, -math.inf, -math.inf)


def _of_all(decoded: Gaussian, x: Tensor) -> Tensor:
    r"""The log-density of every image (n, D) under every Gaussian (N, D): (N, n), float64.

    Squares are multiplied out, :math:`\sum x^2 / \sigma^2 - 2 \sum x \mu / \sigma^2 +
    \sum \mu^2 / \sigma^2`, so that no image meets a Gaussian but in a product of matrices.
    """
    # What is left of large terms would be nothing in single precision.
    mean, log_var = (part.double() for part in decoded)
    x = x.double()
    precision = torch.exp(-log_var)
    weighted = mean * precision
    squares = precision @ x.square().T - 2 * weighted @ x.T
    alone = (mean * weighted + log_var + math.log(2 * math.pi)).sum(dim=1, keepdim=True)
    return -0.5 * (squares + alone)
