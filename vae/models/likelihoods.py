r"""The densities that a decoder's mean and log-variance can stand for: the noise that it expects.

The decoder gives two numbers a pixel; a likelihood says which distribution of images they are the
parameters of. Each is a class of :data:`LIKELIHOODS`, by the name that is stored with a model, and
whoever needs :math:`p(x \mid z)` asks what :meth:`vae.models.vae.VAE.decode` returns, a
:class:`Distribution`, and knows no more of it.

Whatever the likelihood, the mean and the log-variance of a distribution are those of its pixels,
one at a time: pictures, deviations and the metric of the latent space are made of them.

References:
    Auto-Encoding Variational Bayes (Kingma & Welling, 2014), appendix C.2
    https://arxiv.org/abs/1312.6114

    Student-t Variational Autoencoder for Robust Density Estimation (Takahashi, Iwata, Yamanaka,
    Yamada & Yagi, 2018) https://www.ijcai.org/proceedings/2018/374

    Improved Variational Inference with Inverse Autoregressive Flow (Kingma, Salimans, Jozefowicz,
    Chen, Sutskever & Welling, 2016), of the discretised logistic https://arxiv.org/abs/1606.04934
"""

__all__ = [
    "LIKELIHOODS",
    "MOST_CORRELATED",
    "NEIGHBOURS",
    "STATED",
    "Bernoulli",
    "Correlated",
    "Distribution",
    "Gauss",
    "Likelihood",
    "Logistic",
    "Student",
    "Unstated",
    "bits_per_dimension",
]

import math
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from vae.errors import VisageError
from vae.models.gaussian import Gaussian

# Where the neighbours of a pixel lie that come before it, row by row and from left to right: as
# (rows, columns) from it. In colour they are of the pixel's own channel.
NEIGHBOURS = (
    *((0, -1), (0, -2)),
    *((-1, column) for column in range(-2, 3)),
    *((-2, column) for column in range(-2, 3)),
)
REACH = 2

# Pixels a channel for which the correlated noise is offered: its variances need a matrix of these
# times these.
MOST_CORRELATED = 2**12

# The grey levels of a discretised likelihood.
LEVELS = 256

# Degrees of freedom lie above these, so that there is a variance, and start there plus the other.
LEAST_FREEDOM = 2.0
FIRST_EXCESS = 8.0


class Distribution(Protocol):
    """A distribution of images given z: what a model decodes to.

    It can be taken apart as a pair of mean and log-variance.
    """

    @property
    def mean(self) -> Tensor:
        """Of each pixel, of shape (*, D)."""
        ...

    @property
    def log_var(self) -> Tensor:
        """The logarithm of each pixel's variance, whatever the others are, of shape (*, D)."""
        ...

    def log_prob(self, x: Tensor) -> Tensor:
        """The log-density of images (*, D), or their log-probability, in nats, of shape (*)."""
        ...

    def sample(self, noise: Tensor) -> Tensor:
        """Images, (*, D), made of the likelihood's own noise (:meth:`Likelihood.noise`)."""
        ...

    def __iter__(self) -> Iterator[Tensor]:
        """Mean and log-variance."""
        ...


class Likelihood(nn.Module):
    """What a decoder's mean and log-variance are the parameters of; with weights, if it has any.

    Arguments:
        image_shape: (H, W) or (H, W, 3).

    Attributes:
        name: What it is called where it is stored.
        in_words: What it is, for whoever chooses it.
        is_mass: Whether it gives probabilities of 256 levels, not densities.
        is_staged: Whether its weights are learnt in a stage of its own, with the mean frozen.
        is_stated: Whether it is one at all; without, nothing can be told in nats.
        its_figures: What those in nats are.
    """

    name: ClassVar[str]
    in_words: ClassVar[str]
    is_mass: ClassVar[bool] = False
    is_staged: ClassVar[bool] = False
    is_stated: ClassVar[bool] = True
    its_figures: ClassVar[str] = "log-densities"

    def __init__(self, image_shape: Sequence[int]):
        super().__init__()

    @classmethod
    def weight_count(cls, image_shape: Sequence[int]) -> int:
        """The number of its weights, without making them.

        Raises:
            VisageError: Images of this shape are too large for it.
        """
        return 0

    @property
    def is_gaussian(self) -> bool:
        """Whether it is the diagonal Gaussian, as its weights are."""
        return False

    def given(self, parameters: Gaussian) -> Distribution:
        """The distribution that a decoder's mean and log-variance stand for, (*, D) each."""
        raise NotImplementedError

    def noise(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """What :meth:`Distribution.sample` makes images of: mean 0, variance 1, independent."""
        return torch.randn(tuple(shape), generator=generator)


class Gauss(Likelihood):
    r"""The paper's: independent pixels, :math:`\mathcal{N}(x; \mu, \sigma^2)`."""

    name = "gaussian"
    in_words = "the article's: each pixel has normal noise of its own"

    @property
    def is_gaussian(self) -> bool:
        return True

    def given(self, parameters: Gaussian) -> Gaussian:
        return parameters


class Student(Likelihood):
    r"""Student's t for each pixel, with one number of degrees of freedom :math:`\nu` for all.

    .. math::
        p(x_i \mid z) = \frac1{s_i} \, t_\nu\!\left(\frac{x_i - \mu_i}{s_i}\right), \quad
        s_i^2 = \sigma_i^2 \, \frac{\nu - 2}{\nu}, \quad \nu > 2

    so that :math:`\sigma_i^2` is the variance; :math:`\nu` is learnt with the networks.
    """

    name = "student"
    in_words = "Student's t, whose heavy tails forgive a pixel that is far off"

    def __init__(self, image_shape: Sequence[int]):
        super().__init__(image_shape)
        self.log_excess = nn.Parameter(torch.tensor([math.log(FIRST_EXCESS)]))

    @classmethod
    def weight_count(cls, image_shape: Sequence[int]) -> int:
        return 1

    @property
    def freedom(self) -> Tensor:
        r"""The degrees of freedom :math:`\nu`, of shape (1,)."""
        # Bounded, so that a float holds what depends on it.
        return LEAST_FREEDOM + self.log_excess.clamp(-7, 14).exp()

    def given(self, parameters: Gaussian) -> "StudentDistribution":
        return StudentDistribution(*parameters, self.freedom)

    def noise(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        # With the uniform's help, since torch draws gammas from no generator but its own: Bailey,
        # Polar generation of random variates with the t-distribution (1994).
        freedom = self.freedom.detach().cpu().double()
        uniform = 1 - torch.rand(tuple(shape), generator=generator, dtype=torch.float64)
        angle = torch.rand(tuple(shape), generator=generator, dtype=torch.float64)
        radius = (freedom * torch.expm1(-2 / freedom * uniform.log())).sqrt()
        t = radius * (2 * math.pi * angle).cos()
        return (t * ((freedom - 2) / freedom).sqrt()).float()


@dataclass(frozen=True)
class StudentDistribution:
    """As :class:`Distribution`; each pixel is Student's t."""

    mean: Tensor
    log_var: Tensor
    freedom: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.mean, self.log_var))

    def sample(self, noise: Tensor) -> Tensor:
        return self.mean + torch.exp(0.5 * self.log_var) * noise

    def log_prob(self, x: Tensor) -> Tensor:
        # One for each image, so that the gradient by it is summed image by image: a sum over all
        # values at once would depend on how many threads share it.
        freedom = self.freedom.expand(*self.mean.shape[:-1], 1)
        # s² ν is σ² (ν - 2).
        squares = (x - self.mean).square() * torch.exp(-self.log_var) / (freedom - 2)
        constant = (
            torch.lgamma((freedom + 1) / 2)
            - torch.lgamma(freedom / 2)
            - 0.5 * (math.pi * (freedom - 2)).log()
        )
        tails = (freedom + 1).squeeze(-1) / 2 * squares.log1p().sum(dim=-1)
        return x.shape[-1] * constant.squeeze(-1) - tails - 0.5 * self.log_var.sum(dim=-1)


class Logistic(Likelihood):
    r"""The logistic distribution, as the probabilities of the 256 grey levels.

    With the logistic's distribution function F of mean :math:`\mu_i` and variance
    :math:`\sigma_i^2`, that is of scale :math:`\sigma_i \sqrt3 / \pi`,

    .. math::
        P(x_i \mid z) = F(x_i + \tfrac1{510}) - F(x_i - \tfrac1{510}), \quad
        x_i \in \{0, 1, \dots, 255\} / 255

    where the first level begins at minus infinity and the last ends at infinity. Figures of it are
    of probabilities: never above 0, and not to be held against those of a density.
    """

    name = "logistic"
    in_words = (
        "a logistic over the 256 grey levels: probabilities, for bits per dimension; its figures "
        "are no densities"
    )
    is_mass = True
    its_figures = "log-probabilities of grey levels"

    def given(self, parameters: Gaussian) -> "LogisticDistribution":
        return LogisticDistribution(*parameters)

    def noise(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        uniform = torch.rand(tuple(shape), generator=generator, dtype=torch.float64)
        logistic = uniform.clamp(1e-12, 1 - 1e-12).logit()
        return (logistic * (math.sqrt(3) / math.pi)).float()


class LogisticDistribution(NamedTuple):
    """As :class:`Distribution`; mean and variance are those of the levels up to their rounding."""

    mean: Tensor
    log_var: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Levels: rounded, and cut off at black and white."""
        exact = self.mean + torch.exp(0.5 * self.log_var) * noise
        return (exact * (LEVELS - 1)).round().clamp(0, LEVELS - 1) / (LEVELS - 1)

    def log_prob(self, x: Tensor) -> Tensor:
        level = (x * (LEVELS - 1)).round().clamp(0, LEVELS - 1)
        # One level in units of the scale.
        rate = torch.exp(-0.5 * self.log_var) * (math.pi / math.sqrt(3))
        width = rate / (LEVELS - 1)
        centre = (level / (LEVELS - 1) - self.mean) * rate
        upper = functional.logsigmoid(centre + width / 2)
        lower = functional.logsigmoid(width / 2 - centre)
        # F(a) - F(b) = F(a) F(-b) (1 - e^(b - a)); at either end one factor alone is left.
        between = upper + lower + torch.log(-torch.expm1(-width.clamp(min=1e-30)))
        each = torch.where(level == 0, upper, torch.where(level == LEVELS - 1, lower, between))
        return each.sum(dim=-1)


class Correlated(Likelihood):
    r"""Normal noise that knows its neighbours.

    What a pixel deviates from its mean, :math:`r = x - \mu`, is predicted from what its twelve
    neighbours :math:`n_j(i)` that come before it do, with weights of its own:

    .. math::
        p(x \mid z) = \prod_i \mathcal{N}\!\Big(x_i;\,
            \mu_i + \sum_{j=1}^{12} w_{ij} \, r_{n_j(i)},\, s_i^2\Big)

    The factors follow one another, row by row, so this is a density that integrates to 1; beyond
    the edges residuals are 0, and with weights of 0 it is the Gaussian. The decoder's mean is the
    pixels' mean, and its log-variance here :math:`\log s_i^2`, what neighbours do not tell; the
    pixel's own variance, all neighbours considered, follows from both.

    Attributes:
        weights: :math:`w`, of shape (12, D), in the order of :data:`NEIGHBOURS`.
    """

    name = "correlated"
    in_words = (
        "normal noise that knows its neighbours: a last stage of training keeps the faces and "
        "learns how pixels deviate together"
    )
    is_staged = True

    def __init__(self, image_shape: Sequence[int]):
        super().__init__(image_shape)
        self.image_shape = tuple(image_shape)
        self.weights = nn.Parameter(torch.zeros(len(NEIGHBOURS), math.prod(image_shape)))
        self._spread: tuple[Tensor, Tensor] | None = None

    @classmethod
    def weight_count(cls, image_shape: Sequence[int]) -> int:
        height, width, *_ = image_shape
        if height * width > MOST_CORRELATED:
            raise VisageError(
                f"Noise that knows its neighbours is for images of up to {MOST_CORRELATED:,} "
                f"pixels, such as 64×64; these have {height * width:,}: choose the gaussian "
                "likelihood, or smaller images."
            )
        return len(NEIGHBOURS) * math.prod(image_shape)

    @property
    def is_gaussian(self) -> bool:
        return not bool(self.weights.any())

    def given(self, parameters: Gaussian) -> "CorrelatedDistribution":
        return CorrelatedDistribution(*parameters, self)

    def predicted(self, residual: Tensor) -> Tensor:
        """What each pixel's neighbours tell of its deviation. Shapes: (*, D) -> (*, D)."""
        height, width, channels = _with_channels(self.image_shape)
        *batch, pixels = residual.shape
        images = residual.reshape(-1, height, width, channels)
        # Zeros beyond the edges: above, and on either side.
        images = functional.pad(images, (0, 0, REACH, REACH, REACH, 0))
        weights = self.weights.view(-1, height, width, channels)
        total = torch.zeros_like(images[:, :height, :width])
        for weight, (row, column) in zip(weights, NEIGHBOURS, strict=True):
            top, left = REACH + row, REACH + column
            total = torch.addcmul(
                total, images[:, top : top + height, left : left + width], weight
            )
        return total.reshape(*batch, pixels)

    def responses(self) -> Tensor:
        r"""How far a deviation of its own carries, :math:`(I - W)^{-1}`, a channel at a time.

        Returns:
            Of shape (C, P, P) for C channels of P pixels: column j is what noise of 1 in pixel j
            does to all.
        """
        height, width, channels = _with_channels(self.image_shape)
        count = height * width
        weights = self.weights.detach().double().view(-1, height, width, channels)
        matrix = torch.eye(count, dtype=torch.float64, device=weights.device)
        matrix = matrix.repeat(channels, 1, 1)
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        for weight, (row, column) in zip(weights, NEIGHBOURS, strict=True):
            above, beside = rows + row, columns + column
            inside = (above >= 0) & (beside >= 0) & (beside < width)
            to, of = (rows * width + columns)[inside], (above * width + beside)[inside]
            matrix[:, to, of] -= weight[inside].movedim(-1, 0)
        identity = torch.eye(count, dtype=torch.float64, device=weights.device)
        return torch.linalg.solve_triangular(
            matrix, identity.expand(channels, -1, -1), upper=False, unitriangular=True
        )

    def variance_map(self) -> Tensor:
        """The squares of :meth:`responses`, float32: from the variances s² to the pixels' own."""
        now = self.weights.detach()
        if self._spread is None or not torch.equal(self._spread[0], now):
            # Not as tensors that autograd would refuse later.
            with torch.inference_mode(False), torch.no_grad():
                self._spread = now.clone(), self.responses().square().float()
        return self._spread[1]


class CorrelatedDistribution:
    """As :class:`Distribution`; see :class:`Correlated`.

    Arguments:
        mean: The mean, of shape (*, D).
        own_log_var: What neighbours do not tell, likewise.
        likelihood: What knows the neighbours.
    """

    def __init__(self, mean: Tensor, own_log_var: Tensor, likelihood: Correlated):
        self.mean = mean
        self.own_log_var = own_log_var
        self.likelihood = likelihood

    @property
    def log_var(self) -> Tensor:
        """The logarithm of each pixel's variance, all its neighbours considered."""
        if self.likelihood.is_gaussian:
            return self.own_log_var
        spread = self.likelihood.variance_map()
        *batch, pixels = self.own_log_var.shape
        own = self.own_log_var.exp().reshape(-1, pixels // len(spread), len(spread))
        variance = torch.einsum("cij,bjc->bic", spread, own)
        return variance.reshape(*batch, pixels).log()

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.mean, self.log_var))

    def log_prob(self, x: Tensor) -> Tensor:
        residual = x - self.mean
        unexplained = residual - self.likelihood.predicted(residual)
        squares = unexplained.square() * torch.exp(-self.own_log_var)
        return -0.5 * (math.log(2 * math.pi) + self.own_log_var + squares).sum(dim=-1)

    def sample(self, noise: Tensor) -> Tensor:
        """Pixel after pixel: each needs what its neighbours have become."""
        own = torch.exp(0.5 * self.own_log_var) * noise
        responses = self.likelihood.responses().to(own)
        channels = len(responses)
        *batch, pixels = own.shape
        own = own.reshape(-1, pixels // channels, channels)
        residual = torch.einsum("cij,bjc->bic", responses, own)
        return self.mean + residual.reshape(*batch, pixels)


class Bernoulli(Likelihood):
    r"""Each value is the probability of white, :math:`\sum_i x_i \log \mu_i +
    (1 - x_i) \log (1 - \mu_i)`.

    Of images in black and white it is a log-probability. Of grey ones it is the cross-entropy that
    many train by all the same, and no density of them.
    """

    name = "bernoulli"
    in_words = "each value is the probability of white: the cross-entropy that many train by"
    its_figures = "cross-entropies, which are log-probabilities of black and white images alone"

    def given(self, parameters: Gaussian) -> "BernoulliDistribution":
        return BernoulliDistribution(parameters.mean)


@dataclass(frozen=True)
class BernoulliDistribution:
    """As :class:`Distribution`."""

    mean: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.mean, self.log_var))

    @property
    def log_var(self) -> Tensor:
        white = self._white()
        return (white * (1 - white)).log()

    def log_prob(self, x: Tensor) -> Tensor:
        white = self._white()
        return (x * white.log() + (1 - x) * (-white).log1p()).sum(dim=-1)

    def sample(self, noise: Tensor) -> Tensor:
        """Black and white: white where the noise's place in its own distribution is below."""
        return (torch.special.ndtr(noise) < self.mean).to(self.mean)

    def _white(self) -> Tensor:
        return self.mean.clamp(1e-6, 1 - 1e-6)


class Unstated(Likelihood):
    """None: a decoder that gives an image, of which nobody has said what noise is around it."""

    name = "none"
    in_words = "none: images without noise around them, and so no nats"
    is_stated = False

    def given(self, parameters: Gaussian) -> "UnstatedDistribution":
        return UnstatedDistribution(*parameters)


class UnstatedDistribution(NamedTuple):
    """As :class:`Distribution`, of which no density is known; its variance is a guess."""

    mean: Tensor
    log_var: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """Raises VisageError."""
        raise VisageError(
            "This model states no likelihood of its images, so there are no nats: open it again "
            "and say what noise it was trained with, gaussian or bernoulli."
        )

    def sample(self, noise: Tensor) -> Tensor:
        """The mean: no noise is known."""
        return self.mean


# By the name that is stored with a model, in the order in which they are offered.
LIKELIHOODS: dict[str, type[Likelihood]] = {
    kind.name: kind for kind in (Gauss, Student, Correlated, Logistic)
}

# And those that a model from elsewhere may have, of which somebody states what it was trained by.
STATED: Mapping[str, type[Likelihood]] = ChainMap(
    {kind.name: kind for kind in (Bernoulli, Unstated)}, LIKELIHOODS
)


def bits_per_dimension(nats: float, pixels: int) -> float:
    """A log-probability of images of D values as bits a value, the fewer the better.

    Arguments:
        nats: The mean log-probability of an image, or a bound on it.
        pixels: D.
    """
    return -nats / (pixels * math.log(2))


def _with_channels(image_shape: Sequence[int]) -> tuple[int, int, int]:
    height, width, *channels = image_shape
    return height, width, channels[0] if channels else 1
