"""The choices of a new training run, and its start."""

__all__ = ["choose", "offer"]

import contextlib
import re
from typing import Any

import streamlit as st

from ui import library, missing_data, words
from ui.train import knobs
from vae import datasets, runs
from vae.datasets.faces import SPLITS, usual_test_share
from vae.datasets.published import SOURCES
from vae.errors import VisageError
from vae.models.architecture import AUTO, KINDS, PERCEPTRONS_VALUES, usual_kind
from vae.models.likelihoods import LIKELIHOODS
from vae.runs import Run
from vae.training.memory import check_memory
from vae.training.recipes import RECIPE_WORDS, Recipe, TrainingConfig, recipe_for, steps_of


def offer() -> Run | None:
    """Widgets for every choice; the run, once it has been started."""
    with st.container(border=True, key="new_run"):
        config = choose()
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


def choose() -> TrainingConfig | None:
    """Widgets for every choice of a run, and what the recipe says of them; None where what was
    chosen can't be trained, which is said."""
    images, model, training = st.columns(3, gap="large")
    with images:
        dataset = choose_dataset()
        choices: dict[str, Any] = {"dataset": dataset} | choose_split(dataset)
    with training:
        recipe = choose_recipe()
    with model:
        chosen = choose_model(recipe)
    # What the recipe suggests of steps depends on it.
    kind = network_of(dataset, chosen["network"])
    suggested = recipe_for(recipe, chosen["latent_dim"], network=kind)
    with training:
        steps = choose_steps(recipe, suggested, chosen["likelihood"])
    choices |= {"recipe": recipe} | chosen | steps | knobs.choose(suggested)
    choices["network"] = kind
    with words.sentences():
        config = possible(choices)
        # What differs from the recipe stands out.
        said = re.sub(r"\((here [^)]*)\)", r":orange-badge[\1]", config.recipe_in_words())
        st.caption(said)
        return config
    return None


def possible(choices: dict) -> TrainingConfig:
    """What was chosen, if it can be trained here.

    Raises:
        VisageError: It can't, by its sizes or for want of memory.
    """
    hidden = hidden_dims(choices["hidden"])
    others = {name: value for name, value in choices.items() if name != "hidden"}
    config = TrainingConfig(**others, hidden_dims=hidden)
    faces = library.faces(choices["dataset"])
    sets = config.holdout, config.test, config.split, config.split_seed, config.training_images
    set_sizes(faces.name, len(faces), *sets)
    check_memory(config, faces.image_shape)
    return config


def network_of(dataset: str, network: str) -> str:
    """The kind of network that was chosen, or is usual for the images where none was."""
    if network != AUTO:
        return network
    with contextlib.suppress(VisageError):
        return usual_kind(library.faces(dataset).image_shape)
    # That the images can't be read is told of where all choices are looked at.
    return network


def choose_dataset() -> str:
    here = [name for name in datasets.names() if library.dataset_is_here(name)]
    name = st.selectbox("Data set", here, key="new_dataset", persist_state="session")
    for source in SOURCES.values():
        if source.name in here:
            continue
        if source.making is not None:
            st.caption(f"**{source.name}**, {source.what}, has not been drawn here yet.")
            with st.popover(f"Draw {source.title}", icon=":material/brush:"):
                missing_data.offer(source)
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


def choose_recipe() -> str:
    return st.segmented_control(
        "Recipe",
        list(RECIPE_WORDS),
        default="default",
        required=True,
        key="new_recipe",
        persist_state="session",
        help="  \n".join(f"**{name}** is {said}." for name, said in RECIPE_WORDS.items()),
    )


def choose_model(recipe: str) -> dict:
    latent_dim = st.number_input(
        "Latent dimensions",
        1,
        64,
        2,
        key="new_latent_dim",
        persist_state="session",
        help="K, the number of values that describe a face. Two can be drawn as a map.",
    )
    suggested = " ".join(map(str, recipe_for(recipe, latent_dim).hidden_dims))
    hidden = st.text_input(
        "Hidden units",
        suggested,
        # Another recipe suggests another network; a choice is kept while its suggestion stays.
        key=f"new_hidden_{recipe}_{suggested}",
        persist_state="session",
        help="Units of each hidden layer of the encoder, such as 200 200; the decoder has the "
        "same in reverse order. Of a network conv, its width under More counts instead.",
    )
    network = st.selectbox(
        "Network",
        [AUTO, *KINDS],
        key="new_network",
        persist_state="session",
        help="What the layers are.  \n**auto** is mlp for images of up to "
        f"{PERCEPTRONS_VALUES:,} values, such as grey ones of 45×45, and conv for larger.  \n"
        + "  \n".join(f"**{name}** is {kind.in_general}." for name, kind in KINDS.items()),
    )
    return {
        "latent_dim": latent_dim,
        "hidden": hidden,
        "network": network,
        "likelihood": choose_likelihood(),
    }


def choose_likelihood() -> str:
    name = st.selectbox(
        "Likelihood",
        list(LIKELIHOODS),
        key="new_likelihood",
        persist_state="session",
        help="What noise the decoder expects around its mean, the face that you see.  \n"
        + "  \n".join(f"**{name}** is {kind.in_words}." for name, kind in LIKELIHOODS.items()),
    )
    st.caption(f"{LIKELIHOODS[name].in_words.capitalize()}.")
    return name


def choose_steps(name: str, recipe: Recipe, likelihood: str) -> dict:
    rate = recipe.learning_rate
    return {
        "steps": st.number_input(
            "Steps",
            1,
            10_000_000,
            suggested := steps_of(recipe, likelihood),
            1_000,
            # Another recipe or stage suggests another number; a choice is kept while it stays.
            key=f"new_steps_{name}" + ("" if suggested == recipe.steps else f"_{suggested}"),
            persist_state="session",
        ),
        "batch_size": st.number_input(
            "Batch size",
            1,
            100_000,
            recipe.batch_size,
            # Another network suggests another; a choice is kept while it stays.
            key="new_batch" + ("" if recipe.batch_size == 100 else f"_{recipe.batch_size}"),
            persist_state="session",
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


def choose_split(dataset: str) -> dict:
    how = st.selectbox(
        "Split",
        list(SPLITS),
        key="new_split",
        persist_state="session",
        help="Which images validate and test. Frey's frames are a video: **random** ones have "
        "near-twins in the training set. The **last** ones, or the **first**, are a stretch of "
        "the video that it has never seen, and **blocks** tests on one of five such stretches.",
    )
    holdout = st.slider(
        "Validation",
        0.05,
        0.5,
        0.1,
        0.05,
        format="percent",
        key="new_holdout",
        persist_state="session",
        help=words.meaning("validation"),
    )
    test = st.slider(
        "Test",
        0.0,
        0.5,
        usual_test_share(how),
        0.05,
        format="percent",
        # Another split suggests another share; a choice is kept while it stays.
        key=f"new_test_{how}",
        persist_state="session",
        help=words.meaning("test"),
    )
    choices = {"holdout": holdout, "test": test, "split": how}
    if how == "blocks":
        choices["split_seed"] = st.number_input(
            "Split's seed",
            0,
            2**31,
            0,
            key="new_split_seed",
            persist_state="session",
            help="Which of the stretches is tested on: 0 is the first of the video, 4 the last of "
            "five. It also draws where in the others the validation images lie.",
        )
    # Shares that are impossible are told of where all choices are looked at.
    with contextlib.suppress(VisageError):
        sizes = set_sizes(dataset, len(library.faces(dataset)), **choices)
        st.caption(" · ".join(f"{size:,} {images}" for images, size in sizes.items() if size))
    return choices


@st.cache_data(max_entries=200, show_spinner=False)
def set_sizes(
    dataset: str,
    images: int,
    holdout: float,
    test: float,
    split: str,
    split_seed: int = 0,
    training_images: int | None = None,
) -> dict[str, int]:
    """How many of a data set's images each set has.

    Raises:
        VisageError: The shares are impossible.
    """
    sets = library.faces(dataset).splits_indices(holdout, test, split, split_seed)
    return {
        name: len(part) for name, part in sets.learning_from(training_images)._asdict().items()
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
