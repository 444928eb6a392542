"""Encoder and decoder as ONNX files, which other programs and languages can run.

    python -m vae export checkpoint.safetensors --out folder/

Each graph is what :class:`vae.models.vae.GaussianMLP` computes: pixels ``x`` (batch, D) in
[0, 1], or latent points ``z`` (batch, K), to ``mean`` and ``log_var``. Needs
``requirements-onnx.txt``.
"""

__all__ = ["check", "decoder", "encoder", "is_available"]

import importlib.util
import json

import numpy as np
import torch

from vae.errors import VisageError
from vae.models.vae import VAE, GaussianMLP

# Opset 13 has every operator below and is read by runtimes of the last five years.
OPSET = 13
IR_VERSION = 8

# How far ONNX Runtime's answers may lie from PyTorch's, absolutely or relatively.
TOLERANCE = 1e-5


def is_available() -> bool:
    """Whether the optional packages are installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


def encoder(model: VAE) -> bytes:
    """An ONNX file of the approximate posterior q(z|x): ``x`` to ``mean`` and ``log_var``.

    Raises:
        VisageError: The optional packages are missing, or the file gives other answers.
    """
    return _exported(model, model.encoder, "x")


def decoder(model: VAE) -> bytes:
    """An ONNX file of the likelihood p(x|z): ``z`` to ``mean`` and ``log_var``.

    Raises:
        VisageError: The optional packages are missing, or the file gives other answers.
    """
    return _exported(model, model.decoder, "z")


def check(content: bytes, network: GaussianMLP) -> float:
    """Run an ONNX file and compare its answers with the network's.

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
        wanted = [part.numpy() for part in network(torch.from_numpy(inputs))]
    worst = max(
        float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1)).max())
        for ours, theirs in zip(found, wanted, strict=True)
    )
    if not worst <= TOLERANCE:
        raise VisageError(
            f"The ONNX file differs from the model by {worst:.1e}, over {TOLERANCE:.0e}: export "
            "it with the packages of requirements-onnx.txt."
        )
    return worst


def _exported(model: VAE, network: GaussianMLP, name: str) -> bytes:
    if not is_available():
        raise VisageError(
            "Exporting needs two more packages: run 'pip install -r requirements-onnx.txt'."
        )
    content = _graph(model, network, name)
    check(content, network)
    return content


def _graph(model: VAE, network: GaussianMLP, name: str) -> bytes:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights = [], []

    def affine(source: str, target: str, weight: torch.Tensor, bias: torch.Tensor) -> None:
        for kind, tensor in (("weight", weight), ("bias", bias)):
            array = np.ascontiguousarray(tensor.detach().numpy())
            weights.append(numpy_helper.from_array(array, f"{target}.{kind}"))
        inputs = [source, f"{target}.weight", f"{target}.bias"]
        nodes.append(helper.make_node("Gemm", inputs, [target], transB=1))

    source = name
    for depth, layer in enumerate(network.hidden):
        affine(source, f"a{depth}", layer.weight, layer.bias)
        nodes.append(helper.make_node("Tanh", [f"a{depth}"], [f"h{depth}"]))
        source = f"h{depth}"
    mean = "logits" if network.sigmoid_mean else "mean"
    heads = zip(network.head.weight.chunk(2), network.head.bias.chunk(2), strict=True)
    for target, (weight, bias) in zip((mean, "log_var"), heads, strict=True):
        affine(source, target, weight, bias)
    if network.sigmoid_mean:
        nodes.append(helper.make_node("Sigmoid", ["logits"], ["mean"]))

    def values(called: str, size: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(called, TensorProto.FLOAT, ["batch", size])

    first = network.hidden[0].in_features
    outputs = network.head.out_features // 2
    graph = helper.make_graph(
        nodes,
        "encoder" if name == "x" else "decoder",
        [values(name, first)],
        [values("mean", outputs), values("log_var", outputs)],
        weights,
    )
    file = helper.make_model(
        graph,
        producer_name="visage",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(
        file,
        {"image_shape": json.dumps(model.image_shape), "latent_dim": str(model.latent_dim)},
    )
    onnx.checker.check_model(file)
    return file.SerializeToString()
