"""Several runs side by side: their curves, what they were given and came to, their manifolds."""

__all__ = ["compare"]

import dataclasses

import pandas as pd
import streamlit as st

from ui import charts, words
from ui.train import watch
from vae.runs import Run

# As many as the theme has colours for.
MOST = 5

FIELDS = {
    "Held-out ELBO": "heldout_elbo",
    "Training ELBO": "elbo",
    "Held-out log-likelihood": "heldout_log_likelihood",
    "Held-out KL": "heldout_kl",
}


def compare(found: dict[str, Run]) -> None:
    """Pick runs and see them together."""
    names = st.multiselect(
        "Runs",
        list(found),
        list(found)[:2],
        key="compared",
        max_selections=MOST,
        persist_state="session",
    )
    chosen = {name: found[name] for name in names if name in found}
    if not chosen:
        st.info("Pick the runs to compare.", icon=":material/compare_arrows:")
        return
    draw_curves(chosen)
    with words.sentences():
        st.dataframe(
            table(chosen),
            width="stretch",
            height="content",
            alt="Settings and results of the runs, a run a column",
        )
    draw_manifolds(chosen)


def draw_curves(chosen: dict[str, Run]) -> None:
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
    lines = {
        name: watch.metrics_file(run.path).read().curve(FIELDS[field], watch.POINTS)
        for name, run in chosen.items()
    }
    st.plotly_chart(
        charts.training_curves(lines, f"{field}, nats"),
        key="compared_curves",
        height=420,
        config={"displayModeBar": False},
        alt=f"{field} of the runs over the training samples evaluated",
    )


def table(chosen: dict[str, Run]) -> pd.DataFrame:
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
    differing = settings[settings.nunique(axis=1) > 1] if len(chosen) > 1 else settings
    return pd.concat([differing, pd.DataFrame({n: results(r) for n, r in chosen.items()})])


def results(run: Run) -> dict[str, str]:
    status, card = run.status(), run.results()
    rows = {"state": status.state, "steps taken": f"{status.step:,}"}
    for label, value, digits in (
        ("held-out ELBO, nats", card and card.heldout.elbo, 1),
        ("held-out log p(x)", card and card.heldout.importance_weighted, 1),
        ("training ELBO, nats", card and card.train.elbo, 1),
        ("held-out KL, nats", card and card.heldout.kl, 1),
        ("latents in use", card and card.active_units, 0),
        ("best at step", card and card.step, 0),
    ):
        rows[label] = "–" if value is None else words.number(value, digits)
    return rows


def draw_manifolds(chosen: dict[str, Run]) -> None:
    for column, (name, run) in zip(st.columns(len(chosen)), chosen.items(), strict=True):
        found = watch.pictures(run, run.status())
        with column:
            if found is not None:
                st.image(found["manifold"], width="stretch", alt=f"The manifold of {name}")
            st.caption(f"{name}" + (f", step {found['step']:,}" if found else ""))


def spelt(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
