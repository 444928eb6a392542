"""Several runs side by side: their curves, what they were given and came to, their manifolds."""

__all__ = ["compare", "spelt"]

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from ui import charts, words
from ui.train import audience, watch
from ui.train.exact import draw_evidence
from ui.words import plain
from vae.errors import VisageError
from vae.models.card import Figures
from vae.models.likelihoods import LIKELIHOODS
from vae.runs import Run, Status
from vae.runs.metrics import Records

# As many as the theme has colours for that everybody can tell apart.
MOST = 5

FIELDS = {
    "Validation ELBO": "heldout_elbo",
    "Training ELBO": "elbo",
    "Validation log-likelihood": "heldout_log_likelihood",
    "Validation KL": "heldout_kl",
}

# The sets that figures are of, what counts most first.
SETS = ("test", "validation", "training")

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
        default="Validation ELBO",
        required=True,
        key="compared_field",
        help=words.meaning(
            "validation",
            "ELBO",
            "log-likelihood",
            "KL divergence",
            "likelihood",
            "log p(x)",
            "latents in use",
            "mutual information gap",
            "DCI",
            "nats",
        ),
    )
    alive = any(found[name].status().is_alive for name in chosen)
    slowness = slowest(chosen)

    def keep_looking(draw: Drawing, seconds: float) -> None:
        every = seconds * slowness if alive else None
        st.fragment(look, run_every=every)(chosen, alive, slowness, draw, field)

    keep_looking(draw_figures, watch.REFRESH)
    st.fragment(draw_evidence)(chosen)
    keep_looking(draw_manifolds, watch.REFRESH_PICTURES)


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
        charts.compared_curves(
            {
                words.figure(name, chosen[name].config.likelihood): line
                for name, line in lines.items()
            },
            f"{field}, nats",
        ),
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
    st.caption(
        "Figures in nats an image, ± their standard error over images: of each set first the best "
        "model's, whose step validation chose, then the last one's. A test set is looked at once, "
        "when a run has come to its end; runs of before there was one have none.",
        help=words.meaning(*SETS, "±"),
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
    if len({config.likelihood for config in configs}) > 1:
        kinds = sorted({config.likelihood for config in configs})
        said = (
            f"These runs have different likelihoods ({', '.join(kinds)}), as is said beside each: "
            "a figure in nats tells how well its own kind of noise explains the images."
        )
        if any(LIKELIHOODS[kind].is_mass for kind in kinds):
            said += (
                " Those of logistic are probabilities of grey levels and the others densities: "
                "their heights can't be compared."
            )
        return said
    held = {(config.split, config.holdout, config.test, config.split_seed) for config in configs}
    if len(held) > 1 and field.startswith("Validation"):
        return (
            "These runs are validated or tested on different images: small differences between "
            "their figures say little, and random images are easier than the last ones."
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
    # What only some have is no figure of the others.
    return pd.concat([differing, pd.DataFrame(came_to)]).fillna("–")


def results(run: Run, status: Status, records: Records) -> dict[str, str]:
    """What a run has come to: its best model and its last or, while it is alive, the latest."""
    rows = {"state": status.state, "figures are of": f"{run.config.likelihood} likelihood"}
    if status.is_alive:
        best, none = records.best, Figures()
        rows["steps taken"] = f"{int(records.last('step') or 0):,}"
        of_best, of_last = (
            (none, Figures(elbo=best[2] if best else None), none),
            (
                none,
                Figures(elbo=records.last("heldout_elbo"), kl=records.last("heldout_kl")),
                Figures(elbo=records.last("elbo")),
            ),
        )
        units, best_step, apart = None, best and best[0], None
    else:
        rows["steps taken"] = f"{status.step:,}"
        cards = run.results(), run.last_results()
        of_best, of_last = (
            (card.test, card.heldout, card.train) if card else (Figures(),) * 3 for card in cards
        )
        units, best_step = (cards[0].active_units, cards[0].step) if cards[0] else (None, None)
        apart = watch.disentanglement(run)
    for images, best, last in zip(SETS, of_best, of_last, strict=True):
        rows[f"{images} ELBO, best"] = told(best.elbo, best.elbo_error)
        rows[f"{images} ELBO, last"] = told(last.elbo, last.elbo_error)
        if images != "training":
            rows[f"{images} log p(x), at least"] = told(
                best.importance_weighted, best.importance_weighted_error
            )
    # Of a run that is alive the latest is all that is known.
    kl = of_last[1] if status.is_alive else of_best[1]
    rows["validation KL"] = told(kl.kl, kl.kl_error)
    rows["latents in use"] = told(units, digits=0)
    rows["best at step"] = told(best_step, digits=0)
    if apart is not None:
        rows["mutual information gap"] = words.number(apart.mutual_information_gap, 3)
        rows["DCI disentanglement"] = words.number(apart.disentanglement, 3)
        rows["DCI completeness"] = words.number(apart.completeness, 3)
        rows["DCI prediction error"] = words.number(apart.prediction_error, 3)
    return rows


def told(value: float | None, error: float | None = None, digits: int = 1) -> str:
    """A figure with its standard error, or a dash for what is unknown."""
    return "–" if value is None else words.with_error(value, error, digits)


def draw_manifolds(chosen: dict[str, Run], states: dict[str, Status], field: str) -> None:
    for column, (name, run) in zip(st.columns(len(chosen)), chosen.items(), strict=True):
        found = watch.pictures(run, states[name])
        with column:
            words_of_it = plain(name)
            if found is not None:
                said = f"The manifold of {name}{found['row']}"
                st.image(found["manifold"], width="stretch", alt=said)
                words_of_it += f", step {found['step']:,}{found['row']}"
            st.caption(words_of_it)


def spelt(value: object) -> str:
    """A setting as a text: layers side by side, numbers without idle digits."""
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
