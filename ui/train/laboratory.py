"""One thing changed: runs that differ in one setting, side by side with common axes."""

__all__ = ["experiment"]

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from ui import charts, trash, words
from ui.train import audience, comparison, new_run, watch
from ui.trash import Kind
from ui.words import plain
from vae import limits
from vae.errors import VisageError
from vae.runs import Run, Status, sweep
from vae.runs.metrics import Records
from vae.runs.sweep import FEWEST, KNOBS, MOST, Sweep

NEW = "A new one"

# Side by side, unless there are four; on a narrow screen they come below each other.
ACROSS = 3

# Settings that no picture is needed of to know that they are the same.
UNSAID = ("whole_recipe", "device", "network")

DIFFERENT_LIKELIHOODS = (
    "These runs have different likelihoods, whose figures are of different densities: compare the "
    "shapes of these curves and what the models draw, not heights and rows."
)


def experiment() -> Run | None:
    """Begin a sweep or look at one; a run that a visitor wants to watch."""
    found = {one.name: one for one in sweep.all_sweeps()}
    with st.container(horizontal=True, vertical_alignment="center", key="lab_bar"):
        chosen = choose(found)
        if chosen is not None:
            with words.sentences():
                offer_controls(chosen)
    if chosen is not None:
        return show(chosen)
    if limits.read_only():
        st.info("There is no sweep here yet.", icon=":material/science:")
        return None
    begin()
    return None


def choose(found: dict[str, Sweep]) -> Sweep | None:
    """Which of the sweeps is looked at; None for a new one."""
    names = [*found] if limits.read_only() else [NEW, *found]
    if not names:
        return None
    turn_to = st.session_state.pop("lab_next", None)
    if turn_to in found:
        st.session_state.lab_sweep = turn_to
    if st.session_state.get("lab_sweep") not in names:
        alive = [name for name, one in found.items() if one.is_alive()]
        st.session_state.lab_sweep = (alive or [*found] or names)[0]
    name = st.selectbox(
        "Experiment",
        names,
        key="lab_sweep",
        label_visibility="collapsed",
        persist_state="session",
    )
    return found.get(name)


def begin() -> None:
    """The choice of what is varied, what stays, and the start."""
    with st.container(border=True, key="new_sweep"):
        left, right = st.columns([1, 2])
        knob = left.selectbox(
            "What changes",
            list(KNOBS),
            index=1,
            key="lab_knob",
            format_func=lambda name: KNOBS[name].words,
            persist_state="session",
        )
        text = right.text_input(
            f"{FEWEST} to {MOST} values",
            KNOBS[knob].such_as,
            key=f"lab_values_{knob}",
            persist_state="session",
            help="With spaces between them; the layers of one model with commas, as 200,200.",
        )
        st.caption(
            "Everything else is the same in all of them, also what a recipe would set otherwise. "
            "What is chosen here of the setting that changes counts for nothing but the recipe."
        )
        base = new_run.choose()
        configs = []
        if base is not None:
            with words.sentences():
                configs = sweep.varied(base, knob, text.split())
        started = st.button(
            f"Train {len(configs)} runs" if configs else "Train them",
            type="primary",
            icon=":material/science:",
            disabled=not configs,
        )
    if base is None or not configs or not started:
        return
    with words.sentences():
        made = sweep.create(base, knob, text.split())
        st.session_state.lab_next = made.name
        made.launch()
        st.rerun()


def offer_controls(chosen: Sweep) -> None:
    """Stop, resume, delete: all of its runs as one."""
    if limits.read_only():
        return
    if chosen.is_alive():
        asked = all(
            run.stop_requested() for run in chosen.here().values() if run.status().is_alive
        )
        label = "Stopping…" if asked else "Stop all"
        if st.button(label, icon=":material/stop_circle:", disabled=asked, key="lab_stop"):
            chosen.stop()
            st.rerun()
        return
    if not chosen.is_finished() and st.button(
        "Resume all", type="primary", icon=":material/play_arrow:", key="lab_resume"
    ):
        chosen.launch()
        st.rerun()
    trash.offer_deletion(Kind.SWEEP, chosen.path, chosen.name)


def show(chosen: Sweep) -> Run | None:
    """A sweep as it is now, and as long as one of its runs is alive; a run to be watched."""
    st.caption(frozen(chosen))
    if chosen.knob_name == "likelihood":
        st.warning(DIFFERENT_LIKELIHOODS, icon=":material/balance:")
    if len(chosen.here()) < len(chosen.entries):
        st.warning("Some of its runs are not here any more: they were deleted.")
    if not chosen.here():
        return None
    alive = chosen.is_alive()
    slowness = audience.of(chosen.path)
    every = watch.REFRESH_PICTURES * slowness if alive else None
    if not alive:
        show_table(chosen)
    st.fragment(look, run_every=every)(chosen.path, alive, slowness)
    wanted = st.session_state.pop("lab_watch", None)
    return chosen.here().get(wanted) if wanted is not None else None


def frozen(chosen: Sweep) -> str:
    """What changes, and all that does not."""
    said = []
    for field in dataclasses.fields(chosen.base):
        value = getattr(chosen.base, field.name)
        if field.name in (*UNSAID, chosen.knob.field) or value is None:
            continue
        text = Path(value).name if field.name == "dataset" else comparison.spelt(value)
        said.append(f"{field.name.replace('_', ' ')} {plain(text)}")
    return f"**{chosen.knob.words} changes**; frozen: {' · '.join(said)}"


def look(path: Path, were_alive: bool, slowness: int) -> None:
    """Draw the runs as they are now; once all have ended, start the page over."""
    with words.sentences():
        try:
            chosen = Sweep(path)
        except VisageError:
            # Another viewer deleted it.
            st.rerun()
        if were_alive and (not chosen.is_alive() or audience.of(path) != slowness):
            st.rerun()
        draw(chosen)


def draw(chosen: Sweep) -> None:
    """The runs as small multiples: curve, manifold, reconstructions, KL of each latent."""
    here = chosen.here()
    states = {value: run.status() for value, run in here.items()}
    records = {value: watch.metrics_file(run.path).read() for value, run in here.items()}
    pictures = {value: watch.pictures(run, states[value]) for value, run in here.items()}
    latents = {value: found["kl"] for value, found in pictures.items() if found is not None}
    moment = tuple(
        (str(run.path), len(records[value]), records[value].last("step"), step_of(pictures[value]))
        for value, run in here.items()
    )
    curves, uses = _figures(moment, records, latents)
    values = list(here)
    across = max(2, len(values)) if len(values) <= ACROSS + 1 else ACROSS
    for first in range(0, len(values), across):
        for column, value in zip(st.columns(across), values[first : first + across], strict=False):
            with column:
                draw_one(chosen, value, states[value], curves, uses, pictures[value])


def step_of(found: dict | None) -> int | None:
    return None if found is None else found["step"]


def draw_one(
    chosen: Sweep,
    value: str,
    status: Status,
    curves: dict[str, go.Figure],
    uses: dict[str, go.Figure],
    found: dict[str, Any] | None,
) -> None:
    """One run of a sweep, in its column."""
    state, icon, colour = watch.STATES["finishing" if status.is_finishing else status.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        symbol = chosen.knob.words.partition(",")[0]
        st.markdown(f"**{symbol} = {plain(value)}**", width="content")
        st.badge(state, icon=icon, color=colour)
        st.button(
            "Watch",
            type="tertiary",
            key=f"lab_watch_{value}",
            on_click=lambda: st.session_state.update(lab_watch=value),
        )
    if status.error:
        st.error(plain(status.error))
    key = f"{chosen.name}_{value}"
    if value in curves:
        plot(curves[value], f"lab_curve_{key}", 210, f"Validation and training ELBO, {value}")
    if found is None:
        st.caption("What it draws is shown from its first checkpoint on.")
        return
    said = f"manifold at step {found['step']:,}{found['row']}"
    st.image(found["manifold"], width="stretch", alt=f"The {said}, {value}")
    st.caption(said[0].upper() + said[1:])
    if "faces" in found:
        st.image(found["faces"], width="stretch", alt=f"Faces and reconstructions, {value}")
        st.caption("Six validation faces, and below each its reconstruction")
    if value in uses:
        plot(uses[value], f"lab_use_{key}", 190, f"The KL divergence of each latent, {value}")


def plot(figure: go.Figure, key: str, height: int, alt: str) -> None:
    st.plotly_chart(figure, key=key, height=height, config={"displayModeBar": False}, alt=alt)


@st.cache_resource(max_entries=32, show_spinner=False)
def _figures(
    moment: tuple, _records: dict[str, Records], _latents: dict[str, np.ndarray]
) -> tuple[dict[str, go.Figure], dict[str, go.Figure]]:
    """The curves and the latents' KL divergences of all runs, with common axes."""
    lines = {
        value: {
            name: records.curve(field, watch.POINTS // 2)
            for name, field in (("training", "elbo"), ("validation", "heldout_elbo"))
        }
        for value, records in _records.items()
        if len(records)
    }
    return charts.common_curves(lines, "ELBO, nats"), charts.common_latent_use(_latents)


def show_table(chosen: Sweep) -> None:
    """What the runs of a sweep that has ended came to: rate and distortion, and all figures."""
    rows = chosen.rows()
    if not limits.read_only():
        # The trainer of the last run leaves it, unless it was killed.
        with contextlib.suppress(VisageError, OSError):
            if not chosen.csv_path.exists():
                chosen.write_csv()
    measured = [row for row in rows if row["kl"] is not None]
    sets = {row["measured_on"] for row in measured}
    if measured:
        plane, table = st.columns([2, 3], gap="large")
        with plane:
            points = {
                row[chosen.knob_name]: (row["kl"], -row["log_likelihood"]) for row in measured
            }
            plot(
                charts.rate_distortion(points, chosen.knob.words),
                f"lab_plane_{chosen.name}",
                340,
                "Rate against distortion, a point a run",
            )
            st.caption(
                "The ELBO's two terms as a plane: what the latents tell, and what is lost of the "
                "image all the same. Towards the lower left is better; along a line that falls "
                "by 1 for each 1, the ELBO is the same. Alemi et al., *Fixing a Broken ELBO* "
                "(2018): [arXiv 1711.00464](https://arxiv.org/abs/1711.00464)"
            )
        with table:
            st.dataframe(
                frame(chosen, rows),
                width="stretch",
                height="content",
                hide_index=True,
                alt="What each run came to",
            )
            st.caption(
                f"Figures of the best model on its {' or '.join(sorted(sets))} images, in nats an "
                "image, ± their standard error over images."
                + (
                    ""
                    if sets == {"test"}
                    else " Those that are not of a test set also chose the "
                    "step, or training is not over: they are a little too good."
                ),
                help=words.meaning(*sorted(sets), "±", "ELBO", "KL divergence", "log p(x)"),
            )
    st.download_button(
        "Download CSV",
        chosen.csv(),
        f"{chosen.name}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def frame(chosen: Sweep, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows as people read them."""

    def told(row: dict[str, Any], name: str, sign: int = 1) -> str:
        value = row[name]
        if value is None:
            return "–"
        return words.with_error(sign * value, row.get(f"{name}_error"), 1)

    return pd.DataFrame(
        [
            {
                chosen.knob.words: row[chosen.knob_name],
                "state": row["state"],
                "images": row["measured_on"] or "–",
                "ELBO": told(row, "elbo"),
                "log p(x), at least": told(row, "importance_weighted"),
                "KL (rate)": told(row, "kl"),
                "−log p(x|z) (distortion)": told(row, "log_likelihood", -1),
                "latents in use": "–" if row["active_units"] is None else str(row["active_units"]),
                "best at step": "–" if row["steps"] is None else f"{row['steps']:,}",
            }
            for row in rows
        ]
    )
