"""Weights of float16: where no picture shows it, and half as long."""

import json
import struct

import numpy as np
import pytest
import torch

from ui import latent_pad
from ui.library import Stored
from ui.reconstruct import live
from vae import VAE
from vae.latent.packed import pack, pack_encoder
from vae.latent.rounding import ONE_GREY_LEVEL, decoder_rounds, encoder_rounds
from vae.models.architecture import Architecture
from vae.models.checkpoint import Checkpoint
from vae.models.conv import Conv


def convolutional(shape: tuple, width: str) -> Checkpoint:
    torch.manual_seed(0)
    model = VAE.of(Architecture(shape, 3, Conv(width))).requires_grad_(False).eval()
    return Checkpoint(model, {})


def header(packed: bytes) -> dict:
    return json.loads(packed[4 : 4 + int.from_bytes(packed[:4], "little")])


@pytest.mark.parametrize("make", [pack, pack_encoder])
def test_weights_are_half_as_long(make):
    checkpoint = convolutional((32, 32, 3), "small")
    told = (checkpoint, "pad", "m", "1") if make is pack else (checkpoint,)
    whole, half = make(*told), make(*told, half=True)
    assert header(half) == header(whole) | {"half": True}
    values = 32 * 32 * 3
    # Biases of single pixels, or the mean image, stay as they are.
    kept = 4 * (2 * values if make is pack else values)
    assert len(half) - kept < 0.55 * (len(whole) - kept)


def test_what_rounding_moves_too_far_is_told():
    checkpoint = convolutional((20, 18), "small")
    assert decoder_rounds(checkpoint, ONE_GREY_LEVEL)
    assert encoder_rounds(checkpoint, ONE_GREY_LEVEL)
    assert not decoder_rounds(checkpoint, 0.0)
    checkpoint.model.decoder.head.weight.mul_(1e4)
    assert not decoder_rounds(checkpoint, ONE_GREY_LEVEL)
    # Beyond what float16 holds.
    checkpoint.model.decoder.dense[0].weight[0, 0] = 1e6
    checkpoint.model.encoder.head.weight[0, 0] = 1e6
    assert not decoder_rounds(checkpoint, np.inf)
    assert not encoder_rounds(checkpoint, np.inf)


def test_large_weights_reach_the_pad_as_float16_and_small_ones_as_they_are():
    large, small = convolutional((64, 64, 3), "medium"), convolutional((20, 18), "small")
    light, served = latent_pad._packed(large, "pad", "large", "1")
    assert header(light)["half"] and not served
    assert len(light) < 2 * 2**20
    assert "half" not in header(latent_pad._packed(small, "pad", "small", "1")[0])


def test_large_networks_reach_the_camera_as_float16_and_small_ones_as_they_are():
    for name, shape, half in (("medium", (64, 64, 3), True), ("small", (20, 18), False)):
        carried = live.packed(Stored(name, 1), convolutional(shape, name))
        (length,) = struct.unpack_from("<I", carried)
        for network in (carried[4 : 4 + length], carried[4 + length :]):
            assert header(network).get("half", False) is half
