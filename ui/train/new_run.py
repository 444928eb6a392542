"""The choices of a new training run, and its start."""

__all__ = ["offer"]

from typing import Any

import streamlit as st

from ui import library, missing_data, words
from vae import datasets, runs
from vae.datasets.published import SOURCES
from vae.errors import VisageError
from vae.runs import Run
from vae.training.memory import check_memory
from vae.training.recipes import TrainingConfig, recipe_for

RECIPE_WORDS = {
    "default": "this project's own: it learns faster and further",
    "adam": "the plain one that most implementations use",
    "paper": "the article's: Adagrad, weight decay, one hidden layer of 200 (it differs in the "
    "order of minibatches, by 10⁻¹⁰ in the variance, and by its split, the last fifth)",
}


def offer() -> Run | None:
    """Widgets for every choice; the run, once it has been started."""
    with st.container(border=True, key="new_run"):
        what, how, split = st.columns(3, gap="large")
        with what:
            choices: dict[str, Any] = {"dataset": choose_dataset()} | choose_model()
        with how:
            choices |= choose_steps(choices["recipe"], choices["latent_dim"])
        with split:
            choices |= choose_split()
        config = None
        with words.sentences():
            config = possible(choices)
        started = st.button(
            "Start training",
            type="primary",
            icon=":material/play_arrow:",
            disabled=config is None,
        )
        if config is None or not started:
            return None
        with words.sentences():
            run = runs.create(config)
            run.launch()
            return run
    return None


def possible(choices: dict) -> TrainingConfig:
    """What was chosen, if it can be trained here.

    Raises:
        VisageError: It can't, by its sizes or for want of memory.
    """
    hidden = hidden_dims(choices["hidden"])
    others = {name: value for name, value in choices.items() if name != "hidden"}
    config = TrainingConfig(**others, hidden_dims=hidden)
    check_memory(config, library.faces(choices["dataset"]).image_shape)
    return config


def choose_dataset() -> str:
    here = [name for name in datasets.names() if library.dataset_is_here(name)]
    name = st.selectbox("Data set", here, key="new_dataset", persist_state="session")
    for source in SOURCES.values():
        if source.name in here:
            continue
        others = [
            f"**{other.name}**, {other.what}, is"
            for other in SOURCES.values()
            if other.name in here
        ]
        st.caption(
            "; ".join(
                [
                    f"**{source.name}** ({source.title}, {source.what}) is not on this machine",
                    *others,
                ]
            )
            + "."
        )
        with st.popover(f"Get {source.title}", icon=":material/download:"):
            missing_data.offer(source)
    return name


def choose_model() -> dict:
    latent_dim = st.number_input(
        "Latent dimensions",
        1,
        64,
        2,
        key="new_latent_dim",
        persist_state="session",
        help="K, the number of values that describe a face. Two can be drawn as a map.",
    )
    recipe = st.segmented_control(
        "Recipe",
        list(RECIPE_WORDS),
        default="default",
        required=True,
        key="new_recipe",
        persist_state="session",
        help="  \n".join(f"**{name}** is {words}." for name, words in RECIPE_WORDS.items()),
    )
    suggested = " ".join(map(str, recipe_for(recipe, latent_dim).hidden_dims))
    hidden = st.text_input(
        "Hidden units",
        suggested,
        # Another recipe suggests another network; a choice is kept while its suggestion stays.
        key=f"new_hidden_{recipe}_{suggested}",
        persist_state="session",
        help="Units of each hidden layer of the encoder, such as 200 200; the decoder has the "
        "same in reverse order.",
    )
    return {"latent_dim": latent_dim, "recipe": recipe, "hidden": hidden}


def choose_steps(name: str, latent_dim: int) -> dict:
    recipe = recipe_for(name, latent_dim)
    rate = recipe.learning_rate
    return {
        "steps": st.number_input(
            "Steps",
            1,
            10_000_000,
            recipe.steps,
            1_000,
            key=f"new_steps_{name}",
            persist_state="session",
        ),
        "batch_size": st.number_input(
            "Batch size", 1, 100_000, 100, key="new_batch", persist_state="session"
        ),
        "learning_rate": st.number_input(
            "Learning rate",
            1e-6,
            10.0,
            rate,
            rate / 4,
            format="%g",
            key=f"new_rate_{name}_{rate:g}",
            persist_state="session",
            help="Its highest value: the default recipe warms up to it and then goes down to 0.",
        ),
    }


def choose_split() -> dict:
    return {
        "holdout": st.slider(
            "Held out",
            0.05,
            0.5,
            0.1,
            0.05,
            format="percent",
            key="new_holdout",
            persist_state="session",
            help="The share of the images that it never trains on, to judge it by.",
        ),
        "split": st.segmented_control(
            "Which images",
            ["random", "last"],
            default="random",
            required=True,
            key="new_split",
            persist_state="session",
            help="Frey's frames are a video: random ones have near-twins in the training set; "
            "the last ones are a stretch of the video that it has never seen.",
        ),
        "seed": st.number_input(
            "Seed",
            0,
            2**31,
            0,
            key="new_seed",
            persist_state="session",
            help="The same seed on the same machine gives the same model, bit for bit.",
        ),
    }


def hidden_dims(text: str) -> tuple[int, ...]:
    """The sizes of the hidden layers as typed.

    Raises:
        VisageError: They are not whole numbers.
    """
    try:
        return tuple(map(int, text.replace(",", " ").split()))
    except ValueError as error:
        raise VisageError(
            f"Hidden units are whole numbers, one a layer, such as 200 200, not '{text}'."
        ) from error
