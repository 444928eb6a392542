"""Whether a training run fits into memory, before it begins."""

__all__ = ["check_memory", "needed"]

import psutil

from vae.errors import VisageError
from vae.limits import in_words
from vae.models.architecture import Architecture
from vae.training.loop import choose_device
from vae.training.recipes import TrainingConfig

# Bytes of a number.
FLOAT = 4

# Vectors as long as the weights: they, their gradient, average and best, Adam's two moments, and
# the copy that is evaluated; and while all of that is saved, what goes into the file three times:
# copied, laid out for it, and as its bytes.
COPIES = 7 + 3 * 5

# Values between layers count for themselves and for their gradients; those of a minibatch's images
# for its noise, its residuals and what is between them as well.
PASSES = 2
IMAGES = 6

# Beside the model: PyTorch itself, noise, and what an evaluation decodes at once.
REST = 400 * 2**20


def needed(architecture: Architecture, batch_size: int, samples: int = 1) -> int:
    """Bytes that training takes, about: weights, optimiser, what a minibatch leaves in layers.

    Arguments:
        samples: How often each of its images is decoded in a step.
    """
    shape, latent_dim = architecture.image_shape, architecture.latent_dim
    activations = PASSES * architecture.network.activations(shape, latent_dim)
    batch = batch_size * samples * (activations + IMAGES * architecture.pixels)
    return FLOAT * (COPIES * architecture.weights + batch) + REST


def check_memory(config: TrainingConfig, image_shape: tuple[int, ...]) -> None:
    """Refuse what this machine's memory can't hold, where it trains on a processor.

    Raises:
        VisageError: Training would take more than is free, or the model has more weights than any
            may have.
    """
    architecture = config.architecture(image_shape)
    if choose_device(config.device).type != "cpu":
        return
    wanted = needed(architecture, config.batch_size, config.samples)
    free = psutil.virtual_memory().available
    if wanted > free:
        raise VisageError(
            f"Training this takes about {in_words(wanted)} of memory, and {in_words(free)} are "
            "free on this machine: choose fewer hidden units, a smaller batch, or smaller images."
        )
