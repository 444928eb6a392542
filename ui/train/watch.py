"""What the Train page shows of one run: how it does, its curves, and what the model draws by now.

While a run is alive two fragments ask once in a while what is new. What is drawn from that is kept
for all viewers, so that ten of them cost little more than one; and a run that has ended is drawn
once and asks nothing.
"""

__all__ = ["disentanglement", "metrics_file", "pictures", "watch"]

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import charts, library, posteriors, tint
from ui.library import Choice, Stored
from ui.pictures import data_url
from ui.train import audience
from ui.words import duration, figure, meaning, number, sentences, with_error
from vae import images, latent
from vae.errors import VisageError
from vae.latent.disentanglement import Disentanglement, judge
from vae.models.card import ModelCard
from vae.runs import Run, Status
from vae.runs.metrics import MetricsFile, Records
from vae.runs.status import WAITED_ENOUGH

# Seconds between two looks at a run that is alive, and seconds for which one look's figures serve
# all who look: together the most that a viewer lags behind. Where many look, both are longer.
REFRESH = 1.2
MOMENT = 0.8

# The same for what the model draws, which changes with each checkpoint only.
REFRESH_PICTURES = 2.5

# Points of each curve: more than a chart has columns of pixels to draw them in.
POINTS = 1_000

MANIFOLD = 12
FACES = 6

# What each chart shows, for those who can't see it.
CHARTS = {
    "elbo": "The ELBO over the training samples evaluated, on training and validation images",
    "likelihood": "The log-likelihood over the training samples, training and validation",
    "kl": "The KL divergence over the training samples, training and validation",
    "rate": "The learning rate over the training samples",
    "speed": "Steps per second over the training samples",
    "plane": "Where the training images lie in the latent space, and the posteriors of a few",
    "use": "The KL divergence of each latent",
}

# Words, icon and colour of each state.
STATES: dict[str, tuple[str, str, Literal["blue", "green", "gray", "red", "orange"]]] = {
    "queued": ("Queued", ":material/hourglass_top:", "blue"),
    "running": ("Training", ":material/play_circle:", "green"),
    "finishing": ("Finishing", ":material/task_alt:", "green"),
    "stopped": ("Stopped", ":material/pause_circle:", "gray"),
    "finished": ("Finished", ":material/check_circle:", "green"),
    "failed": ("Failed", ":material/error:", "red"),
    "interrupted": ("Interrupted", ":material/power_off:", "orange"),
}


def watch(run: Run) -> None:
    """Show a run, and keep showing it as long as it is alive."""
    alive = run.status().is_alive
    slowness = audience.of(run.path)
    figures, drawings = st.columns([3, 2], gap="large")
    for column, draw, seconds in (
        (figures, show_figures, REFRESH),
        (drawings, show_drawings, REFRESH_PICTURES),
    ):
        with column:
            every = seconds * slowness if alive else None
            st.fragment(look, run_every=every)(run.path, alive, slowness, draw)


def look(
    path: Path, was_alive: bool, slowness: int, draw: Callable[[Run, Status, int], None]
) -> None:
    """Draw a run as it is now; once it has ended, or is to be looked at at another pace, start the
    page over."""
    with sentences():
        run = Run(path)
        status = run.status()
        if was_alive and not status.is_alive:
            # The page as a whole changes: other buttons, one more model to explore.
            st.rerun()
        if was_alive and audience.of(path) != slowness:
            st.rerun()
        draw(run, status, slowness)


def show_figures(run: Run, status: Status, slowness: int) -> None:
    """How a run does, in words and in curves."""
    records = metrics_file(run.path).read()
    show_progress(run, status, records)
    show_problem(run, status)
    if records.is_overfitting and records.best is not None and not status.best_since:
        st.warning(
            f"It has begun to overfit; the best model was at step {records.best[0]:,} and is "
            "kept.",
            icon=":material/trending_down:",
        )
    if not len(records):
        return
    moment = (
        int(time.time() / (MOMENT * slowness))
        if status.is_alive
        else (len(records), records.last("step"))
    )
    figures = _figures(str(run.path), moment, run.config.likelihood, status.noise_since, records)
    _plot(figures["elbo"], "elbo", 340)
    for pair in (("likelihood", "kl"), ("rate", "speed")):
        for column, name in zip(st.columns(2), pair, strict=True):
            with column:
                _plot(figures[name], name, 230)


def show_drawings(run: Run, status: Status, slowness: int) -> None:
    """What the latest model draws; of a run that has ended, the best one."""
    found = pictures(run, status)
    if found is None:
        if status.is_alive:
            st.caption("What it draws is shown from its first checkpoint on, in a few seconds.")
        return
    st.image(found["manifold"], width="stretch", alt=f"The decoded manifold{found['row']}")
    st.caption(f"The manifold at step {found['step']:,}{found['row']}")
    if "faces" in found:
        st.image(found["faces"], width="stretch", alt="Validation faces and reconstructions")
        st.caption("Six validation faces, and below each its reconstruction")
    plane = _plane(run, found)
    _plot(plane, "plane", 400 if plane.layout.showlegend else 300)
    _plot(found["use"], "use", 200)


def show_progress(run: Run, status: Status, records: Records) -> None:
    """The state in words, a bar, and the latest figures."""
    steps = run.config.steps
    step = status.step
    if status.state == "running":
        step = int(records.last("step") or 0)
    speed = _speed(records)
    text = f"step {step:,} of {steps:,}"
    share = min(1.0, step / steps)
    if status.is_finishing:
        share = status.share
        text = f"step {step:,} · judging the model and writing it, {100 * share:.0f} %"
    elif status.state == "running" and speed and step < steps:
        text += f" · {speed:,.0f} steps/s · {duration((steps - step) / speed)} left"
    if status.state == "running" and not status.is_finishing and status.noise_since:
        text += " · the noise is learnt, the faces stay"
    if status.state == "finished" and status.best_since:
        share = 1.0
        text += f" · ended with the weights of step {status.best_since:,}: {WAITED_ENOUGH}"
    words, icon, colour = STATES["finishing" if status.is_finishing else status.state]
    with st.container(horizontal=True, vertical_alignment="center", key="run_state"):
        st.badge(words, icon=icon, color=colour)
        st.caption(state_in_words(status))
    st.progress(min(1.0, max(0.0, share)), text=text)
    best = records.best
    with st.container(horizontal=True, key="run_figures"):
        for label, value, terms in (
            (
                figure("Training ELBO", run.config.likelihood),
                records.last("elbo"),
                ("ELBO", "log-likelihood", "likelihood", "nats"),
            ),
            ("Validation ELBO", records.last("heldout_elbo"), ("validation", "ELBO", "nats")),
            ("Best validation", best and best[2], ("validation", "ELBO", "nats")),
            ("KL divergence", records.last("kl"), ("KL divergence", "nats")),
        ):
            digits = 1 if label.startswith("KL") else 0
            st.metric(
                label,
                "–" if value is None else number(value, digits),
                help=meaning(*terms),
                width="content",
            )
    card = None if status.is_alive else run.results()
    if card is not None and (words := quality_in_words(card, run.last_results())):
        terms = card.measured_on, "ELBO", "±", "log p(x)", "latents in use", "nats"
        st.caption(words, help=meaning(*terms))


def quality_in_words(best: ModelCard, last: ModelCard | None) -> str:
    """What a run has come to, its best model and its last beside each other; or nothing."""
    found = best.quality
    if found.elbo is None:
        return ""
    is_tested = best.measured_on == "test"
    words = "Test" if is_tested else f"{best.measured_on.capitalize()}, which also chose the step"
    words += f": {figure('ELBO', best.likelihood)} {with_error(found.elbo, found.elbo_error)}"
    words += " nats for the best model"
    if best.step is not None:
        words += f", of step {best.step:,}"
    # The same images, or the two are no pair.
    at_end = (last.test if is_tested else last.heldout) if last is not None else found
    if last is not None and last.step != best.step and at_end.elbo is not None:
        words += f", and {with_error(at_end.elbo, at_end.elbo_error)} at the end"
    if found.images is not None:
        words += f", over {found.images:,} images"
    if found.importance_weighted is not None:
        bound = with_error(found.importance_weighted, found.importance_weighted_error)
        words += f"; {figure('log p(x)', best.likelihood)} at least about {bound} by importance "
        words += "weighting"
        if found.importance_images is not None:
            words += f" of {found.importance_images:,} images"
    if best.active_units is not None:
        words += f"; {best.active_units} of {best.latent_dim} latents in use"
    words += "."
    if best.measured_on == "validation":
        words += " The test set is looked at once, when the run has taken all its steps."
    return words


def state_in_words(status: Status) -> str:
    """What goes on, in a few words."""
    if status.state == "queued":
        if status.place:
            others = "another run" if status.place == 1 else f"{status.place} other runs"
            return f"It waits for {others} to end: this machine trains a few at once only."
        return "It starts in a moment."
    if status.state == "running":
        silence = time.time() - status.heartbeat
        return f"No news for {duration(silence)}." if silence > 10 else ""
    return f"{duration(time.time() - status.since)} ago" if status.since else ""


def show_problem(run: Run, status: Status) -> None:
    """What happened, what was kept, what to try; and the log, one click away."""
    if status.state in ("failed", "interrupted"):
        then = time.strftime("%H:%M, %d %B %Y", time.localtime(status.since))
        when = f"at {then}, " if status.since else ""
        kept = _kept(run)
        st.error(
            f"{status.error}\n\nThat was {when}at step {status.step:,}. {kept}",
            icon=":material/error:",
        )
        with st.expander("Log"):
            st.code(run.log_tail() or "It is empty.", language=None, wrap_lines=True)


def _kept(run: Run) -> str:
    card = run.results()
    if card is None:
        return "There was no checkpoint yet, so resuming starts from the beginning."
    words = "Kept: the last checkpoint and the best model"
    if card.step is not None:
        words += f", of step {card.step:,}"
    if card.heldout.elbo is not None:
        words += f", of validation ELBO {number(card.heldout.elbo)} nats"
    return f"{words}."


def pictures(run: Run, status: Status) -> dict | None:
    """What the latest model draws, or the best one of a run that has ended; None before that.

    ``manifold`` and, where the data set is here, ``faces`` as data URLs; ``row``, what is to be
    said of the manifold of one latent; ``posteriors``, the means and deviations of these faces and
    the latents that they are drawn over; the figure ``use``; ``kl``, the KL divergence of each
    latent, (K,); and the model's ``step`` and file, ``stored``.
    """
    wanted = (run.last, run.best) if status.is_alive else (run.best, run.last)
    path = next((path for path in wanted if path.is_file()), None)
    if path is None:
        return None
    try:
        return _pictures(Stored.of(path), run.config.dataset)
    except (VisageError, FileNotFoundError):
        # Deleted by another viewer a moment ago; a damaged file is the model picker's to tell.
        return None


@st.cache_resource(max_entries=24, show_spinner=False)
def _pictures(stored: Stored, dataset: str) -> dict:
    checkpoint = library.load(stored)
    model, card = checkpoint.model, checkpoint.card
    side = latent.faces_a_side(model, MANIFOLD)
    z = latent.manifold_sheet(side, latent_dim=model.latent_dim)
    found = {
        "step": card.step or 0,
        "stored": stored,
        "manifold": data_url(images.tile(latent.draw(model, z)), 2 if side == MANIFOLD else 1),
        # One latent has no plane to be a grid over.
        "row": f": a row along {charts.latent_name(0)}" if model.latent_dim == 1 else "",
    }
    kl = np.zeros(model.latent_dim)
    if checkpoint.posterior is not None:
        kl = latent.kl_per_latent(checkpoint.posterior)
    # The two latents that tell most of an image.
    axes = tuple(sorted(np.argsort(-kl, kind="stable")[:2].tolist())) if len(kl) > 1 else (0, 0)
    chosen = np.empty((0, model.latent_dim)), np.empty((0, model.latent_dim))
    data = library.faces(dataset) if library.dataset_is_here(dataset) else None
    if data is not None and data.image_shape == model.image_shape:
        parts = library.parts(card, data)
        heldout = parts.get("validation", parts.get("held-out", np.arange(len(data))))
        places = heldout[np.linspace(0, len(heldout) - 1, FACES).astype(int)]
        pixels = data.pixels(places)
        posterior = latent.encode(model, pixels)
        shown = images.to_uint8(latent.decode(model, posterior.mean)[0])
        pairs = np.stack([data.images[places], shown])
        found["faces"] = data_url(images.tile(pairs, 1), 4)
        chosen = posterior.mean, np.exp(0.5 * posterior.log_var)
    found["posteriors"] = *chosen, axes
    found["use"] = charts.latent_use(kl)
    found["kl"] = kl
    return found


def disentanglement(run: Run) -> Disentanglement | None:
    """How well the best model of a run keeps the known factors of its images apart; None where
    none are known."""
    if not run.best.is_file():
        return None
    try:
        return _disentanglement(Stored.of(run.best), str(run.config.dataset))
    except (VisageError, FileNotFoundError):
        return None


@st.cache_resource(max_entries=32, show_spinner="Looking how far apart the factors are…")
def _disentanglement(stored: Stored, dataset: str) -> Disentanglement | None:
    checkpoint = library.load(stored)
    posterior = checkpoint.posterior
    training = library.training_faces(_choice(stored, dataset))
    if training is None or posterior is None:
        return None
    data, places, _ = training
    if data.labels is None:
        return None
    return judge(
        latent.Posterior(*(np.asarray(part) for part in posterior)), data.labels.at(places)
    )


def _choice(stored: Stored, dataset: str) -> Choice:
    card = library.load(stored).card
    return Choice(stored.path.stem, stored.path, stored.version, card, dataset=dataset)


def _plane(run: Run, found: dict) -> go.Figure:
    """Where the training images lie, coloured by what the visitor chooses."""
    stored, (z_mean, z_std, axes) = found["stored"], found["posteriors"]
    coloured_by = None
    if z_mean.shape[1] > 1:
        choice = _choice(stored, str(run.config.dataset))
        count = len(library.posterior_means(stored))
        coloured_by = tint.choose(choice, lambda: charts.rows_drawn(count))
    labels = [str(place + 1) for place in range(len(z_mean))]
    mark = tint.mark_of(coloured_by)
    return posteriors.chart(stored, labels, axes, z_mean, z_std, mark, coloured_by)


@st.cache_resource(max_entries=32, show_spinner=False)
def metrics_file(path: Path) -> MetricsFile:
    """A run's metrics, read once for all viewers."""
    return Run(path).metrics_file()


@st.cache_resource(max_entries=32, show_spinner=False)
def _figures(
    path: str, moment: int | tuple, likelihood: str, noise_since: int, _records: Records
) -> dict[str, go.Figure]:
    def lines(field: str) -> dict:
        both = {"training": field, "validation": f"heldout_{field}"}
        return {name: _records.curve(field, POINTS) for name, field in both.items()}

    best = None
    if _records.best is not None:
        step, samples, value = _records.best
        best = samples, value, f"best at {step:,}"
    since = None
    samples, step = _records.last("samples"), _records.last("step")
    if noise_since and samples and step:
        # Samples grow evenly with steps.
        since = samples / step * noise_since, "the noise, faces kept →"
    rate, speed = (
        _records.curve(field, POINTS) for field in ("learning_rate", "steps_per_second")
    )
    return {
        "elbo": charts.training_curves(
            lines("elbo"), f"{figure('ELBO', likelihood)}, nats", best, since=since
        ),
        "likelihood": charts.training_curves(
            lines("log_likelihood"),
            f"{figure('log-likelihood', likelihood)}, nats",
            small=True,
        ),
        "kl": charts.training_curves(lines("kl"), "KL divergence, nats", small=True),
        "rate": charts.training_curves({"": rate}, "learning rate", small=True),
        "speed": charts.training_curves({"": speed}, "steps per second", small=True),
    }


def _plot(figure: go.Figure, name: str, height: int) -> None:
    st.plotly_chart(
        figure,
        key=f"run_{name}",
        height=height,
        config={"displayModeBar": False},
        alt=CHARTS[name],
    )


def _speed(records: Records) -> float:
    """Steps a second over the last records."""
    latest = records.table[-10:]
    if len(latest) < 2:
        return records.last("steps_per_second") or 0.0
    step, seconds = (records.column(name)[-len(latest) :] for name in ("step", "seconds"))
    return float((step[-1] - step[0]) / max(seconds[-1] - seconds[0], 1e-9))
