"""The models that are here: download one, or its ONNX files, and bring one."""

__all__ = ["show"]

import streamlit as st

from ui import library, trash, words
from ui.data import open_model
from ui.library import Choice
from ui.trash import Kind
from vae import limits
from vae.errors import VisageError
from vae.models import collection, onnx
from vae.models.card import ModelCard
from vae.names import name_from


def show() -> None:
    """All models, what can be had of the chosen one, and a place to bring one."""
    if (news := st.session_state.pop("shelf_news", None)) is not None:
        st.success(
            f"**{words.plain(news)}** is in the model picker now.", icon=":material/check_circle:"
        )
    choices = library.models()
    st.dataframe(
        [row(choice) for choice in choices.values()],
        hide_index=True,
        width="stretch",
        column_config={
            "ELBO, nats": st.column_config.NumberColumn(
                format="%.1f", help=words.meaning("ELBO", "nats")
            ),
            "±": st.column_config.TextColumn(help=words.meaning("±")),
            "log p(x)": st.column_config.NumberColumn(
                format="%.1f", help=words.meaning("log p(x)", "nats")
            ),
            "measured on": st.column_config.TextColumn(
                help=words.meaning("test", "validation", "held-out")
            ),
            "latents in use": st.column_config.NumberColumn(help=words.meaning("latents in use")),
        },
        alt="The models that are here",
    )
    left, right = st.columns(2, gap="large")
    with left:
        offer_downloads(choices)
    if not limits.read_only():
        with right:
            take(choices)
        open_model.offer(choices)


def row(choice: Choice) -> dict:
    """What the table says of a model; of one that can't be read its name and origin alone."""
    row = {"model": choice.name, "trained on": choice.dataset or "unknown"}
    if (card := choice.card) is not None:
        error = card.quality.elbo_error
        row |= {
            "images": "×".join(map(str, card.image_shape)),
            "latents": card.latent_dim,
            "hidden": card.architecture.network.in_words(),
            "ELBO, nats": card.quality.elbo,
            "±": "" if error is None else words.number(error, 1),
            "log p(x)": card.quality.importance_weighted,
            "latents in use": card.active_units,
        }
    row |= {"from": origin(choice)}
    return row if card is None else row | {"measured on": measured_on(card)}


def measured_on(card: ModelCard) -> str:
    """The images that a model's figures are of, and what to mind of them."""
    if card.quality.elbo is None:
        return "unknown"
    images = card.measured_on
    return images if images == "test" else f"{images}, which also chose the step"


def origin(choice: Choice) -> str:
    if choice.problem:
        return "damaged"
    if choice.state:
        return f"your run, {choice.state}"
    return "uploaded" if choice.path.parent == collection.folder() else "shipped"


def offer_downloads(choices: dict[str, Choice]) -> None:
    """The chosen model's checkpoint and its ONNX files."""
    st.subheader("Take one with you")
    if (asked := st.session_state.pop("shelf_model_next", None)) in choices:
        st.session_state.shelf_model = asked
    name = st.selectbox("Model to download", list(choices), key="shelf_model")
    choice = choices[name]
    with st.container(horizontal=True):
        st.download_button(
            "Checkpoint",
            choice.path.read_bytes,
            f"{name}.safetensors",
            icon=":material/download:",
            help="A safetensors file: weights, posterior and description.",
            on_click="ignore",
        )
        for part in ("encoder", "decoder"):
            st.download_button(
                f"{part.capitalize()} (ONNX)",
                lambda part=part: as_onnx(choice, part),
                f"{name}-{part}.onnx",
                icon=":material/download:",
                disabled=bool(choice.problem),
                help="For other programs and languages; checked by ONNX Runtime to 10⁻⁵.",
                on_click="ignore",
            )
    if origin(choice) == "uploaded" and not limits.read_only():
        trash.offer_deletion(Kind.MODEL, choice.path, choice.path.stem)


def as_onnx(choice: Choice, part: str) -> bytes:
    """The ONNX file of a model's encoder or decoder.

    Raises:
        VisageError: It has no such form, or the file gives other answers.
    """
    model = library.load(choice.stored).model
    content = onnx.encoder(model) if part == "encoder" else onnx.decoder(model)
    if content is None:
        raise VisageError(
            f"The {part} of {choice.name} is of a kind that has no ONNX form: take its checkpoint."
        )
    return content


def take(choices: dict[str, Choice]) -> None:
    """Bring a checkpoint."""
    st.subheader("Bring one")
    # Of any kind: what it refused the browser would refuse in words of its own, without a reason.
    file = st.file_uploader("A checkpoint of Visage (.safetensors)", key="shelf_upload")
    if file is None:
        return
    proposed = name_from(str(file.name).removesuffix(".safetensors"))
    with words.sentences():
        collection.check_kind(file.name)
        name = st.text_input("Name", proposed, key="shelf_name")
        if st.button("Keep it", type="primary", icon=":material/save:"):
            kept = collection.keep(file, name, choices)
            st.session_state.shelf_news = kept.stem
            # The picker in the sidebar was drawn before.
            st.rerun()
