"""Axes with names: faces marked as having a property or not, and the direction between them."""

__all__ = ["mark_faces", "named_direction"]

import numpy as np
import streamlit as st

from ui import library
from ui.library import Choice
from ui.pictures import data_url
from vae import images, latent
from vae.latent.posteriors import group_direction
from vae.models.checkpoint import Checkpoint

# Faces offered at a time, and how wide each is in CSS pixels.
COUNT = 18
WIDTH = 84


def mark_faces(choice: Choice, checkpoint: Checkpoint) -> tuple[str, dict[int, str]]:
    """Offer faces of the training set to be marked.

    Returns:
        The name of the property, and the marks, ``"+"`` or ``"−"``, by the faces' indices in the
        posterior.
    """
    means = library.posterior_means(choice.stored)
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    chosen = left.selectbox(
        "Name of the axis",
        ["smiling", "looking left", "frowning"],
        accept_new_options=True,
        key="axis_name",
        persist_state="session",
        help="Choose one, or type your own.",
    )
    name = (chosen or "").strip() or "smiling"
    axes = st.session_state.setdefault(f"marks_{choice.name}_{len(means)}", {})
    marks = axes.setdefault(name, {})
    draw = st.session_state.setdefault("marks_draw", 0)
    if right.button("Other faces", icon=":material/shuffle:", width="stretch"):
        draw = st.session_state.marks_draw = draw + 1
    offered = np.random.default_rng(draw).permutation(len(means))[:COUNT]
    faces = pictures(choice, checkpoint, offered)
    with st.container(horizontal=True, gap="small"):
        for index, face in zip(offered.tolist(), faces, strict=True):
            with st.container(width=WIDTH, gap="xsmall"):
                st.image(data_url(face), width=WIDTH, alt=f"Face {index}")
                key = f"mark_{choice.name}_{name}_{index}"
                st.session_state.setdefault(key, marks.get(index))
                mark = st.segmented_control(
                    f"Is face {index} {name}?", ["+", "−"], key=key, label_visibility="collapsed"
                )
                marks.pop(index, None)
                if mark:
                    marks[index] = mark
    yes, no = (sum(mark == sign for mark in marks.values()) for sign in "+−")
    st.caption(f"Marked: **{yes}** {name}, **{no}** not. A handful of each is enough.")
    return name, marks


def named_direction(choice: Choice, marks: dict[int, str]) -> tuple[np.ndarray, np.ndarray]:
    """The middle between two groups, and the direction from those marked − to +, (K,) each.

    Raises:
        VisageError: One side has no faces, or the two have the same mean.
    """
    means = library.posterior_means(choice.stored)
    yes, no = ([index for index, mark in marks.items() if mark == sign] for sign in "+−")
    middle = (means[yes].mean(axis=0) + means[no].mean(axis=0)) / 2
    return middle, group_direction(means[yes], means[no])


def pictures(choice: Choice, checkpoint: Checkpoint, offered: np.ndarray) -> np.ndarray:
    """The training images themselves or, where they are not here, how the model sees them."""
    known = library.training_faces(choice)
    if known is not None:
        data, indices, _ = known
        return data.images[indices[offered]]
    means = library.posterior_means(choice.stored)
    return images.to_uint8(latent.decode(checkpoint.model, means[offered])[0])
