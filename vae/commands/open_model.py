"""``open``: a model that somebody else trained, as ONNX files, becomes one of the user's own."""

from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from vae import datasets, runs
from vae.commands.data_sets import store
from vae.errors import VisageError
from vae.latent.arrays import Posterior, match_prior
from vae.limits import Ceiling, check_writable, in_words
from vae.models.checkpoint import Checkpoint
from vae.models.foreign.networks import ORDERS, RANGES, VARIANCES
from vae.models.foreign.opening import Said, inspect, keep, open_model
from vae.models.gaussian import Gaussian
from vae.models.likelihoods import STATED

# A posterior whose means lie further from the prior's than this is told of.
FAR = 1.0, 2.0


class Shape(click.ParamType):
    """An image's shape, as 28x20 or 64x64x3."""

    name = "HxW[x3]"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        sides = str(value).lower().replace("×", "x").split("x")
        if len(sides) not in (2, 3) or not all(side.strip().isdecimal() for side in sides):
            self.fail(
                "a shape is a height and a width, as 28x20, or in colour 64x64x3", param, ctx
            )
        shape = tuple(map(int, sides))
        return shape[:2] if shape[2:] == (1,) else shape


onnx_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("open")
@click.argument("decoder", type=onnx_file)
@click.argument("encoder", type=onnx_file, required=False)
@click.option("--name", help="What to call it; its decoder's file's name if not given.")
@click.option(
    "--images",
    help="A data set's name, or a folder, zip or array of images, which is stored first: their "
    "posterior's means are the points of the pad.",
)
@click.option(
    "--likelihood",
    type=click.Choice([*STATED]),
    help="The noise of pixels that it was trained with; if not given, gaussian where the decoder "
    "tells a variance or --std is given, else none: then nothing is told in nats.",
)
@click.option("--std", type=float, help="The noise's standard deviation, of pixels in [0, 1].")
@click.option("--latent-dim", type=click.IntRange(1), help="Where the file does not tell.")
@click.option("--image-shape", type=Shape(), help="Where values come in a row.")
@click.option("--order", type=click.Choice(ORDERS), help="Channels first (PyTorch) or last.")
@click.option("--range", "values", type=click.Choice(RANGES), help="Of the decoder's values.")
@click.option(
    "--input-range",
    type=click.Choice([one for one in RANGES if one != "logits"]),
    help="Of the values that the encoder takes; as the decoder's if not given.",
)
@click.option("--mean", help="The decoder's output that is the image.")
@click.option("--variance", help="The one that tells of the variance, or none.")
@click.option("--variance-is", type=click.Choice(VARIANCES), help="What that tells.")
@click.option("--encoder-mean", help="The encoder's output that is the posterior's mean.")
@click.option("--encoder-variance", help="The one that tells of its variance, or none.")
@click.option("--encoder-variance-is", type=click.Choice(VARIANCES), help="What that tells.")
@click.option(
    "--match-prior",
    "matched",
    is_flag=True,
    help="Shift and stretch each latent so that the images' posterior suits the prior.",
)
@click.option("--look", is_flag=True, help="Say what was found and keep nothing.")
def open_command(
    decoder: Path,
    encoder: Path | None,
    name: str | None,
    images: str | None,
    likelihood: str | None,
    std: float | None,
    values: str | None,
    matched: bool,
    look: bool,
    **said: Any,
) -> None:
    """Open a model that somebody else trained: a DECODER, and an ENCODER if there is one.

    Both are ONNX files. What they take and give is found by looking; each option corrects it.
    """
    if not look:
        check_writable()
    content = read(decoder)
    encoding = None if encoder is None else read(encoder)
    found = inspect(content, encoding, Said(range=values, **said))
    for line in found.in_words():
        click.echo(line, err=True)
    if look:
        return
    faces = None if images is None else datasets.load(stored(images))
    checkpoint = open_model(
        content,
        encoding,
        found,
        likelihood,
        std,
        None if faces is None else faces.images,
        {} if faces is None else {"dataset": faces.name, "dataset_sha256": faces.sha256},
    )
    checkpoint = placed(checkpoint, matched)
    taken = {run.name for run in runs.all_runs()}
    path = keep(checkpoint, name or decoder.stem, taken)
    if checkpoint.model.why_no_nats:
        click.echo(checkpoint.model.why_no_nats, err=True)
    click.echo(str(path))


def read(path: Path) -> bytes:
    """A file of at most the ceiling's size."""
    size = path.stat().st_size
    if size > Ceiling.MODEL():
        raise VisageError(
            f"{path.name} has {in_words(size)}; the limit is {in_words(Ceiling.MODEL())} "
            f"({Ceiling.MODEL.variable})."
        )
    return path.read_bytes()


def stored(images: str) -> str:
    """The name of a data set that is given by its name or by a path; stored, if need be."""
    if images in datasets.names() or datasets.is_here(images) or not Path(images).exists():
        return images
    return store(Path(images))


def placed(checkpoint: Checkpoint, matched: bool) -> Checkpoint:
    """The model in latents that suit the prior, where that is wanted; else a word about it."""
    posterior = checkpoint.posterior
    if posterior is None:
        if matched:
            raise VisageError("To suit the prior, latents need images: give --images.")
        return checkpoint
    mean, log_var = (np.asarray(part) for part in posterior)
    if matched:
        model, moved = match_prior(checkpoint.model, Posterior(mean, log_var))
        return Checkpoint(model, checkpoint.info, Gaussian(*map(torch.from_numpy, moved)))
    centre, spread = np.abs(mean.mean(axis=0)).max(), mean.std(axis=0).max()
    if centre > FAR[0] or spread > FAR[1]:
        click.echo(
            f"Its images lie up to {centre:.1f} from the prior's middle and spread by up to "
            f"{spread:.1f}, where the prior has 1: --match-prior would shift and stretch the "
            "latents so that both agree.",
            err=True,
        )
    return checkpoint
