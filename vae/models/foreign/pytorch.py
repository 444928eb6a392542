"""Any pair of PyTorch modules as a checkpoint of ours, by way of ONNX.

The exporter that traces is used, ``dynamo=False``: the newer one needs onnxscript, and of a
network without branches both write the same graph.
"""

__all__ = ["save_model"]

import copy
import io
import math
import os
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vae.errors import VisageError
from vae.models.checkpoint import Checkpoint, save_checkpoint
from vae.models.foreign.found import Said, inspect
from vae.models.foreign.opening import open_model
from vae.models.foreign.runtime import graph_of

# The graph's answers may lie so far from the modules', absolutely or relatively.
TOLERANCE = 1e-4

OPSET = 17

# Inputs that a module is traced with, and others that it is checked with.
TRACED, CHECKED = 2, 5


def save_model(
    path: str | os.PathLike,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
    *,
    image_shape: Sequence[int],
    latent_dim: int,
    images: np.ndarray | None = None,
    likelihood: str | None = None,
    std: float | None = None,
    info: Mapping | None = None,
    **said: str | None,
) -> Checkpoint:
    """Write modules that were trained elsewhere as a checkpoint that Visage opens.

    Each is exported to ONNX and its graph compared with the module before anything is written.

    Arguments:
        path: Where to, ``mine.safetensors``.
        encoder: From images, (B, C, H, W), (B, H, W) or (B, D), to the posterior's mean and
            log-variance, (B, K) each, or to the mean alone, as a tensor, a tuple or a dict; or
            None where there is none.
        decoder: From latents, (B, K) or (B, K, 1, 1), to images; beside them, it may give a
            log-variance.
        image_shape: (H, W), or (H, W, 3).
        latent_dim: The number K of latents.
        images: (N, H, W[, 1 or 3]), uint8 or in [0, 1]: their posterior's means are the points
            of the pad.
        likelihood: What pixels' noise is, as for :func:`vae.models.foreign.opening.open_model`.
        std: Its standard deviation, where the decoder tells none.
        info: What else to say of it, as JSON: ``name``, ``dataset`` …
        said: What is known better than by looking, by the names of
            :class:`vae.models.foreign.found.Said`: ``range="symmetric"`` …

    Returns:
        What was written.

    Raises:
        VisageError: A module can't be exported, its graph gives other answers, or the images are
            none of the model's.
    """
    if decoder is None:
        raise VisageError("A model needs a decoder: give decoder=, a module from z to images.")
    shape = tuple(image_shape)
    wanted = Said(latent_dim=latent_dim, image_shape=shape, **said)
    drawn = _exported(decoder, [(latent_dim,), (latent_dim, 1, 1)], "decoder", torch.randn)
    height, width, *colours = shape
    channels = colours[0] if colours else 1
    ways = [(channels, height, width), (math.prod(shape),), (height, width)]
    if said.get("order") == "nhwc":
        ways = [(height, width, channels), *ways[1:]]
    encoded = None if encoder is None else _exported(encoder, ways, "encoder", torch.rand)
    found = inspect(drawn, encoded, wanted)
    checkpoint = open_model(drawn, encoded, found, likelihood, std, images, dict(info or {}))
    save_checkpoint(path, checkpoint.model, checkpoint.info, checkpoint.posterior)
    return checkpoint


class _Plain(nn.Module):
    """A module whose answers are a tuple of tensors, whatever they come in."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(_tensors(self.module(x)).values())


def _tensors(answer: object) -> dict[str, Tensor]:
    """A module's answers by names: its own, or their places."""
    if isinstance(answer, Tensor):
        return {"mean": answer}
    named = (
        dict(answer)
        if isinstance(answer, Mapping)
        else {f"output{place}": one for place, one in enumerate(answer)}
        if isinstance(answer, Sequence)
        else {}
    )
    found = {str(name): one for name, one in named.items() if isinstance(one, Tensor)}
    if not found:
        raise VisageError("It gives neither a tensor, nor a tuple or dict of tensors.")
    return found


def _exported(module: nn.Module, ways: list[tuple[int, ...]], what: str, draw) -> bytes:
    """A module as an ONNX file, checked; with inputs of the first shape that it takes."""
    module = copy.deepcopy(module).cpu().eval()
    dtype = next((weight.dtype for weight in module.parameters()), torch.float32)
    given, named, why = None, {}, None
    with torch.no_grad():
        for way in ways:
            tried = draw(TRACED, *way, dtype=dtype)
            try:
                named = _tensors(module(tried))
            except VisageError as error:
                raise VisageError(
                    f"The {what}: {str(error)[:1].lower()}{str(error)[1:]}"
                ) from error
            except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
                why = why or error
                continue
            given = tried
            break
        if given is None:
            shapes = ", ".join("B×" + "×".join(map(str, way)) for way in ways)
            raise VisageError(
                f"The {what} takes no input of {shapes}: {_short(why)}; wrap it in a module that "
                "does."
            ) from why
        file = io.BytesIO()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # Its types know the newer exporter's files alone; this one writes to any stream.
                torch.onnx.export(
                    _Plain(module),
                    (given,),
                    file,  # pyright: ignore[reportArgumentType]
                    dynamo=False,
                    opset_version=OPSET,
                    input_names=["x" if what == "encoder" else "z"],
                    output_names=[*named],
                    dynamic_axes={
                        name: {0: "batch"} for name in ("x" if what == "encoder" else "z", *named)
                    },
                )
        except Exception as error:
            # The exporter's errors are of many kinds, and all say the same.
            raise VisageError(f"The {what} can't be exported to ONNX: {_short(error)}.") from error
        content = file.getvalue()
        _check(module, content, draw(CHECKED, *given.shape[1:], dtype=dtype), what)
    return content


def _check(module: nn.Module, content: bytes, given: Tensor, what: str) -> None:
    """Compare a graph with its module, where that gives the same answer twice."""
    first, again = (_tensors(module(given)) for _ in range(2))
    graph = graph_of(content)
    (port,) = graph.inputs
    try:
        answers = graph.run({port.name: given.numpy()}, [*first])
    except VisageError as error:
        raise VisageError(f"The {what}'s graph, once exported: {error}") from error
    for (name, ours), theirs in zip(first.items(), answers, strict=True):
        wanted = ours.numpy()
        if not torch.equal(ours, again[name]):
            # A sample: it is not what a model is opened with.
            continue
        if wanted.shape != theirs.shape:
            worst = math.inf
        else:
            worst = float((np.abs(theirs - wanted) / np.maximum(np.abs(wanted), 1)).max())
        if not worst <= TOLERANCE:
            raise VisageError(
                f"The {what}'s graph differs from the module by {worst:.1e} in {name}, over "
                f"{TOLERANCE:.0e}: it may depend on its input in a way that tracing can't follow, "
                "such as an if."
            )


def _short(error: Exception | None) -> str:
    text = " ".join(str(error).split())
    return text[:200] + "…" if len(text) > 200 else text
