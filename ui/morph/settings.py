"""What the address says of Morph: the faces of the path, what is made of them, and its pace."""

__all__ = [
    "AXIS",
    "FACES",
    "KINDS",
    "frame_counts",
    "frames_key",
    "keep",
    "take_up",
    "usual_frames",
]

from math import prod

import streamlit as st

from ui import address
from ui.library import Choice
from ui.morph import stops
from vae.models.checkpoint import Checkpoint

FACES, AXIS = "between faces", "along a named axis"

# The geodesic comes first: it has the colour of what matters.
KINDS = ("geodesic", "straight", "spherical")

# Frames of a film, and the values of all its pixels that are still encoded in a few seconds.
FRAMES = (24, 36, 48, 72, 120)
LARGEST_FILM = 2**24


def frame_counts(image_shape: tuple[int, ...]) -> list[int]:
    """How many frames a film of such images may have."""
    few, *more = FRAMES
    return [few, *(count for count in more if count * prod(image_shape) <= LARGEST_FILM)]


def usual_frames(counts: list[int]) -> int:
    """How many of :func:`frame_counts` a film has at first."""
    return counts[:2][-1]


def frames_key(counts: list[int]) -> str:
    """The widget's: other choices are another slider."""
    return "morph_frames" if len(counts) == len(FRAMES) else f"morph_frames_{len(counts)}"


def take_up(choice: Choice, checkpoint: Checkpoint) -> None:
    """Put into the session what a link says, before anything is drawn."""
    latent_dim = checkpoint.model.latent_dim
    counts = frame_counts(checkpoint.model.image_shape)
    planes = {"axes": address.axes_of(latent_dim)} if latent_dim > 2 else {}
    address.take_up(
        {
            "morph": address.one_of({"faces": FACES, "axis": AXIS}, "morph_what"),
            "stops": stops.reader(choice, checkpoint),
            "frames": address.one_of({str(count): count for count in counts}, frames_key(counts)),
            "steady": address.one_of({"1": True}, "morph_steady"),
            "kind": address.one_of({kind: kind for kind in KINDS}, "morph_take_away"),
        }
        | planes
    )


def keep(choice: Choice, checkpoint: Checkpoint) -> None:
    """Keep what is chosen in the address, when all has been drawn."""
    known = st.session_state
    latent_dim = checkpoint.model.latent_dim
    axes = known.get(f"across_{latent_dim}", 0), known.get(f"upwards_{latent_dim}", 1)
    counts = frame_counts(checkpoint.model.image_shape)
    frames = known.get(frames_key(counts), usual_frames(counts))
    kind = known.get("morph_take_away", KINDS[0])
    address.keep(
        {
            "morph": "axis" if known.get("morph_what") == AXIS else "",
            "stops": stops.written(choice, checkpoint),
            "frames": "" if frames == usual_frames(counts) else str(frames),
            "steady": "1" if known.get("morph_steady") else "",
            "kind": "" if kind == KINDS[0] else kind,
            "axes": address.written_axes(axes) if latent_dim > 2 else "",
        }
    )
