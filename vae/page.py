"""One HTML file of models, to send to anyone: no server, no network, nothing beside the file.

The file holds the decoders and the modules that draw with them. This room knows the models; the
modules, the style and the outline are text that whoever asks for a page hands over as
:class:`Parts`, since they belong to the app.
"""

__all__ = ["Parts", "check", "iframe", "page", "title_of", "write"]

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import PurePath
from string import Template

import numpy as np

from vae.datasets.published import SOURCES
from vae.errors import VisageError
from vae.files import replacing
from vae.latent.packed import (
    NamedAxis,
    means_of,
    pack,
    pack_encoder,
    portable,
    portable_encoder,
)
from vae.latent.rounding import ONE_GREY_LEVEL, decoder_rounds, encoder_rounds, is_finite
from vae.models.card import Figures, ModelCard
from vae.models.checkpoint import Checkpoint

# A title longer than that is none.
LONGEST_TITLE = 120

MOST_MODELS = 20

# Beyond so many bytes of weights a page takes long to open, and is too large for most mail.
LARGEST = 64 * 2**20

PAPER = (
    "Diederik P. Kingma and Max Welling, "
    '<a href="https://arxiv.org/abs/1312.6114">Auto-Encoding Variational Bayes</a>, 2014'
)


@dataclass(frozen=True)
class Parts:
    """What a page is made of beside its models.

    Arguments:
        outline: The document, a :class:`string.Template` of ``policy``, ``title``,
            ``description``, ``icon``, ``style``, ``models``, ``cards``, ``credits``,
            ``script`` and, if it wants it, ``data``.
        style: CSS.
        script: A JavaScript module.
        icon: The page's icon, SVG.
        recordings: Bytes that travel with each such page, by the names that its script
            calls them.
    """

    outline: str
    style: str
    script: str
    icon: str
    recordings: Mapping[str, bytes] = field(default_factory=dict)


def write(
    path: str | os.PathLike,
    models: Mapping[str, Checkpoint],
    parts: Parts,
    title: str = "",
    encoder: bool = False,
    data: str | None = None,
    axes: Mapping[str, Sequence[NamedAxis]] | None = None,
) -> int:
    """Write a page: whole or, if anything fails, not at all; arguments as for :func:`page`.

    Returns:
        How many bytes it has.

    Raises:
        VisageError: As :func:`page`; or the file can't be written.
    """
    content = page(models, parts, title, encoder, data, axes).encode()
    with replacing(path) as beside:
        beside.write_bytes(content)
    return len(content)


def page(
    models: Mapping[str, Checkpoint],
    parts: Parts,
    title: str = "",
    encoder: bool = False,
    data: str | None = None,
    axes: Mapping[str, Sequence[NamedAxis]] | None = None,
) -> str:
    """One HTML file with models in it, and no image of what they were trained on.

    Weights travel as float16 wherever the picture stays within one grey level of the model's own.

    Arguments:
        models: Models by the names that their page calls them; the first is open at first.
        parts: What the page is made of beside them.
        title: The page's; made of the models' names by default.
        encoder: Whether the encoders travel too, so that visitors can try a face of their own.
        data: JSON for the page's script, if its outline has a place for ``data``: then its figures
            count, and weights travel as they are.
        axes: Directions with names, each to have a slider, by the names of the models.

    Raises:
        VisageError: There is no model or too many, one can't be drawn by a browser, or the title
            is none.
    """
    title = " ".join(title.split()) or title_of(models)
    if not title.isprintable() or len(title) > LONGEST_TITLE:
        raise VisageError(
            f"A title is one line of at most {LONGEST_TITLE} letters that can be shown."
        )
    if not models:
        raise VisageError("Name at least one model to share.")
    if len(models) > MOST_MODELS:
        raise VisageError(f"A page holds {MOST_MODELS} models at most, not {len(models)}.")
    for name, checkpoint in models.items():
        check(name, checkpoint, encoder)
    texts = [
        _block(name, checkpoint, place, encoder, (axes or {}).get(name, ()), data is not None)
        for place, (name, checkpoint) in enumerate(models.items())
    ]
    texts += [_carried(name, held) for name, held in parts.recordings.items()]
    cards = [
        _card(name, checkpoint, alone=len(models) == 1) for name, checkpoint in models.items()
    ]
    # WebAssembly is what the script computes with; of other text it can make no code.
    policy = (
        f"default-src 'none'; script-src '{_digest(parts.script)}' 'wasm-unsafe-eval'; "
        f"style-src '{_digest(parts.style)}'; img-src data: blob:; media-src blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    icon = base64.b64encode(parts.icon.encode()).decode()
    return Template(parts.outline).substitute(
        policy=policy,
        title=escape(title),
        description=escape(_description(models)),
        icon=f"data:image/svg+xml;base64,{icon}",
        style=parts.style,
        models="\n".join(texts),
        cards="\n".join(cards),
        credits="\n".join(f"<li>{credit}</li>" for credit in _credits(models)),
        script=parts.script,
        # Nothing in it closes the element that it stands in.
        data=(data or "").replace("<", "\\u003c"),
    )


def check(name: str, checkpoint: Checkpoint, encoder: bool = False) -> None:
    """Refuse a model that no page can hold.

    Raises:
        VisageError: Its networks are of a kind that no browser runs, its weights are no numbers,
            or it is too large.
    """
    model = checkpoint.model
    wanted = [portable(model)] + ([portable_encoder(model)] if encoder else [])
    size = 0
    for carried in wanted:
        if carried is None:
            raise VisageError(
                f"{name} can't be shared as a page: its networks are of a kind that no browser "
                "runs."
            )
        _, layers = carried
        arrays = [array for layer in layers for array in layer]
        if pack(checkpoint, "page", name, "1") is None or not is_finite(layers):
            raise VisageError(
                f"{name} can't be shared: its weights hold values that are not numbers, as when "
                "training diverged. Share another model, or train again with a smaller learning "
                "rate."
            )
        size += sum(array.nbytes for array in arrays)
    if size > LARGEST:
        raise VisageError(
            f"{name} can't be shared as a page: its weights have {size // 2**20} MiB, and a page "
            f"holds {LARGEST // 2**20} MiB of a model at most."
        )


def title_of(models: Mapping[str, Checkpoint]) -> str:
    """The title of a page that was given none."""
    sets = list(dict.fromkeys(filter(None, map(_data_title, models.values()))))
    if len(sets) == 1:
        return f"The latent space of {sets[0]}"
    return "Faces from a latent space"


def iframe(file: str, title: str) -> str:
    """The line to paste where a page is to stand in another.

    Arguments:
        file: The page's file name or address.
        title: What it is called.
    """
    return (
        f'<iframe src="{escape(file)}" title="{escape(title)}" width="100%" height="820" '
        'style="border: 0" allow="camera; clipboard-write"></iframe>'
    )


def _description(models: Mapping[str, Checkpoint]) -> str:
    several = (
        f"{len(models)} variational autoencoders"
        if len(models) > 1
        else ("a variational autoencoder")
    )
    return f"Drag through the latent space of {several} and watch the face change."


def _block(
    name: str,
    checkpoint: Checkpoint,
    place: int,
    encoder: bool,
    axes: Sequence[NamedAxis] = (),
    exact: bool = False,
) -> str:
    """A model as data in the document: what it is called, its decoder and its encoder."""
    model_id = f"{name}-{place}"
    half = not exact and decoder_rounds(checkpoint, ONE_GREY_LEVEL)
    packed = pack(checkpoint, "page", model_id, "1", half=half)
    assert packed is not None, "check() has refused it"
    blocks = {"decoder": packed}
    if encoder and portable_encoder(checkpoint.model) is not None:
        half = not exact and encoder_rounds(checkpoint, ONE_GREY_LEVEL)
        if (held := pack_encoder(checkpoint, half=half)) is not None:
            blocks["encoder"] = held
    inner = "".join(_carried(part, held) for part, held in blocks.items())
    if axes:
        # Nothing that a name says ends the element that it stands in.
        told = json.dumps([axis.told() for axis in axes]).replace("<", "\\u003c")
        inner += f'<script type="application/json" data-part="axes">{told}</script>'
    return f'<div class="model" data-name="{escape(name)}">{inner}</div>'


def _carried(part: str, held: bytes) -> str:
    """Bytes as an element that the page's script finds by their name."""
    return (
        f'<script type="application/octet-stream" data-part="{part}" data-bytes="{len(held)}">'
        f"{_squeezed(held)}</script>"
    )


def _squeezed(packed: bytes) -> str:
    """Bytes as text in a document: the four bytes of each number apart, compressed, in base 64.

    First bytes, second bytes and so on are alike among themselves, also of numbers of two.
    """
    whole = packed + b"\0" * (-len(packed) % 4)
    planes = np.frombuffer(whole, np.uint8).reshape(-1, 4).T.tobytes()
    return base64.b64encode(zlib.compress(planes, 9)).decode()


def _digest(text: str) -> str:
    """What a content security policy calls a script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _card(name: str, checkpoint: Checkpoint, alone: bool) -> str:
    """What is known of a model, as HTML."""
    rows = "".join(
        f"<div><dt>{term}</dt><dd>{told}</dd></div>" for term, told in _facts(checkpoint)
    )
    heading = "" if alone else f"<h3>{escape(name)}</h3>"
    note = _note(checkpoint.card)
    told = f'<p class="note">{note}</p>' if note else ""
    return f'<div class="card" data-name="{escape(name)}">{heading}<dl>{rows}</dl>{told}</div>'


def _facts(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    card = checkpoint.card
    shape = "×".join(map(str, card.image_shape[:2]))
    colour = "colour" if len(card.image_shape) == 3 else "grey"
    latents = "1 latent" if card.latent_dim == 1 else f"{card.latent_dim} latents"
    yield (
        "Model",
        (
            f"variational autoencoder, {latents}, "
            + (
                "a network of "
                if card.architecture.network.kind == "conv"
                else "hidden layers of "
            )
            + escape(card.architecture.network.in_words().replace(" ", ", "))
        ),
    )
    yield "Images", f"{shape} pixels, {colour}"
    if card.architecture.likelihood != "gaussian":
        yield "Likelihood", escape(card.architecture.likelihood)
    if (title := _data_title(checkpoint)) is not None:
        trained = f" in {card.step:,} steps" if card.step else ""
        yield "Trained on", f"{escape(title)}{trained}"
    if card.trained_at:
        yield "Trained", f"{card.trained_at:%Y-%m-%d}"
    if card.split:
        yield "Split", _split(card)
    quality = card.quality
    for term, value, error in (
        ("ELBO", quality.elbo, quality.elbo_error),
        ("log p(x), about", quality.importance_weighted, quality.importance_weighted_error),
        ("KL divergence", quality.kl, quality.kl_error),
    ):
        if value is not None:
            yield f"{term} <small>{card.measured_on}</small>", _nats(value, error)
    if card.train.elbo is not None:
        yield "ELBO <small>training</small>", _nats(card.train.elbo, card.train.elbo_error)
    if card.active_units is not None:
        yield "Latents in use", f"{card.active_units} of {card.latent_dim}"
    if count := len(means_of(checkpoint)):
        yield "Points", f"{count:,} posterior means of training images"


def _split(card: ModelCard) -> str:
    split = card.split
    if split is None:
        return "unknown"
    how = {
        "random": "images at random",
        "last": "the last images",
        "first": "the first images",
        "blocks": "stretches of consecutive images",
    }[split.how]
    aside = f"{split.holdout:.0%} for validation"
    if split.test:
        aside += f", {split.test:.0%} for the test"
    return f"{how}: {aside} set aside".replace("%", " %")


def _note(card: ModelCard) -> str:
    """What the figures are of."""
    of: Figures = card.quality
    if of.elbo is None:
        return "No figures are known of this model."
    images = f"{of.images:,} " if of.images else ""
    sentences = [
        f"Figures are means over {images}{card.measured_on} images, in nats an image"
        + (", ± one standard error." if of.elbo_error is not None else "; higher is better.")
    ]
    if of.importance_weighted is not None:
        some = f" of {of.importance_images:,} of them" if of.importance_images else ""
        sentences.append(f"log p(x){some} is estimated by importance weighting.")
    if card.measured_on != "test":
        sentences.append(
            f"The {card.measured_on} images also chose the training step, so that their figures "
            "are a little too good."
        )
    if card.dataset == "frey" and card.split and card.split.how == "random":
        sentences.append(
            "Frey’s frames are a video: images set aside at random have near-twins among "
            "those it was trained on."
        )
    return " ".join(sentences)


def _nats(value: float, error: float | None) -> str:
    told = f"{value:,.1f}" + (f" ± {error:,.1f}" if error is not None else "")
    return f"{told} nats".replace("-", "−")


def _data_title(checkpoint: Checkpoint) -> str | None:
    """What people call the data set; of a path its last part: the rest is nobody's business."""
    name = checkpoint.card.dataset
    if name in SOURCES:
        return SOURCES[name].title
    return PurePath(name.replace("\\", "/")).name or None


def _credits(models: Mapping[str, Checkpoint]) -> Iterator[str]:
    """Whom to thank, as HTML."""
    for name in dict.fromkeys(checkpoint.card.dataset for checkpoint in models.values()):
        if name in SOURCES:
            yield f"{escape(SOURCES[name].title)}: {escape(SOURCES[name].credit)}"
    yield f"The model: {PAPER}"
