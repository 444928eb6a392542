"""Data sets that people bring: what is taken, what is refused, and what is left behind."""

import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vae import datasets, load_checkpoint, runs
from vae.datasets import ingest, sources
from vae.datasets.ingest import Choices, Layout, look, store
from vae.datasets.reader import Request, answers
from vae.datasets.survey import survey
from vae.errors import VisageError
from vae.runs import trainer
from vae.training.recipes import TrainingConfig

quick = settings(
    max_examples=60,
    deadline=5_000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def data_folder(tmp_path) -> Path:
    """Where data sets are stored, which nothing has been yet."""
    return tmp_path / "data"


@pytest.fixture(scope="module")
def olivetti() -> np.ndarray:
    return datasets.load("olivetti").images


def encoded(image: np.ndarray | Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer


def saved(array: np.ndarray) -> io.BytesIO:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer


def written_out(kind: str, images: np.ndarray, folder: Path) -> tuple[Path, Layout]:
    """A set of images in a file or folder of some kind, and what must be said of it."""
    path = folder / f"faces.{kind}"
    if kind in ("png", "pgm", "bmp", "tiff", "webp", "jpeg"):
        path.mkdir()
        options = {"webp": {"lossless": True}, "jpeg": {"quality": 97}}.get(kind, {})
        for number, image in enumerate(images, start=1):
            Image.fromarray(image).save(path / f"face {number}.{kind}", **options)
    elif kind == "zip":
        names = {f"s{place}/{place}.png": encoded(image) for place, image in enumerate(images)}
        path.write_bytes(zipped(names).getvalue())
    elif kind == "npy":
        np.save(path, images)
    elif kind == "npz":
        np.savez_compressed(path, faces=images, labels=np.arange(len(images)))
    elif kind == "mat":
        scipy.io.savemat(path, {"faces": images, "labels": np.arange(len(images))})
    elif kind == "columns.mat":
        scipy.io.savemat(path, {"ff": images.reshape(len(images), -1).T}, do_compression=True)
        return path, Layout(images.shape[1:])
    elif kind == "4.mat":
        scipy.io.savemat(path, {"ff": images.reshape(len(images), -1)}, format="4")
        return path, Layout(images.shape[1:])
    return path, Layout()


KINDS = ["png", "pgm", "bmp", "tiff", "webp", "zip", "npy", "npz", "mat", "columns.mat", "4.mat"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_set_comes_back_as_it_was(kind, olivetti, tmp_path):
    path, layout = written_out(kind, olivetti[::10], tmp_path)
    stored = store(look(path, layout), "back")
    assert stored.skipped == ()
    assert isinstance(stored.faces.images, np.memmap)
    np.testing.assert_array_equal(stored.faces.images, olivetti[::10])


def test_a_jpeg_comes_back_nearly_as_it_was(olivetti, tmp_path):
    path, _ = written_out("jpeg", olivetti[::20], tmp_path)
    images = store(look(path), "back").faces.images
    difference = images.astype(float) - olivetti[::20]
    assert np.abs(difference).mean() < 2
    assert np.abs(difference).max() < 24


def test_it_trains_to_the_same_elbo_under_its_name(olivetti, tmp_path):
    path, _ = written_out("zip", olivetti, tmp_path)
    store(look(path), "mine")
    found = {}
    for name in ("olivetti", "mine"):
        run = runs.create(TrainingConfig(dataset=name, steps=30, hidden_dims=(20,)))
        list(trainer.trained(run))
        found[name] = load_checkpoint(run.last).info
    assert found["mine"]["dataset"] == "mine"
    for field in ("train", "heldout", "dataset_sha256"):
        assert found["mine"][field] == found["olivetti"][field]


def test_a_stored_set_is_listed_renamed_and_removed(olivetti, data_folder):
    store(look({"Café 2: Faces!.npy": saved(olivetti)}))
    assert datasets.names() == ["frey", "olivetti", "cartoon", "café-2-faces"]
    assert isinstance(datasets.load("café-2-faces").images, np.memmap)
    assert ingest.rename("café-2-faces", "Other") == "other"
    assert datasets.names()[3:] == ["other"]
    # A model that was trained before still finds it.
    assert datasets.is_here("café-2-faces")
    assert datasets.load("café-2-faces").sha256 == datasets.load("olivetti").sha256
    # Who deletes it names it as it is called now.
    with pytest.raises(VisageError, match="no stored data set"):
        ingest.delete("café-2-faces")
    ingest.delete("other")
    assert datasets.names() == ["frey", "olivetti", "cartoon"] and not datasets.is_here("other")
    assert ingest.restore("other") == "other"
    assert len(datasets.load("café-2-faces")) == len(olivetti)


@pytest.mark.parametrize("name", ["..", "/", "", "\0", "frey", "Olivetti", "con", "-", "../../x"])
def test_a_name_stays_in_its_folder(name, olivetti, tmp_path, data_folder):
    found = look({"faces.npy": saved(olivetti[:3])})
    try:
        cleaned = store(found, name or "/").faces.name
    except VisageError:
        assert datasets.names() == ["frey", "olivetti", "cartoon"]
    else:
        assert cleaned == "x"
    assert {path.name for path in tmp_path.iterdir()} <= {"data"}
    assert {path.parent for path in data_folder.glob("*/*")} <= {data_folder / "sets"}


def test_a_name_is_given_once(olivetti):
    store(look({"faces.npy": saved(olivetti[:3])}), "twice")
    with pytest.raises(VisageError, match="already"):
        store(look({"faces.npy": saved(olivetti[:4])}), "Twice")
    assert len(datasets.load("twice")) == 3


def test_the_same_images_are_stored_once(olivetti, tmp_path, data_folder):
    folder, _ = written_out("png", olivetti[:9], tmp_path)
    file, _ = written_out("npy", olivetti[:9], tmp_path)
    for path in (folder, file):
        for was_there in (False, True):
            stored = store(look(path), path.suffix[1:])
            assert stored.was_there is was_there
            np.testing.assert_array_equal(stored.faces.images, olivetti[:9])
        with pytest.raises(VisageError, match="of other images"):
            store(look(path), path.suffix[1:], Choices((9, 9)))
    assert sorted(path.name for path in (data_folder / "sets").iterdir()) == ["npy", "png"]


def test_what_is_read_is_what_is_seen(olivetti):
    """Orientation, depth, palettes and transparency."""
    upright = np.zeros((6, 4), np.uint8)
    upright[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    on_its_side = Image.fromarray(np.rot90(upright).copy())
    deep = (upright.astype(np.uint16) * 257) // 2
    palette = Image.fromarray(np.stack([upright] * 3, axis=-1)).quantize(2)
    clear = Image.fromarray(np.stack([upright, upright], axis=-1), mode="LA")
    white = Image.new("RGBA", (4, 6), (255, 255, 255, 0))
    files = {
        "a.png": encoded(upright),
        "b.png": encoded(on_its_side, exif=exif),
        "b.tiff": encoded(on_its_side, "TIFF", exif=exif),
        "b.webp": encoded(on_its_side, "WEBP", exif=exif, lossless=True),
        "c.png": encoded(deep),
        "c.tiff": encoded(deep, "TIFF"),
        "c2.pgm": b"P5 4 6 65535\n" + deep.astype(">u2").tobytes(),
        "d.png": encoded(palette),
        "e.png": encoded(clear),
        "f.png": encoded(white),
        "g.png": encoded(Image.fromarray(upright).convert("1")),
        "h.tiff": encoded((upright / np.float32(255)).astype(np.float32), "TIFF"),
    }
    found = look({name: io.BytesIO(content) for name, content in files.items()})
    assert not found.skipped
    # Of a PNG that lies on its side this is found out later.
    assert found.sizes == {(6, 4): len(files) - 1, (4, 6): 1}
    images = store(found, "seen", Choices(colour=False)).faces.images
    for name, image in zip(sorted(files), images, strict=True):
        expected = {"c": (upright > 0) * 127.5, "f": upright * 0}.get(name[0], upright)
        assert np.abs(image - expected.astype(float)).max() <= 1, name


def test_colour_is_kept_where_there_is_some(olivetti):
    rng = np.random.default_rng(0)
    colourful = rng.integers(0, 256, (5, 8, 6, 3), np.uint8)
    grey = np.repeat(colourful[..., :1], 3, axis=3)
    for images, has_colour in ((colourful, True), (grey, False)):
        files = {f"{place}.png": io.BytesIO(encoded(image)) for place, image in enumerate(images)}
        found = look(files)
        assert found.colour is has_colour
        stored = store(found, f"colour-{has_colour}").faces
        np.testing.assert_array_equal(stored.images, images if has_colour else images[..., 0])
    assert store(look({"c.npy": saved(colourful)}), "array").faces.image_shape == (8, 6, 3)
    forced = store(look({"c.npy": saved(colourful)}), "grey", Choices(colour=False))
    assert forced.faces.image_shape == (8, 6)


def test_crop_fills_and_pad_keeps():
    wide = np.full((10, 40), 200, np.uint8)
    found = look({"a.png": io.BytesIO(encoded(wide))})
    crop, pad = (found.samples(Choices((20, 20), fit=fit))[0] for fit in ("crop", "pad"))
    assert crop.min() == 200
    assert (pad > 0).mean() == pytest.approx(0.25)


def test_samples_are_what_will_be_stored(olivetti, tmp_path):
    path, _ = written_out("png", olivetti[:20], tmp_path)
    choices = Choices((14, 12))
    found = look(path)
    samples = found.samples(choices, 20)
    np.testing.assert_array_equal(store(found, "small", choices).faces.images, samples)


@pytest.mark.parametrize(
    "convert",
    [
        lambda images: images.astype(np.float32) / 255,
        lambda images: images.astype(np.float64),
        lambda images: images.astype(np.int64),
        lambda images: images.astype(np.uint16) * 257,
        lambda images: images.astype(">u2") * 257,
        lambda images: np.asfortranarray(images),
        lambda images: images[..., None],
    ],
)
def test_arrays_of_other_numbers_are_converted(convert, olivetti):
    images = olivetti[:30]
    stored = store(look({"faces.npy": saved(convert(images))}), "converted")
    np.testing.assert_array_equal(stored.faces.images, images)


def test_matrices_of_matlab_are_read_as_they_are_meant(olivetti):
    images = olivetti[:30]
    flat = images.reshape(30, -1)
    transposed = images.swapaxes(1, 2).reshape(30, -1)
    colour = np.stack([images] * 3, axis=-1)
    cases = [
        (flat, Layout((28, 23))),
        (flat.T, Layout((28, 23))),
        (transposed.T, Layout((28, 23), transposed=True)),
        (np.moveaxis(images, 0, 2), Layout()),
        (np.moveaxis(colour, 0, 3), Layout()),
        (images.astype(float), Layout()),
    ]
    for number, (array, layout) in enumerate(cases):
        for compress in (False, True):
            file = io.BytesIO()
            scipy.io.savemat(file, {"m": array}, do_compression=compress)
            stored = store(look({"m.mat": file}, layout), f"m{number}-{compress}")
            expected = colour if array.ndim == 4 else images
            np.testing.assert_array_equal(stored.faces.images, expected)


def test_an_unclear_matrix_is_asked_about(olivetti):
    flat = io.BytesIO()
    scipy.io.savemat(flat, {"m": olivetti.reshape(400, -1)})
    with pytest.raises(VisageError, match=r"400 × 644.*height and width"):
        look({"m.mat": flat})
    with pytest.raises(VisageError, match="28×28 = 784 pixels"):
        look({"m.mat": flat}, Layout((28, 28)))
    square = saved(np.zeros((16, 16), np.uint8))
    with pytest.raises(VisageError, match="rows or its columns"):
        look({"m.npy": square}, Layout((4, 4)))
    assert look({"m.npy": square}, Layout((4, 4), "columns")).count == 16
    two = io.BytesIO()
    np.savez(two, a=np.zeros((3, 4, 4), np.uint8), b=np.zeros((5, 4, 4), np.uint8))
    with pytest.raises(VisageError, match=r"which one.*a \(3 × 4 × 4\), b"):
        look({"two.npz": two})
    assert look({"two.npz": two}, Layout(variable="b")).count == 5


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "b"]),
        np.zeros(9, np.uint8),
        np.zeros((0, 4, 4), np.uint8),
        np.zeros((3, 4, 4, 2), np.uint8),
        np.zeros((3, 4, 4, 3, 1), np.uint8),
        np.zeros((3, 4, 4), complex),
        np.full((3, 4, 4), np.nan),
        np.full((3, 4, 4), 1.5),
        np.full((3, 4, 4), -1),
        np.array([{"a": 1}], dtype=object),
    ],
)
def test_an_array_of_something_else_gets_a_sentence(array):
    with pytest.raises(VisageError):
        look({"some.npy": saved(array)})


def test_labels_are_told_before_anything_is_stored(olivetti, tmp_path):
    npz, mat = io.BytesIO(), io.BytesIO()
    arrays = {"faces": olivetti[:30], "person": np.arange(30), "places": np.arange(7)}
    np.savez(npz, **arrays)
    scipy.io.savemat(mat, arrays)
    for name, file in (("a.npz", npz), ("a.mat", mat)):
        assert look({name: file}).known == "Labels: person: 30 kinds."
    people = {f"s{place // 3}/{place}.png": encoded(olivetti[place]) for place in range(12)}
    assert look({"a.zip": zipped(people)}).known == "Labels: folder: 4 kinds."
    together = {f"all/{place}.png": encoded(olivetti[place]) for place in range(12)}
    assert look({"a.zip": zipped(together)}).known == ""


def test_one_broken_image_is_skipped_and_listed(olivetti):
    files = {f"{place}.png": encoded(image) for place, image in enumerate(olivetti[:9])}
    files["4.png"] = files["4.png"][:-40]
    files["5.png"] = b"not an image"
    files["notes.txt"] = b"hello"
    files["__MACOSX/._1.png"] = b"\0\5"
    found = look({"z.zip": zipped(files)})
    assert {name for name, _ in found.skipped} == {"5.png", "notes.txt"}
    stored = store(found, "most")
    np.testing.assert_array_equal(stored.faces.images, np.delete(olivetti[:9], [4, 5], axis=0))
    assert {name for name, _ in stored.skipped} == {"4.png", "5.png", "notes.txt"}
    assert "damaged" in dict(stored.skipped)["4.png"]
    assert sources.described("most")["skipped"] == 3


def test_nothing_to_take_gets_a_sentence_and_leaves_nothing(data_folder):
    with pytest.raises(VisageError, match=r"a\.png was skipped because it is damaged"):
        look({"a.png": io.BytesIO(b"no")})
    with pytest.raises(VisageError, match="There is no image in it"):
        look({"a.zip": zipped({})})
    cut = encoded(np.zeros((50, 50), np.uint8) + np.arange(50, dtype=np.uint8))[:-30]
    with pytest.raises(VisageError, match="nothing was stored"):
        store(look({"a.png": io.BytesIO(cut)}), "nothing")
    assert list((data_folder / "sets").iterdir()) == []


def test_links_and_paths_that_lead_elsewhere_are_ignored_and_counted(olivetti, tmp_path):
    image = encoded(olivetti[0])
    entries = {
        name: image for name in ("../a.png", "/b.png", "c/../../d.png", "C:\\e.png", "f.png")
    }
    buffer = zipped(entries)
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo("g.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    found = look({"z.zip": buffer})
    assert (found.count, found.ignored) == (1, 5)

    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "h.png").write_bytes(image)
    (folder / "f.png").write_bytes(image)
    (folder / "link.png").symlink_to(tmp_path / "outside" / "h.png")
    (folder / "linked").symlink_to(tmp_path / "outside")
    found = look(folder)
    assert (found.count, found.ignored) == (1, 2)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("VISAGE_MAX_IMAGES", "4", r"over 4 files; the limit is 4 .*VISAGE_MAX_IMAGES"),
        ("VISAGE_MAX_SIDE", "20", r"23×28 pixels; the limit is 20 a side"),
        ("VISAGE_MAX_UNPACKED_MB", "1", r"unpacks to over 1 MiB.*VISAGE_MAX_UNPACKED_MB"),
        ("VISAGE_MAX_UPLOAD_MB", "1", r"the limit is 1 MiB .*VISAGE_MAX_UPLOAD_MB"),
        ("VISAGE_MAX_SIDE", "-1", "must be a positive whole number"),
    ],
)
def test_a_ceiling_names_itself(variable, value, sentence, olivetti, monkeypatch):
    monkeypatch.setenv(variable, value)
    files = {f"{place}.png": encoded(image) for place, image in enumerate(olivetti[:5])}
    if "UNPACKED" in variable:
        files["big.png"] = encoded(olivetti[0]) + bytes(2**20)
    elif "UPLOAD" in variable:
        files["big.txt"] = os.urandom(2**20)
    with pytest.raises(VisageError, match=sentence):
        look({"z.zip": zipped(files)})


def test_an_image_of_too_many_pixels_is_never_decoded():
    """A PNG of 4,000 × 4,096 that says so in its header, and one beyond Pillow's own guard."""
    for side in (4_096, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        content = bytearray(encoded(np.zeros((2, 2), np.uint8)))
        content[16:29] = header
        content[29:33] = struct.pack(">I", zipfile.crc32(b"IHDR" + header))
        with pytest.raises(VisageError, match=r"megapixels|a side"):
            look({"bomb.png": io.BytesIO(bytes(content))})


def test_a_set_too_large_to_store_is_refused(olivetti, monkeypatch):
    found = look({"a.npy": saved(olivetti)})
    monkeypatch.setenv("VISAGE_MAX_UNPACKED_MB", "1")
    with pytest.raises(
        VisageError, match=r"400 images of 100×100 are 3.81 MiB; the limit is 1 MiB"
    ):
        store(found, "large", Choices((100, 100)))


def test_a_zip_that_knows_no_bounds_is_skipped(olivetti):
    entries = {"a.png": encoded(olivetti[0])}
    with pytest.raises(VisageError, match="compressed in another way"):
        look({"z.zip": zipped(entries, zipfile.ZIP_BZIP2)})


def test_a_damaged_set_is_not_left_by_a_failure(olivetti, data_folder, monkeypatch):
    found = look({"a.npy": saved(olivetti)})

    def fail(share):
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store(found, "half", progress=fail)
    assert list((data_folder / "sets").iterdir()) == []


def test_nothing_is_taken_where_nothing_may_be_changed(olivetti, monkeypatch):
    found = look({"a.npy": saved(olivetti)})
    store(found, "here")
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    for attempt in (
        lambda: look({"a.npy": saved(olivetti)}),
        lambda: store(found, "more"),
        lambda: ingest.rename("here", "there"),
        lambda: ingest.delete("here"),
    ):
        with pytest.raises(VisageError, match="read-only"):
            attempt()
    assert datasets.load("here").image_shape == (28, 23)


def test_the_survey_of_a_set(olivetti):
    images = olivetti[:40].copy()
    images[7] = images[3]
    images[9] = 12
    found = survey(store(look({"a.npy": saved(images)}), "surveyed").faces)
    pixels = images / 255
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.variance, pixels.var(axis=0), atol=1e-12)
    assert found.constant.tolist() == [9]
    assert (found.duplicates.tolist(), found.originals.tolist()) == ([7], [3])
    assert survey(datasets.load("olivetti")).mean.shape == (28, 23)


def test_a_name_that_is_no_text_is_listed_all_the_same(olivetti, tmp_path, data_folder):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.png").write_bytes(encoded(olivetti[0]))
    Path(os.fsdecode(bytes(folder) + b"/\xff.png")).write_bytes(b"no image")
    stored = store(look(folder), "odd")
    assert [name for name, _ in stored.skipped] == ["?.png"]
    nameless = zipped({"a.png": encoded(olivetti[0]), "b.png": b""}).getvalue()
    nameless = nameless.replace(b"b.png", b"\0.png")
    assert look({"z.zip": io.BytesIO(nameless)}).count == 1


def mutated(content: bytes, changes: list[tuple[float, int]], keep: float) -> bytes:
    """A file with some of its bytes changed and its end cut off."""
    damaged = bytearray(content[: max(1, round(len(content) * keep))])
    for place, value in changes:
        damaged[min(int(place * len(damaged)), len(damaged) - 1)] = value
    return bytes(damaged)


changes = st.lists(
    st.tuples(st.one_of(st.floats(0, 1), st.floats(0, 0.1)), st.integers(0, 255)), max_size=8
)


def originals() -> dict[str, bytes]:
    """A small healthy file of every kind."""
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
    files = {"a.npy": saved(images).getvalue()}
    npz, *mats = (io.BytesIO() for _ in range(4))
    np.savez_compressed(npz, images)
    for file, options in zip(mats, ({}, {"do_compression": True}, {"format": "4"}), strict=True):
        scipy.io.savemat(file, {"m": images if "format" not in options else images[0]}, **options)
    files |= {"a.npz": npz.getvalue()}
    files |= {f"{place}.mat": mat.getvalue() for place, mat in enumerate(mats)}
    pictures = {f"{place}.png": encoded(image) for place, image in enumerate(images)}
    files["a.zip"] = zipped(pictures).getvalue()
    for format in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM"):
        suffix = format.lower().replace("ppm", "pgm")
        files[f"a.{suffix}"] = encoded(images[0], format)
    return files


ORIGINALS = originals()


@quick
@given(name=st.sampled_from(sorted(ORIGINALS)), changes=changes, keep=st.floats(0.3, 1))
def test_damage_is_refused_or_survived(name, changes, keep, data_folder):
    """What the reader does in a process of its own is done in this one, which starts faster."""
    content = mutated(ORIGINALS[name], changes, keep if keep < 0.8 else 1.0)
    layout = Layout((2, 2)) if name == "2.mat" else Layout()
    _, source = ingest.source_of({name: io.BytesIO(content)}, layout)
    for task in ("look", "images"):
        request = Request(task, source.kind, layout=layout, image_shape=(6, 4))
        source.file.seek(0)
        try:
            for head, image in answers(request, source.file):
                assert len(image) == head.get("bytes", 0)
        except VisageError as error:
            assert len(str(error)) < 600
    assert list((data_folder / "sets").glob("*")) == []
