"""Figures, texts and errors as people read them, and what the words of the paper mean."""

__all__ = [
    "duration",
    "figure",
    "how_log_px",
    "log_px",
    "meaning",
    "number",
    "plain",
    "sentences",
    "signal_to_noise",
    "with_error",
]

import contextlib
import math
import re
from collections.abc import Iterator

import streamlit as st

from vae.errors import VisageError

# What a word says that is not at home everywhere, for the hover text where it is met.
MEANINGS = {
    "ELBO": "the evidence lower bound, the log-likelihood less the KL divergence: never more than "
    "log p(x), and what training climbs. Higher is better.",
    "log-likelihood": "how well the decoder explains an image from its latents: the log of the "
    "density that it gives the image's pixels.",
    "KL divergence": "how far an image's posterior lies from the prior: what its latents tell "
    "of it. 0 tells nothing.",
    "likelihood": "what noise the decoder expects around its mean. Figures of one likelihood say "
    "nothing beside those of another, but of the same images in nats: student, correlated and "
    "gaussian give densities, logistic the probabilities of grey levels, which are never above 0. "
    "Where none is named it is the gaussian.",
    "log p(x)": "how likely the model finds an image, all latents considered: what the ELBO is a "
    "lower bound of. With one or two latents it is an integral over z that is done; with more, "
    "and where it says at least, it is sampled, and itself a lower bound on average.",
    "refined ELBO": "the ELBO under the best Gaussian for this very image, not the encoder's.",
    "amortisation gap": "what the encoder's posterior loses against the best Gaussian for this "
    "very image, since the encoder answers for every image at once.",
    "approximation gap": "what the best Gaussian loses because the true posterior is none: the KL "
    "divergence between the two.",
    "log p(z)": "the log-density of the prior at a latent point: highest at the origin.",
    "nats": "the unit of information with the natural logarithm; 1 nat is 1.44 bits. Pixels "
    "have densities, not probabilities, so figures may lie above 0.",
    "training": "the images that the model learns from.",
    "validation": "images that it never trains on, and which the best step is chosen on: that "
    "makes their figures a little too good.",
    "test": "images that nothing sees before training is over, neither the weights nor the choice "
    "of the best step: what tells a model's quality.",
    "held-out": "images that it never trained on. There was no test set yet, so they also chose "
    "the best step: that makes their figures a little too good.",
    "±": "the standard error of a mean over images, as if they had been drawn one by one: so far "
    "the mean over very many may well lie from it. Frames of a video are alike: read it as a "
    "least value.",
    "latents in use": "latents that change with the image; one that always stays as the prior "
    "has it tells nothing.",
    "mutual information gap": "of data whose factors are known: how much more of a factor the "
    "latent that tells most of it tells than the next one, in shares of all there is to tell. 1 "
    "is a latent a factor.",
    "DCI": "disentanglement, 1 where a latent tells of one factor alone; completeness, 1 where a "
    "factor is told by one latent alone; and the error of predicting the factors from the latents "
    "by a lasso, 1 where it is no better than guessing the mean.",
    "metric": "how far apart two nearby latent points lie when their images are compared: the "
    "decoder's own ruler, M(z). Lengths are in units of a pixel's range from 0 to 1.",
    "geodesic": "the shortest path in the metric: along it the image changes least in all, and by "
    "the same amount in each step.",
    "spherical": "a path that turns from one point to the other around the origin, so that it "
    "stays at distances where the prior of many latents has its mass.",
    "magnification": "how much larger a small piece of latent space becomes among images, "
    "√det M: where it is large, a small step changes the image much.",
    "posterior mean": "where the encoder puts an image in the latent space.",
    "prior": "the distribution that latents are drawn from before any image is seen: a standard "
    "Gaussian.",
    "aggregate posterior": "q(z), the mean of the posteriors of all training images: where the "
    "data lie in the latent space.",
    "σ": "a standard deviation of the prior: of two latents, 39 % of it lie within 1σ, 86 % "
    "within 2σ and 99 % within 3σ.",
}


def number(value: float, digits: int = 0) -> str:
    """A figure as people read it: thousands apart, and a minus sign that is one."""
    return f"{value:,.{digits}f}".replace("-", "−")


def with_error(value: float, error: float | None, digits: int = 0) -> str:
    """A figure with its standard error, where that is known: 985 ± 20."""
    told = number(value, digits)
    return told if error is None else f"{told} ± {number(error, digits)}"


def signal_to_noise(error: float) -> str:
    """A mean squared error of pixels in [0, 1] in words, with its ratio in decibels."""
    decibels = -10 * math.log10(max(error, 1e-12))
    return f"signal-to-noise ratio **{number(decibels, 1)} dB**, squared error {error:.4f}"


def figure(name: str, likelihood: str) -> str:
    """What a figure is called: with the likelihood that it is of, where that is another one."""
    return name if likelihood == "gaussian" else f"{name} ({likelihood})"


def log_px(value: float, is_integral: bool, digits: int = 0, likelihood: str = "gaussian") -> str:
    """log p(x) and how well it is known: done as an integral, or sampled, a lower bound."""
    known = "=" if is_integral else "is at least about"
    return f"{figure('log p(x)', likelihood)} {known} {number(value, digits)}"


def how_log_px(is_integral: bool) -> str:
    """Where log p(x) comes from."""
    return "an integral over z" if is_integral else "by importance sampling"


def plain(text: str) -> str:
    """A text for Markdown as it stands: a stranger's file may say anything of itself.

    What would be formatted is escaped: also a line's first sign, an underscore beside a word, and
    the colon before what may be the code of an emoji or icon. A tilde that begins a part of an
    address, as that of a person's page, strikes nothing out and stays.
    """
    text = re.sub(
        r"([\\`*\[\]<$]|(?<!/)~|~(?!\w)|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|^[#>+=-])",
        r"\\\1",
        text,
        flags=re.M,
    )
    return re.sub(r":(?=[a-z0-9_+-]+[:/](?!/))", ":\u2060", text)


def duration(seconds: float) -> str:
    """A length of time as people say it: its two largest units."""
    seconds = max(0, round(seconds))
    for size, unit, part, smaller in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // part
            return (
                f"{seconds // size} {unit} {rest} {smaller}"
                if rest
                else f"{seconds // size} {unit}"
            )
    return f"{seconds} s"


def meaning(*terms: str) -> str:
    """What some of :data:`MEANINGS` say, as the Markdown of a hover text."""
    return "  \n".join(f"**{term}**: {MEANINGS[term]}" for term in terms)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Show a :class:`VisageError` as the sentence it is; also usable as a decorator."""
    try:
        yield
    except VisageError as error:
        st.error(plain(str(error)), icon=":material/error:")
