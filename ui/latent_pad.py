"""The latent pad: drag through the latent space, decoded in the visitor's own browser.

A plane and one slider per latent, tied together. The weights travel to the browser once per model
and the face follows the pointer there; Python hears of z only when it has settled.

The pad is two mounts of components, since a rerun repeats only those whose data have changed:
``weights.js`` carries the model, large and rarely new, and ``streamlit.js`` all that may change
with a rerun. ``arrows.js`` and ``labels.js`` bring what may take the server a while. They meet in
the browser under the pad's key. A decoder that no browser runs stays here: ``frames.js`` brings
what the pad asks for and what comes of it.
"""

__all__ = [
    "COMPARED",
    "DATA_AXES",
    "LARGEST_DECODER",
    "MOST_PINS",
    "Arrow",
    "PadState",
    "colour_points",
    "draw_arrows",
    "is_large",
    "is_point",
    "laid_out",
    "latent_pad",
    "name_axes",
    "pinned",
]

import functools
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from ui import browser
from ui.tint import Tint
from vae import latent
from vae.errors import VisageError
from vae.latent.packed import Layers, NamedAxis, pack, pack_served, portable
from vae.latent.rounding import HALF_A_GREY_LEVEL, decoder_rounds
from vae.models.checkpoint import Checkpoint

# A model with more bytes of decoder than this is decoded on the server.
LARGEST_DECODER = 64 * 2**20

# Faces that a browser may ask a server for at once.
MOST_AT_ONCE = 16

# Weights of more bytes travel as float16 where no pixel shows it: so many values of images, of
# which each version of a model is compared, tell quickly.
LIGHT = 2**20
COMPARED = 2**17

# What the browser does, Python does by the same measure.
MOST_PINS = browser.constant("tray.js", "MOST_PINS")
# The plane of the two axes along which the data varies most, in place of two latents.
DATA_AXES = -1, -2

ROOMY_SLIDERS = browser.constant("sliders.js", "ROOMY_SLIDERS")

NO_MODEL = "There is no model to explore yet: choose or train one first."
NOT_FINITE = (
    "This model's weights hold values that are not numbers, as when training diverged: "
    "choose another model, or train again with a smaller learning rate."
)


class Arrow(NamedTuple):
    """A direction drawn on the plane.

    Arguments:
        vector: The direction with its length, of shape (K,).
        at: The latent point where it starts, of shape (K,); it fades once z has left there.
        label: What it says at its tip.
    """

    vector: Sequence[float] | np.ndarray
    at: Sequence[float] | np.ndarray
    label: str = ""


@dataclass(frozen=True)
class PadState:
    """Where the pad has settled.

    Arguments:
        z: The latent point, of shape (K,); the origin until the visitor has moved.
        pins: The latent points of the faces kept in the tray, of shape (K,) each.
        axes: The latents that run across and upwards, or :data:`DATA_AXES`; only across where
            K = 1.
        arrows: Whether the visitor wants to see arrows.
    """

    z: np.ndarray
    pins: list[np.ndarray] = field(default_factory=list)
    axes: tuple[int, ...] = (0, 1)
    arrows: bool = True


def latent_pad(
    checkpoint: Checkpoint | None,
    *,
    key: str,
    model_id: str,
    version: str,
    z: Sequence[float] | np.ndarray | None = None,
    z_version: int | str = 0,
    pins: Sequence[np.ndarray] | None = None,
    axes: Sequence[int] | None = None,
) -> PadState:
    """Draw the pad of a model and return where it has settled.

    Arguments:
        checkpoint: The model, or None for a sentence in its place.
        key: The pad's name in the app: the same for every model, and for none other.
        model_id: What stays the same while a model trains, as its path does.
        version: What changes with the model's weights. A new version of the same model takes over
            in place: z and the pins stay.
        z: Where the page wants the pad, of shape (K,); the origin by default.
        z_version: Only when this changes does the pad glide to ``z``, and take up what follows.
        pins: What the page wants in the tray, of shape (K,) each; by default what is there.
        axes: The latents that the page wants across and upwards; by default as they are.

    Returns:
        The settled z and the pins. Both outlive a change of page, and a change of model while K
        stays the same; the pins are kept for the model that they were pinned with.
    """
    if checkpoint is None:
        _component(2, 5 / 7)(key=f"{key}-empty", data={"channel": key, "problem": NO_MODEL})
        return PadState(np.zeros(2), arrows=False)

    model = checkpoint.model
    wanted = _point(z, model.latent_dim)

    height, width = model.image_shape[:2]
    mount = f"{key}-{model.latent_dim}-{height}x{width}"
    memory = st.session_state.setdefault(f"{key}-memory-{model.latent_dim}", {})
    default_axes = range(min(2, model.latent_dim))
    # What the pad starts from is frozen while it is mounted, so that a page which passes its
    # settled z back (in the URL, say) changes nothing that would have to be sent again.
    if memory.get("z_version", object()) != z_version:
        before = memory.get("settled", memory.get("start", {}))
        kept = before["pins"] if before.get("model") == model_id else []
        memory.clear()
        memory["z_version"] = z_version
        memory["start"] = {
            "model": model_id,
            "z": _json(wanted),
            "pins": kept if pins is None else [_json(pin) for pin in pins][:MOST_PINS],
            "axes": list(before.get("axes", default_axes) if axes is None else axes),
            "arrows": before.get("arrows", True),
        }
    elif "settled" in memory and mount not in st.session_state:
        memory["start"] = memory["settled"]

    problem = ""
    with st.container(gap=None):
        payload, served = _packed(checkpoint, key, model_id, version)
        if payload is None:
            problem = NOT_FINITE
        else:
            _part("weights")(key=f"{mount}-weights", data=payload)
            if served:
                _decode_on_the_server(checkpoint, key, model_id, version)
        result = _component(model.latent_dim, width / height)(
            key=mount,
            data={
                "channel": key,
                "problem": problem,
                "z_version": z_version,
                "start": memory["start"],
            },
            default={"settled": None},
            on_settled_change=_nothing,
        )

    settled = _checked(result.get("settled"), model.latent_dim)
    if settled and settled["z_version"] == z_version:
        memory["settled"] = settled
    now = memory.get("settled", memory["start"])
    return PadState(
        np.array(now["z"], dtype=float),
        [np.array(pin, dtype=float) for pin in now["pins"] if now.get("model") == model_id],
        tuple(now["axes"]),
        # Measuring a model that is decoded here would keep its faces waiting.
        now["arrows"] and not problem and not served,
    )


def draw_arrows(key: str, model_id: str, arrows: Sequence[Arrow]) -> None:
    """Draw directions on a pad, instead of those that it had: at the end of a page's run, since
    what takes time to find may come when the face has long been there.

    Arguments:
        key: As for :func:`latent_pad`; so is ``model_id``.
        arrows: The directions.
    """
    drawn = [
        {"vector": _json(arrow.vector), "at": _json(arrow.at), "label": arrow.label}
        for arrow in arrows
    ]
    data = {"channel": key, "model": model_id, "arrows": drawn}
    _part("arrows")(key=f"{key}-arrows", data=data)


def colour_points(key: str, model_id: str, tint: Tint | None) -> None:
    """Colour a pad's points by a label, with its legend; by none where there is none.

    Arguments:
        key: As for :func:`latent_pad`; so is ``model_id``.
        tint: The label of each of the points that travel with the model.
    """
    if tint is None:
        # A part that is no longer drawn takes away what it brought.
        return
    label = {
        "name": tint.name,
        "codes": tint.codes.tolist(),
        "legend": [list(entry) for entry in tint.legend],
        "values": tint.values.tolist(),
        "words": tint.words,
    }
    _part("labels")(key=f"{key}-labels", data={"channel": key, "model": model_id, "label": label})


def name_axes(key: str, model_id: str, axes: Sequence[NamedAxis]) -> None:
    """Give a pad a slider for each direction that has a name, instead of those that it had.

    Arguments:
        key: As for :func:`latent_pad`; so is ``model_id``.
        axes: The directions.
    """
    if not axes:
        return
    told = [axis.told() for axis in axes]
    _part("axes")(key=f"{key}-axes", data={"channel": key, "model": model_id, "axes": told})


def pinned(key: str, model_id: str, latent_dim: int) -> list[np.ndarray]:
    """The faces in a pad's tray, for other pages: latent points, of shape (K,) each.

    Arguments:
        key: As for :func:`latent_pad`; so is ``model_id``.
        latent_dim: The number K of latents.
    """
    memory = st.session_state.get(f"{key}-memory-{latent_dim}", {})
    now = memory.get("settled", memory.get("start", {}))
    return [np.array(pin) for pin in now["pins"]] if now.get("model") == model_id else []


@st.cache_resource(show_spinner=False, max_entries=8)
def _packed(
    _checkpoint: Checkpoint, channel: str, model_id: str, version: str
) -> tuple[bytes | None, bool]:
    """What a browser gets of a model, None where a weight is no number, and whether its decoder
    stays here."""
    carried = portable(_checkpoint.model)
    if carried is None or _bytes_of(carried[1]) > LARGEST_DECODER:
        return pack_served(_checkpoint, channel, model_id, version), True
    half = is_large(carried[1]) and decoder_rounds(_checkpoint, HALF_A_GREY_LEVEL, COMPARED)
    return pack(_checkpoint, channel, model_id, version, half), False


def is_large(layers: Layers) -> bool:
    """Whether weights are of so many bytes that they had better travel as float16."""
    return _bytes_of(layers) > LIGHT


def _bytes_of(layers: Layers) -> int:
    return sum(weight.nbytes + bias.nbytes for weight, bias in layers)


@st.fragment
def _decode_on_the_server(checkpoint: Checkpoint, key: str, model_id: str, version: str) -> None:
    """Answer where the pad is with the faces there: this part of a page alone runs again, once a
    question, and the browser asks the next when it has been answered."""
    mount = f"{key}-frames"
    asked = _asked(st.session_state.get(mount), model_id, checkpoint.model.latent_dim)
    header = {"channel": key, "model": model_id, "serial": 0, "count": 0, "problem": ""}
    faces = b""
    if asked is not None:
        serial, points = asked
        header["serial"] = serial
        known = st.session_state.get(f"{mount}-last")
        if known is not None and known[0] == (model_id, version, serial):
            # Only the page around it has run again.
            _, header, faces = known
        else:
            try:
                faces = latent.draw(checkpoint.model, points).tobytes()
                header["count"] = len(points)
            except VisageError as error:
                header["problem"] = str(error)
            known = (model_id, version, serial), header, faces
            st.session_state[f"{mount}-last"] = known
    text = json.dumps(header).encode()
    _part("frames")(
        key=mount,
        data=struct.pack("<I", len(text)) + text + faces,
        default={"asked": None},
        on_asked_change=_nothing,
    )


def _asked(state: Any, model_id: str, latent_dim: int) -> tuple[int, np.ndarray] | None:
    """What a browser asks to have decoded, or None unless that is latent points of this model."""
    said = state.get("asked") if isinstance(state, Mapping) else None
    if not isinstance(said, dict) or said.get("model") != model_id:
        return None
    serial, points = said.get("serial"), said.get("points")
    if type(serial) is not int or not isinstance(points, list):
        return None
    if not 0 < len(points) <= MOST_AT_ONCE or not all(is_point(z, latent_dim) for z in points):
        return None
    return serial, np.array(points, dtype=np.float32)


def laid_out(latent_dim: int, aspect: float) -> str:
    """A pad's HTML with the room for its sliders and its face, before any script runs.

    Arguments:
        latent_dim: The number K of latents.
        aspect: The face's width by its height.
    """
    row = 42 if latent_dim <= ROOMY_SLIDERS else 25
    room = f"--latents: {latent_dim}; --row: {row}px; --aspect: {min(max(aspect, 0.6), 1.25):.4f}"
    return browser.read("pad.html").replace("--latents: 2; --row: 42px; --aspect: 0.7143", room)


def is_point(said: Any, latent_dim: int) -> bool:
    """Whether what a browser says is a latent point: K finite numbers."""
    return (
        isinstance(said, list)
        and len(said) == latent_dim
        and all(isinstance(number, int | float) for number in said)
        and bool(np.isfinite(np.array(said, dtype=float)).all())
    )


@functools.cache
def _component(latent_dim: int, aspect: float) -> Any:
    return component(
        f"visage_latent_pad_{latent_dim}_{aspect:.4f}",
        html=laid_out(latent_dim, aspect),
        css=browser.read("pad.css"),
        js=browser.script("streamlit.js"),
    )


@functools.cache
def _part(name: str) -> Any:
    """A component that shows nothing and brings the pad something."""
    return component(f"visage_{name}", js=browser.script(f"{name}.js"))


def _checked(settled: Any, latent_dim: int) -> dict | None:
    """What a browser says it has settled on, or None unless it is what a pad says."""
    if not isinstance(settled, dict) or not is_point(settled.get("z"), latent_dim):
        return None
    pins, axes = settled.get("pins"), settled.get("axes")
    points = [pin for pin in pins if is_point(pin, latent_dim)] if isinstance(pins, list) else []
    first = list(range(min(2, latent_dim)))
    if not isinstance(axes, list) or len({*map(str, axes)}) != len(first):
        axes = first
    return {
        "z": settled["z"],
        "pins": points[:MOST_PINS],
        "model": settled.get("model"),
        "axes": axes if _are_axes(axes, latent_dim) else first,
        "arrows": settled.get("arrows") is not False,
        "z_version": settled.get("z_version"),
    }


def _are_axes(axes: list, latent_dim: int) -> bool:
    if latent_dim > 2 and tuple(axes) == DATA_AXES:
        return True
    return all(axis in range(latent_dim) for axis in axes)


def _point(z: Sequence[float] | np.ndarray | None, latent_dim: int) -> np.ndarray:
    if z is None:
        return np.zeros(latent_dim)
    point = np.asarray(z, dtype=float)
    if point.shape != (latent_dim,) or not np.isfinite(point).all():
        raise ValueError(f"z must be {latent_dim} finite numbers, not {z!r}.")
    return point


def _json(point: Sequence[float] | np.ndarray) -> list[float]:
    return [float(number) for number in point]


def _nothing() -> None:
    """Streamlit keeps a component's state only where there is a callback for it."""
