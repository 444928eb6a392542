"""Bring a data set: upload it, see what is in it, choose what it becomes, store it."""

__all__ = ["list_skipped", "offer"]

from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import streamlit as st

from ui import words
from ui.pictures import data_url
from vae import images
from vae.datasets import ingest
from vae.datasets.image_arrays import SUFFIXES
from vae.datasets.image_files import Skipped
from vae.datasets.ingest import Choices, Found, Layout
from vae.errors import VisageError
from vae.names import name_from

FILES, FOLDER = "Files", "A folder"

SAMPLES = 16

# The longer side, in pixels, of an image among others.
LARGEST_DRAWN = 96

FITS = {"crop": "Crop what sticks out", "pad": "Pad with black"}


class News(NamedTuple):
    """What became of an upload."""

    sentence: str
    skipped: tuple[Skipped, ...]
    skipped_count: int


def offer() -> str | None:
    """The whole way from an upload to a stored set; its name, once it is stored."""
    uploads = upload()
    if not uploads:
        return None
    layout = choose_layout(uploads)
    with words.sentences():
        found = look(uploads, layout)
        describe(found)
        choices, name = choose(found)
        preview(found, choices)
        if st.button("Store", type="primary", icon=":material/save:"):
            return store(found, name, choices)
    return None


def upload() -> dict[str, BinaryIO]:
    """The uploaded files by their names."""
    st.markdown(
        "Images (png, jpeg, webp, bmp, tiff, pgm), a **zip** of them, or one array: **npy**, "
        "**npz** (N×H×W, N×H×W×1 or N×H×W×3, bytes or floats in [0, 1]) or **mat**."
    )
    how = st.segmented_control(
        "Upload",
        [FILES, FOLDER],
        default=FILES,
        required=True,
        key="bring_how",
        label_visibility="collapsed",
    )
    # Of any kind: what it refused the browser would refuse in words of its own, without a reason.
    files = st.file_uploader(
        how,
        accept_multiple_files="directory" if how == FOLDER else True,
        label_visibility="collapsed",
        key=f"bring_{how}",
    )
    # Two files from different folders may have one name.
    return {
        file.name if place == 0 else f"{place}/{file.name}": file
        for place, file in numbered(files or [])
    }


def numbered(files: Sequence[BinaryIO]) -> list[tuple[int, BinaryIO]]:
    """Each file with the number of files before it that have its name."""
    seen: dict[str, int] = {}
    found = []
    for file in files:
        found.append((seen.get(file.name, 0), file))
        seen[file.name] = seen.get(file.name, 0) + 1
    return found


def choose_layout(uploads: dict[str, BinaryIO]) -> Layout:
    """How an array holds its images, where a person has to say so."""
    name = next(iter(uploads)).lower()
    if len(uploads) > 1 or not name.endswith(SUFFIXES):
        return Layout()
    with st.expander("How the array holds its images", icon=":material/data_array:"):
        st.caption("Only needed where its shape alone doesn't tell, as that of a matrix.")
        left, middle, right = st.columns(3)
        height = left.number_input("Height", 0, 4096, 0, key="layout_height")
        width = middle.number_input("Width", 0, 4096, 0, key="layout_width")
        images_in = right.selectbox(
            "Images are its", ["rows", "columns"], None, placeholder="clear", key="layout_in"
        )
        variable = left.text_input(
            "Which array", key="layout_variable", placeholder="the only one"
        )
        transposed = middle.checkbox(
            "Turn the images",
            key="layout_transposed",
            help="MATLAB writes an image's pixels column by column.",
        )
    size = (height, width) if height and width else None
    return Layout(size, images_in, transposed, variable.strip() or None)


def look(uploads: dict[str, BinaryIO], layout: Layout) -> Found:
    """What is in an upload, looked at once."""
    key = [getattr(file, "file_id", name) for name, file in uploads.items()], layout
    known = st.session_state.get("bring_found")
    if known is None or known[0] != key:
        bar = st.progress(0.0, "Looking at the images…")
        try:
            found = ingest.look(uploads, layout, bar.progress)
        finally:
            bar.empty()
        st.session_state.bring_found = known = key, found
    return known[1]


def describe(found: Found) -> None:
    """What was found, and what can't be taken."""
    what, _, sizes = found.summary.partition(" of ")
    st.markdown(f"**{what}** of {sizes}.")
    if found.is_sample:
        st.caption(
            f"Told from {found.looked_at:,} of them; all are looked at when they are stored."
        )
    if found.cut_short:
        st.warning(words.plain(found.cut_short), icon=":material/timer_off:")
    if found.known:
        st.info(words.plain(found.known), icon=":material/label:")
    for remark in found.remarks:
        st.warning(words.plain(remark), icon=":material/label_off:")
    if found.ignored:
        st.caption(f"Links and paths that lead elsewhere, ignored: {found.ignored:,}")
    list_skipped(found.skipped, found.skipped_count)


def list_skipped(skipped: Sequence[Skipped], count: int) -> None:
    """The first files that are not taken, of so many."""
    if not count:
        return
    with st.expander(f"Files not taken: {count:,}", icon=":material/block:"):
        st.dataframe(
            [{"file": name, "why": why} for name, why in skipped],
            hide_index=True,
            width="stretch",
        )
        if count > len(skipped):
            st.caption(f"… and {count - len(skipped):,} more.")


def choose(found: Found) -> tuple[Choices, str]:
    """What the images become, and the set's name."""
    height, width = found.proposed_size
    # Another upload starts from its own size and name.
    key = f"{found.name}_{found.count}_{height}_{width}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", name_from(found.name), key=f"bring_name_{key}")
        tall = st.number_input("Height", 4, 512, max(4, height), key=f"bring_height_{key}")
        wide = st.number_input("Width", 4, 512, max(4, width), key=f"bring_width_{key}")
        colour = st.segmented_control(
            "Colour",
            ["grey", "colour"],
            default="colour" if found.colour else "grey",
            required=True,
            key=f"bring_colour_{key}",
        )
        fit = st.segmented_control(
            "Other proportions",
            list(FITS),
            default="crop",
            required=True,
            format_func=FITS.__getitem__,
            key=f"bring_fit_{key}",
        )
    return Choices((tall, wide), colour == "colour", fit), name


def preview(found: Found, choices: Choices) -> None:
    samples = found.samples(choices, SAMPLES)
    if not len(samples):
        raise VisageError("None of the images that were tried could be read.")
    st.caption("As they would be stored:")
    gallery(samples, "Samples of the upload")


def gallery(faces: np.ndarray, alt: str, columns: int = 8) -> None:
    """Images in rows, as one picture; transparent where a row ends early."""
    st.image(_tiled(faces, columns), width="stretch", alt=alt)


@st.cache_resource(max_entries=32, show_spinner=False)
def _tiled(faces: np.ndarray, columns: int) -> str:
    """The picture of a gallery as a data URL, made once for all visitors."""
    # Drawn smaller where they are large: a page of photos would be tens of megabytes.
    step = max(1, max(faces.shape[1:3]) // LARGEST_DRAWN)
    faces = faces[:, ::step, ::step]
    rows = -(-len(faces) // columns)
    pictures = images.side_by_side(*faces)
    height, width = faces.shape[1:3]
    cells = np.zeros((rows * columns, height, width, 4), np.uint8)
    cells[: len(faces)] = pictures.reshape(height, len(faces), width, 4).swapaxes(0, 1)
    tiled = images.tile(cells.reshape(rows, columns, height, width, 4), gap=2, background=0)
    return data_url(tiled, scale=max(1, 900 // tiled.shape[1]))


def store(found: Found, name: str, choices: Choices) -> str:
    """Store the set with a progress bar; its name."""
    bar = st.progress(0.0, "Converting every image…")
    try:
        stored = ingest.store(found, name, choices, bar.progress)
    finally:
        bar.empty()
    st.session_state.pop("bring_found", None)
    faces = stored.faces
    how = "was stored before, of these very images" if stored.was_there else "is stored"
    st.session_state.data_news = News(
        f"**{faces.name}** {how}: {len(faces):,} images. Look through it, then train on it.",
        stored.skipped,
        stored.skipped_count,
    )
    return faces.name
