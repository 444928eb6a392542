"""Open a model that somebody else trained: what was found of its ONNX files, corrected if need be,
with a preview, and stored."""

__all__ = ["offer"]

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import streamlit as st

from ui import library, words
from ui.data.bring_data import gallery
from vae import datasets, images, latent
from vae.errors import VisageError
from vae.limits import Ceiling, in_words
from vae.models.checkpoint import Checkpoint
from vae.models.foreign.networks import RANGES, VARIANCES
from vae.models.foreign.opening import Found, Said, inspect, keep, open_model
from vae.names import name_from

SAMPLES = 8

# What a person can say of the noise around the decoder's images.
LIKELIHOODS = {
    "none": "not stated: no nats",
    "gaussian": "Gaussian",
    "bernoulli": "Bernoulli: trained by binary cross-entropy",
}

VALUES = {
    "unit": "[0, 1]",
    "symmetric": "[−1, 1]",
    "logits": "logits, to go through a sigmoid",
    "bytes": "[0, 255]",
}
ORDERS = {"nchw": "channels first (PyTorch)", "nhwc": "channels last (Keras, JAX)"}
TELLS = {
    "log_var": "log-variance",
    "log_std": "log-standard deviation",
    "std": "standard deviation",
    "var": "variance",
}

# What the command line calls what is a field here.
FIELDS = {
    "--latent-dim": "“Latents”",
    "--image-shape, as 28x20 or 32x32x3": "“Image size”, as 28x20 or 32x32x3",
    "--image-shape": "“Image size”",
    "--mean": "“Which output is the image”",
    "--range": "“Its values”",
    "give --std, such as 0.1": "say “σ” or choose images to measure it with",
    "--input-range": "“What the encoder takes”",
}


def offer(taken: Collection[str]) -> None:
    """The whole way from two files to a stored model."""
    st.subheader("Open a model from elsewhere (ONNX)")
    st.caption(
        "A VAE that was trained in PyTorch, Keras or JAX, written as ONNX: its decoder, which "
        "takes latents and gives images, and, if there is one, its encoder, which takes images "
        "and gives means and log-variances, or means alone. Nothing of a file is executed but "
        "ONNX's own arithmetic, in a process of its own."
    )
    left, right = st.columns(2, gap="large")
    # Of any kind: what it refused the browser would refuse in words of its own.
    first = left.file_uploader("Decoder (.onnx)", key="open_decoder")
    second = right.file_uploader("Encoder (.onnx), if there is one", key="open_encoder")
    if first is None:
        return
    files = read(first), None if second is None else read(second)
    key = f"{first.file_id}_{getattr(second, 'file_id', '')}"
    summary = st.container()
    try:
        found = look(files, key)
        tell(summary, found, second is not None)
        likelihood, std, data = choose(found, key, second is not None)
        checkpoint = opened(files, found, likelihood, std, data, key)
        preview(checkpoint, data, key)
        st.caption(in_page_words(what_it_can(checkpoint)))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            proposed = name_from(str(first.name).removesuffix(".onnx").removesuffix("-decoder"))
            name = st.text_input("Name", proposed, key=f"open_name_{key}")
            if st.button("Store", type="primary", icon=":material/save:", key="open_store"):
                st.session_state.shelf_news = keep(checkpoint, name, taken).stem
                st.session_state.pop("open_looked", None)
                # The picker in the sidebar was drawn before.
                st.rerun()
    except VisageError as error:
        st.error(in_page_words(str(error)), icon=":material/error:")


def read(file: Any) -> bytes:
    """An uploaded file of at most the ceiling's size."""
    if file.size > Ceiling.MODEL():
        raise VisageError(
            f"{file.name[:60]} has {in_words(file.size)}; the limit is "
            f"{in_words(Ceiling.MODEL())} ({Ceiling.MODEL.variable})."
        )
    return file.getvalue()


def in_page_words(sentence: str) -> str:
    """A sentence that was written for the command line, with the fields of this page."""
    for option, field in FIELDS.items():
        sentence = sentence.replace(option, field)
    return words.plain(sentence)


def look(files: tuple[bytes, bytes | None], key: str) -> Found:
    """What is found of the files, by what the form below it says: a run each time that changes."""
    form = st.expander("Correct what was found", icon=":material/tune:")
    known = st.session_state.get("open_looked")
    plain = known[1] if known is not None and known[0] == key else None
    if plain is None:
        with st.spinner("Looking at the graphs…"):
            try:
                plain = inspect(*files)
            except VisageError as error:
                # Perhaps a word of the person is all that it lacks.
                plain = error
        st.session_state.open_looked = key, plain, {}
    answers = st.session_state.open_looked[2]
    with form:
        # What can be chosen of, where nothing was found before a person had said something.
        known_by_now = [plain, *answers.values()]
        best = next((one for one in known_by_now if isinstance(one, Found)), None)
        said = correct(best, key, files[1] is not None)
    if said == Said():
        found = plain
    elif said in answers:
        found = answers[said]
    else:
        with st.spinner("Looking again…"):
            found = answers[said] = inspect(*files, said)
    if isinstance(found, VisageError):
        raise found
    return found


def tell(place: Any, found: Found, has_encoder: bool) -> None:
    """What was found, a line each."""
    lines = [line.split(maxsplit=1) for line in found.in_words()[: 4 if has_encoder else 3]]
    rows = [f"**{name.capitalize()}** · {words.plain(text)}" for name, text in lines]
    place.markdown("  \n".join(rows))
    for remark in found.remarks:
        place.warning(words.plain(remark), icon=":material/info:")


def correct(found: Found | None, key: str, has_encoder: bool) -> Said:
    """What a person says otherwise, field by field; what is left empty is as it was found."""
    st.caption("What is left empty stays as it was found.")

    def one_of(label: str, options: Sequence[str], named: dict[str, str] | None = None) -> Any:
        return st.selectbox(
            label,
            options,
            None,
            format_func=lambda option: str((named or {}).get(option, option)),
            key=f"open_{label}_{key}",
            placeholder="as found",
        )

    left, middle, right = st.columns(3)
    with left:
        latents = st.number_input("Latents", 1, None, None, key=f"open_latents_{key}")
        shape = st.text_input(
            "Image size", key=f"open_shape_{key}", placeholder="as 28x20 or 64x64x3"
        )
        order = one_of("Colours", list(ORDERS), ORDERS)
    outputs = found.outputs if found else ()
    with middle:
        mean = one_of("Which output is the image", outputs)
        values = one_of("Its values", RANGES, VALUES)
        variance = one_of("Which output tells the variance", ("none", *outputs))
        tells = one_of("What that tells", VARIANCES, TELLS)
    if not has_encoder:
        return Said(latents, shape_of(shape), order, values, None, mean, variance, tells)
    given = found.encoder_outputs if found else ()
    with right:
        takes = one_of(
            "What the encoder takes", [name for name in RANGES if name != "logits"], VALUES
        )
        encoder_mean = one_of("Which output is the posterior's mean", given)
        encoder_variance = one_of("Which tells its variance", ("none", *given))
        encoder_tells = one_of("What this tells", VARIANCES, TELLS)
    return Said(
        latents,
        shape_of(shape),
        order,
        values,
        takes,
        mean,
        variance,
        tells,
        encoder_mean,
        encoder_variance,
        encoder_tells,
    )


def shape_of(text: str) -> tuple[int, ...] | None:
    """A shape as a person writes it, 28x20 or 64×64×3; None of nothing."""
    if not text.strip():
        return None
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) not in (2, 3) or not all(side.strip().isdecimal() for side in sides):
        raise VisageError("An image size is a height and a width, as 28x20, or 64x64x3 in colour.")
    shape = tuple(map(int, sides))
    return shape[:2] if shape[2:] == (1,) else shape


def choose(found: Found, key: str, has_encoder: bool) -> tuple[str, float | None, str | None]:
    """The noise that is stated, its σ if it is needed, and images whose posterior is to show."""
    left, middle, right = st.columns(3)
    likelihood = left.selectbox(
        "Noise of the pixels",
        list(LIKELIHOODS),
        1 if found.has_variance else 0,
        format_func=LIKELIHOODS.__getitem__,
        key=f"open_likelihood_{key}_{found.has_variance}",
        help="What it was trained with. ELBO and log p(x) are told in nats of it; where nothing "
        "is stated there are none, and reconstructions are judged by their error.",
    )
    std = None
    if likelihood == "gaussian" and not found.has_variance:
        std = middle.number_input(
            "σ",
            0.001,
            10.0,
            0.1,
            key=f"open_std_{key}",
            help="The standard deviation of each pixel, where 1 is from black to white.",
        )
    data = None
    if has_encoder:
        here = [name for name in datasets.names() if library.dataset_is_here(name)]
        data = right.selectbox(
            "Images",
            here,
            None,
            key=f"open_data_{key}",
            placeholder="none",
            help="A data set of its image size: the means of its posteriors become the points of "
            "the pad.",
        )
    return likelihood, std, data


def opened(
    files: tuple[bytes, bytes | None],
    found: Found,
    likelihood: str,
    std: float | None,
    data: str | None,
    key: str,
) -> Checkpoint:
    """The model, opened once for all that is said of it."""
    asked = key, found, likelihood, std, data
    known = st.session_state.get("open_model")
    if known is None or known[0] != asked:
        faces = None if data is None else library.faces(data)
        info = {} if faces is None else {"dataset": faces.name, "dataset_sha256": faces.sha256}
        with st.spinner("Opening the model…"):
            pictures = None if faces is None else faces.images
            model = open_model(*files, found, likelihood, std, pictures, info)
        st.session_state.open_model = known = asked, model
    return known[1]


def preview(checkpoint: Checkpoint, data: str | None, key: str) -> None:
    """Eight samples; and of images, if there are any, what comes out of the model."""
    model = checkpoint.model
    name = f"open_draw_{key}"
    draw = st.session_state.get(name, 0)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Eight samples of the prior, as they are read now:")
        if st.button("Other samples", icon=":material/shuffle:", key="open_others"):
            st.session_state[name] = draw = draw + 1
    z = np.random.default_rng(draw).normal(size=(SAMPLES, model.latent_dim))
    gallery(latent.draw(model, z), "Eight samples of the model")
    if data is None:
        return
    st.caption("Eight of the images, and below them what encoder and decoder make of them:")
    faces = library.faces(data)
    chosen = np.linspace(0, len(faces) - 1, SAMPLES).astype(int)
    mean = latent.encode(model, faces.pixels(chosen)).mean
    decoded = images.to_uint8(latent.decode(model, mean)[0])
    pairs = np.concatenate([np.asarray(faces.images[chosen]), decoded])
    gallery(pairs, "Images and their reconstructions")


def what_it_can(checkpoint: Checkpoint) -> str:
    """Where it is decoded, and what it lacks."""
    model = checkpoint.model
    where = (
        "Its decoder is understood: it runs in the browser, as Visage's own do."
        if model.decoder.is_exact
        else "Its decoder holds something that no browser runs: the server decodes it."
    )
    return " ".join(filter(None, (where, model.why_no_nats)))
