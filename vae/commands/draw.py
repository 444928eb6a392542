"""``manifold``, ``sample`` and ``export``: what a model draws, and files made of it."""

import math
from pathlib import Path

import click
import numpy as np

from vae import images
from vae.commands.terminal import checkpoint_argument
from vae.errors import VisageError
from vae.files import replacing
from vae.latent.arrays import decode, manifold_sheet, sample
from vae.models import onnx
from vae.models.checkpoint import load_checkpoint


@click.command("manifold")
@checkpoint_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A PNG file.")
@click.option("--grid", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--tail", type=float, default=0.01, show_default=True)
@click.option("--scale", type=click.IntRange(1, 20), default=2, show_default=True)
def manifold_command(checkpoint: Path, out: Path, grid: int, tail: float, scale: int) -> None:
    """Draw the decoded manifold (the paper's Figure 4)."""
    model = load_checkpoint(checkpoint).model
    z = manifold_sheet(grid, tail, model.latent_dim)
    write_picture(out, decode(model, z)[0], scale)


@click.command("sample")
@checkpoint_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A PNG file.")
@click.option("-n", "count", type=click.IntRange(1, 10_000), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--scale", type=click.IntRange(1, 20), default=2, show_default=True)
@click.option("--noise", is_flag=True, help="Draw from p(x|z), its noise and all, not its mean.")
def sample_command(
    checkpoint: Path, out: Path, count: int, seed: int, scale: int, noise: bool
) -> None:
    """Draw faces at random points of the prior (the paper's Figure 5)."""
    model = load_checkpoint(checkpoint).model
    z = np.random.default_rng(seed).standard_normal((count, model.latent_dim))
    faces = sample(model, z, seed) if noise else decode(model, z)[0]
    columns = math.ceil(math.sqrt(count))
    canvas = np.ones((math.ceil(count / columns) * columns, *faces.shape[1:]))
    canvas[:count] = faces
    write_picture(out, canvas.reshape(-1, columns, *faces.shape[1:]), scale)


@click.command("export")
@checkpoint_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder.")
def export_command(checkpoint: Path, out: Path) -> None:
    """Write encoder.onnx and decoder.onnx, checked against the model."""
    model = load_checkpoint(checkpoint).model
    for name, exported in (("encoder", onnx.encoder), ("decoder", onnx.decoder)):
        if name == "encoder" and not model.can_encode:
            continue
        content = exported(model)
        if content is None:
            raise VisageError(f"The {name} of {checkpoint} has no form in ONNX.")
        with replacing(out / f"{name}.onnx") as beside:
            beside.write_bytes(content)
        click.echo(str(out / f"{name}.onnx"))


def write_picture(out: Path, faces: np.ndarray, scale: int) -> None:
    """Write faces (R, C, H, W[, 3]) as one PNG."""
    with replacing(out) as beside:
        beside.write_bytes(images.png(images.tile(images.to_uint8(faces)), scale))
    click.echo(str(out))
