"""Models whose cards lie: no page breaks over one, for nobody, and it can be removed."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from streamlit.testing.v1 import AppTest

from ui import library
from vae import VAE, load_checkpoint, save_checkpoint
from vae.errors import VisageError
from vae.models import collection
from vae.models.card import Figures
from vae.models.vae import Gaussian

ROOT = Path(__file__).parents[2]
PAGES = ("explore", "manifold", "reconstruct", "morph", "train", "data")

HONEST = {
    "name": "small",
    "dataset": "olivetti",
    "split": {"how": "random", "holdout": 0.1, "seed": 0},
    "heldout": {"elbo": 512.3},
    "step": 40,
}

POISON = {
    "split seed below 0": {"split": HONEST["split"] | {"seed": -1}},
    "split seed of another kind": {"split": HONEST["split"] | {"seed": [0]}},
    "infinite holdout": {"split": HONEST["split"] | {"holdout": float("inf")}},
    "holdout that is no number": {"split": HONEST["split"] | {"holdout": float("nan")}},
    "huge holdout": {"split": HONEST["split"] | {"holdout": 10**400}},
    "negative test share": {"split": HONEST["split"] | {"test": -1}},
    "huge test share": {"split": HONEST["split"] | {"test": 10**400}},
    "no such split": {"split": HONEST["split"] | {"how": {"random": 1}}},
    "no split": {"split": "random"},
    "huge ELBO": {"heldout": {"elbo": 10**400}, "train": {"elbo": -(10**400)}},
    "figures that are none": {"heldout": {"elbo": float("nan"), "importance_weighted": "much"}},
    "huge active units": {"active_units": 10**400},
    "active units of another kind": {"active_units": {"all": True}},
    "huge step": {"step": 10**400, "samples": 10**400, "seconds": 10**400},
    "lone surrogate in its name": {"name": "a\ud800b", "recipe": "\udfff"},
    "lone surrogate in its data set": {"dataset": "faces\ud800"},
    "data set of too long a name": {"dataset": "x" * 300},
    "data set with a zero": {"dataset": "a\0.npy"},
    "data set beyond a closed folder": {"dataset": "/proc/1/root/x/faces.npy"},
    "data set that is none": {"dataset": ["olivetti"], "dataset_sha256": 5},
    "trained at no time": {"trained_at": "9" * 5000},
}


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one good model in the place of ``checkpoints/``."""
    folder = tmp_path / "checkpoints"
    monkeypatch.setattr(library, "SHIPPED", folder)
    save(folder / "good.safetensors")
    return folder


def save(
    path: Path,
    image_shape: tuple[int, ...] = (28, 23),
    latent_dim: int = 2,
    hidden: tuple[int, ...] = (8,),
    fill: float | None = None,
    posterior: Gaussian | None = None,
    **info: object,
) -> None:
    torch.manual_seed(0)
    model = VAE(image_shape, latent_dim, hidden)
    if fill is not None:
        for weight in model.parameters():
            torch.nn.init.constant_(weight, fill)
    means = torch.randn(360, latent_dim)
    known = posterior or Gaussian(means, torch.full_like(means, -3))
    save_checkpoint(path, model, HONEST | info, known)


def brought(name: str = "strange") -> Path:
    """Where a model lies that somebody brought before anybody looked at it."""
    return collection.folder() / f"{name}.safetensors"


def visit_all(model: str) -> AppTest:
    """Look at every page, with this model chosen; a traceback fails the test."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params["model"] = model
    app.run()
    for page in PAGES:
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception, (page, app.exception[0].message)
        assert app.selectbox(key="model").value == model
    return app


def remove(name: str) -> None:
    """Remove a model on the Data page, as a visitor does who has chosen another."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    app.switch_page("pages/data.py").run()
    app.segmented_control(key="data_view").set_value("Models").run()
    assert not app.exception, app.exception[0].message
    app.selectbox(key="shelf_model").set_value(name).run()
    assert not app.exception, app.exception[0].message
    next(button for button in app.button if button.label == f"Delete {name}").click().run()
    assert not app.exception, app.exception[0].message
    assert not brought(name).exists()


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_poisoned_card_breaks_no_page_and_can_be_removed(poison):
    save(brought(), **poison)
    visit_all("strange")
    remove("strange")


def test_what_can_be_true_of_a_poisoned_card_is_kept(tmp_path):
    info = POISON["huge ELBO"] | POISON["no split"] | POISON["data set with a zero"]
    save(tmp_path / "a.safetensors", **info)
    card = load_checkpoint(tmp_path / "a.safetensors").card
    assert card.heldout == card.train == Figures()
    assert (card.split, card.dataset) == (None, "")
    assert (card.name, card.step) == ("small", 40)


def test_a_model_of_large_images_ends_no_page():
    save(brought(), image_shape=(700, 700), hidden=(4,))
    app = visit_all("strange")
    app.switch_page("pages/manifold.py").run()
    (slider,) = [slider for slider in app.slider if slider.label == "Faces a side"]
    assert slider.max * 700 <= 4096
    assert "700×700" in "".join(caption.value for caption in app.main.caption)


@pytest.mark.parametrize("fill", [1e30, -1e38, float("inf")])
def test_weights_beyond_reason_break_no_page(fill):
    save(brought(), fill=fill)
    visit_all("strange")


@pytest.mark.parametrize(
    "posterior",
    [
        Gaussian(torch.zeros(0, 2), torch.zeros(0, 2)),
        Gaussian(torch.full((360, 2), float("nan")), torch.zeros(360, 2)),
        Gaussian(torch.full((360, 2), 1e38), torch.full((360, 2), 1e30)),
    ],
)
def test_a_posterior_that_is_none_breaks_no_page(posterior):
    save(brought(), posterior=posterior)
    visit_all("strange")


def test_a_path_in_a_stranger_s_card_opens_no_file_of_this_machine(tmp_path):
    private = tmp_path / "private.npy"
    np.save(private, np.zeros((40, 28, 23), dtype=np.uint8))
    save(brought(), dataset=str(private))
    assert library.models()["strange"].dataset == ""


@pytest.mark.parametrize(
    "sizes",
    [
        {"image_shape": [1, 2**23]},
        {"latent_dim": 100_000},
        {"architecture": {"network": "mlp", "hidden_dims": [1] * 20_000}},
        {"architecture": {"network": "mlp", "hidden_dims": [10**400]}},
        {"image_shape": [10**200, 10**200]},
        {"latent_dim": 10**400},
    ],
)
def test_sizes_that_no_page_could_show_are_refused(tmp_path, sizes):
    path = tmp_path / "a.safetensors"
    save(path)
    with safetensors.safe_open(path, "pt") as file:
        known = json.loads(file.metadata()["visage"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    safetensors.torch.save_file(tensors, path, {"visage": json.dumps(known | sizes)})
    with pytest.raises(VisageError, match="A model may have"):
        load_checkpoint(path)
