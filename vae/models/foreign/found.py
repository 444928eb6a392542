"""What can be told of a stranger's decoder and encoder: by their shapes, names and a first run.

Whatever is guessed here can be corrected by whoever knows the model: :class:`Said`.
"""

__all__ = ["Found", "Said", "inspect"]

import dataclasses
import math
import re
from dataclasses import dataclass

import numpy as np

from vae.errors import VisageError
from vae.models.foreign.networks import ORDERS, RANGES, VARIANCES, Reading
from vae.models.foreign.runtime import Graph, Port, graph_of

# What names tell of a variance.
NAMES_OF_VARIANCE = (
    ("log_var", r"log.?(co)?var|log.?sigma.?(2|sq)|(^|[^a-z])lv$"),
    ("log_std", r"log.?(std|sigma|scale)"),
    ("std", r"std|sigma|scale"),
    ("var", r"(^|[^a-z])(co)?var"),
)

# Words in the names of what is no mean of anything.
NAMES_OF_SAMPLES = r"sample|noise|eps|^z$|z_s"

# Points of the prior that the first run decodes.
PROBES = 32

# How far beyond a range a decoder may reach that was trained towards it, and has no bounds.
SLACK = 0.35

# No names of outputs or sizes are listed beyond.
MOST_LISTED = 8


@dataclass(frozen=True)
class Said:
    """What a person says of a model; None where it is left to be found.

    Arguments:
        latent_dim: The number K of latents.
        image_shape: (H, W) or (H, W, 3).
        order: ``nchw`` or ``nhwc``: how values of colour images follow each other.
        range: ``unit``, ``symmetric``, ``logits`` or ``bytes``: what the decoder's values mean.
        input_range: ``unit``, ``symmetric`` or ``bytes``: what the encoder is given.
        mean: The name of the decoder's output that is the image.
        variance: That of the output that tells of the variance, or ``none``.
        variance_is: ``log_var``, ``log_std``, ``std`` or ``var``: what it tells.
        encoder_mean: The name of the encoder's output that is the posterior's mean.
        encoder_variance: That of the one that tells of its variance, or ``none``.
        encoder_variance_is: What that tells.
    """

    latent_dim: int | None = None
    image_shape: tuple[int, ...] | None = None
    order: str | None = None
    range: str | None = None
    input_range: str | None = None
    mean: str | None = None
    variance: str | None = None
    variance_is: str | None = None
    encoder_mean: str | None = None
    encoder_variance: str | None = None
    encoder_variance_is: str | None = None

    def __post_init__(self):
        for value, choices, what in (
            (self.order, ORDERS, "An order of channels"),
            (self.range, RANGES, "A range"),
            (self.input_range, [one for one in RANGES if one != "logits"], "An encoder's range"),
            (self.variance_is, VARIANCES, "What is told of the variance"),
            (self.encoder_variance_is, VARIANCES, "What is told of the variance"),
        ):
            if value is not None and value not in choices:
                raise VisageError(f"{what} is one of {', '.join(choices)}, not '{value[:40]}'.")


@dataclass(frozen=True)
class Found:
    """A stranger's model, as it will be read.

    Arguments:
        latent_dim: The number K of latents.
        image_shape: (H, W) or (H, W, 3).
        decoder: How the decoder's graph is read.
        encoder: How the encoder's is; None where there is none.
        outputs: The decoder's outputs that could be the image or tell of its variance.
        encoder_outputs: The encoder's that could be the mean or tell of its variance.
        smallest: The smallest value of the image's output in the first run, as the file gives it.
        largest: The largest.
        remarks: What a person should know, a sentence each.
    """

    latent_dim: int
    image_shape: tuple[int, ...]
    decoder: Reading
    encoder: Reading | None
    outputs: tuple[str, ...]
    encoder_outputs: tuple[str, ...]
    smallest: float
    largest: float
    remarks: tuple[str, ...] = ()

    @property
    def order(self) -> str:
        """``NCHW`` or ``NHWC``, or ``flat`` where images are grey rows of values."""
        return "flat" if len(self.image_shape) == 2 else self.decoder.order.upper()

    @property
    def range(self) -> str:
        """``unit``, ``symmetric``, ``logits`` or ``bytes``."""
        return self.decoder.range

    @property
    def has_variance(self) -> bool:
        """Whether the decoder tells how far pixels lie from its mean."""
        return bool(self.decoder.variance)

    def in_words(self) -> list[str]:
        """What was found, a line each."""
        shape = "×".join(map(str, self.image_shape))
        values = {
            "unit": "[0, 1]",
            "symmetric": "[−1, 1]",
            "logits": "logits, through a sigmoid",
            "bytes": "[0, 255]",
        }
        lines = [
            f"decoder  {self.decoder.input} ({self.latent_dim} latents) → {self.decoder.mean} "
            f"(images of {shape}" + (f", {self.order})" if len(self.image_shape) > 2 else ")"),
            f"values   {values[self.range]}; in a first run from {self.smallest:.3g} to "
            f"{self.largest:.3g}",
            "noise    " + _variance_in_words(self.decoder, "each pixel's variance"),
        ]
        if self.encoder is None:
            return [*lines, "encoder  none", *self.remarks]
        return [
            *lines,
            f"encoder  {self.encoder.input} ({values[self.encoder.range]}) → {self.encoder.mean}, "
            + _variance_in_words(self.encoder, "the posterior's variance"),
            *self.remarks,
        ]


def inspect(decoder: bytes, encoder: bytes | None = None, said: Said | None = None) -> Found:
    """Look at a model: each of its graphs is opened and run, in a process of its own.

    Arguments:
        decoder: The ONNX file of the decoder, latents in and images out.
        encoder: That of the encoder, images in and means and variances out.
        said: What is known of it better than by looking.

    Raises:
        VisageError: A file is refused or can't be run, or something can't be told by looking.
    """
    said = said or Said()
    try:
        graph = graph_of(decoder)
        port, shape, latent_dim = _latents(graph, said)
        probe = _Probe(graph, port, shape)
    except VisageError as error:
        raise _of("The decoder", error) from error
    image = _image(probe, said, _shape_of_encoder(encoder))
    reading = Reading(
        bytes=len(decoder),
        input=port.name,
        shape=shape,
        mean=image.mean,
        variance=image.variance,
        variance_is=image.variance_is,
        order=image.order,
        range=said.range or _range(probe, image),
        batch=probe.batch,
        dtype=port.dtype,
    )
    values = probe.found[image.mean]
    if image.mean == image.variance:
        axis = values.ndim - 1 if values.ndim == 4 and image.order == "nhwc" else 1
        values = np.array_split(values, 2, axis)[0]
    if not np.isfinite(values).all():
        raise VisageError(
            "The decoder's images are not all numbers at points of the prior: look at it again "
            "where it was exported."
        )
    found = Found(
        latent_dim,
        image.shape,
        reading,
        None,
        tuple(image.candidates),
        (),
        float(values.min()),
        float(values.max()),
        tuple(_remarks(probe, values)),
    )
    if encoder is None:
        return found
    try:
        encoding, names = _encoder(encoder, found, said)
    except VisageError as error:
        raise _of("The encoder", error) from error
    return dataclasses.replace(found, encoder=encoding, encoder_outputs=names)


class _Probe:
    """A graph's first run: what it answers, and how many inputs at once it takes.

    Attributes:
        batch: 0 where it takes any number, and else the one that it takes.
        found: The answers to :data:`PROBES` inputs, or as many as it takes, by their names.
        random: Outputs that differ from run to run.
    """

    def __init__(self, graph: Graph, port: Port, shape: tuple[int, ...]):
        self.graph, self.port, self.shape = graph, port, shape
        self.ports = [one for one in graph.outputs if one.dtype]
        if not self.ports:
            raise VisageError("It gives no numbers.")
        self.batch = port.shape[0] or 0 if port.shape else 0
        rng = np.random.default_rng(0)
        count = self.batch or PROBES
        self.given = rng.standard_normal((count, *shape))
        if len(shape) > 1 and math.prod(shape) > 64:
            # An encoder's: images.
            self.given = rng.random((count, *shape))
        self.found = self._run(self.given) if self.batch else self._any_batch()
        again = self._run(self.given[:1] if self.batch in (0, 1) else self.given)
        first = {name: array[:1] for name, array in self.found.items()}
        self.random = {
            name
            for name, array in again.items()
            if array.shape[1:] == self.found[name].shape[1:]
            and not np.allclose(array[:1], first[name], rtol=1e-3, atol=1e-4, equal_nan=True)
        }

    def _any_batch(self) -> dict[str, np.ndarray]:
        """Of one at a time and of many at once, where these are the same."""
        try:
            many = self._run(self.given)
        except VisageError:
            many = {}
        alone = self._run(self.given[:1])
        if many and all(len(many[name]) == len(self.given) for name in alone):
            return many
        # It says that it takes any number, and doesn't.
        self.batch = 1
        rows = [self._run(row[None]) for row in self.given]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    def _run(self, given: np.ndarray) -> dict[str, np.ndarray]:
        names = [port.name for port in self.ports]
        found = self.graph.run({self.port.name: given.astype(self.port.dtype)}, names)
        return {
            name: array if array.ndim else array[None]
            for name, array in zip(names, found, strict=True)
        }

    def size(self, name: str) -> int:
        """How many values it gives of one input."""
        return math.prod(self.found[name].shape[1:])


@dataclass(frozen=True)
class _Image:
    """How a decoder's outputs are read."""

    shape: tuple[int, ...]
    order: str
    mean: str
    variance: str
    variance_is: str
    candidates: list[str]


def _the_input(graph: Graph) -> Port:
    inputs = graph.inputs
    if len(inputs) != 1:
        names = ", ".join(port.name[:40] for port in inputs[:MOST_LISTED]) or "none"
        raise VisageError(
            f"It takes {len(inputs)} inputs ({names}), and a model of latents and images takes "
            "one: export it with the others fixed."
        )
    (port,) = inputs
    if not port.dtype:
        raise VisageError(f"Its input {port.name[:40]} is not made of floating-point numbers.")
    return port


def _latents(graph: Graph, said: Said) -> tuple[Port, tuple[int, ...], int]:
    """The decoder's input, what one is like, and how many latents that are."""
    port = _the_input(graph)
    sizes = list(port.shape[1:]) if len(port.shape) > 1 else []
    unknown = [place for place, size in enumerate(sizes) if size is None]
    if not sizes or (unknown and said.latent_dim is None) or len(unknown) > 1:
        raise VisageError(
            f"It does not tell how many latents its input {port.name[:40]} takes: say so with "
            "--latent-dim."
        )
    if unknown:
        others = math.prod(size for size in sizes if size is not None)
        sizes[unknown[0]] = max(1, (said.latent_dim or 1) // others)
    shape = tuple(size for size in sizes if size is not None)
    latent_dim = math.prod(shape)
    if said.latent_dim not in (None, latent_dim):
        raise VisageError(f"Its input takes {latent_dim} latents, not {said.latent_dim}.")
    return port, shape, latent_dim


def _image(probe: _Probe, said: Said, of_encoder: tuple[int, ...] | None) -> _Image:
    """Which output is the image, how it lies there, and which tells of its variance."""
    steady = [port.name for port in probe.ports if port.name not in probe.random]
    if not steady:
        raise VisageError(
            "The decoder answers the same latents with another image each time: export it "
            "without its noise."
        )
    sizes = {name: probe.size(name) for name in steady}
    if said.mean is not None:
        mean = _named(said.mean, steady, "The decoder")
    else:
        largest = max(sizes.values())
        able = [name for name in steady if sizes[name] == largest]
        told = [name for name in able if not _told_variance(name)]
        mean = (told or able)[0]
    alike = [name for name in steady if sizes[name] == sizes[mean]]
    shape, order, doubled = _laid_out(probe.found[mean].shape[1:], said, of_encoder)
    variance, variance_is = _variance(
        mean, alike, doubled, said.variance, said.variance_is, "The decoder"
    )
    return _Image(shape, order, mean, variance, variance_is, alike)


def _laid_out(
    sizes: tuple[int, ...], said: Said, of_encoder: tuple[int, ...] | None
) -> tuple[tuple[int, ...], str, bool]:
    """Image shape and order of one output, and whether it holds mean and variance at once."""
    total = math.prod(sizes)
    order = said.order or "nchw"
    if said.image_shape is not None:
        values = math.prod(said.image_shape)
        if total not in (values, 2 * values):
            raise VisageError(
                f"The decoder gives {'×'.join(map(str, sizes)) or 'one'} values, which are no "
                f"image of {'×'.join(map(str, said.image_shape))}: say another --image-shape."
            )
        if said.order is None and len(sizes) == 3:
            order = _order_of(sizes)
        return tuple(said.image_shape), order, total == 2 * values
    spatial = tuple(size for size in sizes if size > 1) if len(sizes) != 3 else sizes
    if len(sizes) == 3:
        order = said.order or _order_of(sizes)
        channels, height, width = sizes if order == "nchw" else (sizes[2], *sizes[:2])
        if channels in (1, 2):
            return (height, width), order, channels == 2
        if channels in (3, 6):
            return (height, width, 3), order, channels == 6
    elif len(spatial) == 2:
        return spatial, order, False
    elif len(spatial) <= 1:
        shape = _shape_of(total, of_encoder)
        if shape is not None:
            return shape, order, total == 2 * math.prod(shape)
        raise VisageError(
            f"The decoder gives {total:,} values in a row, which may be an image of several "
            "shapes: say which with --image-shape, as 28x20 or 32x32x3."
        )
    raise VisageError(
        f"The decoder gives {'×'.join(map(str, sizes))} values, which are no image in grey or in "
        "three colours: say its --image-shape, or another output with --mean."
    )


def _order_of(sizes: tuple[int, ...]) -> str:
    """Whether the channels of (a, b, c) come first or last."""
    for usual in ((1, 3), (1, 2, 3, 6)):
        if sizes[0] in usual:
            return "nchw"
        if sizes[2] in usual:
            return "nhwc"
    return "nchw"


def _shape_of(total: int, of_encoder: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The image that a row of values can be: as the encoder's, or a square."""
    if of_encoder is not None and total in (math.prod(of_encoder), 2 * math.prod(of_encoder)):
        return of_encoder
    for channels, values in ((1, total), (3, total / 3)):
        side = math.isqrt(int(values))
        if side * side == values and side > 1:
            return (side, side) if channels == 1 else (side, side, 3)
    return None


def _shape_of_encoder(encoder: bytes | None) -> tuple[int, ...] | None:
    """The image shape that an encoder's input tells, or None."""
    if encoder is None:
        return None
    try:
        sizes = _the_input(graph_of(encoder)).shape[1:]
    except VisageError as error:
        raise _of("The encoder", error) from error
    if len(sizes) != 3 or None in sizes:
        return None
    whole = tuple(size for size in sizes if size is not None)
    channels, height, width = whole if _order_of(whole) == "nchw" else (whole[2], *whole[:2])
    return {1: (height, width), 3: (height, width, 3)}.get(channels)


def _variance(
    mean: str,
    alike: list[str],
    doubled: bool,
    said: str | None,
    said_is: str | None,
    whose: str,
) -> tuple[str, str]:
    """The output that tells of the variance, or "", and what it tells."""
    if said == "none":
        return "", "log_var"
    if said is not None:
        name = _named(said, alike, whose)
        return name, said_is or _told_variance(name) or "log_var"
    if doubled:
        return mean, said_is or "log_var"
    others = [name for name in alike if name != mean]
    told = [name for name in others if _told_variance(name)]
    if told:
        return told[0], said_is or _told_variance(told[0]) or "log_var"
    rest = [name for name in others if not re.search(NAMES_OF_SAMPLES, name.lower())]
    # Of two alike without names, most write the mean and then the log-variance.
    return (rest[0], said_is or "log_var") if len(rest) == 1 else ("", "log_var")


def _told_variance(name: str) -> str:
    """What a name says of the variance that it tells; nothing of any other."""
    return next((what for what, words in NAMES_OF_VARIANCE if re.search(words, name.lower())), "")


def _named(name: str, names: list[str], whose: str) -> str:
    if name not in names:
        raise VisageError(
            f"{whose} has no output '{name[:60]}' of that kind: it has "
            f"{', '.join(one[:60] for one in names[:MOST_LISTED])}."
        )
    return name


def _range(probe: _Probe, image: _Image) -> str:
    """What an image's values mean, by the operator that made them and a first run."""
    made_by = next(port.made_by for port in probe.ports if port.name == image.mean)
    if image.mean != image.variance and made_by in ("Sigmoid", "HardSigmoid", "Softmax"):
        return "unit"
    if image.mean != image.variance and made_by in ("Tanh", "Softsign"):
        return "symmetric"
    values = probe.found[image.mean]
    if image.mean == image.variance:
        axis = values.ndim - 1 if values.ndim == 4 and image.order == "nhwc" else 1
        values = np.array_split(values, 2, axis)[0]
    low, high = np.quantile(np.nan_to_num(values), [0.001, 0.999])
    if low >= -SLACK and high <= 1 + SLACK:
        return "unit"
    if max(-low, high) <= 1 + SLACK:
        return "symmetric"
    if low >= -40 and 60 < high < 320:
        return "bytes"
    return "logits"


def _remarks(probe: _Probe, values: np.ndarray) -> list[str]:
    remarks = []
    if len(values) > 1 and np.ptp(values, axis=0).max() < 1e-6:
        remarks.append("It draws the same image at every point of the prior.")
    if probe.batch == 1:
        remarks.append(
            "It takes one latent point at a time, which is slow: export it with a batch of any "
            "size."
        )
    return remarks


def _encoder(content: bytes, found: Found, said: Said) -> tuple[Reading, tuple[str, ...]]:
    """How an encoder's graph is read, and its outputs that could be mean or variance."""
    graph = graph_of(content)
    port = _the_input(graph)
    sizes = list(port.shape[1:])
    values = math.prod(found.image_shape)
    if None in sizes or not sizes:
        sizes = _filled(sizes, found.image_shape, said.order or found.decoder.order)
    shape = tuple(size for size in sizes if size is not None)
    if math.prod(shape) != values:
        raise VisageError(
            f"It takes {'×'.join(map(str, shape))} values an image, and the decoder gives "
            f"{'×'.join(map(str, found.image_shape))}: they are not of one model."
        )
    order = said.order or (_order_of(shape) if len(shape) == 3 else found.decoder.order)
    probe = _Probe(graph, port, shape)
    steady = [one.name for one in probe.ports if one.name not in probe.random]
    fitting = [name for name in steady if probe.size(name) == found.latent_dim]
    double = [name for name in steady if probe.size(name) == 2 * found.latent_dim]
    able = fitting or double
    if said.encoder_mean is not None:
        mean = _named(said.encoder_mean, [*fitting, *double], "The encoder")
    elif able:
        told = [name for name in able if not _told_variance(name)]
        plain = [name for name in told if not re.search(NAMES_OF_SAMPLES, name.lower())]
        mean = (plain or told or able)[0]
    else:
        has = ", ".join(
            f"{one.name[:40]} of {probe.size(one.name):,}" for one in probe.ports[:MOST_LISTED]
        )
        raise VisageError(
            f"It gives no {found.latent_dim} values an image, as many as the decoder takes: it "
            f"gives {has}."
        )
    alike = fitting if mean in fitting else double
    variance, variance_is = _variance(
        mean,
        alike,
        mean in double,
        said.encoder_variance,
        said.encoder_variance_is,
        "The encoder",
    )
    usual = found.range if found.range != "logits" else "unit"
    reading = Reading(
        bytes=len(content),
        input=port.name,
        shape=shape,
        mean=mean,
        variance=variance,
        variance_is=variance_is,
        order=order,
        range=said.input_range or usual,
        batch=probe.batch,
        dtype=port.dtype,
    )
    return reading, tuple(alike)


def _filled(sizes: list[int | None], image_shape: tuple[int, ...], order: str) -> list[int | None]:
    """Sizes of an input that are not told, by the decoder's images."""
    height, width, *channels = image_shape
    if len(sizes) == 3:
        channel = channels[0] if channels else 1
        whole = [channel, height, width] if order == "nchw" else [height, width, channel]
    elif len(sizes) == 2:
        whole = [height, width]
    else:
        whole = [math.prod(image_shape)]
    return [*whole]


def _variance_in_words(reading: Reading, whose: str) -> str:
    if not reading.variance:
        return "no variance"
    if reading.variance == reading.mean:
        return f"{whose}, in the second half of {reading.mean} ({reading.variance_is})"
    return f"{whose}, {reading.variance} ({reading.variance_is})"


def _of(what: str, error: VisageError) -> VisageError:
    """A sentence that begins with "It", of what it is about."""
    text = str(error)
    return VisageError(f"{what} can't be opened: {text[:1].lower()}{text[1:]}")
