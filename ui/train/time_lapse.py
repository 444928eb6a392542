"""The manifold over the course of training: a slider through it, and a film to take along."""

__all__ = ["show"]

from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from ui.pictures import data_url
from vae import images
from vae.errors import VisageError
from vae.runs import Run

# The films' faces are seen at about this many pixels across, whatever the data set.
WIDTH = 560

# How long each frame of a film is seen, and how many times as long the last.
MILLISECONDS = 120
REST = 15


def show(run: Run) -> None:
    """The snapshots of a run that has at least two."""
    snapshots = dict(run.snapshots())
    if len(snapshots) < 2:
        return
    st.subheader("Time-lapse")
    scrub(run.name, snapshots)


@st.fragment
def scrub(name: str, snapshots: dict[int, Path]) -> None:
    picture, controls = st.columns([2, 3], gap="large")
    with controls:
        step = st.select_slider(
            "The manifold after so many steps",
            list(snapshots),
            next(reversed(snapshots)),
            format_func="{:,}".format,
            key=f"snapshot_{name}",
        )
        form = st.segmented_control(
            "As a film", ["GIF", "WebP"], default="GIF", required=True, key="film_form"
        )
        frame = read(snapshots[step])
        st.download_button(
            "Download the film",
            lambda: film(tuple(snapshots.values()), form),
            f"{name}.{form.lower()}",
            f"image/{form.lower()}",
            icon=":material/movie:",
            disabled=frame is None,
        )
    with picture:
        if frame is not None:
            st.image(data_url(frame, 2), width="stretch", alt=f"The manifold at step {step}")
        else:
            st.caption("This picture is damaged.")


def read(path: Path) -> np.ndarray | None:
    """A snapshot as uint8, (H, W) or (H, W, 3); None where it is damaged or gone."""
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return np.asarray(picture.convert("L" if picture.mode == "L" else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


@st.cache_data(max_entries=4, show_spinner=False)
def film(paths: tuple[Path, ...], form: str) -> bytes:
    """The snapshots one after the other, with a rest on the last, as a GIF or WebP file."""
    frames = [frame for frame in map(read, paths) if frame is not None]
    # Those of one run are of one size; another one is none of its own.
    frames = [frame for frame in frames if frame.shape == frames[-1].shape]
    if not frames:
        raise VisageError("None of this run's pictures can be read.")
    frames += REST * frames[-1:]
    scale = max(1, WIDTH // frames[0].shape[1])
    return images.animation(np.stack(frames), form, MILLISECONDS, scale)
