import pytest
import torch

from vae.training.optimizers import Adagrad, Adam


@pytest.mark.parametrize(
    ("ours", "theirs"), [(Adam, torch.optim.Adam), (Adagrad, torch.optim.Adagrad)]
)
def test_steps_are_torch_s_own(ours, theirs):
    weights = torch.randn(50, generator=torch.Generator().manual_seed(0))
    plain = weights.clone().requires_grad_(True)
    optimizer, reference = ours(weights), theirs([plain])
    for rate in (0.1, 0.05, 0.01):
        plain.grad = torch.sin(3 * weights) + 0.1
        reference.param_groups[0]["lr"] = rate
        optimizer.step(plain.grad, rate)
        reference.step()
        torch.testing.assert_close(weights, plain.detach())
