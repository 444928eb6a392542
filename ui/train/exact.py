"""Beyond the bounds: log p(x) of compared runs' best models, found when somebody asks for it."""

__all__ = ["draw_evidence"]

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from ui import library, words
from ui.library import Stored
from vae.datasets.faces import Pixels
from vae.errors import VisageError
from vae.latent.evidence import Evidence, affordable, judge
from vae.runs import Run

# Images that each model is asked about: a second of a processor with two latents, some with more.
IMAGES = 32

TERMS = {
    "ELBO": "elbo",
    "refined ELBO": "refined_elbo",
    "log p(x)": "log_px",
    "amortisation gap": "amortisation_gap",
    "approximation gap": "approximation_gap",
}


def draw_evidence(paths: dict[str, Path]) -> None:
    """The ELBO, the refined ELBO and log p(x) of each run's best model, once they are asked for.

    Arguments:
        paths: The runs' folders by their names.
    """
    with words.sentences():
        runs = {name: run for name, run in _there(paths).items() if run.best.is_file()}
        if not runs:
            return
        stored = {name: Stored.of(run.best) for name, run in runs.items()}
        contents = {name: content(one) for name, one in stored.items()}
        wanted: set[str] = st.session_state.setdefault("compared_evidence", set())
        if not wanted.issuperset(contents.values()):
            st.button(
                "Find log p(x)",
                icon=":material/functions:",
                on_click=wanted.update,
                args=(list(contents.values()),),
                help="The exact one, or a sampled lower bound, of the best model of each run, on "
                f"at most {IMAGES} images: it takes a few seconds.  \n"
                + words.meaning("log p(x)", "refined ELBO"),
            )
        asked = [name for name in runs if contents[name] in wanted]
        if not asked:
            return
        with st.spinner("Looking for all that explains each image…"):
            columns = {name: column(runs[name], stored[name], contents[name]) for name in asked}
        st.dataframe(
            pd.DataFrame(columns),
            width="stretch",
            height="content",
            alt="The ELBO, the refined ELBO and log p(x) of the runs' best models, a run a column",
        )
        st.caption(
            "Of each run's best model, means in nats an image, ± their standard error over the "
            "images. ELBO ≤ refined ELBO ≤ log p(x): what lies between are the two gaps.",
            help=words.meaning(*TERMS, "±"),
        )


def column(run: Run, stored: Stored, of: str) -> dict[str, str]:
    """What is known of one run's best model, by the words of its rows."""
    rows = {"figures are of": f"{run.config.likelihood} likelihood", "images": ""}
    rows |= dict.fromkeys(TERMS, "–")
    try:
        found, rows["images"] = judged(run, stored, of)
    except VisageError as error:
        return rows | {"images": str(error)}
    if not np.isfinite(found.log_px).all():
        return rows
    figures = found.figures()
    for term, name in TERMS.items():
        error = figures.get(f"{name}_error")
        told = words.with_error(float(figures[name]), None if error is None else float(error), 1)
        is_bound = term == "log p(x)" and not found.is_integral
        rows[term] = f"at least about {told}" if is_bound else told
    return rows


def judged(run: Run, stored: Stored, of: str) -> tuple[Evidence, str]:
    """A run's best model on images of its data set, and which these are, in words.

    Raises:
        VisageError: The model can't be read, or its data set is not here or another.
    """
    checkpoint = library.load(stored)
    dataset = str(run.config.dataset)
    if not library.dataset_is_here(dataset):
        raise VisageError(f"{Path(dataset).name} is not on this machine")
    data = library.faces(dataset)
    if said := library.difference_in_data(checkpoint.card, data):
        raise VisageError(said)
    parts = library.parts(checkpoint.card, data)
    # Nothing looks at the test set before training is over.
    name = next(part for part in parts if part != "test" or not run.status().is_alive)
    part = parts[name]
    count = min(IMAGES, affordable(checkpoint.model), len(part))
    some = part[np.linspace(0, len(part) - 1, count).astype(int)]
    found = evidence(of, some, data.sha256, stored, data.pixels(some))
    return found, f"{count} of {len(part):,} {name}, evenly spaced"


@st.cache_resource(max_entries=256, show_spinner=False)
def content(stored: Stored) -> str:
    """What tells a checkpoint from every other, wherever it lies."""
    return hashlib.blake2b(stored.path.read_bytes(), digest_size=16).hexdigest()


@st.cache_resource(max_entries=256, show_spinner=False)
def evidence(
    content: str, places: np.ndarray, sha256: str, _stored: Stored, _pixels: np.ndarray | Pixels
) -> Evidence:
    """What a model makes of some images of a data set, found once for all visitors."""
    return judge(library.load(_stored).model, _pixels)


def _there(paths: dict[str, Path]) -> dict[str, Run]:
    try:
        return {name: Run(path) for name, path in paths.items()}
    except VisageError:
        # One was deleted or renamed: the page as a whole looks what is there.
        st.rerun()
