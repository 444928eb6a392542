"""A model's card: what its checkpoint says of it, as far as that can be true.

A checkpoint may come from a stranger, so its word is checked once, where it is read: what can't be
true counts as unknown, and whoever shows a card need not doubt it again.
"""

__all__ = ["HOW", "Figures", "ModelCard", "Split"]

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Literal, get_args

from vae.models.architecture import Architecture

# No figure of a model lies beyond: its digits alone would fill a page.
LARGEST_FIGURE = 1e15

# What file systems take: bytes of a path, and of each of its parts.
LONGEST_PATH = 4_000
LONGEST_PART = 255

LONGEST_WORD = 100

# The ways to divide a data set; :data:`vae.datasets.faces.SPLITS` has no more.
HOW = Literal["random", "last", "first", "blocks"]


@dataclass(frozen=True)
class Figures:
    """Means over a set of images, in nats an image; None where unknown.

    Arguments:
        elbo: The evidence lower bound.
        log_likelihood: Its first term.
        kl: Its second, the KL divergence.
        importance_weighted: The tighter bound on log p(x).
        importance_images: How many images that is the mean of; of large ones, fewer than of the
            other figures.
        elbo_error: The standard error of the mean ELBO over these images; so are
            ``log_likelihood_error``, ``kl_error`` and ``importance_weighted_error``.
        images: How many images the other figures are the means of.
    """

    elbo: float | None = None
    log_likelihood: float | None = None
    kl: float | None = None
    importance_weighted: float | None = None
    importance_images: int | None = None
    elbo_error: float | None = None
    log_likelihood_error: float | None = None
    kl_error: float | None = None
    importance_weighted_error: float | None = None
    images: int | None = None

    @classmethod
    def of(cls, said: object) -> "Figures":
        """What can be true of a dict by these names, or of anything else."""
        if not isinstance(said, Mapping):
            return cls()
        return cls(
            elbo=_number(said.get("elbo")),
            log_likelihood=_number(said.get("log_likelihood")),
            kl=_number(said.get("kl"), least=0),
            importance_weighted=_number(said.get("importance_weighted")),
            importance_images=_whole(said.get("importance_images")),
            elbo_error=_number(said.get("elbo_error"), least=0),
            log_likelihood_error=_number(said.get("log_likelihood_error"), least=0),
            kl_error=_number(said.get("kl_error"), least=0),
            importance_weighted_error=_number(said.get("importance_weighted_error"), least=0),
            images=_whole(said.get("images")),
        )


@dataclass(frozen=True)
class Split:
    """How a data set was divided: the arguments of :meth:`vae.datasets.faces.Faces.splits`.

    A file of before there was a test set tells of none, so it has none. ``training_images`` says
    how many of the training set were learnt from; None where it was all of them.
    """

    how: HOW
    holdout: float
    seed: int
    test: float = 0.0
    training_images: int | None = None

    @classmethod
    def of(cls, said: object) -> "Split | None":
        """The split, or None where it can't have been made."""
        if not isinstance(said, Mapping):
            return None
        how, holdout = said.get("how"), _number(said.get("holdout"), least=0)
        seed, test = _whole(said.get("seed", 0)), _number(said.get("test", 0), least=0)
        named = next((known for known in get_args(HOW) if known == how), None)
        if named is None or seed is None or not holdout or test is None or holdout + test >= 1:
            return None
        return cls(named, holdout, seed, test, _whole(said.get("training_images")))


@dataclass(frozen=True)
class ModelCard:
    """What is known of a trained model; what is unknown is None or empty.

    Arguments:
        architecture: What the model is built from.
        name: What it was called when it was saved.
        dataset: The name or path of the data set that it was trained on.
        dataset_sha256: That of the images, as a hexadecimal string.
        split: How the data set was divided.
        recipe: The name of the recipe.
        objective: What was maximised, by its name in :data:`vae.models.objective.OBJECTIVES`.
        noise_samples: How many samples of an image a step took.
        seed: What weights and minibatches were drawn with.
        step: Optimiser steps taken.
        samples: Training samples seen.
        seconds: Time spent in the training loop.
        trained_at: When it was saved.
        train: Figures on the training set.
        heldout: Figures on the validation set, which also chose the best step.
        test: Figures on the test set, which nothing has seen before training was over; unknown of
            a model that has none, or whose run has not come to its end.
        active_units: The number of latents in use.
    """

    architecture: Architecture
    name: str = ""
    dataset: str = ""
    dataset_sha256: str = ""
    split: Split | None = None
    recipe: str = ""
    objective: str = ""
    noise_samples: int | None = None
    seed: int | None = None
    step: int | None = None
    samples: int | None = None
    seconds: float | None = None
    trained_at: datetime | None = None
    train: Figures = field(default_factory=Figures)
    heldout: Figures = field(default_factory=Figures)
    test: Figures = field(default_factory=Figures)
    active_units: int | None = None

    @classmethod
    def of(cls, architecture: Architecture, said: Mapping) -> "ModelCard":
        """The card of a model of this architecture.

        Arguments:
            architecture: The model's own.
            said: What its file says of it, which may be anything.
        """
        active = _whole(said.get("active_units"))
        if active is not None and active > architecture.latent_dim:
            active = None
        return cls(
            architecture=architecture,
            name=_word(said.get("name")),
            dataset=_path(said.get("dataset")),
            dataset_sha256=_sha256(said.get("dataset_sha256")),
            split=Split.of(said.get("split")),
            recipe=_word(said.get("recipe")),
            objective=_word(said.get("objective")),
            noise_samples=_whole(said.get("noise_samples")),
            seed=_whole(said.get("seed")),
            step=_whole(said.get("step")),
            samples=_whole(said.get("samples")),
            seconds=_number(said.get("seconds"), least=0),
            trained_at=_date(said.get("trained_at")),
            train=Figures.of(said.get("train")),
            heldout=Figures.of(said.get("heldout")),
            test=Figures.of(said.get("test")),
            active_units=active,
        )

    @property
    def quality(self) -> Figures:
        """What tells best how good the model is: its test figures or, without, the held-out ones.

        :attr:`measured_on` says which.
        """
        return self.heldout if self.test.elbo is None else self.test

    @property
    def measured_on(self) -> Literal["test", "validation", "held-out"]:
        """The images that :attr:`quality` is of; ``held-out`` ones where there is no test set.

        The step was chosen on validation and held-out images, so that their figures flatter.
        """
        if self.test.elbo is not None:
            return "test"
        return "validation" if self.split and self.split.test else "held-out"

    @property
    def likelihood(self) -> str:
        """The name of the likelihood that all figures are of."""
        return self.architecture.likelihood

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        return self.architecture.image_shape

    @property
    def latent_dim(self) -> int:
        """The number K of latent dimensions."""
        return self.architecture.latent_dim


def _number(value: object, least: float = -LARGEST_FIGURE) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer may be larger than any float, and NaN is in no range.
    return float(value) if least <= value <= LARGEST_FIGURE else None


def _whole(value: object) -> int | None:
    """A count or a seed."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= LARGEST_FIGURE else None


def _sha256(value: object) -> str:
    return value if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) else ""


def _word(value: object) -> str:
    """Text that can be shown, without controls and lone surrogates; empty for anything else."""
    if not isinstance(value, str) or len(value) > LONGEST_WORD:
        return ""
    return value if value.isprintable() else ""


def _path(value: object) -> str:
    """A data set's name or path that a file system can be asked about."""
    if not isinstance(value, str) or len(value) > LONGEST_PATH or not value.isprintable():
        return ""
    parts = PurePath(value).parts
    longest = max((len(part.encode()) for part in parts), default=0)
    return value if longest <= LONGEST_PART and len(value.encode()) <= LONGEST_PATH else ""


def _date(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
