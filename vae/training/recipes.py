"""How to train: what a recipe sets, and what a person chooses of a run."""

__all__ = [
    "IWAE_SAMPLES",
    "RECIPES",
    "RECIPE_WORDS",
    "THE_RECIPES",
    "Recipe",
    "TrainingConfig",
    "recipe_for",
    "steps_of",
]

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vae.datasets.faces import usual_test_share
from vae.errors import VisageError
from vae.models.architecture import AUTO, Architecture, networks, usual_kind
from vae.models.likelihoods import LIKELIHOODS
from vae.models.objective import OBJECTIVES
from vae.training.optimizers import OPTIMIZERS


@dataclass(frozen=True)
class Recipe:
    """How to train: everything a person seldom chooses.

    Arguments:
        steps: How long to train where nobody chose that.
        hidden_dims: The hidden layers of a model whose layers were not chosen.
        optimizer: ``adam`` or ``adagrad``.
        learning_rate: Its highest value.
        warmup_steps: Steps over which the learning rate rises from zero.
        cosine: Whether it then falls to zero along a half cosine, or stays.
        encoder_weight_decay: The L2 penalty on the encoder's parameters.
        decoder_weight_decay: That on the decoder's.
        fit_to_data: Whether training starts from what the training set's mean and variance tell:
            the encoder sees images less the mean image, and the decoder's biases give the mean
            image and the mean variance; and whether the model that is kept is put into the latent
            coordinates that suit the prior best, which moves the ELBO of other images a little
            (:func:`vae.latent.match_prior`).
        input_noise: The standard deviation of the Gaussian noise added to the encoder's input, in
            units of a pixel's [0, 1].
        clip_norm: The largest norm of a gradient; None leaves it as it is.
        objective: What is maximised, by its name in :data:`vae.models.objective.OBJECTIVES`.
        samples: The number L of the noise's samples that it is given of each image.
        noise_steps: How many of a run's steps, its last, learn the noise, the faces kept, if the
            likelihood is learnt in a stage of its own; half of the steps at most.
        noise_learning_rate: The learning rate that this stage begins with; along a half cosine it
            falls to zero.
        averaging: The decay a step of the exponential moving average of the weights that is
            evaluated and kept; 0 keeps the weights themselves.
        patience: When the validation set has said enough: for so many times as many steps as its
            best step took, and :data:`vae.training.loop.LEAST_PATIENCE` more, there was no better
            one. Then the run goes back to its best step and ends. 0 goes on to the last step, and
            so does a run whose noise has a stage of its own, which begins at the best step.
        batch_size: Images in a minibatch where nobody chose that; and likewise
        activation: what follows the layers, by its name in :data:`vae.models.mlp.ACTIVATIONS`.
        even_share: The share of the steps, its first, in which the variance of every pixel stays
            at :data:`vae.training.loop.EVEN_VARIANCE`, so that the mean learns all pixels alike:
            a decoder that learns both at once draws what is easy, is sure of it, and leaves the
            rest, as eyes are, to the noise. 0 learns both from the beginning.

    A constant that comes later has a default that changes nothing: it is what a run means that
    was begun before.

    Raises:
        VisageError: A value that no recipe can have.
    """

    steps: int = 10_000
    hidden_dims: tuple[int, ...] = (200,)
    optimizer: str = "adam"
    learning_rate: float = 3e-3
    warmup_steps: int = 0
    cosine: bool = False
    encoder_weight_decay: float = 0.0
    fit_to_data: bool = False
    input_noise: float = 0.0
    clip_norm: float | None = None
    averaging: float = 0.0
    objective: str = "elbo"
    samples: int = 1
    noise_steps: int = 500
    noise_learning_rate: float = 3e-3
    patience: float = 0.0
    decoder_weight_decay: float = 0.0
    batch_size: int = 100
    activation: str = "tanh"
    even_share: float = 0.0

    def __post_init__(self):
        object.__setattr__(self, "hidden_dims", tuple(self.hidden_dims))
        if self.optimizer not in OPTIMIZERS:
            raise VisageError(
                f"An optimiser is one of {', '.join(OPTIMIZERS)}, not '{self.optimizer}'."
            )
        if self.objective not in OBJECTIVES:
            raise VisageError(
                f"An objective is one of {', '.join(OBJECTIVES)}, not '{self.objective}'."
            )
        if not isinstance(self.samples, int) or self.samples < 1:
            raise VisageError(
                f"The samples an image must be a whole number of at least 1, not {self.samples}."
            )


RECIPES = {
    # The article's but for three things: it draws each minibatch afresh where an epoch here shows
    # every image once; it adds 1e-10 to the variance that it divides by; and it tests on the last
    # fifth of the video, which is the split "last".
    "paper": Recipe(
        steps=1_000_000, optimizer="adagrad", learning_rate=0.01, encoder_weight_decay=0.5
    ),
    "adam": Recipe(),
    "default": Recipe(
        steps=4_000,
        hidden_dims=(200, 200, 200),
        learning_rate=8e-3,
        warmup_steps=200,
        cosine=True,
        fit_to_data=True,
        input_noise=0.1,
        clip_norm=20.0,
        averaging=0.99,
        patience=1.0,
        decoder_weight_decay=0.1,
    ),
}

# What each is, as the sentence goes on that begins with its name; in the order of a choice.
RECIPE_WORDS = {
    "default": "this project's own: it learns faster and further",
    "adam": "the plain one that most implementations use",
    "paper": "the article's: Adagrad, weight decay, one hidden layer of 200 (it differs in the "
    "order of minibatches, by 10⁻¹⁰ in the variance, and by its split, the last fifth)",
}

# What the default recipe does otherwise with more than this many latents: a few latents must fold
# the faces onto each other, which takes depth, and overfit by that; many need neither.
FEW_LATENTS = 3
MANY_LATENTS = {"hidden_dims": (300, 300), "learning_rate": 4e-3, "input_noise": 0.03}

# What it does otherwise with convolutions, whatever the latents. A step takes the longer the more
# images it sees, so that many steps of few images learn further than few of many; and tanh also
# learns less there.
CONVOLUTIONS = {
    "batch_size": 25,
    "activation": "silu",
    "steps": 6_000,
    "learning_rate": 8e-3,
    "input_noise": 0.03,
    "even_share": 0.6,
}

# And where what is held out is a stretch of its own: a model whose weights are free to grow is so
# sure of what it has seen that anything else surprises it more with each step.
STRETCHES = {"encoder_weight_decay": 0.1, "decoder_weight_decay": 1.6}


def recipe_for(name: str, latent_dim: int, split: str = "random", network: str = "mlp") -> Recipe:
    """The recipe of that name for a model of so many latents, a kind of split, and of network.

    Raises:
        VisageError: There is no such recipe.
    """
    if name not in RECIPES:
        raise VisageError(f"A recipe is one of {', '.join(RECIPES)}, not '{name}'.")
    recipe = RECIPES[name]
    if name == "default":
        changes = {
            **(MANY_LATENTS if latent_dim > FEW_LATENTS else {}),
            **(CONVOLUTIONS if network == "conv" else {}),
            **(STRETCHES if split != "random" else {}),
        }
        recipe = dataclasses.replace(recipe, **changes)
    return recipe


def steps_of(recipe: Recipe, likelihood: str) -> int:
    """The steps of a run with this likelihood where nobody chose them."""
    return recipe.steps + (recipe.noise_steps if LIKELIHOODS[likelihood].is_staged else 0)


# The k of the importance-weighted bound where nobody chose it.
IWAE_SAMPLES = 5

# What nobody chose of a run: a configuration puts the recipe's value in its place (the split's, of
# a test share), so that whoever reads one meets values alone. Hence its type.
THE_RECIPES: Any = None


@dataclass(frozen=True)
class TrainingConfig:
    """What a person chooses of a run; what is :data:`THE_RECIPES` becomes the recipe's.

    Arguments:
        holdout: The share of the images that the best step is chosen on: the validation set.
        test: The share that nothing sees until training is over; 0 for none, as of runs that were
            begun when there was no such set. By default what
            :func:`vae.datasets.faces.usual_test_share` says of the split.
        steps: How many to take in all; of a likelihood that is learnt in a stage of its own, the
            recipe's are so many more.
        split: How these are chosen: one of :data:`vae.datasets.faces.SPLITS`.
        likelihood: What the decoder's mean and log-variance are the parameters of, by its name in
            :data:`vae.models.likelihoods.LIKELIHOODS`.
        recipe: The recipe's name.
        objective: What is maximised, by its name in :data:`vae.models.objective.OBJECTIVES`.
        samples: How many samples of an image's posterior a step takes: of the importance-weighted
            bound its k, 5 where neither a person nor the recipe chose.
        beta: What the KL divergence counts against the log-likelihood while the ELBO is climbed.
            What is recorded stays the ELBO itself; the best step is chosen by what is maximised.
        beta_warmup: Steps over which that rises from zero.
        activation: What follows each hidden layer of a perceptron, by its name in
            :data:`vae.models.mlp.ACTIVATIONS`.
        training_images: How many images of the training set are learnt from, evenly spaced ones;
            None for all of them. Validation and test stay as they are.
        network: The kind of encoder and decoder, by its name in
            :data:`vae.models.architecture.KINDS`, or ``auto`` for the one that
            :func:`vae.models.architecture.usual_kind` says of the images; runs that were begun
            when there was one kind are of ``mlp``. What else is chosen here is given to it where
            it has a field for it.
        width: How wide a convolutional network is, by its name in
            :data:`vae.models.conv.WIDTHS`.
        whole_recipe: What it says, which is kept with the run: one that is resumed under a later
            version goes on as it began. By default what the name means today, and so it is for
            runs that were begun when the name alone was kept.

    Raises:
        VisageError: A value that no run can have.
    """

    dataset: str = "frey"
    latent_dim: int = 2
    hidden_dims: tuple[int, ...] = THE_RECIPES
    batch_size: int = THE_RECIPES
    steps: int = THE_RECIPES
    learning_rate: float = THE_RECIPES
    holdout: float = 0.1
    test: float = THE_RECIPES
    split: str = "random"
    split_seed: int = 0
    seed: int = 0
    recipe: str = "default"
    device: str = "auto"
    network: str = AUTO
    likelihood: str = "gaussian"
    objective: str = THE_RECIPES
    samples: int = THE_RECIPES
    beta: float = 1.0
    beta_warmup: int = 0
    activation: str = THE_RECIPES
    training_images: int | None = None
    width: str = "medium"
    whole_recipe: Recipe = THE_RECIPES

    def __post_init__(self):
        Architecture((1, 1), self.latent_dim, likelihood=self.likelihood)
        recipe = self.whole_recipe or recipe_for(
            self.recipe, self.latent_dim, self.split, self.network
        )
        object.__setattr__(self, "whole_recipe", recipe)
        hidden_dims = recipe.hidden_dims if self.hidden_dims is None else self.hidden_dims
        rate = recipe.learning_rate if self.learning_rate is None else self.learning_rate
        steps = steps_of(recipe, self.likelihood) if self.steps is None else self.steps
        for name in ("batch_size", "activation"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(recipe, name))
        object.__setattr__(self, "hidden_dims", tuple(hidden_dims))
        for kind in ("mlp", "conv") if self.network == AUTO else (self.network,):
            networks(kind, vars(self))
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "learning_rate", rate)
        self._choose_objective(recipe)
        for name, value in (
            ("steps", self.steps),
            ("batch size", self.batch_size),
            ("seed", self.seed),
            ("split's seed", self.split_seed),
            ("number of steps in which β rises", self.beta_warmup),
            ("number of training images", self.training_images or 1),
        ):
            if not isinstance(value, int):
                raise VisageError(f"The {name} must be a whole number, not {value}.")
        for name, value in (("steps", self.steps), ("batch size", self.batch_size)):
            if value < 1:
                raise VisageError(f"The {name} must be at least 1, not {value}.")
        if self.beta_warmup < 0:
            raise VisageError("β rises in 0 steps or more.")
        if self.training_images is not None and self.training_images < 1:
            raise VisageError("There must be at least 1 training image.")
        if not 0 < rate < math.inf:
            raise VisageError(f"The learning rate must be above 0, not {rate:g}.")
        if not 0 < self.holdout < 1:
            raise VisageError(
                f"The held-out share must lie between 0 and 1, not at {self.holdout:g}."
            )
        usual = usual_test_share(self.split)
        object.__setattr__(self, "test", usual if self.test is None else self.test)
        if not 0 <= self.test < 1 - self.holdout:
            raise VisageError(
                f"The test share must be 0 or more, and leave images to train on beside the "
                f"held-out {self.holdout:g}, so it can't be {self.test:g}."
            )
        if min(self.seed, self.split_seed) < 0:
            raise VisageError("A seed must be 0 or more.")
        if not isinstance(self.dataset, str | os.PathLike) or not str(self.dataset).isprintable():
            raise VisageError("The data set's name or path must be one that can be shown.")

    def _choose_objective(self, recipe: Recipe) -> None:
        objective = recipe.objective if self.objective is None else self.objective
        samples = recipe.samples if self.samples is None else self.samples
        if self.samples is None and objective == "iwae":
            samples = max(samples, IWAE_SAMPLES)
        # What a recipe can't have, a run can't either.
        dataclasses.replace(recipe, objective=objective, samples=samples)
        object.__setattr__(self, "objective", objective)
        object.__setattr__(self, "samples", samples)
        if not 0 <= self.beta < math.inf:
            raise VisageError(f"β must be 0 or more, not {self.beta:g}.")
        if objective != "elbo" and (self.beta != 1 or self.beta_warmup):
            raise VisageError(
                "β weighs the ELBO's KL divergence, which the importance-weighted bound has not: "
                "choose the objective elbo, or leave β at 1 without a warm-up."
            )

    @property
    def maximises_elbo(self) -> bool:
        """Whether what is maximised is the ELBO itself, by which the best step is then chosen."""
        return self.objective == "elbo" and self.beta == 1

    def set_by_recipe(self) -> dict[str, tuple[Any, Any]]:
        """What the recipe says of what a person may choose, and what this run has, by name."""
        # Hidden layers are nothing to a convolutional network.
        layers = () if self.network == "conv" else ("hidden_dims",)
        return {
            name: (getattr(self.whole_recipe, name), getattr(self, name))
            for name in (*layers, "learning_rate", "batch_size", "activation")
        } | {"steps": (steps_of(self.whole_recipe, self.likelihood), self.steps)}

    def recipe_in_words(self) -> str:
        """What the recipe sets for a model of so many latents, and what was chosen otherwise."""
        words = {
            "hidden_dims": "layers of {}",
            "learning_rate": "a learning rate of {}",
            "batch_size": "minibatches of {}",
            "steps": "{} steps",
        }
        said = []
        for name, (usual, chosen) in self.set_by_recipe().items():
            said.append(words.get(name, "{}").format(told(usual)))
            if usual != chosen:
                said[-1] += f" (here {told(chosen)})"
        count = f"{self.latent_dim} latent{'s' if self.latent_dim > 1 else ''}"
        of = f"convolutions and {count}" if self.network == "conv" else count
        return f"For {of} the recipe {self.recipe} sets {', '.join(said)}."

    @classmethod
    def of(cls, values: Mapping) -> "TrainingConfig":
        """The configuration that :func:`dataclasses.asdict` made these values of.

        Raises:
            TypeError: They are not of a configuration.
            VisageError: A value that no run can have.
        """
        whole = values.get("whole_recipe")
        recipe = THE_RECIPES if whole is None else Recipe(**whole)
        return cls(**{"test": 0.0, "network": "mlp", **values, "whole_recipe": recipe})

    def for_images(self, image_shape: tuple[int, ...]) -> "TrainingConfig":
        """The same with the network that is usual for images of this shape, if none was chosen,
        and what the recipe sets for it in the place of what nobody chose otherwise."""
        if self.network != AUTO:
            return self
        changes: dict[str, Any] = {"network": usual_kind(image_shape)}
        usual = recipe_for(self.recipe, self.latent_dim, self.split)
        if self.whole_recipe == usual:
            changes["whole_recipe"] = THE_RECIPES
            for name, (recipes, mine) in self.set_by_recipe().items():
                if mine == recipes:
                    changes[name] = THE_RECIPES
        return dataclasses.replace(self, **changes)

    def architecture(self, image_shape: tuple[int, ...]) -> Architecture:
        """What the model of images of this shape is built from.

        Raises:
            VisageError: It would be too large.
        """
        kind = usual_kind(image_shape) if self.network == AUTO else self.network
        return Architecture(
            image_shape, self.latent_dim, networks(kind, vars(self)), self.likelihood
        )

    @property
    def noise_steps(self) -> int:
        """How many of the steps, the last ones, learn the noise: the faces stay."""
        if not LIKELIHOODS[self.likelihood].is_staged:
            return 0
        return min(self.whole_recipe.noise_steps, self.steps // 2)


def told(value: tuple[int, ...] | float | str) -> str:
    """A setting in words: layers side by side, thousands apart."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
