"""The faces that a path goes through: choosing two to six of them."""

__all__ = ["MOST", "Stop", "add", "choose_start", "choose_stops", "reader", "written"]

from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import address, library, link, photo, words
from ui.latent_pad import pinned
from ui.library import Choice, Stored
from ui.pictures import data_url
from vae import images, latent, limits
from vae.models.checkpoint import Checkpoint

MOST = 6

# A stop beyond this, in standard deviations of the prior, is a slip of the pen.
FARTHEST = 1e4

# On screen a face is this wide, in CSS pixels.
WIDTH = 92


class Stop(NamedTuple):
    """A face of a path: its latent point, K numbers, and what it is called."""

    z: tuple[float, ...]
    name: str


def choose_stops(choice: Choice, checkpoint: Checkpoint) -> np.ndarray:
    """Show the chosen faces, and the ways to choose others; return their points, (n, K)."""
    stops = current(choice, checkpoint)
    z = np.array([stop.z for stop in stops])
    faces = decoded(choice.stored, z)
    with st.container(horizontal=True, gap="small"):
        for number, (stop, face) in enumerate(zip(stops, faces, strict=True), 1):
            with st.container(width=WIDTH, gap="xsmall"):
                said = f"Face {number}, {stop.name}"
                st.image(data_url(face), width=WIDTH, alt=said)
                st.button(
                    f"{number} · {stop.name}",
                    key=f"stop_{number}",
                    icon=":material/close:",
                    icon_position="right",
                    type="tertiary",
                    help="Take this face out" if len(stops) > 2 else "A path needs two faces",
                    disabled=len(stops) <= 2,
                    on_click=stops.__delitem__,
                    args=(number - 1,),
                )
    offer_more(choice, checkpoint, stops)
    return z


@st.cache_resource(max_entries=128, show_spinner=False)
def decoded(stored: Stored, z: np.ndarray) -> np.ndarray:
    """The faces at some latent points, (n, K), uint8, (n, H, W) or (n, H, W, 3)."""
    return images.to_uint8(latent.decode(library.load(stored).model, z)[0])


def choose_start(
    choice: Choice, checkpoint: Checkpoint, middle: np.ndarray, column: DeltaGenerator
) -> np.ndarray:
    """Where a named axis starts: a middle, (K,), or one of the path's faces; return it, (K,)."""
    stops = current(choice, checkpoint)
    number = column.segmented_control(
        "Start from",
        range(len(stops) + 1),
        default=0,
        required=True,
        format_func=lambda number: f"face {number}" if number else "between the groups",
        key="axis_start",
    )
    return np.array(stops[number - 1].z) if 0 < number <= len(stops) else middle


def add(choice: Choice, checkpoint: Checkpoint, z: np.ndarray, name: str) -> None:
    """Append a face; when there are as many as can be, it takes the last one's place."""
    stops = current(choice, checkpoint)
    if len(stops) == MOST:
        stops.pop()
    stops.append(Stop(tuple(map(float, z)), name))


def reader(choice: Choice, checkpoint: Checkpoint) -> address.Reader:
    """A reader of a model's stops in the address, as :func:`written` writes them."""

    def read(text: str) -> dict[str, list[Stop]]:
        z = [tuple(float(number) for number in point.split(",")) for point in text.split(";")]
        latent_dim = checkpoint.model.latent_dim
        if not 2 <= len(z) <= MOST or any(len(point) != latent_dim for point in z):
            raise ValueError(text)
        # NaN is no smaller than anything.
        if not all(abs(number) <= FARTHEST for point in z for number in point):
            raise ValueError(text)
        return {_key(choice, checkpoint): [Stop(point, "link") for point in z]}

    return read


def written(choice: Choice, checkpoint: Checkpoint) -> str:
    """The stops for the address; empty where they are those that every visitor begins with."""
    stops = current(choice, checkpoint)
    if tuple(stops) == st.session_state.get(_key(choice, checkpoint) + "_first"):
        return ""
    return ";".join(link.written(np.array(stop.z)) for stop in stops)


def _key(choice: Choice, checkpoint: Checkpoint) -> str:
    return f"stops_{choice.name}_{checkpoint.model.latent_dim}"


def current(choice: Choice, checkpoint: Checkpoint) -> list[Stop]:
    """The session's stops for a model: at first, two faces of its data or of the prior."""
    key = _key(choice, checkpoint)
    if key not in st.session_state:
        drawn_ones = [drawn(choice, checkpoint, seed) for seed in range(12)]
        z = np.array([stop.z for stop in drawn_ones])
        # Two that differ, so that there is something to see between them.
        distances = np.linalg.norm(z[:, None] - z, axis=-1)
        first, last = np.unravel_index(distances.argmax(), distances.shape)
        st.session_state[key] = [drawn_ones[first], drawn_ones[last]]
        st.session_state[key + "_first"] = tuple(st.session_state[key])
    return st.session_state[key]


def drawn(choice: Choice, checkpoint: Checkpoint, seed: int | None = None) -> Stop:
    """A face at random: one of the training set's where its posterior is known."""
    rng = np.random.default_rng(seed)
    means = library.posterior_means(choice.stored)
    if len(means):
        return Stop(tuple(map(float, rng.choice(means))), "data")
    z = rng.standard_normal(checkpoint.model.latent_dim)
    return Stop(tuple(map(float, z)), "prior")


def offer_more(choice: Choice, checkpoint: Checkpoint, stops: list[Stop]) -> None:
    """The ways to add a face."""
    full = len(stops) == MOST
    with st.container(horizontal=True, gap="small"):
        if st.button("Random face", icon=":material/casino:", disabled=full):
            stops.append(drawn(choice, checkpoint))
            st.rerun()
        from_data(choice, checkpoint, stops, full)
        pins = pinned("explore", choice.name, checkpoint.model.latent_dim)
        if pins and st.button(f"Pinned faces · {len(pins)}", icon=":material/keep:"):
            stops[:] = [Stop(tuple(pin), f"pin {n}") for n, pin in enumerate(pins, 1)][:MOST]
            if len(stops) < 2:
                stops.append(drawn(choice, checkpoint))
            st.rerun()
        if not limits.read_only() and st.button(
            "A photo", icon=":material/add_a_photo:", disabled=full
        ):
            from_photo(choice, checkpoint)
        if st.button("Others", icon=":material/refresh:", help="Two other faces at random"):
            stops[:] = [drawn(choice, checkpoint) for _ in range(2)]
            st.rerun()


def from_data(choice: Choice, checkpoint: Checkpoint, stops: list[Stop], full: bool) -> None:
    """Choose a face of the data set by its number."""
    if not choice.dataset or not library.dataset_is_here(choice.dataset):
        return
    data = library.faces(choice.dataset)
    if data.image_shape != checkpoint.model.image_shape:
        return
    popover = st.popover(
        f"From {data.name}",
        icon=":material/photo_library:",
        disabled=full,
        key="stop_from_data",
        on_change="rerun",
    )
    # What is in it is drawn when it is opened.
    if not popover.open:
        return
    with popover:
        number = st.slider("Face", 0, len(data) - 1, key="stop_number")
        st.image(data_url(data.images[number]), width=WIDTH, alt=f"Face {number}")
        if st.button("Add", key="stop_add", type="primary"):
            posterior = latent.encode(checkpoint.model, data.pixels(np.array([number])))
            add(choice, checkpoint, posterior.mean[0], f"#{number}")
            st.rerun()


@st.dialog("A photo")
def from_photo(choice: Choice, checkpoint: Checkpoint) -> None:
    """Frame a visitor's own photo, and encode what lies in the frame."""
    with words.sentences():
        chosen = photo.choose(choice, checkpoint, "stop_photo")
        if chosen is None:
            return
        pixels = chosen[0].reshape(1, -1).astype(np.float32) / 255
        z = latent.encode(checkpoint.model, pixels).mean[0]
        redrawn = images.to_uint8(latent.decode(checkpoint.model, z)[0])
        with st.container(horizontal=True, vertical_alignment="center"):
            said = "As the model draws it"
            st.image(data_url(redrawn), said, width=WIDTH, alt=said)
            if st.button("Add", key="photo_add", type="primary"):
                add(choice, checkpoint, z, "photo")
                st.rerun()
