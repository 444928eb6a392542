"""Films of faces: played side by side, shown as strips, and taken away as files."""

__all__ = ["MILLISECONDS", "WIDTH", "Film", "download", "play", "show_strip", "still"]

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from ui.pictures import data_url
from vae import images

# A frame's time.
MILLISECONDS = 60

# How wide a face plays, in CSS pixels, and in pixels of the file.
WIDTH = 96
FILE_WIDTH = 200

# Frames of a strip, and pixels of it a side of theirs.
IN_STRIP = 12
STRIP_SCALE = 4

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Film:
    """A film to be played; what is encoded of it is encoded once.

    Arguments:
        faces: uint8, of shape (T, H, W) or (T, H, W, 3).
        what: What it shows, as a screen reader says it after *Film* or *Film strip*.
        name: What stands below it.
        lines: And below that.
    """

    faces: np.ndarray
    what: str
    name: str = ""
    lines: tuple[str, ...] = ()

    @functools.cached_property
    def strip(self) -> str:
        """Evenly chosen frames side by side, as a data URL."""
        count = len(self.faces)
        chosen = np.linspace(0, count - 1, min(IN_STRIP, count)).round().astype(int)
        return data_url(images.side_by_side(*self.faces[chosen], gap=1), STRIP_SCALE)

    @functools.cached_property
    def sheet(self) -> str:
        """All frames as one picture, :attr:`columns` in a row, as a data URL."""
        missing = -len(self.faces) % self.columns
        blank = np.zeros_like(self.faces[:1]).repeat(missing, axis=0)
        rows = np.concatenate([self.faces, blank]).reshape(-1, self.columns, *self.faces.shape[1:])
        return data_url(images.tile(rows))

    @property
    def columns(self) -> int:
        """How many frames a row of the sheet has, so that it is about square."""
        frames, height, width = self.faces.shape[:3]
        return ceil(sqrt(frames * height / width))


def show_strip(film: Film) -> None:
    """Some frames side by side."""
    st.image(film.strip, width="stretch", alt=f"Film strip {film.what}")


def play(films: Sequence[Film], key: str) -> None:
    """Play films of as many frames side by side and in step, there and back until paused.

    Where the visitor's system asks for less motion, they wait for *Play*.

    Arguments:
        films: The films; their frames are of one size.
        key: The player's name in the app.
    """
    frames, height, width = films[0].faces.shape[:3]
    _player()(
        key=key,
        data={
            "films": [
                {
                    "alt": f"Film {film.what}",
                    "name": film.name,
                    "lines": list(film.lines),
                    "sheet": film.sheet,
                }
                for film in films
            ],
            "frames": frames,
            "columns": films[0].columns,
            "size": [width, height],
            "milliseconds": MILLISECONDS,
        },
    )


def still(face: np.ndarray, alt: str) -> None:
    """One face, uint8, (H, W) or (H, W, 3), as large as one that is played."""
    st.image(data_url(face), width=WIDTH, alt=alt)


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


@functools.cache
def _player() -> Any:
    return component(
        "visage_film_player",
        html=(HERE / "player.html").read_text(encoding="utf-8"),
        css=(HERE / "player.css").read_text(encoding="utf-8"),
        js=(HERE / "player.js").read_text(encoding="utf-8"),
    )
