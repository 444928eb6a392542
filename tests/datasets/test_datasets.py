"""Data sets and their splits."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import requests
import scipy.io
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from vae import datasets
from vae.__main__ import main
from vae.datasets import faces as faces_module
from vae.datasets.faces import SPLITS, Faces, Pixels
from vae.datasets.published import FREY, SOURCES, Source
from vae.errors import VisageError
from vae.models.card import HOW, Split

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_data_folder(tmp_path, monkeypatch):
    """A data folder in which nothing lies yet."""
    monkeypatch.setenv("VISAGE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def frey_content(monkeypatch):
    """A file of the published one's form, whose checksum counts as right."""
    images = np.random.default_rng(0).integers(0, 256, (560, 1965), dtype=np.uint8)
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"ff": images})
    content = buffer.getvalue()
    download = replace(FREY.download, sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(SOURCES, "frey", replace(FREY, download=download))
    return content


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(requests, "get", refuse)


def test_olivetti_is_always_there():
    faces = datasets.load("olivetti")
    assert faces.images.shape == (400, 28, 23)
    assert faces.images.dtype == np.uint8
    assert faces.images.std() > 30
    assert "AT&T" in faces.credit


def test_frey_is_the_published_array(frey):
    faces = datasets.load("frey")
    assert faces.images.shape == (1965, 28, 20)
    assert faces.sha256 == "2438ba4f0d2a6bd8bac43de756141eaa33c8d248dd613d464bdb1210d9b7af78"


def test_sha256_is_that_of_the_bytes():
    images = np.random.default_rng(0).integers(0, 256, (9000, 2, 2), dtype=np.uint8)
    assert Faces("some", images).sha256 == hashlib.sha256(images.tobytes()).hexdigest()


@settings(deadline=None)
@given(
    st.integers(2, 200),
    st.floats(0.01, 0.99),
    st.sampled_from(sorted(SPLITS)),
    st.integers(0, 9),
)
def test_a_split_divides_every_image_once(count, holdout, how, seed):
    faces = Faces("some", np.zeros((count, 2, 2), np.uint8))
    if not 0 < round(count * holdout) < count:
        with pytest.raises(VisageError, match="held-out share"):
            faces.split_indices(holdout, how, seed)
        return
    train, heldout = faces.split_indices(holdout, how, seed)
    assert sorted([*train, *heldout]) == list(range(count))
    assert len(heldout) == round(count * holdout)
    if how == "last":
        assert heldout.min() > train.max()
    if how == "first":
        assert heldout.max() < train.min()


@settings(deadline=None)
@given(
    st.integers(2, 200),
    st.floats(0.01, 0.6),
    st.floats(0.01, 0.6),
    st.sampled_from(sorted(SPLITS)),
    st.integers(0, 9),
)
def test_three_sets_hold_every_image_once(count, holdout, test, how, seed):
    faces = Faces("some", np.zeros((count, 2, 2), np.uint8))
    try:
        sets = faces.splits_indices(holdout, test, how, seed)
    except VisageError as error:
        assert "leave some to train on" in str(error)
        return
    assert sorted(np.concatenate(sets)) == list(range(count))
    assert all(len(part) and (np.diff(part) > 0).all() for part in sets)
    assert len(sets.validation) == round(count * holdout)
    if how == "blocks":
        assert abs(len(sets.test) - count / max(2, round(1 / test))) < 1
    else:
        assert len(sets.test) == round(count * test)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_validation_set_is_what_was_held_out_before_there_was_a_test_set(seed):
    faces = datasets.load("olivetti")
    before = np.sort(np.random.default_rng(seed).permutation(400)[:40])
    sets = faces.splits_indices(0.1, 0.1, "random", seed)
    np.testing.assert_array_equal(sets.validation, before)
    np.testing.assert_array_equal(faces.split_indices(0.1, "random", seed)[1], before)
    np.testing.assert_array_equal(faces.splits_indices(test=0, seed=seed).validation, before)


def test_the_usual_shares():
    faces = Faces("some", np.zeros((1965, 2, 2), np.uint8))
    for how, sizes in {"random": (1573, 196, 196), "last": (1376, 196, 393)}.items():
        assert tuple(map(len, faces.splits_indices(how=how))) == sizes
        assert tuple(map(len, faces.splits(how=how))) == sizes


def test_the_last_images_are_the_test_set_and_the_first_its_mirror_image():
    faces = Faces("some", np.zeros((200, 2, 2), np.uint8))
    last, first = (faces.splits_indices(how=how) for how in ("last", "first"))
    assert last.training.max() < last.validation.min()
    assert last.validation.max() < last.test.min()
    for one, mirrored in zip(last, first, strict=True):
        np.testing.assert_array_equal(one, 199 - mirrored[::-1])


def test_blocks_are_stretches_and_each_fold_is_tested_once():
    faces = Faces("some", np.zeros((1965, 2, 2), np.uint8))
    tested = []
    for seed in range(10):
        sets = faces.splits_indices(how="blocks", seed=seed)
        assert (np.diff(sets.test) == 1).all()
        stretches = np.split(sets.validation, np.flatnonzero(np.diff(sets.validation) > 1) + 1)
        assert 1 <= len(stretches) <= 4 and min(map(len, stretches)) >= 196 // 4
        # Next to a test image lies no image that the step was chosen on.
        assert not set(sets.validation) & {sets.test[0] - 1, sets.test[-1] + 1}
        tested.append(sets.test)
    assert sorted(np.concatenate(tested[:5])) == list(range(1965))
    for one, again in zip(tested[:5], tested[5:], strict=True):
        np.testing.assert_array_equal(one, again)
    whole = faces.splits_indices(test=0, how="blocks")
    assert len(whole.test) == 0 and len(whole.validation) == 196


@pytest.mark.parametrize("test", [1, 0.95, -0.1, 1e-9, float("nan")])
@pytest.mark.parametrize("how", SPLITS)
def test_an_impossible_test_share_gets_a_sentence(test, how):
    with pytest.raises(VisageError, match="the test share"):
        datasets.load("olivetti").splits(test=test, how=how)


def test_a_card_knows_every_way_to_divide_a_set():
    assert set(get_args(HOW)) == set(SPLITS)
    said = {"how": "blocks", "holdout": 0.1, "seed": 3, "test": 0.2}
    assert Split.of(said) == Split("blocks", 0.1, 3, 0.2)
    del said["test"]
    assert Split.of(said) == Split("blocks", 0.1, 3, 0)
    assert Split.of(said | {"test": 0.9}) is None
    assert Split.of(said | {"test": "much"}) is None


def test_a_split_depends_on_its_seed_alone():
    faces = datasets.load("olivetti")
    first, again, other = (faces.split(seed=seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_split_gives_flattened_pixels_in_the_unit_interval():
    faces = datasets.load("olivetti")
    train, heldout = faces.split(holdout=0.1)
    assert train.shape == (360, 28 * 23)
    assert heldout.shape == (40, 28 * 23)
    assert train.dtype == np.float32
    assert 0 <= train.min() < 0.2
    assert 0.8 < train.max() <= 1
    _, indices = faces.split_indices(holdout=0.1)
    np.testing.assert_array_equal(
        np.rint(heldout * 255).astype(np.uint8), faces.images[indices].reshape(40, -1)
    )


@pytest.mark.parametrize("holdout", [0, 1, -0.1, 1.5, 1e-9, float("nan")])
def test_an_impossible_share_gets_a_sentence(holdout):
    with pytest.raises(VisageError, match="held-out share"):
        datasets.load("olivetti").split(holdout)


def test_an_unknown_way_to_split_gets_a_sentence():
    for divide in (datasets.load("olivetti").split, datasets.load("olivetti").splits):
        with pytest.raises(VisageError, match="one of random, last, first, blocks, not 'middle'"):
            divide(how="middle")


def test_an_unknown_data_set_gets_a_sentence():
    with pytest.raises(VisageError, match="choose one of frey, olivetti"):
        datasets.load("celeba")


def test_a_memory_mapped_set_reads_like_an_array(tmp_path, monkeypatch):
    monkeypatch.setattr(faces_module, "LARGEST_IN_MEMORY", 0)
    monkeypatch.setattr(faces_module, "READ_AT_ONCE", 7)
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 4), dtype=np.uint8)
    np.save(tmp_path / "some.npy", images)
    faces = datasets.load(tmp_path / "some.npy")
    lazy, _ = faces.split(holdout=0.2)
    plain, _ = Faces("some", images).split(holdout=0.2)
    assert isinstance(lazy, Pixels)
    assert lazy.shape == plain.shape
    np.testing.assert_array_equal(np.asarray(lazy), plain)
    np.testing.assert_array_equal(lazy[np.array([3, 1, 2])], plain[[3, 1, 2]])
    np.testing.assert_array_equal(lazy[5:9], plain[5:9])


def test_frey_without_network_says_how_to_get_it(empty_data_folder, no_network):
    assert not datasets.is_here("frey")
    with pytest.raises(VisageError, match=r"get frey_rawface\.mat from .* and put it into"):
        datasets.load("frey")
    assert not datasets.is_here("frey")


def test_frey_is_not_fetched_where_that_is_not_wanted(empty_data_folder, no_network):
    with pytest.raises(VisageError, match="not on this machine"):
        datasets.load("frey", fetch=False)


def test_a_download_is_checked_and_reported(empty_data_folder, frey_content, monkeypatch):
    shares = []
    serve(monkeypatch, frey_content)
    datasets.download("frey", shares.append)
    assert datasets.load("frey", fetch=False).images.shape == (1965, 28, 20)
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def test_a_damaged_download_leaves_nothing(empty_data_folder, monkeypatch):
    serve(monkeypatch, b"not the file")
    with pytest.raises(VisageError, match="failed: what came is not the file that was expected"):
        datasets.download("frey")
    assert not datasets.is_here("frey")


def test_a_failed_download_names_the_other_ways(empty_data_folder, no_network):
    with pytest.raises(VisageError) as failure:
        datasets.download("frey")
    sentence = str(failure.value)
    assert "can't be reached from here" in sentence
    assert f"put it into {empty_data_folder}/" in sentence
    assert "use olivetti" in sentence
    assert "--download" not in sentence


def test_an_entry_is_all_that_a_data_set_needs(empty_data_folder, monkeypatch):
    images = np.zeros((30, 4, 5), np.uint8)
    credit = Source("dark", "Dark", "nothing to see", "a test", "nobody", lambda _: images)
    monkeypatch.setitem(SOURCES, "dark", credit)
    assert datasets.names() == ["frey", "olivetti", "cartoon", "dark"]
    assert datasets.is_here("dark")
    assert datasets.where_from("dark") == "a test"
    assert datasets.load("dark").image_shape == (4, 5)
    listed = json.loads(CliRunner().invoke(main, ["datasets", "--json"]).stdout)
    assert {"name": "dark", "here": True, "from": "a test"}.items() <= listed[3].items()
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/train.py").run()
    assert "dark" in app.selectbox(key="new_dataset").options


def serve(monkeypatch, content):
    """Answer pooch's request with these bytes, in pieces."""

    class Response:
        headers = {"content-length": str(len(content))}  # noqa: RUF012

        def raise_for_status(self):
            pass

        def iter_content(self, chunk_size):
            return (content[start : start + chunk_size] for start in range(0, len(content), 1024))

        def close(self):
            pass

    monkeypatch.setattr(requests, "get", lambda *_, **__: Response())


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file, but not really"])
def test_a_wrong_upload_is_refused_and_changes_nothing(empty_data_folder, frey_content, content):
    SOURCES["frey"].keep(frey_content)
    with pytest.raises(VisageError, match="damaged or another file"):
        SOURCES["frey"].keep(content)
    assert (empty_data_folder / FREY.download.file).read_bytes() == frey_content


def test_an_upload_is_kept(empty_data_folder, frey_content):
    assert len(SOURCES["frey"].keep(frey_content)) == 1965
    assert datasets.is_here("frey")


def test_an_upload_is_refused_where_nothing_may_change(
    empty_data_folder, frey_content, monkeypatch
):
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    with pytest.raises(VisageError, match="read-only"):
        SOURCES["frey"].keep(frey_content)
    assert not datasets.is_here("frey")


def test_a_damaged_file_in_the_folder_gets_a_sentence(empty_data_folder):
    empty_data_folder.mkdir()
    (empty_data_folder / FREY.download.file).write_bytes(b"damaged")
    with pytest.raises(VisageError, match="damaged or another file"):
        datasets.load("frey")


@pytest.mark.parametrize(
    "array", [np.zeros((3, 4), np.uint8), np.zeros((3, 4, 4)), np.zeros((0, 4, 4), np.uint8)]
)
def test_an_array_that_holds_no_images_gets_a_sentence(tmp_path, array):
    np.save(tmp_path / "some.npy", array)
    with pytest.raises(VisageError, match="must hold"):
        datasets.load(tmp_path / "some.npy")
