"""Names that people give: what a folder, a command line and an address all take."""

__all__ = ["clean_name"]

import re
import unicodedata
from collections.abc import Collection

from vae.errors import VisageError

LONGEST_NAME = 60


def clean_name(text: str, taken: Collection[str] = ()) -> str:
    """A name as a folder and a command line take it: letters, digits, hyphens and underscores.

    Arguments:
        text: What was typed.
        taken: Names that mean something else.

    Raises:
        VisageError: Nothing is left of it, or it is taken.
    """
    text = unicodedata.normalize("NFKC", text).strip().lower()
    name = re.sub(r"[^\w]+", "-", text)[:LONGEST_NAME].strip("-_")
    while len(name.encode()) > 200:
        name = name[:-1]
    if not name:
        raise VisageError(f"'{text[:60]}' is no name for a data set: use letters and digits.")
    if name in taken or re.fullmatch(r"con|prn|aux|nul|(com|lpt)\d", name):
        raise VisageError(f"'{name}' is taken: choose another name.")
    return name
