"""Start a training run, watch it learn, and compare it with others."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import header, session, trash
from ui.train import comparison, laboratory, new_run, run_controls, time_lapse, watch
from ui.trash import Kind
from ui.words import plain
from vae import limits, runs
from vae.runs import Run

NEW, WATCH, COMPARE, LAB = "New run", "Watch", "Compare", "One thing changed"


def main() -> None:
    session.be_in_the_app()
    line = header.open_page("Train", explain)
    found = {run.name: run for run in runs.all_runs()}
    follow_link(found)
    view = choose_view(line, found)
    if view == NEW:
        started = new_run.offer()
        if started is not None:
            turn_to(started)
    elif view == LAB:
        wanted = laboratory.experiment()
        if wanted is not None:
            turn_to(wanted)
        if not limits.read_only():
            trash.show_lately(Kind.SWEEP)
    elif not found:
        st.info("There is no run here yet.", icon=":material/model_training:")
    elif view == COMPARE:
        comparison.compare(found)
    else:
        show(found)
    if view == WATCH:
        tell_of_damaged()
        if not limits.read_only():
            trash.show_lately(Kind.RUN)


def explain() -> None:
    st.markdown(
        "Training moves the weights of encoder and decoder uphill on the ELBO, a lower bound "
        "on how likely the model finds the images, a minibatch at a time. "
        "The validation curve is the same figure for images it never trains on: where it falls "
        "while the training curve rises, the model learns its images by heart, so the best "
        "model by that curve is the one that is kept. That choice flatters it, so at the end both "
        "models are judged once on the test set, which nothing has seen. "
        "Of the two terms, the log-likelihood says how well faces are rebuilt, and the KL "
        "divergence how much their latents tell: a latent that tells nothing is not in use."
    )
    st.latex(
        r"\mathcal{L}(\theta, \phi; x) = -D_{KL}(q_\phi(z \mid x) \,\|\, p(z)) + "
        r"\frac1L \sum_{l=1}^{L} \log p_\theta(x \mid z^{(l)}), \qquad "
        r"z^{(l)} = \mu_\phi(x) + \sigma_\phi(x) \odot \epsilon^{(l)}"
    )
    st.caption(
        "Kingma & Welling, *Auto-Encoding Variational Bayes* (2014), algorithm 1, equation 10 "
        "and Figure 2: [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)"
    )


def follow_link(found: dict[str, Run]) -> None:
    """Turn to the run that was just started, or that the URL names when a visitor arrives."""
    asked = st.session_state.pop("turn_to", None)
    if asked is None and "train_view" not in st.session_state:
        asked = st.query_params.get("run")
    if asked is not None:
        st.session_state.train_view = WATCH
        st.session_state.train_run = asked
    wanted = st.session_state.get("train_run")
    if wanted is not None and wanted not in found:
        del st.session_state.train_run
        if st.session_state.get("train_view") == WATCH:
            instead = f"this is {plain(first(found))}" if found else "start a new one"
            st.toast(
                f"There is no run {plain(wanted[:60])} here, it may have been renamed or deleted; "
                f"{instead}.",
                duration="long",
            )
    if not found:
        st.query_params.pop("run", None)


def first(found: dict[str, Run]) -> str:
    """The run that is shown unless another is asked for."""
    running = (name for name, run in found.items() if run.status().state == "running")
    return next(running, next(iter(found)))


def tell_of_damaged() -> None:
    """Say which runs aren't offered because nobody can tell what they are."""
    names = runs.damaged()
    if names:
        shown = ", ".join(plain(name[:60]) for name in names[:3])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        st.caption(
            f"Not shown, as config.json is damaged: {shown}{more}. Put the file back, or delete "
            "the folder."
        )


def turn_to(run: Run) -> None:
    """Watch this run from now on."""
    st.session_state.turn_to = run.name
    st.rerun()


def choose_view(line: DeltaGenerator, found: dict[str, Run]) -> str:
    views = [WATCH, COMPARE, LAB] if limits.read_only() else [NEW, WATCH, COMPARE, LAB]
    if limits.read_only():
        st.info(
            "This is a public deployment: look at its runs as you like; nothing can be trained "
            "or changed here.",
            icon=":material/lock:",
        )
    if st.session_state.get("train_view") not in views:
        st.session_state.train_view = WATCH if found else views[0]
    view = line.segmented_control(
        "View",
        views,
        key="train_view",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    return view or views[0]


def choose_run(found: dict[str, Run]) -> Run:
    if "train_run" not in st.session_state:
        st.session_state.train_run = first(found)
    name = st.selectbox(
        "Run",
        list(found),
        key="train_run",
        label_visibility="collapsed",
        persist_state="session",
    )
    if st.query_params.get("run") != name:
        st.query_params["run"] = name
    return found[name]


def show(found: dict[str, Run]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="run_bar"):
        run = choose_run(found)
        changed = run_controls.offer(run)
    if changed is not None:
        turn_to(changed)
    watch.watch(run)
    time_lapse.show(run)


main()
