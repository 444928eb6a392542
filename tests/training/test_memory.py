"""What a run will take is estimated before it begins."""

import subprocess
import sys

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.test_train_page import sentences, visit
from vae import runs
from vae.errors import VisageError
from vae.models.architecture import Architecture
from vae.models.mlp import MLP
from vae.models.vae import VAE
from vae.training import memory
from vae.training.recipes import TrainingConfig


@pytest.mark.parametrize("hidden_dims", [(7,), (9, 6, 5)])
def test_weights_are_counted_without_making_them(hidden_dims):
    architecture = Architecture((5, 4, 3), 3, MLP(hidden_dims))
    model = VAE.of(architecture)
    assert architecture.weights == sum(weight.numel() for weight in model.parameters())


def test_more_units_images_and_latents_take_more():
    def needed(side: int = 28, latent_dim: int = 2, units: int = 200, batch: int = 100) -> int:
        return memory.needed(Architecture((side, side), latent_dim, MLP((units,))), batch)

    usual = needed()
    for more in ({"side": 56}, {"latent_dim": 20}, {"units": 400}, {"batch": 200}):
        assert needed(**more) > usual
    assert needed(units=100_000) > 10 * 2**30


def test_what_does_not_fit_is_refused_before_anything_is_made(monkeypatch):
    few(monkeypatch)
    with pytest.raises(VisageError, match=r"takes about .* GiB of memory, and 1 GiB are free"):
        runs.create(TrainingConfig(dataset="olivetti", hidden_dims=(99_999,)))
    assert runs.all_runs() == []
    runs.create(TrainingConfig(dataset="olivetti"))


def test_the_form_refuses_it_at_once(monkeypatch):
    few(monkeypatch)
    app: AppTest = visit()
    app.text_input(key="new_hidden_default_200 200 200").set_value("99999").run()
    assert "choose fewer hidden units" in sentences(app)
    start = next(button for button in app.button if button.label == "Start training")
    assert start.disabled
    app.text_input(key="new_hidden_default_200 200 200").set_value("99").run()
    start = next(button for button in app.button if button.label == "Start training")
    assert not start.disabled


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak so")
def test_the_estimate_is_no_less_than_what_training_takes(tmp_path):
    code = """
import sys
from pathlib import Path
from vae import datasets, runs
from vae.runs import trainer
from vae.training.recipes import TrainingConfig
config = TrainingConfig(dataset="olivetti", hidden_dims=(6_000,), steps=3, batch_size=50)
for _ in trainer.trained(runs.create(config, sys.argv[1])):
    pass
# Of this process alone: what getrusage tells begins with what the tests' own process holds.
said = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in said if line.startswith("VmHWM")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=True,
    )
    taken = int(done.stdout) * 1024
    estimate = memory.needed(Architecture((28, 23), 2, MLP((6_000,))), 50)
    assert taken < estimate < 4 * taken


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a gigabyte that is free."""
    known = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: known._replace(available=2**30))
