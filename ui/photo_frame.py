"""The photo frame: drag and zoom a photo under a frame of the model's proportions."""

__all__ = ["Frame", "photo_frame"]

import base64
import functools
import io
import math
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.components.v2 import component

from ui import browser
from vae.images import png

# The longer side of the copy that travels to the browser.
COPY_SIDE = 1000

# How far a frame zooms in: to this share of the width at which it fits.
CLOSEST = 0.05


class Frame(NamedTuple):
    """Where a frame lies on a photo.

    Arguments:
        x: Its middle, in shares of the photo's width.
        y: Its middle, in shares of the photo's height.
        width: Its width, in shares of the photo's width.
    """

    x: float
    y: float
    width: float


def photo_frame(
    photo: Image.Image, guide: np.ndarray, photo_id: str, key: str = "photo_frame"
) -> Frame:
    """Draw the frame over a photo and return where it has settled.

    Arguments:
        photo: Of mode ``L`` or ``RGB``.
        guide: A face that shows how the model expects one to be placed, uint8, of the shape of
            the model's images; its colours and proportions are what the frame shows.
        photo_id: What tells this photo from another: a new one is framed afresh.
        key: The widget's name in the app.
    """
    height, width = guide.shape[:2]
    start = fitting(photo, width / height)
    result = _component()(
        key=f"{key}_{photo_id}_{height}x{width}x{guide.ndim}",
        data={
            "photo": _jpeg(photo, photo_id),
            "guide": _data_url(png(guide), "png"),
            "size": [width, height],
            "grey": guide.ndim == 2,
            "start": start._asdict(),
            "widest": widest(photo, width / height),
            "closest": CLOSEST * start.width,
        },
        default={"frame": None},
        on_frame_change=_nothing,
    )
    return _checked(result.get("frame"), photo, width / height) or start


def fitting(photo: Image.Image, aspect: float) -> Frame:
    """The largest frame that the photo fills, in its middle."""
    return Frame(0.5, 0.5, min(1.0, aspect * photo.height / photo.width))


def widest(photo: Image.Image, aspect: float) -> float:
    """The width of a frame that is half as large again as the photo."""
    return 1.5 * max(1.0, aspect * photo.height / photo.width)


def _checked(frame: Any, photo: Image.Image, aspect: float) -> Frame | None:
    """What a browser says, or None unless it is what a frame says."""
    names = Frame._fields
    if not isinstance(frame, dict) or not all(
        isinstance(frame.get(name), int | float) and math.isfinite(frame[name]) for name in names
    ):
        return None
    x, y, width = (float(frame[name]) for name in names)
    closest = CLOSEST * fitting(photo, aspect).width
    return Frame(
        min(max(x, 0.0), 1.0),
        min(max(y, 0.0), 1.0),
        min(max(width, closest), widest(photo, aspect)),
    )


@st.cache_data(max_entries=8, show_spinner=False)
def _jpeg(_photo: Image.Image, photo_id: str) -> str:
    copy = _photo.copy()
    copy.thumbnail((COPY_SIDE, COPY_SIDE))
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=85)
    return _data_url(buffer.getvalue(), "jpeg")


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


@functools.cache
def _component() -> Any:
    return component(
        "visage_photo_frame",
        html=browser.read("photo_frame.html"),
        css=browser.read("photo_frame.css"),
        js=browser.script("photo_frame.js"),
    )


def _nothing() -> None:
    """Streamlit keeps a component's state only where there is a callback for it."""
