"""The latent point in the URL: a link opens the same face."""

__all__ = ["open_explore", "read_point", "starting_point", "write_point"]

import numpy as np
import streamlit as st

# Beyond this, in standard deviations of the prior, the pad does not reach.
FARTHEST = 8.0


def read_point(latent_dim: int) -> None:
    """Take up the point that the URL names, if it is news; a bad one gets a gentle sentence."""
    text = st.query_params.get("z")
    # What this session wrote there itself is no news.
    if text is None or text == st.session_state.get("z_in_url"):
        return
    st.session_state.z_in_url = text
    try:
        z = np.array([float(number) for number in text.split(",")])
    except ValueError:
        z = np.array([np.nan])
    if len(z) == latent_dim and (np.abs(z) <= FARTHEST).all():
        st.session_state.start = z
        st.session_state.start_version = st.session_state.get("start_version", 0) + 1
    else:
        st.toast(f"The z in this link is not a point of this model's {latent_dim} latents.")


def starting_point(latent_dim: int) -> tuple[np.ndarray | None, int]:
    """Where a link wants the pad, of shape (K,) or None, and the number of such wishes so far."""
    z = st.session_state.get("start")
    wish = st.session_state.get("start_version", 0)
    return (z if z is not None and len(z) == latent_dim else None), wish


def open_explore(model: str, z: np.ndarray) -> None:
    """Turn to the page Explore with a model at a point, of shape (K,); this page's run ends."""
    # Both are news, even where they are what this session had: a switch forgets its widgets.
    for known in ("model_in_url", "z_in_url"):
        st.session_state.pop(known, None)
    z = np.clip(z, -FARTHEST, FARTHEST)
    st.switch_page("pages/explore.py", query_params={"model": model, "z": written(z)})


def written(z: np.ndarray) -> str:
    """A latent point as the URL has it."""
    # Adding 0 turns −0 into 0.
    return ",".join(f"{number + 0:.3f}".rstrip("0").rstrip(".") for number in z.round(3))


def write_point(z: np.ndarray) -> None:
    """Keep the settled point, of shape (K,), in the URL."""
    text = written(z)
    st.session_state.z_in_url = text
    if st.query_params.get("z") != text:
        st.query_params["z"] = text
