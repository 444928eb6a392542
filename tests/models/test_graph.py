"""Graphs of others in steps of our own: what they give is what ONNX Runtime gives."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from vae import load_checkpoint, save_checkpoint
from vae.errors import VisageError
from vae.latent.metric import metric
from vae.latent.packed import pack, pack_encoder
from vae.latent.surface import DecoderSurface
from vae.models.foreign.opening import open_model
from vae.models.graph import Translated
from vae.models.steps import WEIGHTED, Step, apply, shape_of
from vae.models.translation import Builder, Place, UntranslatableError, translate


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32) * 0.5


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def graph(given, *nodes, batch="batch", opset=17):
    """A graph that leads from ``x``, of a shape without its batch, through nodes in a row.

    Each is an operator, its constants or names of what it takes besides what came last, and its
    attributes; its outputs are called after its place.
    """
    helper, constants, made, last = onnx.helper, [], [], "x"
    for place, (op, others, attributes) in enumerate(nodes):
        names = [last]
        for k, other in enumerate(others):
            if isinstance(other, str):
                names.append(other)
                continue
            names.append(f"c{place}_{k}")
            constants.append(onnx.numpy_helper.from_array(np.asarray(other), names[-1]))
        attributes = dict(attributes)
        takes = attributes.pop("takes", names)
        gives = [f"y{place}"] + [f"y{place}_{k}" for k in range(1, attributes.pop("gives", 1))]
        made.append(
            helper.make_node(op, [last if n == "_" else n for n in takes], gives, **attributes)
        )
        last = gives[0]
    sizes = [batch, *given]
    value = helper.make_tensor_value_info
    return helper.make_model(
        helper.make_graph(
            made,
            "graph",
            [value("x", onnx.TensorProto.FLOAT, sizes)],
            [onnx.helper.make_empty_tensor_value_info(last)],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )


def agree(model, given, tolerance=2e-6) -> Builder:
    """That steps and graph give the same; the steps."""
    builder = Builder(tuple(given))
    (place,) = translate(model, builder, Place(0), [model.graph.output[0].name])
    steps, layers, outputs = builder.done(place)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 3
    x = np.random.default_rng(0).normal(size=(batch, *given)).astype(np.float32)
    values, weights = [torch.from_numpy(x)], iter(layers)
    for step in steps:
        layer = [torch.tensor(part) for part in next(weights)] if step.op in WEIGHTED else ()
        taken = [values[of] for of in step.of]
        values.append(apply(step, taken, *(layer or (None, None))))
        # What is told of the shapes is what the tensors have.
        assert shape_of(step, [tuple(v.shape[1:]) for v in taken]) == values[-1].shape[1:]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": x})
    np.testing.assert_allclose(values[outputs[0]].numpy(), wanted, atol=tolerance, rtol=1e-5)
    return builder


DENSE = "Gemm", [drawn(7, 5), drawn(7)], {"transB": 1}


@pytest.mark.parametrize(
    ("given", "nodes"),
    [
        ((5,), [DENSE]),
        ((5,), [("Gemm", [drawn(5, 7)], {"alpha": 0.5})]),
        ((5,), [("MatMul", [drawn(5, 7)], {}), ("Add", [drawn(7)], {}), ("Tanh", [], {})]),
        ((3, 5), [("MatMul", [drawn(5, 7)], {}), ("Add", [drawn(3, 1)], {})]),
        ((2, 8, 9), [("Conv", [drawn(4, 2, 3, 3), drawn(4)], {"pads": [1, 0, 2, 1]})]),
        (
            (4, 9, 8),
            [("Conv", [drawn(6, 2, 3, 2)], {"group": 2, "strides": [2, 1], "dilations": [2, 3]})],
        ),
        (
            (2, 7, 8),
            [("Conv", [drawn(3, 2, 4, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 3]})],
        ),
        ((2, 7, 8), [("Conv", [drawn(3, 2, 4, 3)], {"auto_pad": "SAME_LOWER"})]),
        (
            (3, 4, 5),
            [
                (
                    "ConvTranspose",
                    [drawn(3, 2, 4, 3), drawn(2)],
                    {"strides": [2, 2], "pads": [1, 0, 1, 2], "output_padding": [1, 1]},
                )
            ],
        ),
        (
            (4, 3, 5),
            [("ConvTranspose", [drawn(4, 3, 2, 3)], {"group": 2, "dilations": [2, 1]})],
        ),
        (
            (3, 4, 5),
            [("ConvTranspose", [drawn(3, 2, 3, 3)], {"strides": [2, 2], "output_shape": [8, 10]})],
        ),
        (
            (3, 4, 5),
            [
                (
                    "ConvTranspose",
                    [drawn(3, 2, 3, 3)],
                    {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
                )
            ],
        ),
        ((8, 3, 2), [("DepthToSpace", [], {"blocksize": 2})]),
        ((8, 3, 2), [("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"})]),
        ((2, 4, 6), [("SpaceToDepth", [], {"blocksize": 2})]),
        (
            (2, 3, 4),
            [
                (
                    "Resize",
                    [np.array([1, 1, 2, 3], np.float32)],
                    {
                        "takes": ["x", "", "c0_0"],
                        "coordinate_transformation_mode": "asymmetric",
                        "nearest_mode": "floor",
                    },
                )
            ],
        ),
        (
            (2, 3, 4),
            [("Pad", [whole(0, 1, 0, 2, 0, 0, 3, -1), np.float32(0.5)], {"mode": "constant"})],
        ),
        ((2, 6, 7), [("MaxPool", [], {"kernel_shape": [2, 3], "strides": [2, 2]})]),
        ((2, 6, 7), [("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]})]),
        ((2, 6, 7), [("GlobalAveragePool", [], {}), ("Flatten", [], {})]),
        ((2, 3, 4), [("Transpose", [], {"perm": [0, 2, 3, 1]}), ("Flatten", [], {})]),
        ((2, 1, 4), [("Squeeze", [whole(2)], {}), ("Unsqueeze", [whole(-1)], {})]),
        ((3, 8), [("Slice", [whole(1, 2), whole(3, 100), whole(1, 2)], {})]),
        ((4, 3), [("Gather", [np.int64(-1)], {"axis": 1})]),
        ((4, 3), [("Concat", ["x"], {"axis": 2})]),
        ((6,), [("Split", [whole(2, 4)], {"axis": 1, "gives": 2})]),
    ],
)
def test_steps_give_what_the_graph_gives(given, nodes):
    agree(graph(given, *nodes), given)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Relu", {}),
        ("LeakyRelu", {"alpha": 0.2}),
        ("Elu", {"alpha": 0.7}),
        ("Selu", {}),
        ("Sigmoid", {}),
        ("Tanh", {}),
        ("Softplus", {}),
        ("HardSigmoid", {}),
        ("HardSwish", {}),
        ("Mish", {}),
        ("Erf", {}),
        ("Abs", {}),
        ("Neg", {}),
    ],
)
def test_curves_are_those_of_onnx(op, attributes):
    agree(graph((5, 4), (op, [], attributes), opset=18), (5, 4))


def test_a_gate_of_sigmoid_is_silu():
    nodes = [DENSE, ("Sigmoid", [], {}), ("Mul", [], {"takes": ["y0", "y1"]})]
    agree(graph((5,), *nodes), (5,))


def test_sizes_that_come_of_the_batch_are_followed():
    """As PyTorch's exporter writes ``x.view(len(x), 2, 3, 1)``."""
    nodes = [
        ("Shape", [], {}),
        ("Gather", [np.int64(0)], {"axis": 0}),
        ("Unsqueeze", [whole(0)], {}),
        ("Concat", [whole(2), whole(3), whole(-1)], {"axis": 0}),
        ("Reshape", [], {"takes": ["x", "y3"]}),
    ]
    agree(graph((6,), *nodes), (6,))
    agree(graph((6,), *nodes, batch=1), (6,))


def test_a_normalisation_becomes_part_of_the_layer_before_it():
    statistics = [drawn(4), drawn(4), drawn(4), np.abs(drawn(4)) + 0.1]
    for layer, given in (
        (("Conv", [drawn(4, 2, 3, 3)], {}), (2, 5, 6)),
        (("ConvTranspose", [drawn(2, 2, 3, 3)], {"group": 2}), (2, 5, 6)),
        (("Gemm", [drawn(3, 4)], {}), (3,)),
    ):
        made = agree(graph(given, layer, ("BatchNormalization", statistics, {})), given)
        assert len(made.steps) == 1
    # But not where something else takes what it gave.
    nodes = [layer, ("BatchNormalization", statistics, {}), ("Add", [], {"takes": ["y0", "y1"]})]
    agree(graph(given, *nodes), given)


@pytest.mark.parametrize(
    ("given", "nodes", "why"),
    [
        ((5,), [("Softmax", [], {})], "no step for Softmax"),
        ((5,), [("Mul", [drawn(3, 5)], {})], "from image to image"),
        ((2, 3), [("Reshape", [whole(-1, 3)], {})], "mixes images"),
        ((2, 3), [("Transpose", [], {"perm": [1, 0, 2]})], "of the batch"),
        ((2, 9), [("Conv", [drawn(4, 2, 3)], {})], "other than two axes"),
        ((2, 3), [("MatMul", [], {"takes": ["x", "x"]})], "product of two values"),
        ((2, 3), [("Reshape", [whole(4, 4)], {})], "reshape"),
        (
            (2, 3),
            [
                ("Mul", [], {"takes": ["c1_0", "c1_1"]}),
                ("Add", [drawn(30_000, 1), drawn(1, 30_000)], {"takes": ["x", "y0"]}),
            ],
            "too much of constants",
        ),
        (
            (2, 3),
            [
                ("Gather", [], {"takes": ["c1_0", "c1_1"]}),
                (
                    "Add",
                    [drawn(1, 30_000), np.zeros(30_000, np.int64)],
                    {"takes": ["x", "y0"]},
                ),
            ],
            "too much of constants",
        ),
    ],
)
def test_what_there_is_no_step_for_is_said(given, nodes, why):
    model = graph(given, *nodes)
    with pytest.raises(UntranslatableError, match=why):
        translate(model, Builder(tuple(given)), Place(0), [model.graph.output[0].name])


@pytest.mark.parametrize(
    ("step", "given"),
    [
        (Step("conv", (0,), (2, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1, 2)), [(3, 9, 9)]),
        (Step("conv", (0,), (2, 3, 3, 0, 1, 0, 0, 0, 0, 1, 1, 1)), [(3, 9, 9)]),
        (Step("conv", (0,), (2, 3, 3)), [(3, 9, 9)]),
        (Step("affine", (0,), ()), [(3,)]),
        (Step("affine", (0,), (-3,)), [(3,)]),
        (Step("reshape", (0,), (2, -3)), [(6,)]),
        (Step("transpose", (0,), (0, 0)), [(2, 3)]),
        (Step("resize", (0,), (10**6, 10**6)), [(1, 2, 2)]),
        (Step("pad", (0,), (0, 2**30), (0.0,)), [(6,)]),
        (Step("slice", (0,), (0, 4, 2)), [(6,)]),
        (Step("concat", (0, 0), (3,)), [(6,), (6,)]),
        (Step("add", (0, 0)), [(6,), (3, 2)]),
        (Step("clip", (0,), (), (1.0,)), [(6,)]),
        (Step("magic", (0,)), [(6,)]),
    ],
)
def test_a_step_of_sizes_that_it_cannot_have_is_refused(step, given):
    with pytest.raises(VisageError):
        shape_of(step, given)


def pair(decoded=(), encoded=()) -> tuple[bytes, bytes]:
    """A decoder of two latents, of images of 8 × 6 in colour, and an encoder, as files."""
    twice = {"strides": [2, 2]}
    decoder = graph(
        (2,),
        ("Gemm", [drawn(2, 24), drawn(24)], {}),
        ("Relu", [], {}),
        ("Reshape", [whole(-1, 4, 3, 2)], {}),
        (
            "ConvTranspose",
            [drawn(4, 6, 4, 5), drawn(6)],
            twice | {"pads": [1, 1, 1, 2]},
        ),
        ("Elu", [], {}),
        ("ConvTranspose", [drawn(6, 3, 4, 4)], twice | {"pads": [3, 2, 3, 2]}),
        *decoded,
        ("Sigmoid", [], {}),
    )
    encoder = graph(
        (3, 8, 6),
        ("Conv", [drawn(4, 3, 3, 3), drawn(4)], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ("Relu", [], {}),
        ("Flatten", [], {}),
        *encoded,
        ("Gemm", [drawn(48, 4), drawn(4)], {}),
    )
    return decoder.SerializeToString(), encoder.SerializeToString()


@pytest.fixture(scope="module")
def opened():
    return open_model(*pair())


def test_a_model_that_is_understood_is_one_of_ours(opened, tmp_path):
    model = opened.model
    assert isinstance(model.architecture.network, Translated)
    assert model.image_shape == (8, 6, 3)
    assert model.decoder.is_exact and model.encoder.knows_variance
    # Its own latents or others: what the browser gets knows of them.
    moved = model.in_coordinates(torch.tensor([0.3, -1.0]), torch.tensor([0.5, 2.0]))
    assert pack_encoder(opened) and pack(opened, "pad", "model", "1")
    save_checkpoint(tmp_path / "theirs.safetensors", moved)
    found = load_checkpoint(tmp_path / "theirs.safetensors").model
    z, x = torch.randn(3, 5, 2), torch.rand(4, 144)
    torch.testing.assert_close(found.decode(z).mean, moved.decode(z).mean, rtol=0, atol=0)
    torch.testing.assert_close(found.encode(x).mean, moved.encode(x).mean, rtol=0, atol=0)


def test_its_metric_is_that_of_differences(opened):
    surface = DecoderSurface(opened.model)
    z, step = np.array([0.4, -0.7]), 1e-2
    moved = torch.tensor(z + step * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])).float()
    images = opened.model.decode(moved).mean.double().numpy()
    jacobian = (images[0::2] - images[1::2]) / (2 * step)
    np.testing.assert_allclose(
        metric(surface, z, std=False), jacobian @ jacobian.T, rtol=2e-2, atol=1e-4
    )


def test_what_is_not_understood_goes_on_asking():
    odd = ("Softmax", [], {"axis": 1})
    decoder, encoder = pair(decoded=[odd])
    assert open_model(decoder).model.architecture.network.kind == "onnx"
    # The decoder is ours all the same where the encoder alone is not.
    decoder, encoder = pair(encoded=[odd])
    network = open_model(decoder, encoder).model.architecture.network
    assert isinstance(network, Translated) and network.encoder_file is not None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"decoder_steps": ()}, "first step"),
        ({"decoder_outputs": (1,)}, "144 values"),
        ({"decoder_outputs": (99,)}, "lead to"),
        ({"decoder_steps": [{"op": "relu"}]}, "tells its op"),
        ({"decoder_steps": [Step("relu", (0,))] * 700}, "600 steps"),
        ({"log_var": "low"}, "a number"),
        ({"encoder_file": {"bytes": 1}}, "TypeError"),
    ],
)
def test_steps_that_cannot_be_are_refused_at_the_door(opened, change, why):
    told = opened.model.architecture.as_json()
    told["architecture"] |= change
    told["image_shape"] = list(told["image_shape"])
    with pytest.raises(VisageError, match="numbers" if why == "TypeError" else why):
        type(opened.model.architecture).of(told)
