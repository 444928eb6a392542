"""Training as an iterator: weights move, news comes out; no files and no screen.

    state = TrainingState(config, image_shape)
    for progress in train(state, train_images, heldout_images):
        print(progress.step, progress.elbo)

What a step does depends on the configuration and the step's number alone: minibatches and noise
are drawn from generators seeded by (seed, epoch). So the same seed gives the same weights bit for
bit on the same machine and threads, and a state that was saved and restored goes on as if it had
never stopped.

References:
    Auto-Encoding Variational Bayes (Kingma & Welling, 2014), algorithm 1
    https://arxiv.org/abs/1312.6114
"""

__all__ = ["Progress", "TrainingState", "check_batch", "choose_device", "train"]

import copy
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vae.datasets.faces import Pixels
from vae.errors import VisageError
from vae.latent.arrays import evaluate
from vae.models.vae import VAE
from vae.training.distributed import add_up, from_first_rank, rank, world_size
from vae.training.gradient import AutogradGradient, ElboGradient, gradient_of
from vae.training.optimizers import OPTIMIZERS
from vae.training.pace import ThreadTuner
from vae.training.recipes import TrainingConfig

# Steps between two records once training is under way, and between two held-out evaluations:
# often enough to watch, seldom enough to cost under 2 % of the time.
RECORD_EVERY = 100
EVALUATE_EVERY = 200

# Seconds after which a record is due whatever the step, so that slow models show signs of life.
RECORD_SECONDS = 1.0

# Images that a large training set's mean and variance are measured on, and that stand for a large
# held-out set while training goes on: evenly spaced ones.
STATISTICS_IMAGES = 2_000
HELDOUT_IMAGES = 2_000

# Steps between two updates of the weights' average.
AVERAGE_EVERY = 5

# The variance of each pixel while all of them are learnt alike: a tenth of its range, squared.
EVEN_VARIANCE = 0.01

# Steps without a better one that say nothing yet (:attr:`vae.training.recipes.Recipe.patience`).
LEAST_PATIENCE = 500

# Values of the gradient whose squares one thread adds up.
NORM_ROW = 4096

# The size of the noise bank, in pixels.
NOISE_BANK = 2**20


@dataclass(frozen=True)
class Progress:
    """News of a training run, as one record of its metrics.

    Arguments:
        step: Steps taken.
        samples: Training samples evaluated.
        seconds: Time spent in the training loop.
        elbo: The mean over the minibatches since the last record, in nats an image; so are
            ``log_likelihood`` and ``kl``.
        heldout_elbo: The mean over the held-out set, in nats an image, or None where it was not
            measured; so are ``heldout_log_likelihood`` and ``heldout_kl``.
        learning_rate: That of the last step.
        steps_per_second: The speed since the last record.
        heldout_objective: What is maximised, on the held-out set, where that is not the ELBO: the
            best step is chosen by it.
    """

    step: int
    samples: int
    seconds: float
    elbo: float
    log_likelihood: float
    kl: float
    heldout_elbo: float | None
    heldout_log_likelihood: float | None
    heldout_kl: float | None
    learning_rate: float
    steps_per_second: float
    heldout_objective: float | None = None


class TrainingState:
    """All that training changes: save its tensors, restore them, and nothing is lost.

    Arguments:
        config: What to train and how.
        image_shape: (H, W) or (H, W, 3).

    Attributes:
        model: The model being trained.
        step: Steps taken.
        last_rate: The learning rate of the last step.
        seconds: Time spent in the training loop.
        noise_since: The step since which the noise is learnt (:meth:`learn_noise`), or None.
        best: The weights of :attr:`averaged` at its best held-out ELBO, in the order of
            ``parameters()``, end to end; empty until there is one.
        gave_up: The step after which the recipe's patience was at an end, and the number of steps
            that the run was to take; zeros until then. A run that is then given more steps is
            given as much patience again.
    """

    def __init__(self, config: TrainingConfig, image_shape: tuple[int, ...]):
        self.config = config = config.for_images(image_shape)
        self.recipe = config.whole_recipe
        self.device = choose_device(config.device)
        torch.manual_seed(config.seed)
        self.model = VAE.of(config.architecture(image_shape)).to(self.device)
        self.weights, self.gradient = one_buffer(self.model)
        # The encoder's parameters come first.
        size = sum(weight.numel() for weight in self.model.encoder.parameters())
        self._encoder_weights, self._encoder_gradient = self.weights[:size], self.gradient[:size]
        end = size + sum(weight.numel() for weight in self.model.decoder.parameters())
        self._decoder_weights = self.weights[size:end]
        self._decoder_gradient = self.gradient[size:end]
        # And the likelihood's own come last; where they are learnt in a stage of their own, they
        # wait for it.
        own = sum(weight.numel() for weight in self.model.likelihood.parameters())
        staged = self.model.likelihood.is_staged
        self._waiting_gradient = self.gradient[len(self.gradient) - own * staged :]
        whole_rows = len(self.gradient) // NORM_ROW * NORM_ROW
        self._gradient_rows = self.gradient[:whole_rows].view(-1, NORM_ROW)
        self._gradient_rest = self.gradient[whole_rows:]
        self.average = self.weights.clone() if self.recipe.averaging else self.weights
        self.optimizer = OPTIMIZERS[self.recipe.optimizer](self.weights)
        self.step = 0
        self.last_rate = 0.0
        self.seconds = 0.0
        self.noise_since: int | None = None
        self._noise_alone: Tensor | None = None
        self.best = torch.empty(0)
        self.best_step = 0
        self.best_objective = -math.inf
        self.gave_up = 0, 0
        self._evaluated = copy.deepcopy(self.model).requires_grad_(False).eval()
        self._evaluated_at = -1

    @property
    def averaged(self) -> VAE:
        """The model to evaluate and keep, as of this step.

        Its weights are averaged over recent steps where the recipe says so. It is one and the same
        object at every step: copy what you keep.
        """
        if self._evaluated_at != self.step:
            # The parameters become views of the vector they are given, hence a copy.
            torch.nn.utils.vector_to_parameters(self.average.clone(), self._evaluated.parameters())
            self._evaluated.mean_image.copy_(self.model.mean_image)
            self._evaluated_at = self.step
        return self._evaluated

    def fit_to(self, images: np.ndarray | Pixels) -> None:
        """Start from the training set's mean and variance, if the recipe asks for it."""
        if not self.recipe.fit_to_data:
            return
        some = images[:: 1 + len(images) // STATISTICS_IMAGES]
        pixels = torch.from_numpy(np.asarray(some)).to(self.device)
        mean = pixels.mean(dim=0)
        variance = (pixels - mean).square().mean()
        if self.recipe.even_share:
            variance = torch.full_like(variance, EVEN_VARIANCE)
            # Nothing that grows with the mean's layers may move it.
            for weight, rows in self.model.decoder.log_var_parameters():
                weight.data[rows] = 0
        self.model.mean_image.copy_(mean)
        self.model.decoder.start_at(mean.clamp(0.02, 0.98), variance.clamp(min=1e-6).log())
        self.average.copy_(self.weights)

    def learn_noise(self) -> None:
        """From here on learn the noise around the mean, from the best weights so far.

        Everything that the decoder's mean depends on stays as it is, so that the faces do: what
        is learnt is the likelihood's own weights, what of the decoder the log-variance alone
        depends on, and the encoder, which follows. The optimiser starts afresh, or its momentum
        would move the rest.
        """
        self.noise_since = self.step
        if len(self.best):
            self.weights.copy_(self.best)
        self.average.copy_(self.weights)
        for value in self.optimizer.memory.values():
            value.zero_()
        self._evaluated_at = -1

    @property
    def noise_is_due(self) -> bool:
        """Whether the next step is the first that learns the noise."""
        steps = self.config.noise_steps
        return bool(steps) and self.noise_since is None and self.step >= self.config.steps - steps

    def learning_rate(self) -> float:
        """That of the next step: a linear warm-up, then a half cosine down to zero.

        The noise's stage begins at a rate of its own and goes down likewise.
        """
        if self.noise_since is not None:
            share = (self.step - self.noise_since) / (self.config.steps - self.noise_since)
            return self.recipe.noise_learning_rate * 0.5 * (1 + math.cos(math.pi * share))
        rate, warmup = self.config.learning_rate, self.recipe.warmup_steps
        if self.step < warmup:
            return rate * (self.step + 1) / warmup
        if not self.recipe.cosine:
            return rate
        steps = self.config.steps - self.config.noise_steps
        share = (self.step - warmup) / max(1, steps - warmup)
        return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))

    def beta(self) -> float:
        """What the KL divergence counts in the next step."""
        warmup = self.config.beta_warmup
        return self.config.beta * (min(1.0, (self.step + 1) / warmup) if warmup else 1.0)

    def update(self) -> None:
        """Take one optimiser step with the gradient that is there; average the weights."""
        if decay := self.recipe.encoder_weight_decay:
            self._encoder_gradient.add_(self._encoder_weights, alpha=decay)
        if decay := self.recipe.decoder_weight_decay:
            self._decoder_gradient.add_(self._decoder_weights, alpha=decay)
        if self.noise_since is not None:
            self.gradient.mul_(self._noise_mask())
        elif len(self._waiting_gradient):
            self._waiting_gradient.zero_()
        if self.step < self.recipe.even_share * self.config.steps:
            for weight, rows in self.model.decoder.log_var_parameters():
                if weight.grad is not None:
                    weight.grad[rows] = 0
        if (clip_norm := self.recipe.clip_norm) is not None:
            # Nothing here asks for a value: on a GPU that would wait for the step to end. Row by
            # row, since the sum of all at once depends on how many threads share it.
            rows = torch.linalg.vector_norm(self._gradient_rows, dim=1)
            rest = torch.linalg.vector_norm(self._gradient_rest)
            norm = torch.hypot(torch.linalg.vector_norm(rows), rest)
            self.gradient.mul_((clip_norm / norm).clamp_(max=1.0))
        self.last_rate = self.learning_rate()
        self.optimizer.step(self.gradient, self.last_rate)
        self.step += 1
        # One step in five is enough for an average over a hundred.
        span = AVERAGE_EVERY if self.step > 10 * AVERAGE_EVERY else 1
        if self.recipe.averaging and self.step % span == 0:
            # Early on the average forgets faster, so that it doesn't hold on to the start.
            decay = min(self.recipe.averaging, self.step / (self.step + 10))
            self.average.lerp_(self.weights, 1 - decay**span)

    def _noise_mask(self) -> Tensor:
        """1 for each weight that is learnt with the noise, 0 for the others, (P,)."""
        if self._noise_alone is None:
            masks: dict[Tensor, Tensor] = {
                weight: torch.zeros_like(weight) for weight in self.model.parameters()
            }
            # The encoder follows: what the noise explains, its posterior need not. At K = 2 that
            # gains 10 nats.
            for part in (self.model.likelihood, self.model.encoder):
                for weight in part.parameters():
                    masks[weight].fill_(1)
            for weight, rows in self.model.decoder.log_var_parameters():
                masks[weight][rows] = 1
            self._noise_alone = torch.cat([mask.flatten() for mask in masks.values()])
        return self._noise_alone

    def keep_if_best(self, heldout: float) -> None:
        """Remember the weights if they are the best so far on the held-out set.

        Arguments:
            heldout: What is maximised, on that set: the ELBO, unless another objective was chosen.
        """
        if heldout > self.best_objective:
            self.best = one_vector(self.averaged).clone()
            self.best_objective = heldout
            self.best_step = self.step

    @property
    def is_over(self) -> bool:
        """Whether there is no further step."""
        return self.step >= self.config.steps or self.gave_up[1] == self.config.steps

    @property
    def has_waited_enough(self) -> bool:
        """Whether there was no better step on the held-out set for as long as patience allows."""
        patience = self.recipe.patience
        if not patience or self.config.noise_steps or not len(self.best):
            return False
        since = max(self.best_step, self.gave_up[0])
        return self.step > since * (1 + patience) + LEAST_PATIENCE

    def give_up(self) -> None:
        """End here, with the weights of the best step."""
        self.gave_up = self.step, self.config.steps
        self.weights.copy_(self.best)
        self.average.copy_(self.weights)
        self._evaluated_at = -1

    def best_model(self) -> VAE:
        """A copy of the model at its best held-out ELBO."""
        model = VAE.of(self.model.architecture)
        model.mean_image.copy_(self.model.mean_image)
        torch.nn.utils.vector_to_parameters(self.best.cpu(), model.parameters())
        return model.requires_grad_(False).eval()

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, for a safetensors file."""
        tensors = {
            "weights": self.weights,
            "best": self.best,
            "mean_image": self.model.mean_image,
            "progress": torch.tensor(
                [self.step, self.seconds, self.best_step, self.best_objective], dtype=torch.float64
            ),
        }
        if self.recipe.averaging:
            tensors["average"] = self.average
        if self.noise_since is not None:
            tensors["noise_since"] = torch.tensor(self.noise_since)
        if any(self.gave_up):
            tensors["gave_up"] = torch.tensor(self.gave_up)
        tensors |= {f"optimizer.{name}": value for name, value in self.optimizer.memory.items()}
        return {name: value.detach().clone() for name, value in tensors.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`tensors` returned.

        Raises:
            VisageError: The tensors are not those of such a state.
        """
        try:
            self.weights.copy_(tensors["weights"])
            for name, value in self.optimizer.memory.items():
                value.copy_(tensors[f"optimizer.{name}"])
            if self.recipe.averaging:
                self.average.copy_(tensors["average"])
            step, self.seconds, best_step, self.best_objective = tensors["progress"].tolist()
            if "mean_image" in tensors:
                self.model.mean_image.copy_(tensors["mean_image"])
                self.best = tensors["best"].to(self.device)
            else:
                # Of a run that was begun before the mean image was the model's own: the best
                # weights had it folded in. Their checkpoint stays until there are better ones.
                self.model.mean_image.copy_(tensors["centre"])
                self.best = torch.empty(0)
        except (KeyError, ValueError, RuntimeError) as error:
            raise VisageError(
                "The saved state is not of this configuration, so the run can't be resumed."
            ) from error
        self.step, self.best_step = int(step), int(best_step)
        since = tensors.get("noise_since")
        self.noise_since = None if since is None else int(since)
        step, steps = tensors["gave_up"].tolist() if "gave_up" in tensors else (0, 0)
        self.gave_up = int(step), int(steps)
        self._evaluated_at = -1


def train(
    state: TrainingState, images: np.ndarray | Pixels, heldout: np.ndarray | Pixels
) -> Iterator[Progress]:
    """Train up to the configured number of steps, yielding news as it comes.

    Or up to the end of the recipe's patience with the held-out set.

    Between two yields the state may be read, evaluated and saved; that changes nothing.

    Arguments:
        state: Where to start from, and what is changed.
        images: The training set, pixels in [0, 1], of shape (N, D).
        heldout: The held-out set, of shape (n, D); of a large one, evenly spaced images are looked
            at.

    Raises:
        VisageError: The batch is larger than the training set, or the loss is no longer a number.
    """
    config = state.config
    check_batch(config, len(images))
    if state.is_over:
        return
    if state.step == 0:
        state.fit_to(images)
    heldout = heldout[:: 1 + len(heldout) // HELDOUT_IMAGES]
    alone = world_size() == 1
    share = len(range(config.batch_size)[rank() :: world_size()])

    def current_gradient() -> AutogradGradient | ElboGradient:
        choices = config.batch_size, share, config.objective
        if state.noise_since is not None:
            # The one by hand knows of no neighbours, and a model that begins with them is still
            # the Gaussian.
            return AutogradGradient(state.model, *choices)
        return gradient_of(state.model, *choices, config.samples)

    gradient = current_gradient()
    # Ranks must yield at the same steps, so that they can agree on what comes next.
    record_seconds = RECORD_SECONDS if alone else math.inf
    evaluate_every = evaluation_interval(len(heldout), config.batch_size)
    started = time.perf_counter() - state.seconds
    last_step, last_seconds = state.step, state.seconds
    totals = torch.zeros(2, device=state.device)

    # A rank has one thread.
    tuner = ThreadTuner(None if alone and gradient.is_same_on_any_threads else 1)
    for x, encoder_input, noise in tuner.while_going(minibatches(images, state)):
        began = time.perf_counter()
        if state.noise_is_due:
            state.learn_noise()
            gradient = current_gradient()
            tuner.stop()
        gradient.beta = state.beta()
        totals += gradient(x, noise, encoder_input)
        add_up(state.gradient)
        state.update()
        ended = time.perf_counter()
        tuner.tell(ended - began)

        state.seconds = ended - started
        measured = is_due(state.step, evaluate_every) or state.step == config.steps
        recorded = measured or is_due(state.step, RECORD_EVERY)
        if state.noise_since is not None:
            # A stage this short is looked at as a run is at its beginning.
            measured = measured or is_due(state.step - state.noise_since, evaluate_every)
            recorded = recorded or measured
        if not recorded and state.seconds - last_seconds < record_seconds:
            continue
        add_up(totals)
        log_likelihood, kl = (totals / (state.step - last_step)).tolist()
        found = {}
        if measured:
            # By these a run ends or goes back: ranks that round otherwise must not part.
            found = from_first_rank(heldout_figures(state, heldout))
        if not all(map(math.isfinite, (log_likelihood, kl, found.get("elbo", 0.0)))):
            raise VisageError(
                f"The loss stopped being a number at step {state.step}: what was saved before is "
                "kept; try a lower learning rate."
            )
        if measured:
            state.keep_if_best(found["objective"])
            if not state.is_over and state.has_waited_enough:
                state.give_up()
        state.seconds = time.perf_counter() - started
        yield Progress(
            step=state.step,
            samples=state.step * config.batch_size,
            seconds=state.seconds,
            elbo=log_likelihood - kl,
            log_likelihood=log_likelihood,
            kl=kl,
            heldout_elbo=found.get("elbo"),
            heldout_log_likelihood=found.get("log_likelihood"),
            heldout_kl=found.get("kl"),
            learning_rate=state.last_rate,
            steps_per_second=(state.step - last_step) / (state.seconds - last_seconds),
            heldout_objective=None if config.maximises_elbo else found.get("objective"),
        )
        # What the reader of the news does with it is not training time.
        started = time.perf_counter() - state.seconds
        last_step, last_seconds = state.step, state.seconds
        totals.zero_()
        if state.is_over:
            return


def heldout_figures(state: TrainingState, heldout: np.ndarray | Pixels) -> dict[str, float]:
    """The ELBO of the held-out set with its terms, and as ``objective`` what is maximised."""
    config = state.config
    weighs = config.samples if config.objective == "iwae" else 0
    measured = evaluate(state.averaged, heldout, samples=1, importance_samples=weighs)
    found = {name: float(values.mean()) for name, values in measured.items()}
    if weighs:
        found["objective"] = found["importance_weighted"]
    else:
        # As if β had risen to its full height: what one step and another came to is compared.
        found["objective"] = found["elbo"] - (config.beta - 1) * found["kl"]
    return found


def check_batch(config: TrainingConfig, images: int) -> None:
    """Refuse a batch that a training set of so many images can't fill."""
    if config.batch_size > images:
        raise VisageError(
            f"The batch size, {config.batch_size}, is larger than the training set of {images} "
            "images: choose a smaller one."
        )


def minibatches(
    images: np.ndarray | Pixels, state: TrainingState
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """What each step sees, from the state's own step to the last.

    An epoch passes over the images in a fresh order and leaves out those that don't fill a
    minibatch.

    Yields:
        Images (B, D), what the encoder sees of them (B, D), and the reparametrisation's noise
        (B, K), or (L, B, K) where the recipe wants several samples of an image; where ranks share
        a minibatch, this rank's share of each.
    """
    config, device = state.config, state.device
    size = config.batch_size
    share = slice(rank(), None, world_size())
    per_epoch = len(images) // size
    resident = None if isinstance(images, Pixels) else torch.from_numpy(images).to(device)
    shared_size = len(range(size)[share])
    encoder_input = torch.empty(shared_size, images.shape[1], device=device)
    sees_otherwise = state.recipe.fit_to_data or state.recipe.input_noise > 0
    offsets = input_offsets(state)
    while state.step < config.steps:
        epoch, first = divmod(state.step, per_epoch)
        random = np.random.default_rng([config.seed, epoch])
        order = random.permutation(len(images))
        starts = random.integers(len(offsets) - size + 1, size=per_epoch)
        # The importance-weighted bound is one of samples even where it has one alone.
        several = config.samples > 1 or config.objective == "iwae"
        samples = (config.samples,) if several else ()
        noise_shape = per_epoch, *samples, size, config.latent_dim
        noise = random.standard_normal(noise_shape, dtype=np.float32)[..., share, :]
        noise = torch.from_numpy(noise).to(device).unbind()
        order = order[: per_epoch * size].reshape(per_epoch, size)[:, share]
        rows = torch.from_numpy(order).to(device).unbind()
        for place in range(first, min(per_epoch, first + config.steps - state.step)):
            if resident is None:
                x = torch.from_numpy(images[order[place]]).to(device)
            else:
                x = resident.index_select(0, rows[place])
            if sees_otherwise:
                offset = offsets[starts[place] : starts[place] + size][share]
                torch.add(offset, x, out=encoder_input)
            yield x, encoder_input if sees_otherwise else x, noise[place]


def input_offsets(state: TrainingState) -> Tensor:
    """A bank of what is added to images for the encoder: noise, less the mean image.

    Fresh noise for every pixel of every step would cost a tenth of the training time; a slice of
    a bank at a random place serves as well.
    """
    count, pixels = state.config.batch_size, state.model.pixels
    if state.recipe.input_noise:
        count = max(2 * count, NOISE_BANK // pixels)
    generator = torch.Generator().manual_seed(state.config.seed)
    noise = torch.randn(count, pixels, generator=generator).to(state.device)
    return noise.mul_(state.recipe.input_noise).sub_(state.model.mean_image)


def is_due(step: int, every: int) -> bool:
    """Whether a regular event falls on a step: at 1, 2, 5, 10, 20 …, then evenly.

    For the first five intervals four times as often: a model that is about to overfit is at its
    best early.
    """
    often = every // 4 if step < 5 * every else every
    if step >= often:
        return step % often == 0
    magnitude = 10 ** int(math.log10(step))
    return step in (magnitude, 2 * magnitude, 5 * magnitude)


def evaluation_interval(heldout: int, batch_size: int) -> int:
    """Steps between evaluations of the held-out set, so that they cost about a hundredth."""
    # An evaluated image costs about a third of a trained one, which also goes backwards.
    return max(EVALUATE_EVERY, 100 * math.ceil(heldout / (3 * batch_size)))


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is the GPU where CUDA finds one, else the CPU.

    Raises:
        VisageError: There is no such device here.
    """
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = "cuda" if available["cuda"] else "cpu"
    if name not in available:
        raise VisageError(f"A device is one of auto, {', '.join(available)}, not '{name}'.")
    if not available[name]:
        raise VisageError(f"This machine has no {name} device: choose --device cpu.")
    if name == "cuda" and world_size() > 1:
        # Each rank of a machine has a GPU of its own.
        return torch.device(name, int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device(name)


def one_buffer(model: VAE) -> tuple[Tensor, Tensor]:
    """Lay a model's parameters, and their gradients, end to end in one vector each."""
    weights = one_vector(model).clone()
    gradient = torch.zeros_like(weights)
    place = 0
    for weight in model.parameters():
        end = place + weight.numel()
        weight.data = weights[place:end].view_as(weight)
        weight.grad = gradient[place:end].view_as(weight)
        place = end
    return weights, gradient


def one_vector(model: VAE) -> Tensor:
    """A model's parameters end to end, detached."""
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()
