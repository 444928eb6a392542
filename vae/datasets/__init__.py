"""Images to learn from: where they come from, how they are split, and how strangers' are read."""

__all__ = [
    "NAMES",
    "Faces",
    "Pixels",
    "download",
    "folder",
    "is_here",
    "load",
    "names",
    "where_from",
]

from vae.datasets.faces import Faces, Pixels
from vae.datasets.sources import (
    NAMES,
    download,
    folder,
    is_here,
    load,
    names,
    where_from,
)
