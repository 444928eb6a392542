"""Names that people give to runs, models and data sets, and the one rule for all of them.

A name is what a folder, a command line and an address all take as it stands: letters and digits of
any script, hyphens and underscores, a letter or digit first, and no more than 60 of them.
"""

__all__ = ["checked_name", "name_from"]

import re
import unicodedata
from collections.abc import Collection

from vae.errors import VisageError

LONGEST_NAME = 60

# What a file system takes for one name, less what is put around it while a file is written.
MOST_BYTES = 200


def checked_name(text: str, taken: Collection[str] = ()) -> str:
    """What a person typed as a name: in lower case, and with hyphens for spaces.

    Arguments:
        text: What was typed.
        taken: Names that mean something else.

    Raises:
        VisageError: It breaks the rule, or is taken.
    """
    name = re.sub(r"\s+", "-", unicodedata.normalize("NFKC", text).strip().lower())
    if len(name) > LONGEST_NAME or len(name.encode(errors="replace")) > MOST_BYTES:
        raise VisageError(
            f"'{name[:20]}…' has {len(name):,} characters: a name has {LONGEST_NAME} at most."
        )
    if not re.fullmatch(r"[^\W_][\w-]*", name):
        raise VisageError(
            f"'{text}' is no name: use letters, digits, hyphens and underscores, and begin with "
            "a letter or digit."
        )
    if name in taken or re.fullmatch(r"con|prn|aux|nul|(com|lpt)\d", name):
        raise VisageError(f"'{name}' is taken: choose another name.")
    return name


def name_from(text: str) -> str:
    """A name made of what a file or folder is called, to be proposed: the rest is left out."""
    text = unicodedata.normalize("NFKC", text).lower()
    name = re.sub(r"[^\w]+", "-", text).strip("-_")[:LONGEST_NAME]
    while len(name.encode()) > MOST_BYTES:
        name = name[:-1]
    return name.strip("-_") or "images"
