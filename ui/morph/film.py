"""Films of faces: shown as strips and loops, and taken away as files."""

__all__ = ["WIDTH", "download", "loop", "still", "strip"]

import re

import numpy as np
import streamlit as st

from vae import images

# A frame's time.
MILLISECONDS = 60

# How wide a face plays, in CSS pixels, and in pixels of the file.
WIDTH = 96
FILE_WIDTH = 200

STRIP_SCALE = 4


def strip(faces: np.ndarray, alt: str, count: int = 12) -> None:
    """Evenly chosen frames side by side.

    Arguments:
        faces: uint8, of shape (T, H, W) or (T, H, W, 3).
        alt: What a screen reader says of it.
        count: How many frames.
    """
    chosen = np.linspace(0, len(faces) - 1, min(count, len(faces))).round().astype(int)
    picture = images.side_by_side(*faces[chosen], gap=1)
    st.image(images.png(picture, STRIP_SCALE), width="stretch", alt=alt)


def loop(faces: np.ndarray, alt: str) -> None:
    """The film, forth and back for ever: each pixel as it is, enlarged by the browser."""
    # Streamlit shows an animated WebP as a still.
    st.image(_encoded(faces, "GIF", 1), width=WIDTH, alt=alt)


def still(face: np.ndarray, alt: str) -> None:
    """One face, uint8, (H, W) or (H, W, 3), as large as a loop."""
    st.image(images.png(face), width=WIDTH, alt=alt)


def download(faces: np.ndarray, name: str) -> None:
    """Buttons for the film's files.

    Arguments:
        faces: uint8, of shape (T, H, W) or (T, H, W, 3).
        name: The files' name before the dot.
    """
    scale = max(1, round(FILE_WIDTH / faces.shape[2]))
    name = re.sub(r"\W+", "-", name)
    files = {
        "GIF": (lambda: _encoded(faces, "GIF", scale), f"{name}.gif", "image/gif"),
        "WebP": (lambda: _encoded(faces, "WEBP", scale), f"{name}.webp", "image/webp"),
        "PNG strip": (
            lambda: images.png(images.tile(faces[None], gap=1), STRIP_SCALE),
            f"{name}.png",
            "image/png",
        ),
    }
    with st.container(horizontal=True):
        for label, (data, file, mime) in files.items():
            st.download_button(
                label,
                data,
                file,
                mime,
                icon=":material/download:",
                key=f"download_{file}",
                on_click="ignore",
            )


@st.cache_data(max_entries=64, show_spinner=False)
def _encoded(faces: np.ndarray, format: str, scale: int) -> bytes:
    there_and_back = np.concatenate([faces, faces[-2:0:-1]])
    return images.animation(there_and_back, format, MILLISECONDS, scale)
