"""A page to send: the button that makes one HTML file of a model."""

__all__ = ["offer"]

import streamlit as st

from ui import browser, library, words
from ui.library import Choice, Stored
from vae import page
from vae.errors import VisageError
from vae.latent.packed import NamedAxis
from vae.models.checkpoint import Checkpoint


def offer(choice: Choice, checkpoint: Checkpoint, axes: tuple[NamedAxis, ...] = ()) -> None:
    """Draw the button, with what stands in the file and how it is shown in another page.

    What is shared is the model alone, so that a deployment that is only read offers it too.
    """
    # What is in it is made when it is opened: most reruns are of visitors who drag.
    popover = st.popover("Share", icon=":material/ios_share:", key="share", on_change="rerun")
    if not popover.open:
        return
    with popover:
        st.markdown(
            "**One HTML file** with this model in it. It opens by a double click, on a phone or "
            "in a lecture, with no server and no network. No training image is in it."
        )
        encoder = st.checkbox(
            "With the encoder",
            help="Visitors can try a photo of their own, which leaves their computer no more "
            "than it leaves yours. The file is larger.",
            key="share_encoder",
        )
        if problem := refusal(choice.stored, choice.name, encoder):
            st.caption(words.plain(problem))
            return
        name = f"{choice.name}.html"
        st.download_button(
            "Download the page",
            lambda: written(choice.stored, choice.name, encoder, axes),
            name,
            "text/html",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption("To show it in another page, put it beside that and paste:")
        st.code(
            page.iframe(name, page.title_of({choice.name: checkpoint})), "html", wrap_lines=True
        )


@st.cache_data(max_entries=64, show_spinner=False)
def refusal(stored: Stored, name: str, encoder: bool) -> str:
    """Why a model can't be shared, looked into once; empty where it can."""
    try:
        page.check(name, library.load(stored), encoder)
    except VisageError as error:
        return str(error)
    return ""


@st.cache_data(max_entries=8, show_spinner=False)
def written(stored: Stored, name: str, encoder: bool, axes: tuple[NamedAxis, ...] = ()) -> bytes:
    """A model's page, made once for all visitors."""
    parts = page.Parts(**browser.page_parts())
    model = {name: library.load(stored)}
    return page.page(model, parts, encoder=encoder, axes={name: axes}).encode()
