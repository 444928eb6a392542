"""Models that ship, and checkpoints that people bring: kept in a folder of their own, once they
have proved sound."""

__all__ = ["SHIPPED", "SUFFIX", "brought", "check_kind", "folder", "keep", "names", "remove"]

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import torch

from vae import trash
from vae.errors import VisageError
from vae.files import data_folder, replacing
from vae.limits import PICKLES, Ceiling, check_writable, in_words
from vae.models.checkpoint import load_checkpoint
from vae.names import checked_name
from vae.trash import Deleted

SUFFIX = ".safetensors"

# The models that come with Visage: beside the packages here or, installed, beside the app.
_HERE = Path(__file__).resolve().parents[2]
SHIPPED = next(
    (
        path
        for path in (_HERE / "checkpoints", _HERE / "visage_app" / "checkpoints")
        if path.is_dir()
    ),
    _HERE / "checkpoints",
)


def folder() -> Path:
    """Where they are kept: ``models`` in the folder of data sets."""
    return data_folder() / "models"


def brought() -> list[Path]:
    """Every checkpoint that was brought, by name."""
    return sorted(folder().glob(f"[!.]*{SUFFIX}"))


def names() -> set[str]:
    """The names that models of this project and brought ones have: no other may take them."""
    return {path.stem for path in (*SHIPPED.glob(f"*{SUFFIX}"), *brought())}


def check_kind(file_name: str) -> None:
    """Refuse a file that by its name is no checkpoint of this project.

    Raises:
        VisageError: It says what is taken, and why no pickle is.
    """
    if file_name.lower().endswith(SUFFIX):
        return
    why = (
        "a pickle, as PyTorch saves it, can run anything when it is opened, and this may come "
        "from a stranger"
        if file_name.lower().endswith(PICKLES)
        else "it is of another kind"
    )
    raise VisageError(
        f"{file_name[:60]} can't be taken: {why}. Give a {SUFFIX} file that Visage trained, which "
        "holds nothing but numbers and their description."
    )


def keep(file: BinaryIO, name: str, taken: Collection[str] = ()) -> Path:
    """Keep a checkpoint under a name.

    Arguments:
        file: Open for reading.
        name: What to call it, by the rule of :mod:`vae.names`.
        taken: Names that runs have: those of other models are taken anyway.

    Raises:
        VisageError: It is no checkpoint of this project, too large, or the name is taken. Then
            nothing is kept.
    """
    check_writable()
    name = checked_name(name.removesuffix(SUFFIX))
    path = folder() / f"{name}{SUFFIX}"
    if name in taken or name in names():
        raise VisageError(f"There is a model named {name} already: choose another name.")
    size = file.seek(0, os.SEEK_END)
    if size > Ceiling.UPLOAD():
        raise VisageError(
            f"{name} has {in_words(size)}; the limit is {in_words(Ceiling.UPLOAD())} "
            f"({Ceiling.UPLOAD.variable})."
        )
    file.seek(0)
    with replacing(path) as beside:
        with beside.open("wb") as out:
            shutil.copyfileobj(file, out)
        try:
            model = load_checkpoint(beside).model
            if not model.decoder.is_exact:
                # A stranger's graph in it proves sound once it has been run.
                model.decode(torch.zeros(1, model.latent_dim))
        except VisageError as error:
            raise VisageError(str(error).replace(str(beside), f"{name}{SUFFIX}")) from error
    return path


def remove(name: str, known: int | None = None) -> Deleted:
    """Move a checkpoint that was brought into the trash of its folder.

    Arguments:
        name: Its name.
        known: Its :func:`vae.trash.identity`, where another may have come in its place.

    Raises:
        VisageError: There is none of that name, or another one; or it can't be moved.
    """
    check_writable()
    path = folder() / f"{name}{SUFFIX}"
    if path not in brought():
        raise VisageError(f"There is no model '{name[:60]}' that was brought here.")
    return trash.throw(path, known)
