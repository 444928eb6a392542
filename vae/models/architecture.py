"""What a model is built from, as its checkpoint keeps it.

A new kind of network is a file of its own, as :mod:`vae.models.mlp` is one: a frozen dataclass of
what can be chosen, a :class:`vae.models.network.Networks`, which makes its encoder and decoder.
Named in :data:`KINDS` it can be chosen, trained, stored, loaded and shown.
"""

__all__ = [
    "AUTO",
    "BROUGHT",
    "KINDS",
    "PERCEPTRONS_VALUES",
    "Architecture",
    "check_sizes",
    "networks",
    "usual_kind",
]

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vae.errors import VisageError
from vae.models.conv import SIDES, Conv
from vae.models.foreign.networks import Onnx
from vae.models.gated import Gated
from vae.models.graph import Translated
from vae.models.likelihoods import LIKELIHOODS, STATED
from vae.models.mlp import MLP
from vae.models.network import Networks

KINDS: dict[str, type[Networks]] = {kind.kind: kind for kind in (MLP, Conv, Gated)}

# Those that are brought and not trained here: nobody chooses them for a run.
BROUGHT: dict[str, type[Networks]] = {kind.kind: kind for kind in (Onnx, Translated)}

# The kind that is told by the images' size, and up to how many values an image it is a perceptron.
AUTO = "auto"
PERCEPTRONS_VALUES = 2**11

# Beyond these a model is refused before it is made: nobody could turn more latents, one image of
# more values takes as much memory as a whole set, and no model of this project comes near so many
# weights.
MOST_LATENTS = 1_000
LARGEST_IMAGE = 2**22
LARGEST_MODEL = 500_000_000


@dataclass(frozen=True)
class Architecture:
    """The sizes of a model, and the networks between them.

    Arguments:
        image_shape: (H, W) for grey images, (H, W, 3) for colour.
        latent_dim: The number K of latent dimensions.
        network: The kind of encoder and decoder, with what was chosen of it.
        likelihood: What the decoder's mean and log-variance are the parameters of, by its name in
            :data:`vae.models.likelihoods.LIKELIHOODS`, or of a model that was brought in
            :data:`vae.models.likelihoods.STATED`.

    Raises:
        VisageError: A size that no model can have, or a likelihood that there is not.
    """

    image_shape: tuple[int, ...] = (28, 20)
    latent_dim: int = 2
    network: Networks = field(default_factory=MLP)
    likelihood: str = "gaussian"

    def __post_init__(self):
        likelihoods = STATED if self.network.kind in BROUGHT else LIKELIHOODS
        if self.likelihood not in likelihoods:
            raise VisageError(
                f"A likelihood is one of {', '.join(likelihoods)}, not '{self.likelihood}'."
            )
        object.__setattr__(self, "image_shape", tuple(self.image_shape))
        check_sizes(self.image_shape, self.latent_dim)
        for count, what, limit in (
            (self.pixels, "values an image", LARGEST_IMAGE),
            (self.latent_dim, "latents", MOST_LATENTS),
            (self.weights, "weights", LARGEST_MODEL),
        ):
            if count > limit:
                raise VisageError(f"A model may have {limit:,} {what} at most: this one has more.")

    @classmethod
    def of(cls, said: Mapping) -> "Architecture":
        """The architecture that :meth:`as_json` told.

        Raises:
            VisageError: It tells of none.
        """
        shape, latent_dim, network = (
            said.get(name) for name in ("image_shape", "latent_dim", "architecture")
        )
        if not isinstance(network, Mapping) or not isinstance(shape, list):
            raise VisageError("It tells no image shape or no network.")
        if not isinstance(latent_dim, int):
            raise VisageError("It tells no number of latents.")
        kind = _kind(str(network.get("network")), {**KINDS, **BROUGHT})
        fields = dataclasses.fields(kind)
        names = {field.name for field in fields}
        chosen = {name: value for name, value in network.items() if name in names}
        # Files of before there was a choice say nothing of it.
        needed = {field.name for field in fields if not field.metadata.get("came_later")}
        if missing := needed - set(chosen):
            raise VisageError(f"It does not tell its {', '.join(sorted(missing))}.")
        try:
            # Files of before there was a choice say nothing of it.
            likelihood = str(said.get("likelihood", "gaussian"))
            return cls(tuple(shape), latent_dim, kind(**chosen), likelihood)
        except (TypeError, OverflowError) as error:
            raise VisageError("Its sizes are not numbers.") from error

    def as_json(self) -> dict:
        """What a checkpoint keeps of it."""
        network = {"network": self.network.kind, **dataclasses.asdict(self.network)}
        return {
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "architecture": network,
            "likelihood": self.likelihood,
        }

    @property
    def pixels(self) -> int:
        """The number D of values in one flattened image."""
        return math.prod(self.image_shape)

    @property
    def weights(self) -> int:
        """The number of parameters."""
        likelihood = STATED[self.likelihood].weight_count(self.image_shape)
        return self.network.weights(self.image_shape, self.latent_dim) + likelihood


def usual_kind(image_shape: Sequence[int]) -> str:
    """The kind of network for images of a shape where nobody chose it."""
    fits = all(SIDES[0] <= side <= SIDES[1] for side in image_shape[:2])
    return "conv" if fits and math.prod(image_shape) > PERCEPTRONS_VALUES else "mlp"


def networks(name: str, choices: Mapping[str, Any]) -> Networks:
    """Networks of a kind, by its name, with those of the choices that it has a field for.

    Raises:
        VisageError: There is no such kind, or it can't be as it was chosen.
    """
    kind = _kind(name, KINDS)
    names = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in choices.items() if name in names})


def _kind(name: str, kinds: Mapping[str, type[Networks]]) -> type[Networks]:
    if name not in kinds:
        raise VisageError(f"A network is one of {', '.join(kinds)}, not '{name[:100]}'.")
    return kinds[name]


def check_sizes(image_shape: Sequence[object], latent_dim: object) -> None:
    """Refuse sizes that no model can have, with a sentence."""

    def positive(size: object) -> bool:
        return type(size) is int and size > 0

    grey = len(image_shape) == 2
    colour = len(image_shape) == 3 and image_shape[2] == 3
    if not (grey or colour) or not all(map(positive, image_shape)):
        given = "×".join(map(str, image_shape)) or "none"
        raise VisageError(
            "Images must have a height and a width of at least 1 pixel, and 3 channels or none; "
            f"these are {given}."
        )
    if not positive(latent_dim):
        raise VisageError(
            f"The number of latent dimensions must be a whole number of at least 1, "
            f"not {latent_dim}."
        )
