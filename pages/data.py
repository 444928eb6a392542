"""The data sets and models that are here, and how to bring one's own."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import header, library, missing_data, session, trash, words
from ui.data import bring_data, data_set, shelf
from ui.trash import Kind
from ui.words import plain
from vae import datasets, limits
from vae.datasets.published import SOURCES

SETS, BRING, MODELS = "Data sets", "Bring a data set", "Models"


def main() -> None:
    session.be_in_the_app()
    line = header.open_page("Data", explain)
    view = choose_view(line)
    if view == BRING:
        stored = bring_data.offer()
        if stored is not None:
            turn_to(stored)
    elif view == MODELS:
        shelf.show()
        if not limits.read_only():
            trash.show_lately(Kind.MODEL)
    else:
        name = choose_set()
        tell_what_was_stored()
        with words.sentences():
            if library.dataset_is_here(name):
                data_set.show(name)
            else:
                missing_data.offer(SOURCES[name])
        renamed = data_set.offer_changes(name)
        if renamed is not None:
            turn_to(renamed)
        if not limits.read_only():
            trash.show_lately(Kind.SET)


def explain() -> None:
    st.markdown(
        "A data set is many images of one size. Look at one before you train on it: the mean "
        "is what a model without any latent would draw, and the variance is what is left for "
        "the latents to explain. "
        "Images that are there twice may end up in several sets of the split, where they make "
        "the figures of the other sets too good; an image of one colour teaches nothing. "
        "Bring your own images and they appear wherever a data set is chosen."
    )
    st.latex(
        r"\bar x = \frac1N \sum_{i=1}^{N} x^{(i)}, \qquad "
        r"s^2 = \frac1N \sum_{i=1}^{N} \left(x^{(i)} - \bar x\right)^2"
    )


def choose_view(line: DeltaGenerator) -> str:
    views = [SETS, MODELS] if limits.read_only() else [SETS, BRING, MODELS]
    if limits.read_only():
        st.info(
            "This is a public deployment: look at what is here as you like; nothing can be "
            "brought or changed.",
            icon=":material/lock:",
        )
    st.session_state.data_view = st.session_state.pop(
        "data_view_next", st.session_state.get("data_view")
    )
    if st.session_state.data_view not in views:
        st.session_state.data_view = SETS
    view = line.segmented_control(
        "View",
        views,
        key="data_view",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    return view or SETS


def choose_set() -> str:
    # What Visage makes itself is always to be had.
    names = [
        name
        for name in datasets.names()
        if library.dataset_is_here(name) or (name in SOURCES and SOURCES[name].making)
    ]
    wanted = st.session_state.pop("data_set_next", st.session_state.get("data_set"))
    if wanted is not None and wanted not in names:
        st.toast(
            f"There is no data set {plain(wanted[:60])} here any more, it may have been renamed "
            f"or deleted; this is {names[0]}.",
            duration="long",
        )
    st.session_state.data_set = wanted if wanted in names else names[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Data set", names, key="data_set", persist_state="session")
        if not limits.read_only() and st.button(
            "Train on it",
            icon=":material/model_training:",
            key="train_on_it",
            disabled=not library.dataset_is_here(name),
        ):
            st.session_state.new_dataset = name
            st.session_state.train_view = "New run"
            st.switch_page("pages/train.py")
    return name


def turn_to(name: str) -> None:
    """Show this set from now on."""
    st.session_state.data_view_next = SETS
    st.session_state.data_set_next = name
    st.rerun()


def tell_what_was_stored() -> None:
    """Once, after an upload."""
    news = st.session_state.pop("data_news", None)
    if news is not None:
        st.success(news.sentence, icon=":material/check_circle:")
        bring_data.list_skipped(news.skipped, news.skipped_count)


main()
