"""Where training happens. Where there is no GPU, PyTorch's device ``meta`` stands in for one: its
tensors have a shape and no values, and refuse to be mixed with a processor's."""

import pytest
import torch

from vae import datasets
from vae.errors import VisageError
from vae.training import loop
from vae.training.gradient import gradient_of
from vae.training.loop import TrainingState, choose_device, minibatches
from vae.training.recipes import RECIPES, TrainingConfig

AWAY = torch.device("meta")


@pytest.fixture
def available(monkeypatch):
    """Say which devices there are besides the CPU."""

    def say(cuda: bool = False, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return say


@pytest.mark.parametrize(("cuda", "chosen"), [(True, "cuda"), (False, "cpu")])
def test_the_gpu_is_taken_where_there_is_one(available, cuda, chosen):
    available(cuda=cuda, mps=True)
    assert choose_device("auto") == torch.device(chosen)
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("mps") == torch.device("mps")


def test_each_rank_of_a_machine_has_a_gpu_of_its_own(available, monkeypatch):
    available(cuda=True)
    monkeypatch.setattr(loop, "world_size", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert choose_device("cuda") == torch.device("cuda", 3)


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_gets_a_sentence(available, name):
    available()
    with pytest.raises(VisageError, match=f"no {name} device: choose --device cpu"):
        choose_device(name)


def test_an_unknown_device_gets_a_sentence(available):
    available()
    with pytest.raises(VisageError, match="one of auto, cpu, cuda, mps, not 'abacus'"):
        choose_device("abacus")


@pytest.mark.parametrize("recipe", RECIPES)
def test_on_a_gpu_the_data_and_every_operation_of_a_step_stay_there(monkeypatch, recipe):
    images, _ = datasets.load("olivetti").split()
    monkeypatch.setattr(loop, "choose_device", lambda name: AWAY)
    config = TrainingConfig(dataset="olivetti", recipe=recipe, batch_size=50, steps=3)
    state = TrainingState(config, (28, 23))
    state.fit_to(images)
    gradient = gradient_of(state.model, config.batch_size)
    for x, encoder_input, noise in minibatches(images, state):
        assert {x.device, encoder_input.device, noise.device} == {AWAY}
        assert gradient(x, noise, encoder_input).device == AWAY
        state.update()
    assert state.step == 3
    assert {value.device for value in state.model.state_dict().values()} == {AWAY}
    assert state.averaged.decoder.head.weight.device == AWAY
