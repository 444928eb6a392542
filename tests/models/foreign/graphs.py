"""Tiny ONNX files, made as a stranger's exporter would make them."""

import math

import numpy as np
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((3, 48)).astype(np.float32)


def file(nodes, inputs, outputs, constants=(), **how) -> bytes:
    """An ONNX file of nodes; inputs and outputs are (name, shape)."""

    def values(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes,
        "g",
        [values(*one) for one in inputs],
        [values(*one) for one in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants],
    )
    opsets = [helper.make_opsetid("", 17), *how.pop("opsets", [])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, **how)
    return model.SerializeToString()


def decoder(
    shape=(1, 6, 8), activation="Sigmoid", batch="batch", output="image", weight=WEIGHT
) -> bytes:
    """z (batch, 3) → an activation of a matrix's products, as images of a shape."""
    nodes = [
        helper.make_node("MatMul", ["z", "W"], ["h"]),
        helper.make_node(activation, ["h"], ["s"]),
        helper.make_node("Reshape", ["s", "shape"], [output]),
    ]
    constants = [("W", weight), ("shape", np.array([-1, *shape]))]
    return file(nodes, [("z", [batch, 3])], [(output, [batch, *shape])], constants)


def encoder(shape=(1, 6, 8), variance="log_var", sampled=False) -> bytes:
    """Images of a shape → mean, and what tells of the variance, (batch, 3) each."""
    names = ["mu", *([variance] if variance else []), *(["z"] if sampled else [])]
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "V"], ["mu"]),
    ]
    if variance:
        nodes.append(helper.make_node("MatMul", ["flat", "U"], [variance]))
    if sampled:
        nodes.append(helper.make_node("RandomNormalLike", ["mu"], ["e"]))
        nodes.append(helper.make_node("Add", ["mu", "e"], ["z"]))
    weight = WEIGHT.T[: math.prod(shape)] / 7
    constants = [("V", weight), ("U", -np.abs(weight))]
    outputs = [(name, ["batch", 3]) for name in names]
    if sampled:
        # As Keras writes them: the sample among the first.
        outputs = [outputs[-1], *outputs[:-1]]
    return file(nodes, [("x", ["batch", *shape])], outputs, constants)
