"""Portraits of our own design: what is drawn, by whom, and what is known of it."""

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest

from vae import datasets
from vae.__main__ import main
from vae.datasets import cartoon
from vae.datasets.portrait import STYLES, Sitter, portrait
from vae.errors import VisageError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """A set of 60: nobody draws 20,000 to test."""
    monkeypatch.setattr(cartoon, "COUNT", 60)
    monkeypatch.setattr(cartoon, "IN_MEMORY", 40)
    cartoon._in_memory.cache_clear()


def left_behind() -> list[str]:
    """What lies in the folder of data sets beside the set and its lock."""
    known = (cartoon.path().name, ".cartoon.lock")
    return [path.name for path in cartoon.path().parent.glob("*") if path.name not in known]


def test_a_portrait_is_the_same_whoever_draws_it_and_with_whichever_others():
    some = cartoon.draw([5, 0, 17])
    assert some.shape == (3, 64, 64, 3) and some.dtype == np.uint8
    np.testing.assert_array_equal(cartoon.draw(range(20))[[5, 0, 17]], some)
    code = (
        "import hashlib; from vae.datasets import cartoon; "
        "print(hashlib.sha256(cartoon.draw([5, 0, 17]).tobytes()).hexdigest())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == hashlib.sha256(some.tobytes()).hexdigest()


@pytest.mark.parametrize("size", [16, 64, 200])
def test_it_is_drawn_in_any_size(size):
    image = cartoon.draw([3], size)[0].astype(float)
    assert image.shape == (size, size, 3)
    # The same picture: seen from afar it has the same colours.
    coarse = cartoon.draw([3], 16)[0].astype(float)
    step = size // 16
    seen = image[: 16 * step, : 16 * step].reshape(16, step, 16, step, 3).mean(axis=(1, 3))
    assert np.abs(seen - coarse).mean() < 12


def test_a_row_tells_all_that_a_portrait_was_drawn_from():
    table = cartoon.factors(range(500))
    kinds = {column.name: column.is_categorical for column in table}
    assert len(kinds) >= 12 and len(table) == 500
    assert kinds["smile"] is False and kinds["hair style"] is True
    for factor, column in zip(cartoon.FACTORS, table, strict=True):
        assert column.known.all()
        if factor.kinds:
            assert set(column.values) == set(range(len(factor.kinds)))
        else:
            assert factor.lowest <= column.values.min() < column.values.max() <= factor.highest
            # Spread evenly, with those who have beards a little older.
            middle = (factor.lowest + factor.highest) / 2
            assert abs(column.values.mean() - middle) < 0.15 * (factor.highest - factor.lowest)
    bearded = table["beard"].values > 0
    assert table["age"].values[bearded].min() > 0.29


@pytest.mark.parametrize(
    "changed",
    [
        {"smile": -0.5},
        {"mouth_opening": 0.9},
        {"eye_opening": 0.1},
        {"gaze_across": 1.0},
        {"gaze_up": 1.0},
        {"head_turn": 0.8},
        {"brow_angle": -0.8},
        {"hair_length": 1.0},
        {"skin_tone": 0.2},
        {"hair_hue": 0.9},
        {"background_hue": 0.1},
        {"light": 0.7},
        {"age": 0.95},
        {"face_width": 1.0},
        {"clothes_hue": 0.7},
        *({"hair_style": style} for style in STYLES if style != "short"),
        {"glasses": "round"},
        {"glasses": "square"},
        {"beard": "moustache"},
        {"beard": "stubble"},
        {"beard": "full"},
        {"clothes": "striped"},
        {"clothes": "collar"},
        {"clothes": "turtleneck"},
    ],
)
def test_every_factor_is_seen(changed):
    plain, other = (
        cartoon._pixels(portrait(sitter), 64).astype(int)
        for sitter in (Sitter(), Sitter(**changed))
    )
    assert (np.abs(plain - other).max(axis=2) > 16).sum() >= 8


def test_the_set_is_drawn_when_it_is_first_asked_for_and_kept():
    assert not datasets.is_here("cartoon")
    with pytest.raises(VisageError, match="--download cartoon', which needs no network"):
        datasets.load("cartoon", fetch=False)
    shares = []
    datasets.download("cartoon", shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert datasets.is_here("cartoon")
    faces = datasets.load("cartoon", fetch=False)
    assert isinstance(faces.images, np.memmap)
    np.testing.assert_array_equal(faces.images, cartoon.draw(range(60)))
    assert len(faces.labels) == 60 and "smile" in faces.labels.names
    before = cartoon.path().stat().st_mtime_ns
    assert datasets.load("cartoon").sha256 == faces.sha256
    assert cartoon.path().stat().st_mtime_ns == before
    assert left_behind() == []


def test_who_gives_up_leaves_nothing():
    class GivenUpError(Exception):
        pass

    def give_up(share):
        raise GivenUpError

    with pytest.raises(GivenUpError):
        datasets.download("cartoon", give_up)
    assert not datasets.is_here("cartoon") and left_behind() == []
    datasets.download("cartoon")
    assert datasets.is_here("cartoon")


def test_two_who_ask_at_once_get_one_drawing(monkeypatch):
    drawn = []
    write = cartoon._write
    monkeypatch.setattr(cartoon, "_write", lambda *given: (drawn.append(1), write(*given)))
    askers = [threading.Thread(target=datasets.download, args=("cartoon",)) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert drawn == [1] and len(datasets.load("cartoon")) == 60 and left_behind() == []


def test_a_process_that_dies_gets_a_sentence(monkeypatch):
    monkeypatch.setattr(
        cartoon.subprocess,
        "Popen",
        lambda arguments, _popen=subprocess.Popen, **kept: _popen(
            [sys.executable, "-c", "raise SystemExit(1)"], **kept
        ),
    )
    with pytest.raises(VisageError, match="could not be drawn"):
        datasets.load("cartoon")
    assert not datasets.is_here("cartoon") and left_behind() == []


def test_where_nothing_may_be_written_fewer_are_held_in_memory(monkeypatch):
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    assert datasets.is_here("cartoon")
    faces = datasets.load("cartoon")
    assert len(faces) == len(faces.labels) == 40
    np.testing.assert_array_equal(faces.images[7], cartoon.draw([7])[0])
    assert not cartoon.path().parent.exists()


def test_a_file_of_something_else_is_not_taken_for_it():
    cartoon.path().parent.mkdir(parents=True)
    np.save(cartoon.path(), np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(VisageError, match="delete it, and it is drawn again"):
        datasets.load("cartoon")


def test_to_list_the_sets_or_open_the_app_draws_nothing(monkeypatch):
    monkeypatch.setattr(cartoon, "_write", lambda *_: pytest.fail("it was drawn"))
    listed = CliRunner().invoke(main, ["datasets"]).stdout
    assert "not drawn here yet" in listed
    rows = json.loads(CliRunner().invoke(main, ["datasets", "--json"]).stdout)
    assert rows[2]["name"] == "cartoon" and not rows[2]["here"]
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    for page in ("train", "data"):
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception


def test_the_data_page_draws_it_when_asked():
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    app.switch_page("pages/data.py").run()
    app.selectbox(key="data_set").select("cartoon").run()
    assert "about a minute" in app.main.markdown[-1].value
    next(button for button in app.button if button.label == "Draw Cartoon").click().run()
    assert not app.exception and datasets.is_here("cartoon")
    assert any("60** colour images" in text.value for text in app.markdown)
