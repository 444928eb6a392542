"""Checkpoints: a round trip, and everything a file from a stranger can get wrong."""

import json
import os
import stat
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from vae import VAE, load_checkpoint, save_checkpoint
from vae.errors import VisageError
from vae.models.checkpoint import FORMAT_VERSION, GAUSSIAN_FORMAT, read_card
from vae.models.vae import Gaussian

ROOT = Path(__file__).parents[2]


@pytest.fixture
def model():
    return VAE((4, 3), latent_dim=2, hidden_dims=(6, 5))


@pytest.fixture
def path(tmp_path, model):
    place = tmp_path / "model.safetensors"
    posterior = Gaussian(torch.randn(7, 2), torch.randn(7, 2))
    save_checkpoint(place, model, {"dataset": "frey", "step": 12}, posterior)
    return place


def rewrite(path, metadata=None, **tensors):
    """Write the file again with other metadata or tensors; None leaves a tensor out."""
    with safetensors.safe_open(path, "pt") as file:
        known = json.loads(file.metadata()["visage"])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    weights |= {name.replace("__", "."): value for name, value in tensors.items()}
    weights = {name: value for name, value in weights.items() if value is not None}
    text = {"visage": json.dumps(known | (metadata or {}))}
    safetensors.torch.save_file(weights, path, text)


def test_round_trip(path, model):
    found = load_checkpoint(path)
    x = torch.rand(5, 12)
    torch.testing.assert_close(found.model.encode(x), model.encode(x), rtol=0, atol=0)
    assert found.model.architecture == model.architecture
    assert found.info["dataset"] == "frey"
    assert found.info["step"] == 12
    assert found.info["format_version"] == GAUSSIAN_FORMAT
    assert found.posterior.mean.shape == found.posterior.log_var.shape == (7, 2)
    assert read_card(path) == found.card


def first_format(path):
    """Write the file again as the first format had it: perceptrons alone, nothing between."""
    with safetensors.safe_open(path, "pt") as file:
        known = json.loads(file.metadata()["visage"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name in ("mean_image", "latent_shift", "latent_scale"):
        del tensors[name]
    known["hidden_dims"] = known.pop("architecture")["hidden_dims"]
    text = {"visage": json.dumps(known | {"format_version": 1})}
    safetensors.torch.save_file(tensors, path, text)


def test_the_first_format_still_loads(path, model):
    first_format(path)
    found = load_checkpoint(path)
    x, z = torch.rand(5, 12), torch.randn(5, 2)
    torch.testing.assert_close(found.model.encode(x), model.encode(x), rtol=0, atol=0)
    torch.testing.assert_close(found.model.decode(z), model.decode(z), rtol=0, atol=0)
    assert found.card == read_card(path)
    assert found.card.architecture == model.architecture
    assert found.info["format_version"] == 1
    assert found.posterior.mean.shape == (7, 2)


# The mean of all pixels that the models that ship draw at two points and the mean log-variance of
# these, and the ELBO of validation and test set that they tell.
SHIPPED = {
    "frey-2d": ((0.603107132, -7.148367206), (997.678863, 1036.478336)),
    "frey-10d": ((0.612253802, -10.522962049), (1360.110604, 1386.440070)),
    "cartoon-10d": ((0.625478308, -7.023243397), (29181.671311, 28975.500001)),
    "olivetti-2d": ((0.446505899, -5.082652090), (667.934412, 627.819338)),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_models_shipped_draw_what_they_drew(name):
    found = load_checkpoint(ROOT / "checkpoints" / f"{name}.safetensors")
    assert found.info["format_version"] == 2
    z = torch.full((2, found.model.latent_dim), 0.5)
    z[1] = -0.25
    mean, log_var = found.model.decode(z)
    seen = [float(part.double().mean()) for part in (mean, log_var)]
    np.testing.assert_allclose(seen, SHIPPED[name][0], rtol=1e-5)
    told = (found.card.heldout.elbo, found.card.test.elbo)
    assert told == pytest.approx(SHIPPED[name][1], rel=1e-5)


@pytest.mark.parametrize("fails", [True, False])
def test_a_file_that_is_replaced_while_it_is_opened_is_one_version(
    tmp_path, model, monkeypatch, fails
):
    """A run writes its checkpoint anew while a page opens it, with a header of another length."""
    path, newer = tmp_path / "checkpoint.safetensors", tmp_path / "newer.safetensors"
    save_checkpoint(path, model, {"step": 1})
    model.mean_image.fill_(0.25)
    save_checkpoint(newer, model, {"step": 1_000_000})
    opened = []

    def replaced(*given, **said):
        file = safe_open(*given, **said)
        if not opened:
            newer.replace(path)
            opened.append(file)
            if fails:
                raise RuntimeError("size <1> is smaller than the required mapping size <2>")
        return file

    monkeypatch.setattr("vae.models.checkpoint.safe_open", replaced)
    found = load_checkpoint(path)
    assert found.info["step"] == 1_000_000
    assert (found.model.mean_image == 0.25).all()


def test_the_latents_coordinates_and_the_mean_image_are_kept(tmp_path, model):
    moved = model.in_coordinates(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0]))
    moved.mean_image.copy_(torch.rand(12))
    save_checkpoint(tmp_path / "moved.safetensors", moved)
    found = load_checkpoint(tmp_path / "moved.safetensors").model
    x, z = torch.rand(5, 12), torch.randn(5, 2)
    torch.testing.assert_close(found.encode(x), moved.encode(x), rtol=0, atol=0)
    torch.testing.assert_close(found.decode(z), moved.decode(z), rtol=0, atol=0)
    assert not torch.allclose(found.decode(z).mean, model.decode(z).mean)


def test_a_posterior_is_optional(tmp_path, model):
    save_checkpoint(tmp_path / "bare.safetensors", model)
    assert load_checkpoint(tmp_path / "bare.safetensors").posterior is None


def test_a_posterior_may_be_as_the_encoder_gives_it(tmp_path, model):
    posterior = model.encode(torch.rand(7, 12))
    save_checkpoint(tmp_path / "fresh.safetensors", model, posterior=posterior)
    found = load_checkpoint(tmp_path / "fresh.safetensors").posterior
    torch.testing.assert_close(found.mean, posterior.mean.detach())


def test_nothing_in_it_is_pickled_and_it_is_readable_by_others(path):
    assert b"\x80\x04" not in path.read_bytes()[:2]
    assert path.stat().st_mode & stat.S_IRUSR
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_missing_file_gets_a_sentence(tmp_path):
    with pytest.raises(VisageError, match="There is no checkpoint"):
        load_checkpoint(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 9, 100, -1])
def test_a_truncated_file_gets_a_sentence(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(VisageError, match="not a whole safetensors file"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"hello", b"\x80\x04pickle", b"\x00" * 1000])
def test_a_foreign_file_gets_a_sentence(path, content):
    path.write_bytes(content)
    with pytest.raises(VisageError, match="not a whole safetensors file"):
        load_checkpoint(path)


def test_a_header_that_promises_too_much_is_not_believed(path):
    path.write_bytes(struct.pack("<Q", 2**62) + path.read_bytes()[8:])
    with pytest.raises(VisageError):
        load_checkpoint(path)


def test_somebody_else_s_safetensors_file_gets_a_sentence(path):
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(VisageError, match="not a Visage checkpoint"):
        load_checkpoint(path)


def test_a_later_format_version_asks_for_an_update(path):
    rewrite(path, {"format_version": FORMAT_VERSION + 1})
    with pytest.raises(VisageError, match="update Visage"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"format_version": "one"},
        {"format_version": 0},
        {"image_shape": 12},
        {"image_shape": [4, -3]},
        {"latent_dim": 0},
        {"latent_dim": None},
        {"architecture": None},
        {"architecture": {"network": "fountain", "hidden_dims": [6, 5]}},
        {"architecture": {"network": "mlp"}},
        {"architecture": {"network": "mlp", "hidden_dims": []}},
        {"architecture": {"network": "mlp", "hidden_dims": ["6"]}},
        {"architecture": {"network": "mlp", "hidden_dims": [6, 6]}},
        {"latent_dim": 3},
        {"image_shape": [4, 4]},
        {"image_shape": [10**9, 10**9]},
        {"architecture": {"network": "mlp", "hidden_dims": [10**6, 10**6]}},
    ],
)
def test_metadata_that_does_not_fit_gets_a_sentence(path, metadata):
    rewrite(path, metadata)
    with pytest.raises(VisageError):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "tensors",
    [
        {"encoder__head__weight": torch.zeros(4, 4)},
        {"encoder__head__weight": torch.zeros(4, 5, dtype=torch.float64)},
        {"encoder__head__weight": None},
        {"surprise": torch.zeros(1)},
        {"posterior__mean": torch.zeros(7, 3)},
        {"posterior__mean": torch.zeros(6, 2)},
        {"posterior__mean": None},
        {"latent_scale": torch.tensor([1.0, 0.0])},
        {"latent_scale": torch.tensor([1.0, torch.inf])},
        {"latent_shift": torch.tensor([torch.nan, 0.0])},
        {"mean_image": None},
    ],
)
def test_tensors_that_do_not_fit_get_a_sentence(path, tensors):
    rewrite(path, **tensors)
    with pytest.raises(VisageError, match="not a Visage checkpoint"):
        load_checkpoint(path)


def test_deeply_nested_metadata_gets_a_sentence(path, model):
    text = {"visage": "[" * 50_000}
    safetensors.torch.save_file(dict(model.state_dict()), path, text)
    with pytest.raises(VisageError, match="metadata"):
        load_checkpoint(path)


def test_a_failed_save_leaves_what_was_there(path, model, monkeypatch):
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full_disk)
    with pytest.raises(VisageError, match="No space left"):
        save_checkpoint(path, model)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_gets_a_sentence(tmp_path, model):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(VisageError, match="can't be written"):
        save_checkpoint(tmp_path / "file" / "model.safetensors", model)


def test_weights_come_back_bit_for_bit(path, model):
    found = load_checkpoint(path).model.state_dict()
    for name, weight in model.state_dict().items():
        np.testing.assert_array_equal(found[name].numpy(), weight.numpy())
