"""The seam between a model and its networks: one that can go forward and nothing else."""

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest

from ui import library
from ui.data import shelf
from vae import VAE, load_checkpoint, save_checkpoint
from vae.__main__ import main
from vae.errors import VisageError
from vae.latent import decode, decoder_layers, encode, evaluate, match_prior
from vae.latent.surface import DecoderSurface, Surface
from vae.models import onnx
from vae.models.architecture import KINDS, Architecture
from vae.models.checkpoint import Checkpoint
from vae.models.gated import Gated
from vae.models.gaussian import Gaussian
from vae.models.mlp import MLP
from vae.models.network import Network
from vae.runs import Run
from vae.training.gradient import AutogradGradient, gradient_of
from vae.training.loop import TrainingState, one_buffer, train
from vae.training.recipes import TrainingConfig

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Waves:
    """Networks of another kind: one layer of sines."""

    kind: ClassVar[str] = "waves"
    in_general: ClassVar[str] = "one layer of sines"

    units: int = 12

    def encoder(self, image_shape, latent_dim):
        return Wave(math.prod(image_shape), latent_dim, self.units, False)

    def decoder(self, image_shape, latent_dim):
        return Wave(latent_dim, math.prod(image_shape), self.units, True)

    def weights(self, image_shape, latent_dim):
        model = self.encoder(image_shape, latent_dim), self.decoder(image_shape, latent_dim)
        return sum(weight.numel() for part in model for weight in part.parameters())

    def activations(self, image_shape, latent_dim):
        return 2 * (self.units + latent_dim + math.prod(image_shape))

    def in_words(self):
        return f"{self.units} waves"


class Wave(Network):
    def __init__(self, in_features: int, out_features: int, units: int, sigmoid: bool):
        super().__init__()
        self.into = torch.nn.Linear(in_features, units)
        self.out = torch.nn.Linear(units, 2 * out_features)
        self.sigmoid = sigmoid

    def forward(self, x):
        mean, log_var = self.out(torch.sin(self.into(x))).chunk(2, dim=-1)
        return Gaussian(mean.sigmoid() if self.sigmoid else mean, log_var)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What adding a kind of networks takes, besides its own file."""
    monkeypatch.setitem(KINDS, "waves", Waves)


@pytest.fixture
def model() -> VAE:
    torch.manual_seed(0)
    return VAE.of(Architecture((28, 23), 2, Waves())).requires_grad_(False)


@pytest.fixture
def pixels(model) -> np.ndarray:
    return np.random.default_rng(0).random((20, model.pixels), dtype=np.float32)


def test_it_is_stored_and_loaded(model, tmp_path):
    save_checkpoint(tmp_path / "waves.safetensors", model, {"name": "waves"})
    found = load_checkpoint(tmp_path / "waves.safetensors")
    assert found.card.architecture == model.architecture
    assert found.card.architecture.network == Waves(12)
    z = torch.randn(5, 2)
    torch.testing.assert_close(found.model.decode(z), model.decode(z), rtol=0, atol=0)


def test_it_is_trained_by_automatic_differentiation(model):
    one_buffer(model.requires_grad_(True))
    assert isinstance(gradient_of(model, 8), AutogradGradient)


def test_a_run_chooses_it_by_its_name():
    assert TrainingConfig(network="waves").architecture((28, 23)).network == Waves()
    # What was begun when there was one kind.
    assert TrainingConfig.of({"hidden_dims": [9]}).architecture((28, 23)).network == MLP((9,))
    with pytest.raises(
        VisageError, match="A network is one of mlp, conv, gated, waves, not 'magic'"
    ):
        TrainingConfig(network="magic")


def test_the_command_line_trains_it(tmp_path):
    given = ["train", "--dataset", "olivetti", "--network", "waves", "--steps", "3"]
    done = CliRunner().invoke(main, [*given, "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    found = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    assert found.card.architecture.network == Waves()


def test_a_new_run_offers_it(monkeypatch):
    launched = []
    monkeypatch.setattr(Run, "launch", lambda run: launched.append(run))
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    app.switch_page("pages/train.py").run()
    app.selectbox(key="new_network").set_value("waves")
    next(button for button in app.button if button.label == "Start training").click()
    app.run()
    assert not app.exception, app.exception[0].message
    (run,) = launched
    assert run.config.network == "waves"


def test_the_default_recipe_trains_it(pixels):
    config = TrainingConfig(steps=60, batch_size=10, network="waves")
    state = TrainingState(config, (28, 23))
    before = evaluate(state.averaged, pixels)["elbo"].mean()
    for _ in train(state, pixels, pixels):
        pass
    assert evaluate(state.averaged, pixels)["elbo"].mean() > before
    # The mean image is the model's own, whatever its first layer is.
    np.testing.assert_allclose(state.averaged.mean_image, pixels.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("network", [Waves(12), MLP((9, 6))])
def test_its_latents_are_matched_to_the_prior(network, pixels):
    torch.manual_seed(1)
    model = VAE.of(Architecture((28, 23), 3, network)).requires_grad_(False)
    model.mean_image.copy_(torch.rand(model.pixels))
    posterior = encode(model, pixels)
    matched, moved = match_prior(*match_prior(model, posterior))
    np.testing.assert_allclose(moved.mean, encode(matched, pixels).mean, atol=1e-4)
    np.testing.assert_allclose(
        decode(matched, moved.mean)[0], decode(model, posterior.mean)[0], atol=1e-4
    )
    np.testing.assert_allclose(moved.mean.mean(0), 0, atol=1e-4)


def test_matched_latents_are_part_of_what_the_browser_gets(pixels):
    torch.manual_seed(1)
    model = VAE.of(Architecture((28, 23), 3, MLP((9, 6)))).requires_grad_(False)
    matched, _ = match_prior(model, encode(model, pixels))
    h = z = np.random.default_rng(1).standard_normal((7, 3)).astype(np.float32)
    *hidden, (weight, bias) = decoder_layers(matched)
    for inner, inner_bias in hidden:
        h = np.tanh(h @ inner.T + inner_bias)
    mean = 1 / (1 + np.exp(-(h @ weight.T + bias)[:, : model.pixels]))
    np.testing.assert_allclose(mean, decode(matched, z)[0].reshape(7, -1), atol=1e-5)


def test_it_has_nothing_else_to_offer(model):
    assert decoder_layers(model) is None
    assert onnx.encoder(model) is None
    assert onnx.decoder(model) is None


def test_its_page_says_that_it_has_no_onnx_form(model, monkeypatch):
    choice = library.Choice("waves", Path("waves.safetensors"), 0)
    monkeypatch.setattr(library, "load", lambda stored: Checkpoint(model))
    with pytest.raises(VisageError, match=r"waves .* take its checkpoint"):
        shelf.as_onnx(choice, "decoder")


def test_its_surface_is_differentiated(model, pixels):
    matched, posterior = match_prior(model, encode(model, pixels))
    surface = DecoderSurface(matched, posterior)
    z = torch.randn(6, 2).double()
    expected = copy.deepcopy(matched).double().decode(z).mean
    torch.testing.assert_close(surface.mean(z), expected)
    torch.testing.assert_close(surface.gram(z), Surface.gram(surface, z))


def test_of_many_values_some_measure_as_all_do(pixels):
    torch.manual_seed(0)
    model = VAE((120, 100), 2, (8,)).requires_grad_(False)
    surface = DecoderSurface(model)
    z = torch.randn(6, 2).double()
    exact = copy.deepcopy(model).double()
    jacobian = torch.func.vmap(torch.func.jacfwd(lambda point: exact.decode(point[None]).mean[0]))(
        z
    )
    found = surface.gram(z, std=False)
    torch.testing.assert_close(found, jacobian.mT @ jacobian, rtol=0.1, atol=0.02)
    torch.testing.assert_close(surface.gram(z), Surface.gram(surface, z))


@pytest.mark.parametrize("page", ["explore", "manifold", "reconstruct", "morph", "data"])
def test_every_page_shows_it(model, page, tmp_path, monkeypatch):
    monkeypatch.setattr(library, "SHIPPED", tmp_path / "checkpoints")
    means = torch.randn(360, 2)
    save_checkpoint(
        tmp_path / "checkpoints" / "waves.safetensors",
        model,
        {"dataset": "olivetti", "split": {"how": "random", "holdout": 0.1, "seed": 0}},
        Gaussian(means, torch.full_like(means, -3)),
    )
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    app.switch_page(f"pages/{page}.py").run()
    if page == "data":
        app.segmented_control(key="data_view").set_value("Models").run()
    assert not app.exception, app.exception[0].message
    assert not app.error


@pytest.fixture(params=["relu", "silu"])
def activated(request) -> VAE:
    """A perceptron with another activation than the paper's."""
    torch.manual_seed(0)
    return VAE.of(Architecture((6, 5), 2, MLP((9, 7), request.param))).requires_grad_(False)


def test_an_activation_is_kept_with_the_model_and_is_tanh_where_a_file_is_older(
    activated, tmp_path
):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, activated, {}, None)
    assert load_checkpoint(path).model.architecture == activated.architecture
    said = activated.architecture.as_json() | {"image_shape": [6, 5]}
    assert Architecture.of(said).network == activated.architecture.network
    del said["architecture"]["activation"]
    assert Architecture.of(said).network == MLP((9, 7))


def test_with_another_activation_the_mean_and_its_derivatives_are_the_decoder_s(activated):
    exact = copy.deepcopy(activated).double()
    # A unit at rest, where relu turns.
    exact.decoder.hidden[0].weight[0], exact.decoder.hidden[0].bias[0] = 0, -1
    mean_map = exact.decoder.mean_map()
    z = 2 * torch.randn(40, 2).double()
    torch.testing.assert_close(mean_map(z), exact.decode(z).mean)
    jacobian = torch.func.vmap(torch.func.jacfwd(lambda point: exact.decode(point[None]).mean[0]))(
        z
    )
    pushed = mean_map.push(z, torch.eye(2).double()[:, None])
    torch.testing.assert_close(pushed.permute(1, 2, 0), jacobian)
    surface = DecoderSurface(activated)
    torch.testing.assert_close(surface.gram(z), Surface.gram(surface, z))


def test_an_earlier_version_would_not_take_another_activation_for_tanh(activated, tmp_path):
    path = tmp_path / "model.safetensors"
    for model, version in ((activated, 4), (VAE((6, 5), 2, (9, 7)), 2)):
        save_checkpoint(path, model, {}, None)
        assert load_checkpoint(path).info["format_version"] == version


def test_another_activation_is_back_propagated_by_autograd(activated):
    one_buffer(activated)
    assert isinstance(gradient_of(activated, 4), AutogradGradient)


@pytest.fixture
def gated() -> VAE:
    torch.manual_seed(0)
    return VAE.of(Architecture((6, 5), 2, Gated((9, 7)))).requires_grad_(False)


def test_gated_layers_are_what_they_say(gated):
    x = torch.rand(4, 30)
    h = x - gated.mean_image
    for layer in gated.encoder.hidden:
        (value, gate), (shift, threshold) = layer.weight.chunk(2), layer.bias.chunk(2)
        h = (h @ value.T + shift) / (1 + torch.exp(-(h @ gate.T + threshold)))
    mean, log_var = (h @ gated.encoder.head.weight.T + gated.encoder.head.bias).chunk(2, dim=1)
    torch.testing.assert_close(gated.encode(x).mean, mean)
    torch.testing.assert_close(gated.encode(x).log_var, log_var)


def test_gated_networks_tell_their_size_and_are_stored(gated, tmp_path):
    assert gated.architecture.weights == sum(weight.numel() for weight in gated.parameters())
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, gated, {}, None)
    found = load_checkpoint(path)
    assert found.model.architecture == gated.architecture
    z = torch.randn(3, 2)
    torch.testing.assert_close(found.model.decode(z).mean, gated.decode(z).mean, rtol=0, atol=0)
    with pytest.raises(VisageError, match="at least one hidden layer"):
        Gated(())


def test_gated_networks_are_decoded_on_the_server(gated):
    assert decoder_layers(gated) is None
    surface = DecoderSurface(gated)
    z = torch.randn(5, 2).double()
    torch.testing.assert_close(surface.gram(z), Surface.gram(surface, z))


def test_gated_networks_have_an_onnx_form(gated):
    gated.mean_image.copy_(torch.rand(gated.pixels))
    # Each is run and compared where it is made.
    assert onnx.encoder(gated) and onnx.decoder(gated)


def test_a_gated_network_is_trained_from_the_command_line(tmp_path):
    given = ["train", "--dataset", "olivetti", "--network", "gated", "--steps", "20"]
    done = CliRunner().invoke(main, [*given, "--hidden", "9", "8", "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    found = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    assert found.card.architecture.network == Gated((9, 8))
    state = TrainingState(TrainingConfig(steps=60, batch_size=10, network="gated"), (28, 23))
    pixels = np.random.default_rng(0).random((20, 28 * 23), dtype=np.float32)
    # It starts from the mean image and the mean variance.
    state.fit_to(pixels)
    bias = state.model.decoder.head.bias.detach()
    np.testing.assert_allclose(bias[: 28 * 23].sigmoid(), pixels.mean(axis=0), atol=1e-5)
    assert torch.all(bias[28 * 23 :] == bias[-1])
