"""Encoder and decoder as ONNX files, which other programs and languages can run.

    python -m vae export checkpoint.safetensors --out folder/

Each graph is what :class:`vae.models.vae.VAE` computes: pixels ``x`` (batch, D) in [0, 1], or
latent points ``z`` (batch, K), to ``mean`` and ``log_var``. A graph that came as one is given back
as it came.

The networks write their part themselves: :func:`torch.onnx.export` needs a third package, and
gives its nodes names that nobody could read.
"""

__all__ = ["check", "decoder", "encoder"]

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vae.errors import VisageError
from vae.models.foreign.networks import Asked
from vae.models.likelihoods import MOST_CORRELATED, Correlated, Distribution
from vae.models.vae import VAE

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

# Opset 13 has every operator below and is read by runtimes of the last five years.
OPSET = 13
IR_VERSION = 8

# How far ONNX Runtime's answers may lie from PyTorch's, absolutely or relatively.
TOLERANCE = 1e-5


def encoder(model: VAE) -> bytes | None:
    """An ONNX file of the approximate posterior q(z|x): ``x`` to ``mean`` and ``log_var``.

    Returns:
        The file, or None where the encoder has no such form.

    Raises:
        VisageError: The file gives other answers.
    """
    if isinstance(model.encoder, Asked):
        return bytes(model.encoder.file.cpu().numpy())
    graph = _Graph()
    source = graph.node("Sub", ["x", graph.constant("mean_image", model.mean_image)], "centred")
    outputs = model.encoder.add_to(graph, source)
    if outputs is None:
        return None
    mean = graph.node("Sub", [outputs[0], graph.constant("shift", model.latent_shift)], "moved")
    graph.node("Div", [mean, graph.constant("scale", model.latent_scale)], "mean")
    narrowed = graph.constant("log_variance", 2 * model.latent_scale.log())
    graph.node("Sub", [outputs[1], narrowed], "log_var")
    return _checked(graph.file(model, "encoder", "x"), model.encode)


def decoder(model: VAE) -> bytes | None:
    """An ONNX file of the likelihood p(x|z): ``z`` to ``mean`` and ``log_var`` of each pixel.

    Its property ``likelihood`` names whose mean and log-variance they are.

    Returns:
        The file, or None where the decoder or its likelihood has no such form.

    Raises:
        VisageError: The file gives other answers.
    """
    if isinstance(model.decoder, Asked):
        return bytes(model.decoder.file.cpu().numpy())
    graph = _Graph()
    scaled = graph.node("Mul", ["z", graph.constant("scale", model.latent_scale)], "scaled")
    source = graph.node("Add", [scaled, graph.constant("shift", model.latent_shift)], "own")
    outputs = model.decoder.add_to(graph, source)
    if outputs is None:
        return None
    mean, log_var = outputs
    if isinstance(model.likelihood, Correlated):
        if model.pixels > MOST_CORRELATED:
            # A matrix of all values times all would be over 64 MB.
            return None
        variances = graph.node("Exp", [log_var], "own_variances")
        shares = graph.constant("shares", _shares(model.likelihood.variance_map()))
        log_var = graph.node(
            "Log", [graph.node("MatMul", [variances, shares], "variances")], "log"
        )
    graph.node("Identity", [mean], "mean")
    graph.node("Identity", [log_var], "log_var")
    return _checked(graph.file(model, "decoder", "z"), model.decode)


def _shares(spread: Tensor) -> Tensor:
    """What each value's own variance gives to all, (D, D), of the channels' matrices (C, P, P)."""
    channels, pixels, _ = spread.shape
    shares = torch.zeros(channels * pixels, channels * pixels)
    for channel, matrix in enumerate(spread):
        shares[channel::channels, channel::channels] = matrix.T
    return shares


def check(content: bytes, answers: Callable[[Tensor], Distribution]) -> float:
    """Run an ONNX file and compare its answers with the model's.

    Returns:
        The largest deviation, as a share of the larger of 1 and the value.

    Raises:
        VisageError: It is over the tolerance of 1e-5.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    inputs = np.random.default_rng(0).random((16, given.shape[1]), dtype=np.float32)
    found = session.run(["mean", "log_var"], {given.name: inputs})
    with torch.inference_mode():
        wanted = [part.numpy() for part in answers(torch.from_numpy(inputs))]
    worst = max(
        float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1)).max())
        for ours, theirs in zip(found, wanted, strict=True)
    )
    if not worst <= TOLERANCE:
        raise VisageError(
            f"The ONNX file differs from the model by {worst:.1e}, over {TOLERANCE:.0e}: export "
            "it with the packages of requirements.txt."
        )
    return worst


def _checked(content: bytes, answers: Callable[[Tensor], Distribution]) -> bytes:
    check(content, answers)
    return content


class _Graph:
    """As :class:`vae.models.network.Graph`."""

    def __init__(self):
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, values: Tensor) -> str:
        from onnx import numpy_helper

        array = np.ascontiguousarray(values.detach().numpy())
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def file(self, model: VAE, name: str, source: str) -> bytes:
        """The whole file of a graph that leads from the source to ``mean`` and ``log_var``."""
        import onnx
        from onnx import TensorProto, helper

        def values(called: str, size: int) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(called, TensorProto.FLOAT, ["batch", size])

        sizes = {"x": model.pixels, "z": model.latent_dim}
        given = sizes.pop(source)
        (wanted,) = sizes.values()
        graph = helper.make_graph(
            self.nodes,
            name,
            [values(source, given)],
            [values("mean", wanted), values("log_var", wanted)],
            self.constants,
        )
        file = helper.make_model(
            graph,
            producer_name="visage",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        helper.set_model_props(
            file,
            {
                "image_shape": json.dumps(model.image_shape),
                "latent_dim": str(model.latent_dim),
                "likelihood": model.architecture.likelihood,
            },
        )
        onnx.checker.check_model(file)
        return file.SerializeToString()
