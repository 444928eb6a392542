"""One model in one safetensors file: weights, the training set's posterior, and what they are.

A checkpoint may come from a stranger, so nothing in it is run (no pickle) and nothing in it is
believed before it has been checked: the header is read first, and tensors are only read once
their names, types and shapes are known to be those of the model that the metadata describes.
"""

__all__ = ["Checkpoint", "load_checkpoint", "read_card", "save_checkpoint", "write_tensors"]

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vae.errors import VisageError
from vae.files import replacing
from vae.models.architecture import BROUGHT, Architecture
from vae.models.card import ModelCard
from vae.models.vae import VAE, Gaussian

# Format 1 knew perceptrons alone: their sizes stood in the place of an architecture, and the mean
# image and the latents' coordinates had been folded into the outer layers. Format 2 knew Gaussian
# likelihoods alone, and stays that of models which have one: earlier versions read them as well.
# Format 4 is of networks with a choice that earlier versions don't know of, as of an activation:
# they would take it for what it was before there was a choice.
# Format 5 is of models that somebody else trained, whose networks earlier versions don't know.
FORMAT_VERSION = 5
CHOICE_FORMAT = 4
LIKELIHOOD_FORMAT = 3
GAUSSIAN_FORMAT = 2

# What a metadata block may hold at most: a checkpoint's own is under 2 kB.
LARGEST_METADATA = 100_000

# A posterior beyond these is no posterior: the prior's standard deviation is 1.
FARTHEST_MEAN = 1e6
LARGEST_LOG_VAR = 80


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained model and what is known of it.

    Arguments:
        model: The model, in evaluation mode on the CPU.
        info: What the file says of itself, word for word, which may be anything: :attr:`card` is
            what can be relied on. A file of Visage's own says ``format_version``,
            ``image_shape``, ``latent_dim``, ``architecture``, ``likelihood``, and where they are
            known ``dataset``, ``dataset_sha256``, ``split``, ``recipe``, ``seed``, ``step``,
            ``samples``, ``seconds``, ``trained_at``, ``active_units``, ``train``, ``heldout`` and,
            once its run has come to its end, ``test`` (each a dict of ``elbo``,
            ``log_likelihood`` and ``kl``, in nats an image, their standard errors over images, as
            ``elbo_error``, and the number of ``images``).
        posterior: The posterior of the training set, (N, K) each, in the order of the training
            split; or None where it is unknown, or not one.
    """

    model: VAE
    info: dict = field(default_factory=dict)
    posterior: Gaussian | None = None

    @functools.cached_property
    def card(self) -> ModelCard:
        """What it says of itself, as far as that can be true."""
        return ModelCard.of(self.model.architecture, self.info)


def save_checkpoint(
    path: str | os.PathLike,
    model: VAE,
    info: Mapping | None = None,
    posterior: Gaussian | None = None,
) -> None:
    """Write a checkpoint: whole or, if anything fails, not at all.

    Arguments:
        path: Where to; a file that is there is replaced in one step.
        model: The model.
        info: What to say of it, as JSON; format version and sizes are added.
        posterior: The posterior of the training set, (N, K) each.

    Raises:
        VisageError: The file can't be written, as on a full disk.
    """
    tensors = dict(model.state_dict())
    if posterior is not None:
        tensors |= {"posterior.mean": posterior.mean, "posterior.log_var": posterior.log_var}
    metadata = {
        **(info or {}),
        "format_version": _format_of(model.architecture),
        **model.architecture.as_json(),
    }
    write_tensors(path, tensors, {"visage": json.dumps(metadata)})


def load_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        VisageError: The file is missing, damaged, not a checkpoint of this project, of a later
            format version, or its tensors are not those of the model it describes.
    """
    with _opened(path) as file:
        info, architecture = _read(file, path)
        with torch.device("meta"):
            model = VAE.of(architecture)
        weights = model.state_dict()
        shapes = {name: list(weight.shape) for name, weight in weights.items()}
        # Files of strangers are kept as bytes; everything else is numbers.
        files = {name for name, weight in weights.items() if weight.dtype == torch.uint8}
        if info["format_version"] == 1:
            shapes = {name: shapes[name] for name, _ in model.named_parameters()}
        names = set(file.keys())
        posterior_names = {"posterior.mean", "posterior.log_var"} & names
        if names - posterior_names != set(shapes) or len(posterior_names) == 1:
            raise _foreign(path, "its tensors are not those of the model that it describes")
        for name in names:
            entry = file.get_slice(name)
            wanted, in_words = ("U8", "bytes") if name in files else ("F32", "32-bit floats")
            if entry.get_dtype() != wanted:
                raise _foreign(path, f"{name} is {entry.get_dtype()}, not {in_words}")
            shape = entry.get_shape()
            if name in shapes and shape != shapes[name]:
                raise _foreign(path, f"{name} is {_said(shape)}, not {_said(shapes[name])}")
            if name not in shapes and (len(shape) != 2 or shape[1] != model.latent_dim):
                raise _foreign(path, f"{name} is {_said(shape)}, not N×{model.latent_dim}")
        weights = {name: file.get_tensor(name) for name in shapes}
        posterior = None
        if posterior_names:
            posterior = Gaussian(
                file.get_tensor("posterior.mean"), file.get_tensor("posterior.log_var")
            )
            if posterior.mean.shape != posterior.log_var.shape:
                raise _foreign(path, "its posterior's means and variances differ in number")
            if not _can_be(posterior):
                posterior = None
    if info["format_version"] == 1:
        weights |= {
            "mean_image": torch.zeros(model.pixels),
            "latent_shift": torch.zeros(model.latent_dim),
            "latent_scale": torch.ones(model.latent_dim),
        }
    numbers = [name for name, _ in model.named_buffers() if name not in files]
    if not all(weights[name].isfinite().all() for name in numbers):
        raise _foreign(path, "its mean image or its latents' coordinates are not all numbers")
    if not (weights["latent_scale"] > 0).all():
        raise _foreign(path, "its latents' scale is not above 0")
    model.load_state_dict(weights, assign=True)
    return Checkpoint(model.requires_grad_(False).eval(), info, posterior)


def read_card(path: str | os.PathLike) -> ModelCard:
    """What a checkpoint says of itself, without reading its weights; raises as loading does."""
    with _opened(path) as file:
        info, architecture = _read(file, path)
        return ModelCard.of(architecture, info)


def write_tensors(
    path: str | os.PathLike, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write a safetensors file beside its place and move it there in one step."""
    # Tensors that are views of others can't be written as they are, hence copies.
    own = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }
    with replacing(path) as beside:
        safetensors.torch.save_file(own, beside, dict(metadata))


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[safe_open]:
    if not Path(path).is_file():
        raise VisageError(f"There is no checkpoint at {path}.")
    try:
        with _as_it_was(path) as file:
            yield file
    except SafetensorError as error:
        raise VisageError(
            f"{path} is not a whole safetensors file (it may be cut short or of another kind): "
            "get the checkpoint again."
        ) from error
    except OSError as error:
        raise VisageError(f"{path} can't be read: {error.strerror or error}.") from error


def _as_it_was(path: str | os.PathLike) -> safe_open:
    """A file whose header and tensors are of one version.

    The package opens it for the one and again for the others, and a run may replace it in between.
    """
    while True:
        before = Path(path).stat()
        try:
            file, broken = safe_open(path, framework="pt"), None
        except RuntimeError as error:
            # PyTorch's, of a file that is shorter than the header says.
            file, broken = None, error
        after = Path(path).stat()
        if (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns):
            continue
        if file is None:
            raise SafetensorError(str(broken))
        return file


def _read(file: safe_open, path: str | os.PathLike) -> tuple[dict, Architecture]:
    """What the header says, and the architecture in it."""
    text = (file.metadata() or {}).get("visage", "")
    if not text or len(text) > LARGEST_METADATA:
        raise _foreign(path, "it does not carry this project's metadata")
    try:
        info = json.loads(text)
        version = info["format_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _foreign(path, "its metadata is incomplete") from error
    if type(version) is not int or version < 1:
        raise _foreign(path, "it tells no format version")
    if version > FORMAT_VERSION:
        raise VisageError(
            f"{path} is of format version {version:.4g} and this Visage reads up to version "
            f"{FORMAT_VERSION}: update Visage."
        )
    perceptron = {"network": "mlp", "hidden_dims": info.get("hidden_dims")}
    try:
        return info, Architecture.of(info if version > 1 else info | {"architecture": perceptron})
    except VisageError as error:
        raise _foreign(path, str(error).rstrip(".")) from error


def _format_of(architecture: Architecture) -> int:
    """The earliest format that tells all of it."""
    network = architecture.network
    if network.kind in BROUGHT:
        return FORMAT_VERSION
    if any(
        field.metadata.get("came_later") and getattr(network, field.name) != field.default
        for field in dataclasses.fields(network)
    ):
        return CHOICE_FORMAT
    return GAUSSIAN_FORMAT if architecture.likelihood == "gaussian" else LIKELIHOOD_FORMAT


def _said(shape: list[int]) -> str:
    return "×".join(map(str, shape)) or "one number"


def _foreign(path: str | os.PathLike, why: str) -> VisageError:
    return VisageError(f"{path} is not a Visage checkpoint: {why}.")


def _can_be(posterior: Gaussian) -> bool:
    """Whether there are any, and numbers whose squares and exponentials are numbers as well."""
    mean, log_var = posterior
    # NaN is not less than anything.
    near = mean.numel() > 0 and mean.abs().max() < FARTHEST_MEAN
    return bool(near and log_var.abs().max() < LARGEST_LOG_VAR)
