"""What a link to Explore says beside the model: the point, the pins and the axes."""

__all__ = ["Start", "open_explore", "read_start", "starting_point", "write_state", "written"]

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from ui.latent_pad import DATA_AXES, MOST_PINS, PadState

# A point further out, in standard deviations of the prior, is a slip of the pen: the pad itself
# goes as far as it is sent.
FARTHEST = 1e6

# What a link calls the plane along which the data varies most.
DATA = "data"


@dataclass(frozen=True)
class Start:
    """Where a link wants the pad.

    Arguments:
        z: The latent point, of shape (K,); None for where the pad starts by itself.
        version: The number of such wishes so far: a new one is news to the pad.
        pins: The latent points for the tray, of shape (K,) each; None for those it has.
        axes: The latents that run across and upwards, or
            :data:`ui.latent_pad.DATA_AXES`; None for those it has.
    """

    z: np.ndarray | None = None
    version: int = 0
    pins: list[np.ndarray] | None = None
    axes: tuple[int, int] | None = None


def read_start(latent_dim: int) -> None:
    """Take up what the URL asks of the pad, if it is news; what is bad gets a gentle sentence."""
    z, pins, axes = _news("z"), _news("pins"), _news("axes")
    if z is pins is axes is None:
        return
    latents = f"this model's {latent_dim} latents"
    wanted = {}
    if z is not None:
        wanted["z"] = _point(z, latent_dim)
        if wanted["z"] is None:
            st.toast(f"The z in this link is not a point of {latents}.")
    if pins is not None:
        points = [_point(text, latent_dim) for text in pins.split(";")[:MOST_PINS]]
        wanted["pins"] = [point for point in points if point is not None]
        if len(wanted["pins"]) < len(points):
            st.toast(f"Not all pins in this link are points of {latents}.")
    if axes is not None:
        wanted["axes"] = _axes(axes, latent_dim)
        if wanted["axes"] is None:
            st.toast(f"The axes in this link are not two of {latents}.")
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if not wanted:
        return
    if "z" not in wanted:
        # The pins or the axes alone are news: z stays.
        wanted["z"] = st.session_state.get("point")
    version = st.session_state.get("start", Start()).version + 1
    st.session_state.start = Start(version=version, **wanted)


def starting_point(latent_dim: int) -> Start:
    """Where a link wants the pad of a model with K latents."""
    start = st.session_state.get("start", Start())
    points = [point for point in (start.z, *(start.pins or [])) if point is not None]
    fits = all(len(point) == latent_dim for point in points)
    return start if fits and max(start.axes or (0,)) < latent_dim else Start(version=start.version)


def open_explore(model: str, z: np.ndarray, pins: Sequence[np.ndarray] = ()) -> None:
    """Turn to the page Explore with a model at a point, of shape (K,); this page's run ends.

    Arguments:
        model: The model's name.
        z: The latent point, of shape (K,).
        pins: What is to be in the tray, of shape (K,) each; where there are none, it stays as it
            is.
    """
    # All are news, even where they are what this session had: a switch forgets its widgets.
    for known in ("model_in_url", "z_in_url", "pins_in_url"):
        st.session_state.pop(known, None)
    wanted = {"model": model, "z": written(z)}
    if pins:
        wanted["pins"] = ";".join(map(written, pins))
    st.switch_page("pages/explore.py", query_params=wanted)


def written(z: np.ndarray) -> str:
    """A latent point as the URL has it."""
    # Adding 0 turns −0 into 0.
    return ",".join(f"{number + 0:.3f}".rstrip("0").rstrip(".") for number in z.round(3))


def write_state(pad: PadState) -> None:
    """Keep in the URL where the pad has settled, its pins and its axes: what differs from the
    ordinary alone."""
    st.session_state.point = pad.z
    _write("z", written(pad.z))
    _write("pins", ";".join(map(written, pad.pins)))
    ordinary = pad.axes == tuple(range(len(pad.axes)))
    numbers = ",".join(str(axis + 1) for axis in pad.axes)
    _write("axes", "" if ordinary else DATA if pad.axes == DATA_AXES else numbers)


def _news(name: str) -> str | None:
    """What the URL says under a name, unless this session has read or written just that."""
    text = st.query_params.get(name)
    if text is None or text == st.session_state.get(f"{name}_in_url"):
        return None
    st.session_state[f"{name}_in_url"] = text
    return text


def _write(name: str, text: str) -> None:
    st.session_state[f"{name}_in_url"] = text
    if text and st.query_params.get(name) != text:
        st.query_params[name] = text
    elif not text and name in st.query_params:
        del st.query_params[name]


def _point(text: str, latent_dim: int) -> np.ndarray | None:
    try:
        z = np.array([float(number) for number in text.split(",")])
    except ValueError:
        return None
    return z if len(z) == latent_dim and (np.abs(z) <= FARTHEST).all() else None


def _axes(text: str, latent_dim: int) -> tuple[int, int] | None:
    if text == DATA:
        return DATA_AXES if latent_dim > 2 else None
    try:
        across, upwards = (int(number) - 1 for number in text.split(","))
    except ValueError:
        return None
    good = across != upwards and {across, upwards} <= set(range(latent_dim))
    return (across, upwards) if good else None
