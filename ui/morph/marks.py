"""Axes with names: of a label that is known, or of faces marked as having a property or not."""

__all__ = ["choose_label", "kept", "mark_faces", "named_direction", "offer_slider"]

import numpy as np
import streamlit as st

from ui import library, words
from ui.library import Choice
from ui.pictures import data_url
from vae import images, latent
from vae.datasets.labels import Column, Labels
from vae.latent.packed import MOST_AXES, NamedAxis
from vae.latent.posteriors import group_direction, label_direction, told_by
from vae.models.checkpoint import Checkpoint

# Faces offered at a time, and how wide each is in CSS pixels.
COUNT = 18
WIDTH = 84

MARKED = "faces I mark"

# What else goes with an axis as much is worth a word; and so many of them.
ALONG = 0.25
MOST_ALONG = 3

# An axis whose places go with its label less than this says little of it.
LITTLE = 0.3

# More labels than these are chosen from a list.
MOST_PILLS = 24


def choose_label(choice: Choice) -> NamedAxis | None:
    """An axis of a label of the training faces; None where the visitor marks faces.

    Raises:
        VisageError: The label that is chosen gives none.
    """
    training = library.training_faces(choice)
    if training is None:
        return None
    data, places, means = training
    if data.labels is None:
        return None
    labels = data.labels.at(places)
    offered = [MARKED, *labels.names]
    key = f"axis_of_{data.name}"
    if len(offered) <= MOST_PILLS:
        name = st.pills(
            "An axis of",
            offered,
            default=MARKED,
            required=True,
            format_func=words.plain,
            key=key,
            persist_state="session",
        )
    else:
        name = st.selectbox("An axis of", offered, key=key, persist_state="session")
    if name == MARKED:
        return None
    column = labels[name]
    kind = None
    if column.is_categorical:
        counts = np.bincount(column.values[column.known], minlength=len(column.kinds))
        kinds = np.flatnonzero(counts)[np.argsort(-counts[counts > 0], kind="stable")]
        kind = st.selectbox(
            "More of which",
            kinds.tolist(),
            format_func=lambda kind: column.kinds[kind],
            key=f"axis_kind_{data.name}_{labels.names.index(name)}",
            persist_state="session",
            width=320,
        )
    middle, direction = label_direction(means, column, kind)
    say_what_it_is(means, direction, labels, column, kind)
    return NamedAxis(name if kind is None else column.kinds[kind], middle, direction)


def say_what_it_is(
    means: np.ndarray, direction: np.ndarray, labels: Labels, column: Column, kind: int | None
) -> None:
    """What the axis is made of, how well it tells the label, and what else moves along it."""
    if kind is None:
        made = "how far the posterior means move with it, by least squares"
    else:
        made = "the mean of the faces of this kind less the mean of all others"
    told = told_by(means, direction, column, -1 if kind is None else kind)
    said = (
        f"The axis is {made}. The place of a training face along it correlates with the label at "
        f"**{told:.2f}** (1: it tells it wholly, 0: not at all)."
    )
    if told < LITTLE:
        said += " That is little: faces that have it lie among those that have not."
    others = [
        (told_by(means, direction, other), other.name)
        for other in labels
        if other.name != column.name
    ]
    along = sorted((pair for pair in others if pair[0] >= ALONG), reverse=True)[:MOST_ALONG]
    if along:
        listed = ", ".join(f"{words.plain(name)} ({much:.2f})" for much, name in along)
        said += f" Along it change as well: {listed}."
    st.caption(
        said + " It is what goes with the label in these faces, not what causes it: whatever else "
        "goes with it in the data, or shares its latents, moves too."
    )


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
    st.caption(
        f"Marked: **{yes}** {words.plain(name)}, **{no}** not. A handful of each is enough."
    )
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


def offer_slider(choice: Choice, axis: NamedAxis) -> None:
    """Keep an axis, so that Explore has a slider for it, unless that is not wanted."""
    state = st.session_state
    axes = state.setdefault(f"axes_{choice.name}", {})
    refused = state.setdefault(f"axes_refused_{choice.name}", set())
    wanted = st.checkbox(
        "A slider on Explore",
        value=axis.name not in refused,
        key=f"axis_slider_{choice.name}_{axis.name}",
        help="There it moves the face while you drag, and a page that you share has it too.",
    )
    axes.pop(axis.name, None)
    if wanted:
        refused.discard(axis.name)
        axes[axis.name] = axis
        # Those that were looked at last stay.
        for name in list(axes)[:-MOST_AXES]:
            del axes[name]
    else:
        refused.add(axis.name)


def kept(choice: Choice, latent_dim: int) -> tuple[NamedAxis, ...]:
    """The axes that this visitor has named for a model with K latents."""
    axes = st.session_state.get(f"axes_{choice.name}", {}).values()
    return tuple(axis for axis in axes if len(axis.direction) == latent_dim)


def pictures(choice: Choice, checkpoint: Checkpoint, offered: np.ndarray) -> np.ndarray:
    """The training images themselves or, where they are not here, how the model sees them."""
    known = library.training_faces(choice)
    if known is not None:
        data, indices, _ = known
        return data.images[indices[offered]]
    means = library.posterior_means(choice.stored)
    return images.to_uint8(latent.decode(checkpoint.model, means[offered])[0])
