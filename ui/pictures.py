"""Pictures in the page: encoded once for all visitors, and carried by the page itself.

A picture that Streamlit serves from an address of its own is gone as soon as the page shows
another, and a browser that comes a moment later is told 404. It also encodes and shrinks each
picture anew for every visitor.
"""

__all__ = ["data_url"]

import base64
import functools

import numpy as np

from vae import images


def data_url(image: np.ndarray, scale: int = 1) -> str:
    """A picture as a data URL, for ``st.image``.

    Arguments:
        image: uint8, of shape (H, W), (H, W, 3) or (H, W, 4).
        scale: The side of the square that each pixel becomes.
    """
    return _encoded(image.tobytes(), image.shape, scale)


@functools.lru_cache(maxsize=2_000)
def _encoded(pixels: bytes, shape: tuple[int, ...], scale: int) -> str:
    image = np.frombuffer(pixels, dtype=np.uint8).reshape(shape)
    return "data:image/png;base64," + base64.b64encode(images.png(image, scale)).decode()
