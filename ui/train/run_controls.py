"""What can be done with a run: stop, resume, extend, rename, delete, explore."""

__all__ = ["offer"]

import streamlit as st

from ui import session, trash, words
from ui.trash import Kind
from vae import limits
from vae.runs import Run, Status


def offer(run: Run) -> Run | None:
    """Buttons for all that makes sense now; the run as it is then, if one was pressed."""
    status = run.status()
    changed = None
    controls = st.container(horizontal=True, width="content", key="run_controls")
    with controls, words.sentences():
        if not status.is_alive and run.last.is_file():
            offer_model(run)
        if limits.read_only():
            return None
        if status.is_alive:
            return stop(run)
        changed = extend(run, status) if status.state == "finished" else resume(run)
        changed = changed or rename(run)
        trash.offer_deletion(Kind.RUN, run.path, run.name)
    return changed


def offer_model(run: Run) -> None:
    """The finished model is in the picker; this is the shortest way to it."""
    if st.button(
        "Explore this model",
        icon=":material/explore:",
        on_click=session.choose_run,
        args=(run.path,),
    ):
        st.switch_page("pages/explore.py")


def stop(run: Run) -> Run | None:
    asked = run.stop_requested()
    label = "Stopping…" if asked else "Stop"
    if not st.button(label, icon=":material/stop_circle:", disabled=asked, key="stop"):
        return None
    run.stop()
    return run


def resume(run: Run) -> Run | None:
    if not st.button("Resume", type="primary", icon=":material/play_arrow:"):
        return None
    run.launch()
    return run


def extend(run: Run, status: Status) -> Run | None:
    with st.popover("Extend", icon=":material/fast_forward:"):
        steps = st.number_input(
            "Train up to step",
            status.step + 1,
            None,
            max(2 * status.step, status.step + 1),
            1_000,
            key="extend_to",
        )
        if not st.button("Go on", type="primary"):
            return None
        run.extend(steps)
        run.launch()
        return run


def rename(run: Run) -> Run | None:
    popover = st.popover("Rename", icon=":material/edit:", key=f"renaming_{run.name}")
    # Where one looks, also when the sentence repeats a long name.
    with popover, words.sentences():
        name = st.text_input("Name", run.name, key=f"rename_{run.name}")
        if st.button("Rename", disabled=name == run.name):
            return run.rename(name)
    return None
