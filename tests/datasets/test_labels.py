"""What is known of images: told before anything is stored, stored beside them, and read back."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from vae import datasets
from vae.datasets import ingest, sources
from vae.datasets.ingest import Choices, look, store
from vae.datasets.labels import Labels, categorical, continuous
from vae.errors import VisageError
from vae.files import data_folder


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), shade, np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> io.BytesIO:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer


def files(count: int = 6, folder: str = "") -> dict[str, bytes]:
    return {f"{folder}{place}.png": png(40 * place) for place in range(count)}


def told(table: str | bytes, images: dict[str, bytes] | None = None, name: str = "labels.csv"):
    """What a look says of a zip with a table, and the labels that are stored of it."""
    content = table.encode() if isinstance(table, str) else table
    found = look({"a.zip": zipped((images or files()) | {name: content})})
    return found, store(found, "some").faces


def test_the_sets_that_come_with_visage_have_labels(frey):
    people = datasets.load("olivetti").labels["person"]
    assert people.is_categorical and len(people.kinds) == 40
    assert people.at(0) == people.at(9) == "person 1" and people.at(399) == "person 40"
    frames = datasets.load("frey").labels["frame"]
    assert not frames.is_categorical and frames.at(1964) == 1964


def test_a_folder_is_a_class():
    images = files(3, "all/cats/") | files(4, "all/dogs/")
    found = look({"a.zip": zipped(images)})
    assert found.known == "Labels: folder: 2 kinds."
    column = store(found, "some").faces.labels["folder"]
    assert column.kinds == ("cats", "dogs")
    np.testing.assert_array_equal(column.values, [0, 0, 0, 1, 1, 1, 1])
    assert look({"b.zip": zipped(files(5, "all/"))}).known == ""


def test_a_csv_in_the_zip_tells_of_the_images_by_their_names():
    rows = [f"{place}.png,{place / 7},{'happy' if place % 2 else 'sad'}" for place in range(6)]
    found, faces = told("file,smile,mood\n" + "\n".join(reversed(rows)))
    assert "smile: numbers from 0 to" in found.known and "mood: 2 kinds" in found.known
    assert found.remarks == () and found.skipped_count == 0
    assert [faces.labels["mood"].at(place) for place in range(3)] == ["sad", "happy", "sad"]
    np.testing.assert_allclose(faces.labels["smile"].values, np.arange(6) / 7, rtol=1e-6)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("key", ["{}.png", "./{}.png", "photos\\{}.png"])
def test_separators_and_ways_to_name_a_file(separator, key):
    rows = [separator.join(("x", key.format(place), f"kind {place % 3}")) for place in range(6)]
    _, faces = told("\n".join([separator.join(("a", "image", "kind")), *rows]))
    assert faces.labels["kind"].at(4) == "kind 1"


def test_the_first_column_may_name_files_without_what_comes_after_the_dot():
    rows = [f"{place},{5 - place}" for place in range(6)]
    _, faces = told("\n".join(["id,rest", *rows]))
    assert faces.labels["rest"].at(4) == "1"


def test_a_table_without_a_header():
    _, faces = told("\n".join(f"{place}.png,{'ab'[place % 2]}" for place in range(6)))
    assert faces.labels.names == ("column 2",) and faces.labels["column 2"].known.all()


def test_missing_rows_unknown_files_and_values_are_told_and_lose_nothing():
    table = "file,age,mood\n0.png,NaN,sad\n1.png,31.5,\n9.png,7,sad\n8.png,7,sad\n2.png,inf\n"
    found, faces = told(table)
    assert "4 of 6 images have no row" not in found.remarks
    assert found.remarks == ("3 of 6 images have no row.", "2 rows name no image.")
    assert len(faces) == 6
    assert faces.labels["age"].at(0) is None and faces.labels["age"].at(1) == 31.5
    assert faces.labels["age"].at(2) is None and faces.labels["mood"].at(1) is None
    assert faces.labels["mood"].at(0) == "sad" and faces.labels["mood"].at(5) is None


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("", "it has no rows"),
        ("file,age\n", "it has no rows"),
        ("file,age\nnobody.png,3\n", "none of its columns names the images"),
        (b"\x00\x01\x02" * 50, "it is no table of text"),
        ("file,age\n0.png," + "9" * 200_000, "it is no table of text"),
    ],
)
def test_a_table_that_is_none_is_told_and_the_images_are_taken(table, why):
    found, faces = told(table)
    (remark,) = found.remarks
    assert remark.startswith("labels.csv is not used: ") and why in remark
    assert len(faces) == 6 and faces.labels is None


def test_ten_thousand_values_formulas_and_markup_are_text():
    nasty = '=HYPERLINK("http://x","y") <script>alert(1)</script> **bold** [a](b)'
    quoted = '"' + nasty.replace('"', '""') + '"'
    images = files(2) | {f"n{place}.png": png(9) for place in range(300)}
    rows = [f"n{place}.png,value {place},x" for place in range(300)]
    found, faces = told(
        f"file,{quoted},b\n0.png,{quoted},{'w' * 5000}\n" + "\n".join(rows), images
    )
    name = faces.labels.names[0]
    assert name == nasty[:60] + "…"
    column = faces.labels[name]
    assert column.at(0) == nasty and len(column.kinds) == 301
    assert faces.labels["b"].at(0) == "w" * 200 + "…"
    assert "301 kinds" in found.known


def test_columns_of_one_name_or_none_get_names_of_their_own():
    table = "file,a,a,,a\u202eb\n" + "\n".join(f"{place}.png,1,2,3,4" for place in range(6))
    _, faces = told(table)
    assert faces.labels.names == ("a", "a (2)", "column 3", "a b")


@pytest.mark.parametrize("kind", ["folder", "zip", "npz"])
def test_a_table_beside_the_images_is_read(kind, tmp_path):
    path = tmp_path / "faces"
    if kind == "folder":
        path.mkdir()
        for name, content in files().items():
            (path / name).write_bytes(content)
    elif kind == "zip":
        path = tmp_path / "faces.zip"
        path.write_bytes(zipped(files()).getvalue())
    else:
        path = tmp_path / "faces.npz"
        np.savez(path, images=np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8))
    rows = [f"{place}.png,{'ab'[place % 2]}" for place in range(6)]
    (tmp_path / "faces.csv").write_text("\n".join(["file,letter", *rows]))
    faces = store(look(path), "some", Choices((8, 8))).faces
    assert [faces.labels["letter"].at(place) for place in range(3)] == ["a", "b", "a"]


def test_a_table_uploaded_with_a_zip_or_with_single_images():
    table = b"file,letter\n" + b"\n".join(b"%d.png,%c" % (n, 97 + n % 2) for n in range(6))
    for uploads in (
        {"a.zip": zipped(files()), "any.csv": io.BytesIO(table)},
        {name: io.BytesIO(content) for name, content in files().items()}
        | {"any.csv": io.BytesIO(table)},
    ):
        found = look(uploads)
        assert found.known == "Labels: letter: 2 kinds."
        assert store(found, f"set-{len(uploads)}").faces.labels["letter"].at(1) == "b"
    del found
    assert [path.name for path in sources.stored_folder("").glob(".new-*.csv")] == []
    with pytest.raises(VisageError, match="alone"):
        look({"a.zip": zipped(files()), "b.csv": io.BytesIO(), "c.csv": io.BytesIO()})


def test_arrays_beside_the_images_are_labels(tmp_path):
    path = tmp_path / "faces.npz"
    np.savez(
        path,
        images=np.zeros((6, 8, 8), np.uint8),
        y=np.array([0, 1, 2, 0, 1, 2]),
        smile=np.array([0.5, np.nan, np.inf, 1, 0, 0.25]),
        who=np.array(["ann", "bo", "ann", "bo", "cy", "=1+1"]),
        elsewhere=np.arange(5),
        pickled=np.array([{}] * 6, dtype=object),
    )
    found = look(path)
    assert "y: 3 kinds" in found.known and "elsewhere" not in found.known
    labels = store(found, "some").faces.labels
    assert set(labels.names) == {"y", "smile", "who"}
    assert labels["y"].at(2) == "2" and labels["who"].at(5) == "=1+1"
    assert [labels["smile"].at(place) for place in range(4)] == [0.5, None, None, 1.0]


def test_a_skipped_image_takes_its_label_with_it():
    images = files()
    images["2.png"] = images["2.png"][:-30]
    table = "file,n\n" + "\n".join(f"{place}.png,image {place}" for place in range(6))
    _, faces = told(table, images)
    assert len(faces) == len(faces.labels) == 5
    assert [faces.labels["n"].at(place) for place in (1, 2)] == ["image 1", "image 3"]


def test_a_set_that_was_stored_before_labels_loads_as_it_did():
    _, faces = told("file,a\n0.png,x\n")
    file = sources.stored_folder("some") / sources.LABELS
    file.unlink()
    again = datasets.load("some")
    assert again.labels is None and again.sha256 == faces.sha256


@pytest.mark.parametrize("content", [b"", b"PK\3\4torn", "pickle", "short", "codes"])
def test_damaged_labels_lose_no_image(content):
    told("file,a\n0.png,x\n1.png,y\n")
    file = sources.stored_folder("some") / sources.LABELS
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        about = np.frombuffer(json.dumps([{"name": "a", "kinds": ["x"]}]).encode(), np.uint8)
        values = {
            "pickle": np.array([{}] * 6, dtype=object),
            "short": np.zeros(2, np.int32),
            "codes": np.full(6, 7, np.int32),
        }[content]
        np.savez(file, about=about, values_0=values)
    faces = datasets.load("some")
    assert len(faces) == 6 and faces.labels is None


def test_some_rows_of_labels():
    labels = Labels(
        (categorical("kind", [0, 1, -1], ["a", "b"]), continuous("much", [1, np.nan, 3]))
    )
    some = labels.at(np.array([2, 0]))
    assert [some["kind"].at(0), some["kind"].at(1)] == [None, "a"]
    assert some["much"].at(0) == 3 and len(some) == 2
    with pytest.raises(KeyError):
        labels["none"]


def test_renamed_sets_keep_their_labels():
    told("file,a\n0.png,x\n")
    ingest.rename("some", "other")
    assert datasets.load("other").labels["a"].at(0) == "x"
    assert data_folder().exists()
