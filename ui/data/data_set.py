"""A data set as a whole: its figures, its mean, what deserves a second look, and its images."""

__all__ = ["offer_changes", "show"]

import numpy as np
import streamlit as st

from ui import library, trash, words
from ui.data.bring_data import gallery
from ui.pictures import data_url
from ui.trash import Kind
from vae import datasets, images, limits
from vae.datasets import ingest, label_tables, sources
from vae.datasets.faces import Faces
from vae.datasets.published import SOURCES
from vae.datasets.survey import Survey, survey
from vae.limits import in_words

PAGE = 48

# CSS pixels of the mean image.
MOMENT_WIDTH = 92

# Images that are pointed out at most.
MOST_FLAGGED = 16


def show(name: str) -> None:
    """Everything there is to see of a set.

    Raises:
        VisageError: It is damaged.
    """
    faces = library.faces(name)
    found = surveyed(name, faces.sha256, faces)
    tell_figures(faces, found)
    left, right = st.columns([2, 5], gap="large")
    with left:
        show_moments(found)
    with right:
        show_images(faces)
    show_flagged(faces, found)
    show_labels(faces)
    st.caption(f"{words.plain(datasets.where_from(faces.name))}.")


@st.cache_data(max_entries=8, show_spinner="Looking at every image…")
def surveyed(name: str, sha256: str, _faces: Faces) -> Survey:
    return survey(_faces)


def tell_figures(faces: Faces, found: Survey) -> None:
    height, width, *colour = faces.image_shape
    twice, constant = len(found.duplicates), len(found.constant)
    remarks = [
        f":orange[{twice:,} {'is' if twice == 1 else 'are'} there twice]"
        if twice
        else "none twice",
        f":orange[{constant:,} of one colour]" if constant else "none of one colour",
    ]
    st.markdown(
        f"**{len(faces):,}** {'colour' if colour else 'grey'} images of **{height} × {width}** "
        f"pixels · {in_words(faces.images.nbytes)} · {' · '.join(remarks)}"
    )


def show_moments(found: Survey) -> None:
    """The mean image and the variance of each pixel."""
    highest = float(found.variance.max())
    scaled = found.variance / highest if highest else found.variance
    if scaled.ndim == 3:
        scaled = scaled.mean(axis=2)
    moments = ((found.mean, "Mean"), (scaled, f"Variance up to {highest:.3f}"))
    with st.container(horizontal=True):
        for pixels, caption in moments:
            picture = data_url(images.to_uint8(pixels), scale=max(1, 320 // pixels.shape[1]))
            st.image(picture, caption, width=MOMENT_WIDTH, alt=caption)


def show_images(faces: Faces) -> None:
    """A page of the set."""
    pages = -(-len(faces) // PAGE)
    page = 1
    if pages > 1:
        page = st.number_input(
            f"Page of {pages:,}", 1, pages, 1, key=f"data_page_{faces.name}_{len(faces)}"
        )
    start = (page - 1) * PAGE
    chosen = np.asarray(faces.images[start : start + PAGE])
    gallery(chosen, f"Images {start} to {start + len(chosen) - 1}", columns=12)
    st.caption(f"#{start:,} to #{start + len(chosen) - 1:,}")


def show_flagged(faces: Faces, found: Survey) -> None:
    """Duplicates and images of one colour."""
    if len(found.duplicates):
        count = len(found.duplicates)
        with st.expander(f"{count:,} {'image is' if count == 1 else 'images are'} there twice"):
            st.caption("Byte for byte the same as an earlier image.")
            with st.container(horizontal=True):
                pairs = zip(found.originals, found.duplicates, strict=True)
                for original, copy in list(pairs)[:MOST_FLAGGED]:
                    draw(faces, copy, f"#{copy} is #{original}")
    if len(found.constant):
        count = len(found.constant)
        with (
            st.expander(f"{count:,} {'image is' if count == 1 else 'images are'} of one colour"),
            st.container(horizontal=True),
        ):
            for place in found.constant[:MOST_FLAGGED]:
                draw(faces, place, f"#{place}")


def show_labels(faces: Faces) -> None:
    """What is known of each image."""
    if faces.labels is None:
        return
    count = len(faces.labels.names)
    with st.expander(f"{count:,} {'label' if count == 1 else 'labels'} for each image"):
        rows = [
            {"label": name, "what": what} for name, what in label_tables.described(faces.labels)
        ]
        st.dataframe(rows, hide_index=True, width="stretch")


def draw(faces: Faces, place: int, caption: str) -> None:
    image = np.asarray(faces.images[place])
    picture = data_url(image, scale=max(1, 160 // image.shape[1]))
    st.image(picture, caption, width=96, alt=caption)


def offer_changes(name: str) -> str | None:
    """Renaming and deleting of a stored set, where that is allowed; its new name, if any."""
    if name in SOURCES or limits.read_only():
        return None
    with st.container(horizontal=True):
        with st.popover("Rename", icon=":material/edit:"), words.sentences():
            wanted = st.text_input("New name", name, key=f"data_rename_{name}")
            if st.button("Rename it", type="primary"):
                return ingest.rename(name, wanted)
        trash.offer_deletion(Kind.SET, sources.stored_folder(name), name)
    return None
