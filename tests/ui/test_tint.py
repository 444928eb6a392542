"""What points are coloured by, as arrays."""

import numpy as np
import pytest

from ui.tint import AMOUNTS, KINDS, OTHERS, tint
from vae.datasets.labels import categorical, continuous


def test_few_kinds_have_a_colour_each():
    column = categorical("mood", [0, 1, -1, 1, 0], ["sad", "happy"])
    found = tint(column, np.array([1, 2, 4]))
    assert found.codes.tolist() == [1, -1, 0]
    assert found.legend == [("sad", KINDS[0]), ("happy", KINDS[1])]
    assert [found.words[value] for value in found.values[[0, 2]]] == ["happy", "sad"]


def test_of_many_kinds_the_most_frequent_have_one_and_the_others_share():
    codes = np.concatenate([np.repeat(np.arange(7), 5), np.arange(7, 10_000)])
    found = tint(
        categorical("who", codes, [f"k{n}" for n in range(10_000)]), np.arange(len(codes))
    )
    assert [text for text, _ in found.legend] == [*(f"k{n}" for n in range(7)), "9,993 others"]
    assert found.legend[-1][1] == OTHERS and found.codes[-1] == 7
    assert found.words[found.values[-1]] == "k9999"


def test_numbers_go_from_dark_to_light_in_equal_steps():
    values = [-1.0, 0.0, np.nan, 1.0]
    found = tint(continuous("smile", values), np.arange(4))
    assert found.codes.tolist() == [0, 4, -1, 7]
    assert [colour for _, colour in found.legend] == list(AMOUNTS)
    assert found.legend[0][0] == "−1 to −0.75"
    assert [found.words[value] if value >= 0 else None for value in found.values] == [
        "−1",
        "0",
        None,
        "1",
    ]


@pytest.mark.parametrize(("value", "legend"), [(np.nan, []), (2.0, ["2"]), (-2.0, ["−2"])])
def test_nothing_known_and_all_alike_are_no_error(value, legend):
    found = tint(continuous("x", [value] * 3), np.arange(3))
    assert [text for text, _ in found.legend] == legend
