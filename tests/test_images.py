"""Pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from vae.images import png, tile, to_uint8


def test_pixels_are_rounded_and_clipped():
    pixels = np.array([-1, 0, 0.5, 1, 2, np.nan])
    assert to_uint8(pixels).tolist() == [0, 0, 128, 255, 255, 0]


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("gap", [0, 2])
def test_tiles_keep_every_image(channels, gap):
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, *channels), dtype=np.uint8)
    whole = tile(images, gap)
    assert whole.shape == (2 * 4 + gap, 3 * 5 + 2 * gap, *channels)
    for row in range(2):
        for column in range(3):
            top, left = row * (4 + gap), column * (5 + gap)
            np.testing.assert_array_equal(
                whole[top : top + 4, left : left + 5], images[row, column]
            )
    if gap:
        assert (whole[4:6] == 255).all()


@pytest.mark.parametrize("channels", [(), (3,)])
def test_png_enlarges_pixels_to_crisp_squares(channels):
    image = np.random.default_rng(0).integers(0, 256, (4, 5, *channels), dtype=np.uint8)
    with Image.open(io.BytesIO(png(image, scale=3, dpi=300))) as read:
        assert read.format == "PNG"
        assert round(read.info["dpi"][0]) == 300
        enlarged = np.asarray(read)
    for row in range(3):
        for column in range(3):
            np.testing.assert_array_equal(enlarged[row::3, column::3], image)
