"""Modules of PyTorch as a checkpoint of ours, in one line."""

import numpy as np
import pytest
import torch
from torch import nn

import vae
from vae.errors import VisageError


class Encoder(nn.Module):
    """As many write it: a sample first, then what it is a sample of."""

    def __init__(self):
        super().__init__()
        self.own = nn.Conv2d(3, 4, 4, 2, 1)
        self.mean, self.log_var = nn.Linear(64, 5), nn.Linear(64, 5)

    def forward(self, x):
        h = torch.relu(self.own(x)).flatten(1)
        mean, log_var = self.mean(h), self.log_var(h)
        return mean + torch.randn_like(mean) * (log_var / 2).exp(), mean, log_var


class Waves(nn.Module):
    """A decoder of a kind that we have no network of."""

    def __init__(self):
        super().__init__()
        self.own = nn.Linear(5, 192)

    def forward(self, z):
        return torch.sin(self.own(z)).view(-1, 3, 8, 8)


@pytest.mark.parametrize(
    "decoder",
    [
        Waves(),
        nn.Sequential(
            nn.Linear(5, 64),
            nn.ReLU(),
            nn.Unflatten(1, (4, 4, 4)),
            nn.ConvTranspose2d(4, 3, 4, 2, 1),
            nn.Tanh(),
        ),
    ],
)
def test_a_pair_of_modules_is_opened_in_one_line(decoder, tmp_path):
    encoder = Encoder()
    images = np.random.default_rng(0).random((9, 8, 8, 3), dtype=np.float32)
    path = tmp_path / "mine.safetensors"
    vae.save_model(
        path, encoder=encoder, decoder=decoder, image_shape=(8, 8, 3), latent_dim=5, images=images
    )
    found = vae.load_checkpoint(path)
    z = torch.randn(4, 5)
    with torch.no_grad():
        drawn = found.model.decode(z).mean.reshape(4, 8, 8, 3)
        wanted = (decoder(z).permute(0, 2, 3, 1) + 1) / 2
        _, mean, log_var = encoder(2 * torch.from_numpy(images).permute(0, 3, 1, 2) - 1)
    torch.testing.assert_close(drawn, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.posterior.mean, mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.posterior.log_var, log_var, rtol=1e-4, atol=1e-4)


class Branches(nn.Module):
    def forward(self, z):
        # Tracing follows the way that one input goes.
        return z.repeat(1, 3) if len(z) < 4 else -z.repeat(1, 3)


def test_a_graph_that_differs_is_not_written(tmp_path):
    path = tmp_path / "mine.safetensors"
    with pytest.raises(VisageError, match="differs from the module"):
        vae.save_model(path, decoder=Branches(), image_shape=(2, 3), latent_dim=2)
    assert not path.exists()


def test_a_module_that_takes_no_images_says_so(tmp_path):
    with pytest.raises(VisageError, match="takes no input of B×1×2×3"):
        vae.save_model(
            tmp_path / "mine.safetensors",
            encoder=nn.Linear(5, 4),
            decoder=nn.Linear(2, 6),
            image_shape=(2, 3),
            latent_dim=2,
        )
