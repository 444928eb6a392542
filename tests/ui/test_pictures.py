"""Pictures travel in the page, so that none has an address that may be gone."""

import base64
import io

import numpy as np
from PIL import Image

from ui.pictures import data_url


def test_a_picture_is_its_own_address():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    start, _, content = data_url(image, scale=2).partition(",")
    assert start == "data:image/png;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
    assert np.array_equal(shown, image.repeat(2, axis=0).repeat(2, axis=1))


def test_the_same_picture_is_encoded_once():
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    assert data_url(image) is data_url(image.copy())
    assert data_url(image) != data_url(image + 1)
