"""Models that somebody else trained: what is found, what is answered, what is kept."""

import importlib.util
import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from onnx import helper

from vae import VAE, load_checkpoint, save_checkpoint
from vae.errors import VisageError
from vae.latent import encode, evaluate, reconstruct, squared_errors
from vae.latent.paths import route
from vae.latent.refine import refine
from vae.latent.surface import DecoderSurface
from vae.models import collection, onnx
from vae.models.architecture import Architecture
from vae.models.foreign import differences
from vae.models.foreign.networks import Onnx
from vae.models.foreign.opening import Said, inspect, keep, open_model
from vae.models.foreign.runtime import Graph
from vae.models.likelihoods import STATED

_SPEC = importlib.util.spec_from_file_location("graphs", Path(__file__).with_name("graphs.py"))
graphs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(graphs)

WEIGHT = torch.from_numpy(graphs.WEIGHT)

# An activation that no network of ours has: such a graph is asked.
ASKED = "Sin"


@pytest.fixture(scope="module")
def files() -> tuple[bytes, bytes]:
    return graphs.decoder(activation=ASKED), graphs.encoder()


@pytest.fixture(scope="module")
def asked(files) -> VAE:
    model = open_model(*files, likelihood="gaussian", std=0.1).model
    assert isinstance(model.architecture.network, Onnx)
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (30, 6, 8), np.uint8)


def wanted(z: torch.Tensor) -> torch.Tensor:
    return (torch.sin(z @ WEIGHT.to(z)) + 1) / 2


def test_it_answers_as_the_graph_does(asked):
    z = torch.randn(2, 70, 3)
    torch.testing.assert_close(asked.decode(z).mean, wanted(z), rtol=1e-5, atol=1e-5)
    x = torch.rand(5, 48)
    mean, log_var = asked.encode(x)
    # A decoder that answers in [-1, 1] has an encoder that is asked so.
    given = 2 * x - 1
    torch.testing.assert_close(mean, given @ WEIGHT.T / 7, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(log_var, -given @ WEIGHT.T.abs() / 7, rtol=1e-4, atol=1e-5)
    # What is stated, of pixels in [0, 1].
    assert float(asked.decode(z).log_var[0, 0, 0]) == pytest.approx(2 * np.log(0.1), rel=1e-5)


def test_it_is_kept_in_one_file_and_loaded(asked, files, images, tmp_path):
    opened = open_model(*files, std=0.2, images=images, info={"name": "theirs"})
    path = tmp_path / "theirs.safetensors"
    save_checkpoint(path, opened.model, opened.info, opened.posterior)
    found = load_checkpoint(path)
    assert found.info["format_version"] == 5
    assert found.card.architecture == opened.model.architecture
    assert bytes(found.model.state_dict()["decoder.file"].numpy()) == files[0]
    z = torch.randn(4, 3)
    torch.testing.assert_close(found.model.decode(z).mean, asked.decode(z).mean)
    rows = images.reshape(30, -1).astype(np.float32) / 255
    np.testing.assert_allclose(found.posterior.mean, encode(asked, rows).mean, atol=1e-6)


def test_it_is_exported_as_it_came(asked, files):
    assert (onnx.decoder(asked), onnx.encoder(asked)) == files


@pytest.mark.parametrize(
    ("shape", "said", "image_shape", "order"),
    [
        ((1, 6, 8), {}, (6, 8), "flat"),
        ((6, 8, 1), {}, (6, 8), "flat"),
        ((6, 8), {}, (6, 8), "flat"),
        ((3, 4, 4), {}, (4, 4, 3), "NCHW"),
        ((4, 4, 3), {}, (4, 4, 3), "NHWC"),
        ((48,), {}, (4, 4, 3), "NCHW"),
        ((48,), {"order": "nhwc"}, (4, 4, 3), "NHWC"),
        ((48,), {"image_shape": (6, 8)}, (6, 8), "flat"),
    ],
)
def test_shapes_and_orders_are_found(shape, said, image_shape, order):
    content = graphs.decoder(shape, ASKED)
    found = inspect(content, None, Said(**said))
    assert (found.latent_dim, found.image_shape, found.order) == (3, image_shape, order)
    z = torch.randn(2, 3)
    drawn = open_model(content, found=found).model.decode(z).mean.reshape(2, *image_shape)
    values = wanted(z)
    if order == "NCHW":
        values = values.reshape(2, 3, 4, 4).permute(0, 2, 3, 1)
    torch.testing.assert_close(drawn, values.reshape(2, *image_shape), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "factor", "range"),
    [
        ("Sigmoid", 1, "unit"),
        ("Tanh", 1, "symmetric"),
        ("Identity", 3, "logits"),
        ("Identity", 0.1, "symmetric"),
    ],
)
def test_ranges_are_found(activation, factor, range):
    content = graphs.decoder(activation=activation, weight=graphs.WEIGHT * np.float32(factor))
    assert inspect(content).range == range
    assert inspect(content, None, Said(range="bytes")).range == "bytes"


@pytest.mark.parametrize("name", ["log_var", "log_covariance", "std", "sigma", "variance"])
def test_what_tells_of_the_variance_is_found_by_its_name(name):
    found = inspect(graphs.decoder(), graphs.encoder(variance=name))
    is_log = name.startswith("log")
    assert found.encoder.variance == name
    kind = "log_var" if is_log else "var" if name == "variance" else "std"
    assert found.encoder.variance_is == kind


def test_a_sample_among_the_outputs_is_not_taken_for_the_mean():
    found = inspect(graphs.decoder(), graphs.encoder(sampled=True))
    assert (found.encoder.mean, found.encoder.variance) == ("mu", "log_var")


def test_a_batch_of_one_is_enough():
    content = graphs.decoder(activation=ASKED, batch=1)
    found = inspect(content)
    assert found.decoder.batch == 1
    z = torch.randn(3, 3)
    drawn = open_model(content, found=found).model.decode(z).mean
    torch.testing.assert_close(drawn, wanted(z), rtol=1e-5, atol=1e-5)


def test_its_derivatives_are_differences(asked):
    z = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    theirs = torch.randn(4, 48, dtype=torch.float64)
    (found,) = torch.autograd.grad((asked.decode(z).mean * theirs).sum(), z)
    (exact,) = torch.autograd.grad((wanted(z) * theirs).sum(), z)
    torch.testing.assert_close(found, exact, rtol=1e-2, atol=1e-2)
    tangents = torch.randn(2, 1, 3, dtype=torch.float64)
    carried = asked.decoder.mean_map().push(z.detach(), tangents)
    for one, tangent in zip(carried, tangents, strict=True):
        _, along = torch.func.jvp(wanted, (z.detach(),), (tangent.expand_as(z),))
        torch.testing.assert_close(one, along, rtol=1e-2, atol=1e-2)


def test_a_function_that_jumps_has_no_derivative():
    with pytest.raises(VisageError, match="jump as z moves"):
        differences.best_step(lambda z: (1000 * z).floor() % 2, torch.randn(4, 2))


def test_geodesics_and_refined_posteriors_can_be_had(asked, images):
    path = route(DecoderSurface(asked), np.array([[0, 0, 0], [0.3, 0.2, 0]]), "geodesic")
    straight = route(DecoderSurface(asked), path.points[[0, -1]], "straight")
    assert 0 < path.length <= straight.length * 1.001
    x = images[:2].reshape(2, -1).astype(np.float32) / 255
    refined = refine(asked, x, steps=3, samples=4)
    assert (refined.elbo >= refined.encoder_elbo).all()


def test_without_an_encoder_it_says_what_is_missing(files):
    model = open_model(files[0]).model
    assert not model.can_encode
    assert "no encoder" in open_model(files[0], std=0.1).model.why_no_nats
    with pytest.raises(VisageError, match="has no encoder"):
        model.encode(torch.rand(1, 48))
    with pytest.raises(VisageError, match="without an encoder"):
        open_model(files[0], images=np.zeros((2, 6, 8), np.uint8))


def test_without_a_likelihood_there_are_no_nats(files, images):
    opened = open_model(*files, images=images)
    model = opened.model
    assert model.architecture.likelihood == "none"
    x = images.reshape(30, -1).astype(np.float32) / 255
    with pytest.raises(VisageError, match="no likelihood"):
        evaluate(model, x)
    errors = squared_errors(model, x)
    assert errors.shape == (30,) and (errors > 0).all()
    # What stands in for a deviation is what reconstructions lack.
    assert model.architecture.network.decoder_file.std == pytest.approx(
        np.sqrt(errors.mean()), rel=1e-3
    )


def test_a_mean_alone_is_no_posterior(files):
    model = open_model(files[0], graphs.encoder(variance=""), std=0.1).model
    assert "no variance" in model.why_no_nats
    assert model.encode(torch.rand(2, 48)).mean.shape == (2, 3)


def test_bernoulli_is_the_cross_entropy(files):
    model = open_model(*files, likelihood="bernoulli").model
    z, x = torch.randn(5, 3), torch.rand(5, 48)
    found = model.decode(z).log_prob(x)
    exact = -torch.nn.functional.binary_cross_entropy(
        model.decode(z).mean.clamp(1e-6, 1 - 1e-6), x, reduction="none"
    ).sum(dim=1)
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-3)
    assert not model.why_no_nats
    assert np.isfinite(reconstruct(model, x.numpy(), 4, 4).elbo).all()


def test_what_is_stated_of_others_is_not_offered_for_training():
    for name in ("bernoulli", "none"):
        assert name in STATED
        with pytest.raises(VisageError, match="A likelihood is one of"):
            Architecture(likelihood=name)


def test_a_gaussian_needs_a_deviation(files):
    with pytest.raises(VisageError, match="give --std"):
        open_model(*files, likelihood="gaussian")


def test_grey_images_may_come_with_their_one_channel(files, images):
    assert torch.equal(
        open_model(*files, images=images[..., None]).posterior.mean,
        open_model(*files, images=images).posterior.mean,
    )


def test_images_of_another_shape_are_refused(files):
    with pytest.raises(VisageError, match="give images of its shape"):
        open_model(*files, images=np.zeros((4, 8, 6), np.uint8))


def test_an_encoder_of_another_model_is_refused():
    with pytest.raises(VisageError, match="not of one model"):
        inspect(graphs.decoder((3, 4, 4)), graphs.encoder((1, 5, 8)))


def test_it_is_kept_where_that_is_allowed(files, tmp_path, monkeypatch):
    monkeypatch.setenv("VISAGE_DATA", str(tmp_path))
    opened = open_model(*files)
    path = keep(opened, "theirs")
    assert path in collection.brought()
    with pytest.raises(VisageError, match="choose another name"):
        keep(opened, "theirs")
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    with pytest.raises(VisageError, match="read-only"):
        keep(opened, "others")


def test_a_checkpoint_with_a_graph_that_is_refused_is_not_taken(files, tmp_path, monkeypatch):
    monkeypatch.setenv("VISAGE_DATA", str(tmp_path))
    path = tmp_path / "theirs.safetensors"
    model = open_model(files[0]).model
    model.decoder.file = torch.zeros_like(model.decoder.file)
    save_checkpoint(path, model)
    with path.open("rb") as file, pytest.raises(VisageError, match="no ONNX file"):
        collection.keep(file, "theirs")
    assert not collection.brought()


def test_a_worker_that_is_killed_is_started_again(files):
    graph = Graph(files[0])
    z = {"z": np.zeros((1, 3), np.float32)}
    graph.run(z, ["image"])
    os.kill(graph._process.pid, signal.SIGKILL)
    graph._process.wait()
    assert graph.run(z, ["image"])[0].shape == (1, 1, 6, 8)
    process = psutil.Process(graph._process.pid)
    graph.close()
    assert not process.is_running()


def test_what_takes_too_long_is_ended(files, monkeypatch):
    monkeypatch.setattr("vae.watched.PATIENCE", 1)
    graph = Graph(files[0])
    z = {"z": np.zeros((1, 3), np.float32)}
    graph.run(z, ["image"])
    os.kill(graph._process.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(VisageError, match=r"VISAGE_MAX_MODEL_SECONDS"):
        graph.run(z, ["image"], seconds=0.2)
    assert time.monotonic() - began < 60
    assert graph.run(z, ["image"])[0].shape == (1, 1, 6, 8)
    graph.close()


def test_what_takes_too_much_memory_is_refused():
    # A constant of 2 GiB, made of a few bytes.
    nodes = [
        helper.make_node("ConstantOfShape", ["n"], ["much"]),
        helper.make_node("ReduceSum", ["much"], ["sum"], keepdims=0),
        helper.make_node("Add", ["z", "sum"], ["image"]),
    ]
    content = graphs.file(
        nodes, [("z", ["b", 4])], [("image", ["b", 4])], [("n", np.array([2**29]))]
    )
    with pytest.raises(VisageError, match=r"memory"):
        inspect(content)


def _external() -> bytes:
    import onnx

    model = onnx.load_from_string(graphs.decoder())
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")
    return model.SerializeToString()


def _functions() -> bytes:
    import onnx

    model = onnx.load_from_string(graphs.decoder())
    model.functions.append(
        helper.make_function(
            "own", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], []
        )
    )
    return model.SerializeToString()


def _nested(depth: int) -> bytes:
    graph = helper.make_graph([], "inner", [], [])
    for _ in range(depth):
        node = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([node], "g", [], [])
        if graph.ByteSize() > 2**20:
            break
    return helper.make_model(graph).SerializeToString()


def _loop() -> bytes:
    body = helper.make_graph([], "body", [], [])
    nodes = [helper.make_node("Loop", ["n", "c", "z"], ["image"], body=body)]
    return graphs.file(nodes, [("z", ["b", 3])], [("image", ["b", 3])])


def _custom() -> bytes:
    nodes = [helper.make_node("Run", ["z"], ["image"], domain="com.stranger")]
    opsets = [helper.make_opsetid("com.stranger", 1)]
    return graphs.file(nodes, [("z", ["b", 3])], [("image", ["b", 3])], opsets=opsets)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no ONNX file"),
        (b"PK\x03\x04 something else", "no ONNX file"),
        (graphs.decoder()[:-40], "no ONNX file"),
        (_external(), "another file"),
        (_functions(), "functions"),
        (_custom(), "not ONNX's own"),
        (_loop(), "loop"),
        (_nested(14), "nested too deeply|limit"),
        (graphs.file([], [("z", ["b", 3]), ("y", ["b", 3])], [("z", ["b", 3])]), "2 inputs|open"),
    ],
    ids=["empty", "zip", "cut", "external", "functions", "custom", "loop", "nested", "inputs"],
)
def test_what_is_refused(content, sentence):
    with pytest.raises(VisageError, match=sentence):
        inspect(content)


def test_sizes_are_counted_before_anything_is_parsed(monkeypatch):
    monkeypatch.setenv("VISAGE_MAX_MODEL_NODES", "4")
    with pytest.raises(VisageError, match="VISAGE_MAX_MODEL_NODES"):
        inspect(graphs.decoder(batch="other"))
    monkeypatch.setenv("VISAGE_MAX_MODEL_NODES", "5")
    assert inspect(graphs.decoder(batch="another")).latent_dim == 3


def test_a_checkpoint_whose_file_is_another_length_is_refused(files, tmp_path):
    path = tmp_path / "theirs.safetensors"
    save_checkpoint(path, open_model(files[0]).model)
    path.write_bytes(path.read_bytes().replace(b'\\"bytes\\": ', b'\\"bytes\\":1', 1))
    with pytest.raises(VisageError, match="is not a Visage checkpoint"):
        load_checkpoint(path)
