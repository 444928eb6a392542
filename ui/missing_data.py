"""What to do about a data set that a page needs: find it, or say how to get it and offer to."""

__all__ = ["find_or_offer", "offer"]

import streamlit as st

from ui import library, session, words
from ui.library import Choice
from vae import datasets, limits
from vae.datasets.faces import Faces
from vae.datasets.published import SOURCES, Making, Source

# The largest of the files that are asked for, frey_rawface.mat, has 1.1 MB.
LARGEST_UPLOAD_MB = 5


def find_or_offer(choice: Choice) -> Faces | None:
    """A model's data set; where it is not here or doesn't fit, say so, offer help, return None.

    Raises:
        VisageError: The data set is here but damaged.
    """
    name = choice.dataset
    if not name:
        st.info("This model does not say what it was trained on, so there is nothing to show.")
    elif not library.dataset_is_here(name):
        st.info(
            f"This model was trained on **{words.plain(name)}**, which is not on this machine.",
            icon=":material/photo_library:",
        )
        if name in SOURCES:
            offer(SOURCES[name])
    else:
        data = library.faces(name)
        card = library.load(choice.stored).card
        difference = library.difference_in_data(card, data)
        if difference:
            st.warning(difference)
        if card.image_shape == data.image_shape:
            return data
    offer_other_models()
    return None


def offer(source: Source) -> None:
    """A download and an upload of a data set's file, where files may be written; or its making."""
    if source.making is not None:
        offer_making(source, source.making)
        return
    st.markdown(source.origin)
    download = source.download
    if download is None:
        # It is there once Visage is installed.
        return
    if limits.read_only():
        st.caption("This is a public deployment: it takes no uploads and downloads nothing.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**Download it** ({download.size})")
        if st.button(f"Download {source.title}", type="primary", icon=":material/download:"):
            with words.sentences():
                bar = st.progress(0.0)
                try:
                    datasets.download(source.name, progress=bar.progress)
                finally:
                    bar.empty()
                st.rerun()
    with right:
        # Of any kind: what it refused the browser would refuse in words of its own.
        file = st.file_uploader(
            f"**Or give the file** {download.file}", max_upload_size=LARGEST_UPLOAD_MB
        )
        if file is not None:
            with words.sentences():
                source.keep(file.getvalue())
                st.rerun()


def offer_making(source: Source, making: Making) -> None:
    """A data set that is made on this machine, with its progress and a way to give up."""
    st.markdown(
        f"**{source.what[0].upper()}{source.what[1:]}**, {source.origin}: that takes "
        f"{making.cost}."
    )
    if st.button(f"Draw {source.title}", type="primary", icon=":material/brush:"):
        with words.sentences():
            line = st.container(horizontal=True, vertical_alignment="center")
            bar = line.progress(0.0)
            # A press ends this run of the page, and the drawing with it.
            line.button("Cancel", key=f"give_up_{source.name}")
            datasets.download(
                source.name, lambda share: bar.progress(share, f"{100 * share:.0f} % drawn")
            )
            st.rerun()


def offer_other_models() -> None:
    """The models whose data set is here."""
    others = [
        choice.name
        for choice in library.models().values()
        if not choice.problem and choice.dataset and library.dataset_is_here(choice.dataset)
    ]
    if not others:
        return
    st.markdown("**Or look at a model whose faces are here**")
    with st.container(horizontal=True):
        for name in others[:5]:
            st.button(name, key=f"other_{name}", on_click=session.choose, args=(name,))
