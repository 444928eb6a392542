"""Several runs side by side: their curves, what they were given and came to, their manifolds."""

__all__ = ["compare"]

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from ui import charts, words
from ui.train import audience, watch
from ui.words import plain
from vae.errors import VisageError
from vae.runs import Run, Status
from vae.runs.metrics import Records

# As many as the theme has colours for that everybody can tell apart.
MOST = 5

FIELDS = {
    "Held-out ELBO": "heldout_elbo",
    "Training ELBO": "elbo",
    "Held-out log-likelihood": "heldout_log_likelihood",
    "Held-out KL": "heldout_kl",
}


# The figures that runs come to, and their decimals.
RESULTS = {
    "held-out ELBO, nats": 1,
    "held-out log p(x)": 1,
    "training ELBO, nats": 1,
    "held-out KL, nats": 1,
    "latents in use": 0,
    "best at step": 0,
}

Drawing = Callable[[dict[str, Run], dict[str, Status], str], None]


def compare(found: dict[str, Run]) -> None:
    """Pick runs and see them together, as they are now as long as one of them is alive."""
    names = st.multiselect(
        "Runs",
        list(found),
        list(found)[:2],
        key="compared",
        max_selections=MOST,
        persist_state="session",
    )
    chosen = {name: found[name].path for name in names if name in found}
    if not chosen:
        st.info("Pick the runs to compare.", icon=":material/compare_arrows:")
        return
    field = st.segmented_control(
        "Curve",
        list(FIELDS),
        default="Held-out ELBO",
        required=True,
        key="compared_field",
        help=words.meaning(
            "held-out",
            "ELBO",
            "log-likelihood",
            "KL divergence",
            "log p(x)",
            "latents in use",
            "nats",
        ),
    )
    alive = any(found[name].status().is_alive for name in chosen)
    slowness = slowest(chosen)
    for draw, seconds in (
        (draw_figures, watch.REFRESH),
        (draw_manifolds, watch.REFRESH_PICTURES),
    ):
        every = seconds * slowness if alive else None
        st.fragment(look, run_every=every)(chosen, alive, slowness, draw, field)


def slowest(paths: dict[str, Path]) -> int:
    """How many times as long as usual to wait between two looks, as whoever watches these runs."""
    return max(audience.of(path) for path in paths.values())


def look(
    paths: dict[str, Path], were_alive: bool, slowness: int, draw: Drawing, field: str
) -> None:
    """Draw the runs as they are now; once all have ended, start the page over."""
    with words.sentences():
        try:
            chosen = {name: Run(path) for name, path in paths.items()}
        except VisageError:
            # One was deleted or renamed: the page as a whole looks what is there.
            st.rerun()
        states = {name: run.status() for name, run in chosen.items()}
        has_ended = not any(status.is_alive for status in states.values())
        if were_alive and (has_ended or slowest(paths) != slowness):
            st.rerun()
        draw(chosen, states, field)


def draw_figures(chosen: dict[str, Run], states: dict[str, Status], field: str) -> None:
    records = {name: watch.metrics_file(run.path).read() for name, run in chosen.items()}
    if warning := difference(chosen, field):
        st.warning(warning, icon=":material/balance:")
    lines = {name: one.curve(FIELDS[field], watch.POINTS) for name, one in records.items()}
    st.plotly_chart(
        charts.compared_curves(lines, f"{field}, nats"),
        key="compared_curves",
        height=420,
        config={"displayModeBar": False},
        alt=f"{field} of the runs over the training samples evaluated",
    )
    st.dataframe(
        table(chosen, states, records),
        width="stretch",
        height="content",
        alt="Settings and results of the runs, a run a column",
    )


def difference(chosen: dict[str, Run], field: str) -> str:
    """Why the curves of these runs can't be held against each other, or nothing."""
    configs = [run.config for run in chosen.values()]
    data = sorted({Path(str(config.dataset)).name for config in configs})
    if len({str(config.dataset) for config in configs}) > 1:
        return (
            f"These runs are on different data ({', '.join(map(plain, data))}). A figure in nats "
            "depends on the images and on how many pixels they have: compare the shapes of "
            "these curves, not their heights."
        )
    held = {(config.split, config.holdout, config.split_seed) for config in configs}
    if len(held) > 1 and field.startswith("Held-out"):
        return (
            "These runs hold out different images: small differences between their held-out "
            "figures say little, and random images are easier than the last ones."
        )
    return ""


def table(
    chosen: dict[str, Run], states: dict[str, Status], records: dict[str, Records]
) -> pd.DataFrame:
    """The settings in which the runs differ, and their results; a run a column."""
    settings = pd.DataFrame(
        {
            name: {
                setting.replace("_", " "): spelt(value)
                for setting, value in dataclasses.asdict(run.config).items()
                # Its name tells a reader more than its constants.
                if setting != "whole_recipe"
            }
            for name, run in chosen.items()
        }
    )
    differing = settings.loc[settings.nunique(axis=1) > 1] if len(chosen) > 1 else settings
    came_to = {name: results(run, states[name], records[name]) for name, run in chosen.items()}
    return pd.concat([differing, pd.DataFrame(came_to)])


def results(run: Run, status: Status, records: Records) -> dict[str, str]:
    """What a run has come to: its best model's figures or, while it is alive, the latest."""
    card = None if status.is_alive else run.results()
    best = records.best
    if status.is_alive:
        step = int(records.last("step") or 0)
        figures = [
            records.last("heldout_elbo"),
            None,
            records.last("elbo"),
            records.last("heldout_kl"),
            None,
            best and best[0],
        ]
    else:
        step = status.step
        figures = [
            card and card.heldout.elbo,
            card and card.heldout.importance_weighted,
            card and card.train.elbo,
            card and card.heldout.kl,
            card and card.active_units,
            card and card.step,
        ]
    rows = {"state": status.state, "steps taken": f"{step:,}"}
    for (label, digits), value in zip(RESULTS.items(), figures, strict=True):
        rows[label] = "–" if value is None else words.number(value, digits)
    return rows


def draw_manifolds(chosen: dict[str, Run], states: dict[str, Status], field: str) -> None:
    for column, (name, run) in zip(st.columns(len(chosen)), chosen.items(), strict=True):
        found = watch.pictures(run, states[name])
        with column:
            if found is not None:
                st.image(found["manifold"], width="stretch", alt=f"The manifold of {name}")
            st.caption(plain(name) + (f", step {found['step']:,}" if found else ""))


def spelt(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
