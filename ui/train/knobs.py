"""What is seldom changed of a new run: each with a sentence of what it does."""

__all__ = ["choose"]

import streamlit as st

from vae.models.conv import WIDTHS
from vae.models.mlp import ACTIVATIONS
from vae.models.objective import OBJECTIVES
from vae.training.recipes import IWAE_SAMPLES, Recipe


def choose(recipe: Recipe) -> dict:
    """Widgets behind *More*; what they say, by the names of a configuration.

    Arguments:
        recipe: What suggests some of it.
    """
    with st.expander("More", icon=":material/tune:"):
        weight, bound, network = st.columns(3, gap="large")
        with weight:
            choices = choose_weight()
        with bound:
            choices |= choose_bound()
        with network:
            choices |= choose_network(recipe.activation)
    return choices


def choose_weight() -> dict:
    beta = st.number_input(
        "β", 0.0, 1e6, 1.0, 0.5, format="%g", key="new_beta", persist_state="session"
    )
    st.caption(
        "What the KL divergence counts against the log-likelihood: above 1 latents tell less and "
        "are tidier, below 1 faces are rebuilt more closely. 1 is the ELBO; with another the best "
        "step is chosen by what is maximised, and figures stay the ELBO's."
    )
    warmup = st.number_input(
        "β rises over", 0, 10_000_000, 0, 100, key="new_beta_warmup", persist_state="session"
    )
    st.caption("Steps over which β rises from 0, so that no latent is given up early.")
    return {"beta": beta, "beta_warmup": warmup}


def choose_bound() -> dict:
    objective = st.segmented_control(
        "Objective",
        list(OBJECTIVES),
        default="elbo",
        required=True,
        key="new_objective",
        persist_state="session",
    )
    st.caption(
        "What training climbs: the ELBO, or iwae, the tighter importance-weighted bound, which "
        "forgives an encoder that misses now and then."
    )
    samples = st.number_input(
        "Samples",
        1,
        1_000,
        IWAE_SAMPLES if objective == "iwae" else 1,
        # Each objective suggests its own.
        key=f"new_samples_{objective}",
        persist_state="session",
    )
    st.caption(
        "How many latent points of each image a step decodes: more make the bound tighter, or the "
        "ELBO's gradient steadier, and a step as many times slower."
    )
    return {"objective": objective, "samples": samples}


def choose_network(suggested: str) -> dict:
    activation = st.selectbox(
        "Activation",
        list(ACTIVATIONS),
        list(ACTIVATIONS).index(suggested),
        # Another network suggests another; a choice is kept while it stays.
        key="new_activation" + ("" if suggested == "tanh" else f"_{suggested}"),
        persist_state="session",
    )
    st.caption(
        "What follows each hidden layer. Of a perceptron tanh is the paper's, and the only one "
        "that is trained at full speed; convolutions learn most with silu."
    )
    width = st.selectbox(
        "Width",
        list(WIDTHS),
        list(WIDTHS).index("medium"),
        key="new_width",
        persist_state="session",
    )
    st.caption(
        "Of a conv network, in place of hidden units: medium draws 64×64 in colour smoothly."
    )
    few = st.number_input(
        "Training images",
        1,
        None,
        None,
        100,
        key="new_training_images",
        placeholder="all of them",
        persist_state="session",
    )
    st.caption("Learn from so many evenly spaced training images only; validation and test stay.")
    return {"activation": activation, "width": width, "training_images": few}
