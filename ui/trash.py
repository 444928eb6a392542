"""Deleting with a way back: a button that names what it deletes, *Undo*, and what went lately."""

__all__ = ["Kind", "offer_deletion", "show_lately", "tell"]

import contextlib
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import streamlit as st

from ui import library
from ui.words import duration, plain
from vae import runs, trash
from vae.datasets import ingest, sources
from vae.errors import VisageError
from vae.models import collection
from vae.runs import sweep
from vae.trash import Deleted

# Seconds for which what was deleted stays on screen with *Undo*; it can be restored for longer.
TOLD = 600


class Kind(Enum):
    """What can be deleted: how it is called, where it is kept, and how it is deleted."""

    RUN = "run", "its models and all it recorded", runs.folder
    SET = "data set", "its images; models trained on it stay", lambda: sources.stored_folder("")
    MODEL = "model", "its checkpoint", collection.folder
    SWEEP = "experiment", "all its runs with their models", sweep.folder

    @property
    def home(self) -> Path:
        """The folder that these lie in."""
        return self.value[2]()

    def delete(self, path: Path, known: int | None) -> Deleted:
        """Move the one that is at a path, and is the known one, into the trash.

        Raises:
            VisageError: It is gone, or another one, or can't be moved.
        """
        trash.check(path, known)
        match self:
            case Kind.RUN:
                return runs.Run(path).delete(known)
            case Kind.SET:
                return ingest.delete(path.name, known)
            case Kind.MODEL:
                return collection.remove(path.stem, known)
            case Kind.SWEEP:
                return sweep.Sweep(path).delete(known)

    def restore(self, deleted: Deleted) -> None:
        """Bring one back, with what went along.

        Raises:
            VisageError: It is not in the trash any more, or its name has been given away.
        """
        (sweep.restore if self is Kind.SWEEP else trash.restore)(deleted)

    def erase(self, deleted: Deleted) -> None:
        """Remove one for good, with what went along.

        Raises:
            VisageError: It can't be removed.
        """
        (sweep.erase if self is Kind.SWEEP else trash.erase)(deleted)


def offer_deletion(kind: Kind, path: Path, name: str) -> None:
    """A popover with the button that deletes what is at this path now, whatever comes there."""
    what, with_it, _ = kind.value
    # The key is its own: once it is gone, so is an open popover, and the next one's is closed.
    known = trash.identity(path)
    with st.popover("Delete", icon=":material/delete:", key=f"deletion_{known}_{name}"):
        st.markdown(
            f"The {what} **{plain(name)}** goes into the trash, {with_it}. For "
            f"{trash.KEPT_HOURS} hours it can be restored."
        )
        st.button(
            f"Delete {plain(name)}",
            type="primary",
            key=f"delete_{known}_{name}",
            on_click=_delete,
            args=(kind, path, known),
        )


def tell() -> None:
    """What was just deleted, with *Undo*, in a corner of the page; or why nothing was."""
    news = st.session_state.get("trash_news")
    if news is None:
        return
    kind, deleted, sentence = news
    if deleted is None:
        del st.session_state.trash_news
        st.toast(sentence, duration="long")
        return
    if time.time() - deleted.when > TOLD or not deleted.path.exists():
        del st.session_state.trash_news
        return
    with st.container(
        key="undo", horizontal=True, vertical_alignment="center", width="content", border=True
    ):
        st.markdown(sentence, width="content")
        st.button(
            "Undo",
            icon=":material/undo:",
            key=f"undo_{deleted.path.parent.name}",
            on_click=_restore,
            args=(kind, deleted),
        )
        st.button(
            "Close",
            icon=":material/close:",
            type="tertiary",
            key="undo_close",
            on_click=lambda: st.session_state.pop("trash_news", None),
        )


def show_lately(kind: Kind) -> None:
    """Everything of a kind that can still be restored, or erased at once."""
    _sweep(kind.home)
    found = trash.kept(kind.home)
    if not found:
        return
    with st.expander(f"Recently deleted: {len(found)}", icon=":material/delete:"):
        for deleted in found:
            with st.container(horizontal=True, vertical_alignment="center"):
                ago = duration(time.time() - deleted.when)
                st.markdown(f"**{plain(deleted.name)}**, {ago} ago", width="content")
                for label, icon, change in (
                    ("Restore", ":material/undo:", _restore),
                    ("Erase now", ":material/delete_forever:", _erase),
                ):
                    st.button(
                        label,
                        icon=icon,
                        key=f"{label}_{deleted.path.parent.name}",
                        on_click=change,
                        args=(kind, deleted),
                    )
        st.caption(
            f"They are kept for {trash.KEPT_HOURS} hours. Until then they take up the disk."
        )


def _delete(kind: Kind, path: Path, known: int | None) -> None:
    _, last, _ = st.session_state.get("trash_news") or (None, None, "")
    if last is not None and last.place == path and not path.exists():
        # The second click of two quick ones.
        return
    with _telling_why_not(kind):
        deleted = kind.delete(path, known)
        st.session_state.trash_news = kind, deleted, f"**{plain(deleted.name)}** is deleted."
    if not path.exists():
        # One sentence is enough: that it is gone is no news to the page's selectors.
        for key in ("train_run", "data_set"):
            if st.session_state.get(key) == path.name:
                del st.session_state[key]
        if st.session_state.get("model") not in library.models():
            st.session_state.pop("model", None)


def _restore(kind: Kind, deleted: Deleted) -> None:
    with _telling_why_not(kind):
        kind.restore(deleted)
        st.session_state.trash_news = kind, None, f"**{plain(deleted.name)}** is back."
        # The visitor turns to it: pages take these up before they draw their widgets.
        key = {
            Kind.RUN: "turn_to",
            Kind.SET: "data_set_next",
            Kind.MODEL: "shelf_model_next",
            Kind.SWEEP: "lab_next",
        }
        st.session_state[key[kind]] = deleted.name


def _erase(kind: Kind, deleted: Deleted) -> None:
    with _telling_why_not(kind):
        kind.erase(deleted)
        st.session_state.trash_news = kind, None, f"**{plain(deleted.name)}** is gone for good."


@contextlib.contextmanager
def _telling_why_not(kind: Kind) -> Iterator[None]:
    """What a callback can't do is told in the next run, where :func:`tell` tells what was done."""
    try:
        yield
    except VisageError as error:
        st.session_state.trash_news = kind, None, plain(str(error))


@st.cache_resource(show_spinner=False)
def _sweep(home: Path) -> None:
    """Once in a server's life; and at each deletion, from then on."""
    trash.empty(home)
