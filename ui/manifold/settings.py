"""What the manifold shows: how many faces, how far out, over which latents, under what."""

__all__ = ["Settings", "choose"]

from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from ui import address, charts, session, words
from ui.manifold import overlays
from vae import latent
from vae.models.checkpoint import Checkpoint

# Faces a side; of large images, fewer.
FEWEST, MOST, USUAL = 10, 40, 20

# The prior's probability that is left out at either end of each latent.
TAILS = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
USUAL_TAIL = 0.05

# How far the latents that the grid does not run over can be moved.
FARTHEST = 3.0


class Settings(NamedTuple):
    """What was chosen.

    Arguments:
        faces: How many a side.
        tail: The prior's probability left out at either end.
        gap: Pixels between printed faces.
        overlay: One of :data:`ui.manifold.overlays.WORDS`.
        equal: Whether the grid is one of equal change.
        axes: The latents that run across and upwards.
        centre: The values of the others, (K,).
    """

    faces: int
    tail: float
    gap: int
    overlay: str
    equal: bool
    axes: tuple[int, int]
    centre: np.ndarray


def choose(checkpoint: Checkpoint) -> Settings:
    """Draw the controls, as a link or this session's past would have them, and read them."""
    latent_dim = checkpoint.model.latent_dim
    most = latent.faces_a_side(checkpoint.model, MOST)
    fewest, usual = min(FEWEST, most - 1), min(USUAL, most)
    # Another range is another slider.
    count_key = "manifold_count" if most == MOST else f"manifold_count_{most}"
    planes = {"axes": address.axes_of(latent_dim), "at": _others(latent_dim)}
    address.take_up(
        {
            "grid": address.one_of({str(n): n for n in range(fewest, most + 1)}, count_key),
            "reach": address.one_of({f"{tail:g}": tail for tail in TAILS}, "manifold_tail"),
            "overlay": address.one_of(
                {overlays.WORDS[name]: name for name in overlays.offered(checkpoint)},
                overlays.key(checkpoint),
            ),
            "equal": address.one_of({"1": True}, "manifold_equal"),
            "gaps": address.one_of({"1": True}, "manifold_gap"),
        }
        | (planes if latent_dim > 2 else {})
    )
    label = "Faces a side" if latent_dim > 1 else "Faces"
    count = st.slider(label, fewest, most, usual, key=count_key, persist_state="session")
    if most < MOST:
        sides = "×".join(map(str, checkpoint.model.image_shape[:2]))
        st.caption(f"With images of {sides} the picture holds up to {most}.")
    tail, gap = choose_reach()
    overlay, equal = overlays.choose(checkpoint)
    axes, centre = choose_plane(latent_dim)
    address.keep(
        {
            "grid": "" if count == usual else str(count),
            "reach": "" if tail == USUAL_TAIL else f"{tail:g}",
            "overlay": "" if overlay == overlays.NOTHING else overlays.WORDS[overlay],
            "equal": "1" if equal else "",
            "gaps": "1" if gap else "",
            "axes": address.written_axes(axes) if latent_dim > 2 else "",
            "at": ",".join(
                f"{axis + 1}:{value:g}" for axis, value in enumerate(centre.round(1)) if value
            ),
        }
    )
    return Settings(count, tail, gap, overlay, equal, axes, centre)


def choose_reach() -> tuple[float, int]:
    """The probability left out at either end, and pixels between printed faces."""
    tail = st.select_slider(
        "Reach into the tails",
        TAILS,
        USUAL_TAIL,
        key="manifold_tail",
        persist_state="session",
        format_func=lambda tail: f"{100 * tail:g} – {100 - 100 * tail:g} %",
        help="The part of the prior's probability that the grid spans along each latent: from "
        "5 to 95 % is from −1.64σ to 1.64σ.\n\n" + words.meaning("prior", "σ"),
    )
    gap = st.toggle("Gaps in print", key="manifold_gap", persist_state="session")
    return tail, int(gap)


def choose_plane(latent_dim: int) -> tuple[tuple[int, int], np.ndarray]:
    """The two latents that the grid runs over, and the values of the others, (K,)."""
    centre = np.zeros(latent_dim)
    axes = session.pick_axes(latent_dim)
    if latent_dim < 3:
        return axes, centre
    with st.expander("The other latents"):
        for axis in sorted(set(range(latent_dim)) - set(axes)):
            centre[axis] = st.slider(
                charts.latent_name(axis),
                -FARTHEST,
                FARTHEST,
                0.0,
                0.1,
                key=f"manifold_z{axis}",
                persist_state="session",
            )
    return axes, centre


def _others(latent_dim: int) -> address.Reader:
    """A reader of the latents that are not at zero, as in ``3:0.5,7:-1``; the rest are."""

    def read(text: str) -> dict[str, Any]:
        values = {axis: 0.0 for axis in range(latent_dim)}
        for part in text.split(","):
            number, value = part.split(":")
            axis = int(number) - 1
            # NaN is no smaller than anything.
            if axis not in values or not abs(float(value)) <= FARTHEST:
                raise ValueError(text)
            values[axis] = round(float(value), 1)
        return {f"manifold_z{axis}": value for axis, value in values.items()}

    return read
