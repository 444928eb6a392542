"""ONNX files of encoder and decoder, run by ONNX Runtime."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from vae import VAE, load_checkpoint
from vae.errors import VisageError
from vae.models import onnx as export
from vae.models.architecture import Architecture
from vae.models.likelihoods import LIKELIHOODS
from vae.models.mlp import ACTIVATIONS, MLP

CHECKPOINT = Path(__file__).parents[2] / "checkpoints" / "olivetti-2d.safetensors"


def test_onnx_is_loaded_when_it_is_needed():
    code = "import sys, vae.__main__, ui.session; print({'onnx', 'onnxruntime'} & {*sys.modules})"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(200,), (64, 32, 16)])
@pytest.mark.parametrize("shape", [(28, 20), (12, 10, 3)])
def test_onnxruntime_answers_as_pytorch_does(hidden, shape, activation):
    torch.manual_seed(0)
    architecture = Architecture(shape, 3, MLP(hidden, activation))
    model = VAE.of(architecture).eval().requires_grad_(False)
    for content, network, given in (
        (export.encoder(model), model.encoder, np.random.rand(5, model.pixels)),
        (export.decoder(model), model.decoder, np.random.randn(5, 3)),
    ):
        given = given.astype(np.float32)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        (name,) = [one.name for one in session.get_inputs()]
        found = session.run(["mean", "log_var"], {name: given})
        for ours, theirs in zip(found, network(torch.from_numpy(given)), strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-5)
        properties = {one.key: one.value for one in onnx.load_from_string(content).metadata_props}
        assert json.loads(properties["image_shape"]) == list(shape)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("shape", [(6, 5), (4, 4, 3)])
def test_the_decoder_gives_each_pixels_mean_and_variance_whatever_the_likelihood(
    likelihood, shape
):
    torch.manual_seed(0)
    model = VAE.of(Architecture(shape, 2, MLP((8,)), likelihood)).eval().requires_grad_(False)
    for weight in model.likelihood.parameters():
        weight += 0.1 * torch.randn(weight.shape)
    content = export.decoder(model)
    assert export.check(content, model.decode) <= 1e-5
    properties = {one.key: one.value for one in onnx.load_from_string(content).metadata_props}
    assert properties["likelihood"] == likelihood


def test_a_trained_model_is_exported():
    model = load_checkpoint(CHECKPOINT).model
    for content, network in (
        (export.encoder(model), model.encode),
        (export.decoder(model), model.decode),
    ):
        assert export.check(content, network) <= 1e-5


def test_another_models_file_is_found_out():
    torch.manual_seed(0)
    one, other = (VAE((4, 4), 2, (8,)).eval().requires_grad_(False) for _ in range(2))
    with pytest.raises(VisageError, match="differs from the model"):
        export.check(export.decoder(one), other.decoder)
