"""A visitor's own photo: framed, encoded, refined, judged, and placed among the faces."""

__all__ = ["choose", "show"]

import hashlib

import numpy as np
import streamlit as st
from PIL import Image

from ui import library, link, posteriors, words
from ui.library import Choice, Stored
from ui.photo_frame import Frame, photo_frame
from ui.pictures import data_url
from ui.reconstruct import live
from vae import images, latent
from vae.datasets import Pixels, confined, photos
from vae.errors import VisageError
from vae.latent.evidence import Evidence, judge
from vae.models.checkpoint import Checkpoint

UPLOAD, WEBCAM, LIVE = "Upload", "Webcam", "Live"

NEIGHBOURS = 6

# The difference that gets the full colour.
LIMIT = 0.5


def show(choice: Choice, checkpoint: Checkpoint) -> None:
    """Everything from a photo to its place in the latent space, or the camera's own picture as it
    moves there."""
    how = choose_how("photo", UPLOAD, WEBCAM, LIVE)
    if how == LIVE:
        live.show(choice, checkpoint)
        return
    chosen = choose(choice, checkpoint, "photo", how)
    if chosen is None:
        return
    face, photo_id, frame = chosen
    pixels = face.reshape(1, -1).astype(np.float32) / 255
    if checkpoint.model.why_no_nats:
        show_without_nats(choice, checkpoint, face, pixels)
        return
    found, faces = judged(choice.stored, photo_id, frame, pixels)
    st.subheader("How the model sees it")
    left, right = st.columns([4, 3], gap="large")
    with left:
        draw_reconstructions(face, found, faces, checkpoint.card.likelihood)
        say_how_surprising(choice, found.encoder_elbo[0])
        offer_ways_on(choice, found, faces)
    with right:
        draw_place(choice, found)
    show_neighbours(choice, checkpoint, found.refined.mean[0])


def show_without_nats(
    choice: Choice, checkpoint: Checkpoint, face: np.ndarray, pixels: np.ndarray
) -> None:
    """The encoder's answer alone, of a model whose likelihood or posterior nobody knows."""
    model = checkpoint.model
    found = latent.encode(model, pixels)
    mean = latent.decode(model, found.mean)[0]
    error = float(latent.squared_errors(model, pixels)[0])
    st.subheader("How the model sees it")
    left, right = st.columns([4, 3], gap="large")
    with left:
        with st.container(border=True, gap="small"):
            difference = images.differences(face[None], mean, LIMIT)[0]
            triple = images.side_by_side(face, images.to_uint8(mean[0]), difference, gap=1)
            scale = max(1, 640 // triple.shape[1])
            st.image(data_url(triple, scale), width="stretch", alt="Your photo and its answer")
            st.markdown(f"The encoder's answer: {words.signal_to_noise(error)}")
        st.caption(words.plain(model.why_no_nats))
        if st.button("Explore from here", type="primary", icon=":material/explore:"):
            link.open_explore(choice.name, found.mean[0])
    with right:
        std = np.exp(0.5 * found.log_var)
        posteriors.draw(choice, ["encoder"], found.mean, std, "your photo")
    show_neighbours(choice, checkpoint, found.mean[0])


def choose_how(key: str, *ways: str) -> str:
    """Where the face comes from."""
    return st.segmented_control(
        "Photo",
        ways,
        default=UPLOAD,
        required=True,
        key=f"{key}_how",
        label_visibility="collapsed",
    )


def choose(
    choice: Choice, checkpoint: Checkpoint, key: str, how: str | None = None
) -> tuple[np.ndarray, str, Frame] | None:
    """Take a photo and frame the face in it.

    Arguments:
        key: What the widgets' names in the app begin with.
        how: Whether a photo is uploaded or taken; by default that is asked.

    Returns:
        What lies in the frame, uint8, of the shape of the model's images; what tells the photo
        from others; and where the frame lies. None before there is a photo.

    Raises:
        VisageError: It is no picture, or too large a one.
    """
    taken = take(key, how or choose_how(key, UPLOAD, WEBCAM))
    if taken is None:
        return None
    photo, photo_id = taken
    frame = photo_frame(photo, guide(choice, checkpoint), photo_id, key=f"{key}_frame")
    shape = checkpoint.model.image_shape
    return photos.framed(photo, (frame.x, frame.y), frame.width, shape), photo_id, frame


def take(key: str, how: str) -> tuple[Image.Image, str] | None:
    """The photo, upright, and what tells it from others."""
    if how == UPLOAD:
        # Of any kind: what it refused the browser would refuse in words of its own.
        file = st.file_uploader("A photo with a face in it", key=f"{key}_file")
    else:
        file = st.camera_input("Look into the camera", key=f"{key}_camera")
    if file is None:
        st.caption("It is kept nowhere: it is forgotten when you leave.")
        return None
    content = file.getvalue()
    photo_id = hashlib.blake2b(content, digest_size=8).hexdigest()
    try:
        return decoded(content, photo_id), photo_id
    except VisageError as error:
        raise VisageError(f"This photo can't be taken: {error}. Give another.") from error


@st.cache_resource(max_entries=4, show_spinner=False)
def decoded(_content: bytes, photo_id: str) -> Image.Image:
    return confined.photo(_content)


def guide(choice: Choice, checkpoint: Checkpoint) -> np.ndarray:
    """The mean face of the training set or, where it is not here, the face at the origin."""
    training = library.training_faces(choice)
    if training is None:
        origin = np.zeros(checkpoint.model.latent_dim)
        return images.to_uint8(latent.decode(checkpoint.model, origin)[0])
    data, places, _ = training
    mean = mean_face(choice.stored, data.pixels(places))
    return images.to_uint8(mean.reshape(data.image_shape))


@st.cache_data(max_entries=8, show_spinner=False)
def mean_face(stored: Stored, _pixels: np.ndarray | Pixels) -> np.ndarray:
    some = np.asarray(_pixels[:: 1 + len(_pixels) // 5_000])
    return some.mean(axis=0)


@st.cache_data(max_entries=16, show_spinner="Climbing the ELBO…")
def judged(
    stored: Stored, photo_id: str, frame: Frame, pixels: np.ndarray
) -> tuple[Evidence, np.ndarray]:
    """What the model makes of the photo, and the faces that the encoder's mean and the refined
    posterior's decode to, (2, H, W[, 3])."""
    model = library.load(stored).model
    found = judge(model, pixels)
    means = np.concatenate([found.encoder.mean, found.refined.mean])
    return found, latent.decode(model, means)[0]


def draw_reconstructions(
    face: np.ndarray, found: Evidence, faces: np.ndarray, likelihood: str
) -> None:
    """The photo beside either reconstruction, their difference, and the bounds in their order."""
    answers = (
        ("The encoder's answer", faces[:1], found.encoder_elbo[0]),
        ("Refined for this photo", faces[1:], found.refined_elbo[0]),
    )
    for column, (label, mean, elbo) in zip(st.columns(2), answers, strict=True):
        difference = images.differences(face[None], mean, LIMIT)[0]
        triple = images.side_by_side(face, images.to_uint8(mean[0]), difference, gap=1)
        scale = max(1, 640 // triple.shape[1])
        with column.container(border=True, gap="small"):
            st.image(data_url(triple, scale), width="stretch", alt=f"Your photo and {label}")
            st.markdown(
                f"{label}: {words.figure('ELBO', likelihood)} **{words.number(elbo, 1)}** nats",
                help=words.meaning("ELBO", "likelihood", "nats"),
            )
    st.caption(
        "Your photo, its reconstruction, and where that is :red[brighter] or :blue[darker]. "
        "The best Gaussian for this one photo gains "
        f"**{words.number(found.amortisation_gap[0], 1)} nats** over the encoder, which answers "
        "for every face at once: the amortisation gap. "
        f"{words.log_px(found.log_px[0], found.is_integral, 1, likelihood)} nats, "
        f"{words.how_log_px(found.is_integral)}; from there the Gaussian is "
        f"**{words.number(found.approximation_gap[0], 1)} nats** away, the approximation gap "
        "([Cremer et al., 2018](https://arxiv.org/abs/1801.03558)).",
        help=words.meaning("log p(x)", "amortisation gap", "approximation gap", "nats"),
    )


def say_how_surprising(choice: Choice, elbo: float) -> None:
    """The photo's ELBO under the encoder's posterior among those of the training faces."""
    training = library.training_faces(choice)
    if training is None:
        return
    others, looked_at = library.ranking(choice, training[1])
    faces = "the training faces"
    if len(looked_at) < len(training[1]):
        faces = f"{len(looked_at):,} of {faces}"
    st.markdown(
        f"To this model your photo is {surprising(elbo, others)} {faces}, whose ELBO has a median "
        f"of {words.number(float(np.median(others)))} nats."
    )


def surprising(elbo: float, others: np.ndarray) -> str:
    """How one ELBO compares with others, (n,), in words that are never more than is true.

    A share is rounded towards none, so that *all* is said of all alone.
    """
    below, above = int((others < elbo).sum()), int((others > elbo).sum())
    if len(others) in (below, above):
        return f"{'less' if below else 'more'} surprising than **any** of"
    word, count = ("more", above) if above >= below else ("less", below)
    percent = 100 * count // len(others)
    share = f"{percent}%" if 100 * count == percent * len(others) else f"more than {percent}%"
    return f"{word} surprising than **{share}** of"


def offer_ways_on(choice: Choice, found: Evidence, faces: np.ndarray) -> None:
    """Explore from here, or take the picture along."""
    with st.container(horizontal=True):
        if st.button("Explore from here", type="primary", icon=":material/explore:"):
            link.open_explore(choice.name, found.refined.mean[0])
        for label, mean in zip(("Reconstruction", "Refined"), faces, strict=True):
            st.download_button(
                label,
                images.png(images.to_uint8(mean), scale=16),
                f"{label.lower()}-{choice.name}.png",
                "image/png",
                icon=":material/download:",
                on_click="ignore",
            )


def draw_place(choice: Choice, found: Evidence) -> None:
    """Where the photo lies in the latent space, with its uncertainty."""
    z_mean = np.concatenate([found.encoder.mean, found.refined.mean])
    z_std = np.exp(0.5 * np.concatenate([found.encoder.log_var, found.refined.log_var]))
    posteriors.draw(choice, ["encoder", "refined"], z_mean, z_std, "your photo")


def show_neighbours(choice: Choice, checkpoint: Checkpoint, z: np.ndarray) -> None:
    """The training faces nearest to the refined posterior's mean."""
    training = library.training_faces(choice)
    if training is None:
        return
    data, places, means = training
    st.subheader("Its nearest training faces")
    with st.container(horizontal=True):
        for place in latent.nearest(means, z, NEIGHBOURS):
            number = places[place]
            st.image(
                data_url(np.asarray(data.images[number]), scale=8),
                f"#{number} · {np.linalg.norm(means[place] - z):.2f} away",
                width=96,
                alt=f"Face {number}",
            )
