"""Convolutional networks: what holds of them for images of every shape."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from vae import VAE, load_checkpoint, save_checkpoint
from vae.__main__ import main
from vae.errors import VisageError
from vae.latent import encode, match_prior
from vae.latent.surface import DecoderSurface, Surface
from vae.models import onnx
from vae.models.architecture import Architecture
from vae.models.conv import Conv
from vae.models.mlp import MLP
from vae.training.gradient import AutogradGradient, gradient_of
from vae.training.loop import EVEN_VARIANCE, TrainingState, one_buffer, train
from vae.training.recipes import TrainingConfig

# Two layers that enlarge and three; sides that can be halved so often, and some that can't.
SHAPES = [(16, 16), (28, 23, 3), (64, 64, 3), (65, 30), (128, 128, 3)]


def made(shape=(18, 17, 3), latent_dim=3, **choices) -> VAE:
    torch.manual_seed(0)
    model = VAE.of(Architecture(shape, latent_dim, Conv(**choices))).requires_grad_(False)
    model.mean_image.copy_(torch.rand(model.pixels))
    model.decoder.bias.copy_(torch.randn(2 * model.pixels))
    return model


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", ["small", "medium", "large"])
def test_it_is_for_images_of_many_shapes(shape, width):
    model = made(shape, width=width)
    assert model.architecture.weights == sum(weight.numel() for weight in model.parameters())
    x = torch.rand(2, 3, model.pixels)
    mean, log_var = model.encode(x)
    assert mean.shape == log_var.shape == (2, 3, 3)
    mean, log_var = model.decode(mean)
    assert mean.shape == log_var.shape == x.shape
    assert 0 <= mean.min() <= mean.max() <= 1


def test_the_decoder_of_usual_images_is_small():
    decoder = Conv().decoder((64, 64, 3), 16)
    assert sum(weight.numel() for weight in decoder.parameters()) < 1_000_000


@pytest.mark.parametrize("shape", [(15, 40), (40, 129, 3)])
def test_other_images_get_a_sentence(shape):
    with pytest.raises(VisageError, match=r"of 16 to 128 pixels a side, not .* network mlp"):
        Architecture(shape, 2, Conv())


@pytest.mark.parametrize("choice", [{"width": "vast"}, {"activation": "step"}])
def test_a_choice_that_there_is_not_gets_a_sentence(choice):
    with pytest.raises(VisageError, match=f"is one of .*, not '{next(iter(choice.values()))}'"):
        Conv(**choice)


def test_a_pixel_is_drawn_by_what_lies_around_it():
    """Channels become pixels in the order of the image: moved cells move what they draw."""
    model = made((16, 16, 3))
    decoder = model.decoder
    decoder.bias.zero_()
    for layer in decoder.convolutions:
        layer.bias.zero_()
    cells = torch.zeros(4, 4, 16)
    cells[1, 2] = torch.randn(16)
    decoder.dense[1].weight.zero_()
    decoder.dense[1].bias.copy_(cells.permute(2, 0, 1).flatten())
    image = decoder(torch.zeros(3)).mean.reshape(16, 16, 3)
    changed = (image != 0.5).any(dim=2)
    # Two kernels of 3×3, of which the second sees twice as many pixels to a cell.
    rows, columns = (torch.where(changed.any(dim=axis))[0] for axis in (1, 0))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 13, 2, 15)


def test_it_starts_as_the_mean_image():
    config = TrainingConfig(network="conv", batch_size=5)
    state = TrainingState(config, (18, 17, 3))
    pixels = np.random.default_rng(0).random((20, 18 * 17 * 3), dtype=np.float32)
    state.fit_to(pixels)
    bias = state.model.decoder.bias.detach()
    np.testing.assert_allclose(bias[: 18 * 17 * 3].sigmoid(), pixels.mean(axis=0), atol=1e-5)


def test_all_pixels_count_alike_before_their_variances_are_learnt():
    config = TrainingConfig(network="conv", width="small", batch_size=5, steps=10)
    state = TrainingState(config, (18, 17))
    pixels = np.random.default_rng(0).random((20, 18 * 17), dtype=np.float32)
    state.fit_to(pixels)
    decoder = state.model.decoder

    def both() -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_var = decoder.bias.detach().clone().chunk(2)
        return mean, log_var

    begun, even = both()
    np.testing.assert_allclose(even, np.log(EVEN_VARIANCE), rtol=1e-6)
    after = {progress.step: both() for progress in train(state, pixels, pixels)}
    assert torch.equal(after[5][1], even) and not torch.equal(after[5][0], begun)
    assert (after[10][1] != even).all()


def test_it_is_trained_by_automatic_differentiation():
    model = made().requires_grad_(True)
    one_buffer(model)
    assert isinstance(gradient_of(model, 8), AutogradGradient)


def test_what_the_log_variance_alone_depends_on_leaves_the_mean():
    model = made()
    z = torch.randn(4, 3)
    before = model.decode(z)
    for weight, rows in model.decoder.log_var_parameters():
        weight[rows] += 1
    after = model.decode(z)
    torch.testing.assert_close(after.mean, before.mean, rtol=0, atol=0)
    assert (after.log_var != before.log_var).all()


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((28, 20), "mlp"),
        ((45, 45), "mlp"),
        ((64, 64), "conv"),
        ((28, 28, 3), "conv"),
        ((200, 200), "mlp"),
        ((12, 200), "mlp"),
    ],
)
def test_the_size_of_the_images_chooses_where_nobody_does(shape, kind):
    assert TrainingConfig().architecture(shape).network.kind == kind


def test_the_recipe_knows_the_network_and_leaves_what_a_person_chose():
    usual = TrainingConfig(network="conv")
    found = TrainingConfig(seed=3).for_images((64, 64, 3))
    assert found == dataclasses.replace(usual, seed=3)
    assert (found.activation, found.batch_size) != ("tanh", 100)
    chosen = TrainingConfig(batch_size=7, activation="relu").for_images((64, 64, 3))
    assert (chosen.batch_size, chosen.activation) == (7, "relu")
    assert chosen.learning_rate == usual.learning_rate
    assert TrainingConfig().for_images((28, 20)) == TrainingConfig(network="mlp")
    # What is chosen is what is trained.
    assert TrainingState(TrainingConfig(), (32, 32, 3)).config.batch_size == usual.batch_size


def test_runs_of_before_there_was_a_choice_stay_what_they_were():
    assert TrainingConfig.of({"hidden_dims": [9]}).architecture((64, 64, 3)).network == MLP((9,))


def test_it_is_trained_stored_and_loaded(tmp_path):
    given = ["train", "--dataset", "olivetti", "--network", "conv", "--steps", "12"]
    given += ["--width", "small", "--activation", "silu", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 0, done.output
    found = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    assert found.card.architecture.network == Conv("small", "silu")
    save_checkpoint(tmp_path / "again.safetensors", found.model, {})
    again = load_checkpoint(tmp_path / "again.safetensors").model
    z = torch.randn(5, 2)
    torch.testing.assert_close(again.decode(z).mean, found.model.decode(z).mean, rtol=0, atol=0)


def test_its_latents_are_matched_to_the_prior():
    model = made()
    pixels = np.random.default_rng(0).random((30, model.pixels), dtype=np.float32)
    posterior = encode(model, pixels)
    matched, moved = match_prior(model, posterior)
    np.testing.assert_allclose(encode(matched, pixels).mean, moved.mean, atol=1e-3)
    torch.testing.assert_close(
        matched.decode(torch.from_numpy(moved.mean)).mean,
        model.decode(torch.from_numpy(posterior.mean)).mean,
        atol=1e-4,
        rtol=0,
    )


def test_its_surface_is_differentiated():
    model = made(latent_dim=2, width="small")
    surface = DecoderSurface(model)
    z = torch.randn(3, 2).double()
    torch.testing.assert_close(surface.mean(z), copy.deepcopy(model).double().decode(z).mean)
    torch.testing.assert_close(surface.gram(z), Surface.gram(surface, z))


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu"])
@pytest.mark.parametrize("shape", [(18, 17, 3), (66, 20)])
def test_it_has_an_onnx_form(shape, activation):
    model = made(shape, width="small", activation=activation)
    # Each is run and compared where it is made.
    assert onnx.encoder(model) and onnx.decoder(model)


def test_the_noise_of_neighbours_is_learnt_while_its_faces_stay():
    config = TrainingConfig(
        network="conv", width="small", likelihood="correlated", steps=20, batch_size=5
    )
    state = TrainingState(config, (18, 17))
    pixels = np.random.default_rng(0).random((20, 18 * 17), dtype=np.float32)
    z = torch.randn(6, 2)
    before = None
    for progress in train(state, pixels, pixels):
        # The first step of the stage has gone back to the best weights.
        if progress.step == 11:
            before = state.model.decode(z)
    assert before is not None
    after = state.model.decode(z)
    torch.testing.assert_close(after.mean, before.mean, rtol=0, atol=1e-6)
    assert state.model.likelihood.weights.any()
    assert not torch.equal(after.log_var, before.log_var)
