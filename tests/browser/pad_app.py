"""Pages with a latent pad, as the tests of the pad need them: a page a checkpoint."""

import os
import sys
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from ui.latent_pad import Arrow, colour_points, draw_arrows, latent_pad, name_axes
from ui.tint import tint
from vae.datasets.labels import categorical
from vae.latent import packed
from vae.latent.packed import NamedAxis
from vae.models.checkpoint import load_checkpoint

NASTY = "<img src=x onerror=alert(1)> **bold** [a](javascript:b)"


@st.cache_resource
def load(path: str, written: int):
    return load_checkpoint(path)


def explore() -> None:
    folder = Path(os.environ["PAD_MODELS"])
    names = sorted(path.stem for path in folder.glob("*.safetensors"))
    name = st.radio("Model", names, index=names.index("two"), horizontal=True)
    path = folder / f"{name}.safetensors"
    written = path.stat().st_mtime_ns
    checkpoint = load(str(path), written)
    latents = checkpoint.model.latent_dim
    st.button("Rerun")
    if st.button("Move"):
        st.session_state.moves = st.session_state.get("moves", 0) + 1
    if st.button("Far"):
        st.session_state.moves = -1
    moves = st.session_state.get("moves", 0)
    ones = [1.0] * latents
    wanted = {0: None, -1: [-23.5, 4.0]}.get(moves, ones)
    state = latent_pad(
        checkpoint,
        key="pad",
        model_id=str(path),
        version=str(written),
        z=wanted,
        z_version=moves,
    )
    draw_arrows("pad", str(path), [Arrow(ones, [0.0] * latents, "most")])
    labelled = st.checkbox("Labelled")
    rows = packed.rows_of(checkpoint)
    column = categorical(NASTY, np.arange(len(rows)) % 3, ["<i>a</i>", "**b**", "=c()"])
    colour_points("pad", str(path), tint(column, rows) if labelled else None)
    named = [NamedAxis(NASTY, np.zeros(latents), np.ones(latents))]
    name_axes("pad", str(path), named if st.checkbox("Named") else [])
    st.text(f"settled at {state.z.round(4).tolist()}, {len(state.pins)} pins")


def missing() -> None:
    latent_pad(None, key="pad", model_id="", version="")


def other() -> None:
    st.text("another page")


st.navigation([st.Page(explore, default=True), st.Page(missing), st.Page(other)]).run()
