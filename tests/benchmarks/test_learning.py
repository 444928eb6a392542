"""The peers that a step is timed against do what it does."""

import numpy as np
import pytest
import torch

from benchmarks import learning


def test_jax_learns_as_the_article_does():
    pytest.importorskip("jax", reason="requirements-tools.txt is not installed")
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    # Blobs at different places.
    places = random.random((200, 1)) * 30
    images = np.exp(-0.02 * (np.arange(30) - places) ** 2).astype(np.float32)
    steps = learning.jax_steps(images)
    step = learning.article_step(torch.from_numpy(images))
    theirs = np.concatenate([steps() for _ in range(3)])
    ours = np.array([step() for _ in range(300)])
    assert theirs[0] == pytest.approx(ours[0], rel=0.1)
    assert theirs[-50:].mean() < theirs[0] - 50
    assert theirs[-50:].mean() == pytest.approx(ours[-50:].mean(), abs=10)
