"""Files made to take long, to need much memory or to fail: each ends in words or a preview."""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
import scipy.io
from PIL import Image

from benchmarks import nasty_files
from benchmarks.nasty_files import NASTY
from vae import datasets
from vae.datasets import confined, ingest, reader
from vae.datasets.ingest import Choices, look, store
from vae.errors import VisageError


@pytest.fixture
def sets(tmp_path) -> Path:
    """Where data sets are stored."""
    return tmp_path / "data" / "sets"


def nothing_is_left(sets: Path) -> bool:
    return not sets.exists() or list(sets.iterdir()) == []


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def given(kind: str) -> dict[str, io.BytesIO]:
    name, make = NASTY[kind]
    return {name: io.BytesIO(make())}


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("npy, sides beyond NumPy", "is damaged"),
        ("npy, sides beyond any number", "is damaged"),
        ("npy, sides that are booleans", "is damaged"),
        ("zip of 600,000 entries", "over 200,000 files; the limit is"),
        ("zip of 200,000 broken images", "no image to take among"),
        ("npz, members on one body", "over 1,000 arrays"),
        ("zip of long names", "name has over 1,000 characters"),
    ],
)
def test_it_is_refused_in_one_sentence(kind, sentence, sets, monkeypatch):
    # A machine with much else to do may need longer.
    monkeypatch.setenv("VISAGE_MAX_LOOK_SECONDS", "20")
    with pytest.raises(VisageError, match=sentence) as refusal:
        look(given(kind))
    assert len(str(refusal.value)) < 400
    assert nothing_is_left(sets)


@pytest.mark.parametrize(
    "kind",
    ["ppm of another depth", "plain ppm", "plain pgm", "bmp of runs", "jpeg of 2,000 scans"],
)
def test_what_takes_too_long_is_ended_and_named(kind, sets, monkeypatch):
    monkeypatch.setenv("VISAGE_MAX_LOOK_SECONDS", "1")
    with pytest.raises(VisageError, match=r"a\.\w+ takes over 1 s .*VISAGE_MAX_LOOK_SECONDS"):
        look(given(kind))
    assert nothing_is_left(sets)


def test_a_million_texts_are_ended_or_read(sets, monkeypatch):
    monkeypatch.setenv("VISAGE_MAX_LOOK_SECONDS", "1")
    with pytest.raises(VisageError, match=r"a\.png takes over 1 s"):
        look(given("png of a million texts"))


def test_a_look_takes_a_sample(sets):
    """What decodes slowly shows fewer pictures; what is packed is not unpacked to its end."""
    found = look(given("thirty deep pngs"))
    assert found.count == 30
    assert 1 <= len(found.pictures) <= 30
    # However fast the machine, it is said if there are fewer than there would be.
    assert bool(found.cut_short) == (len(found.pictures) < reader.SAMPLES)
    files = {"a.npz": io.BytesIO(nasty_files.large_npz(3_000))}
    found = look(files)
    assert (found.count, found.sizes) == (3_000, {(252, 256): 3_000})
    assert len(found.pictures) == 24
    assert found.cut_short == ""
    many = {
        f"{place}.png": io.BytesIO(png(np.full((2, 2), place % 256, np.uint8)))
        for place in range(2_500)
    }
    found = look(many)
    assert found.count == 2_500
    assert found.is_sample and found.looked_at <= 2_000
    assert len(store(found, "many").faces) == 2_500
    assert [path.name for path in sets.iterdir()] == ["many"]


def test_what_needs_too_much_memory_is_told_so(sets, monkeypatch):
    monkeypatch.setenv("VISAGE_MAX_LOOK_MB", "200")
    matrix = io.BytesIO()
    scipy.io.savemat(matrix, {"m": np.zeros((3_000, 256, 400), np.uint8)}, do_compression=True)
    with pytest.raises(VisageError, match=r"200 MiB of memory, the limit \(VISAGE_MAX_LOOK_MB\)"):
        look({"a.mat": matrix})
    assert nothing_is_left(sets)


def test_one_slow_picture_is_skipped_and_the_others_are_stored(sets, monkeypatch):
    faces = datasets.load("olivetti").images[:40]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, face in enumerate(faces):
            archive.writestr(f"{place}.png", png(face))
        archive.writestr("20b.bmp", nasty_files.bmp_of_runs())
        archive.writestr("z.bmp", nasty_files.bmp_of_runs())
        archive.writestr("z.txt", b"hello")
    monkeypatch.setenv("VISAGE_MAX_LOOK_SECONDS", "2")
    found = look({"a.zip": buffer})
    assert found.count == 42
    shares = []
    stored = store(found, "most", Choices((28, 23)), shares.append)
    np.testing.assert_array_equal(stored.faces.images, faces)
    assert [name for name, _ in stored.skipped] == ["z.txt", "20b.bmp", "z.bmp"]
    assert "takes over 2 s" in dict(stored.skipped)["20b.bmp"]
    assert stored.skipped_count == 3
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert datasets.load("most").sha256 == stored.faces.sha256


def test_a_set_of_slow_pictures_is_given_up(sets, monkeypatch):
    monkeypatch.setattr(confined, "MOST_SLOW", 1)
    monkeypatch.setenv("VISAGE_MAX_LOOK_SECONDS", "2")
    slow = nasty_files.bmp_of_runs()
    files = {"0.png": png(np.full((4, 4), 9, np.uint8))} | {f"{n}.bmp": slow for n in range(1, 4)}
    found = look({name: io.BytesIO(content) for name, content in files.items()})
    assert len(found.pictures) == 1
    assert found.cut_short.startswith("The look was ended after 1 image: the upload: 1.bmp takes")
    with pytest.raises(VisageError, match=r"2\.bmp takes over 2 s"):
        store(found, "slow", Choices((4, 4)))
    assert nothing_is_left(sets)


def test_a_look_that_stops_itself_says_so(sets, monkeypatch):
    monkeypatch.setattr(reader, "FOR_SAMPLES", 0)
    files = {f"{n}.png": io.BytesIO(png(np.full((4, 4), n, np.uint8))) for n in range(3)}
    _, source = ingest.source_of(files, ingest.Layout())
    request = reader.Request("look", source.kind)
    told = [head for head, _ in reader.answers(request, source.file)]
    assert [head["cut_short"] for head in told if "cut_short" in head] == [
        "they take long to read."
    ]
    monkeypatch.setattr(confined, "look", lambda source: reader.answers(request, source.file))
    found = look(files)
    assert found.cut_short == "The look was ended after 1 image: they take long to read."


def test_a_slow_photo_is_refused(monkeypatch):
    monkeypatch.setenv("VISAGE_MAX_LOOK_SECONDS", "1")
    with pytest.raises(VisageError, match="it takes over 1 s"):
        confined.photo(nasty_files.jpeg_of_scans())
    photo = confined.photo(png(np.full((5, 4), 7, np.uint8)))
    assert (photo.mode, photo.size) == ("L", (4, 5))


def test_a_reader_that_dies_takes_nobody_with_it(sets, monkeypatch, tmp_path):
    files = {"a.png": io.BytesIO(png(np.zeros((4, 4), np.uint8)))}
    for death, sentence in (("kill -SEGV $$", "damaged in a way"), ("exit 3", "unexpectedly")):
        stand_in = tmp_path / "python"
        stand_in.write_text(f"#!/bin/sh\n{death}\n")
        stand_in.chmod(0o755)
        with monkeypatch.context() as context:
            context.setattr(sys, "executable", str(stand_in))
            with pytest.raises(VisageError, match=sentence):
                look(files)
    assert nothing_is_left(sets)


def test_a_reader_ends_with_who_asked(sets, monkeypatch):
    """Whoever stops listening leaves no process behind."""
    faces = np.zeros((3_000, 64, 64), np.uint8)
    buffer = io.BytesIO()
    np.save(buffer, faces)
    _, source = ingest.source_of({"a.npy": buffer}, ingest.Layout())
    images = confined.images(source, (64, 64), "crop")
    next(images)
    images.close()
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if "vae.datasets.reader" in child.cmdline()]
