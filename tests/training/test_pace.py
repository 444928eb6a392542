"""How many threads a step is spread over."""

import math

import numpy as np
import pytest
import torch

from vae.training import pace
from vae.training.loop import TrainingState, train
from vae.training.pace import ThreadTuner
from vae.training.recipes import TrainingConfig


def settled(seconds_with: dict[int, float], most: int) -> list[int]:
    """The numbers of threads of a thousand steps that take so long with so many."""
    counts = []
    tuner = ThreadTuner(most, lambda count: None)
    for _ in range(1000):
        tuner.tell(seconds_with[tuner.count])
        counts.append(tuner.count)
    return counts


def share(counts: list[int], count: int) -> float:
    return counts[-500:].count(count) / 500


def test_a_step_has_as_many_threads_as_are_fastest():
    assert share(settled({1: 0.005, 2: 0.003}, 2), 2) > 0.9
    assert share(settled({1: 0.008, 2: 0.05}, 2), 1) > 0.9
    assert share(settled({1: 0.02, 2: 0.012, 4: 0.008, 8: 0.3}, 8), 4) > 0.9


def test_what_others_do_is_noticed_whenever_they_begin_and_end():
    counts = []
    tuner = ThreadTuner(2, lambda count: None)
    for step in range(6000):
        crowded = 2000 <= step < 4000
        tuner.tell(
            {1: 0.008, 2: 0.05}[tuner.count] if crowded else {1: 0.005, 2: 0.003}[tuner.count]
        )
        counts.append(tuner.count)
    assert counts[1500:2000].count(2) > 450
    assert counts[3500:4000].count(1) > 450
    assert counts[5500:].count(2) > 450


def test_trials_cost_little():
    spent, steps = 0.0, 0
    tuner = ThreadTuner(2, lambda count: None)
    while spent < 60:
        took = {1: 0.008, 2: 0.05}[tuner.count]
        tuner.tell(took)
        spent, steps = spent + took, steps + 1
    assert steps > 0.9 * 60 / 0.008


def test_one_thread_is_left_alone():
    asked = []
    tuner = ThreadTuner(1, asked.append)
    for _ in range(100):
        tuner.tell(1.0)
    assert asked == []


def test_weights_do_not_depend_on_the_number_of_threads():
    images = np.random.default_rng(0).random((300, 560), dtype=np.float32)
    before = torch.get_num_threads()
    ends = []
    for counts in ((1, 1), (2, 2), (1, 2)):
        state = TrainingState(TrainingConfig(steps=12, batch_size=100), (28, 20))
        for place, _ in enumerate(train(state, images, images[:50])):
            torch.set_num_threads(counts[place % 2])
        ends.append(state.weights.clone())
    torch.set_num_threads(before)
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2])


@pytest.mark.parametrize(
    ("shape", "choice"),
    [
        ((28, 20), {}),
        ((28, 20), {"objective": "iwae"}),
        ((28, 20), {"likelihood": "correlated"}),
        ((16, 16, 3), {"network": "conv", "width": "small"}),
    ],
)
def test_a_run_repeats_itself_whatever_else_the_machine_does(monkeypatch, shape, choice):
    """Trials that come and go as on a busy machine leave no trace in the weights."""
    images = np.random.default_rng(0).random((120, math.prod(shape)), dtype=np.float32)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    ends = []
    for soon in (math.inf, 0.0):
        monkeypatch.setattr(pace, "SOON", soon)
        state = TrainingState(TrainingConfig(steps=40, batch_size=100, **choice), shape)
        for _ in train(state, images, images[:20]):
            pass
        assert torch.get_num_threads() == 2
        ends.append(state.weights.clone())
    torch.set_num_threads(before)
    assert torch.equal(*ends)


def test_the_process_has_its_threads_back_when_training_ends():
    counts = []
    tuner = ThreadTuner(4, counts.append)
    steps = tuner.while_going(range(5))
    next(steps)
    steps.close()
    assert counts == [4]
