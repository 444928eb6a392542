"""Figures and strangers' texts, as people read them."""

import pytest

from ui.words import plain


@pytest.mark.parametrize("address", ["https://cs.nyu.edu/~roweis/data.html", "a/~b/c"])
def test_an_address_is_left_whole(address):
    assert plain(address) == address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~~struck~~", r"\~\~struck\~\~"),
        ("/~a~ and ~b", r"/~a\~ and \~b"),
        ("**bold** $x$", r"\*\*bold\*\* \$x\$"),
    ],
)
def test_what_would_be_formatted_is_escaped(text, expected):
    assert plain(text) == expected
