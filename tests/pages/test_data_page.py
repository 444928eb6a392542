"""The page Data and a visitor's own photo, as Streamlit runs them."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from benchmarks import nasty_files
from ui.photo import surprising
from ui.photo_frame import Frame, _checked, fitting
from vae import datasets, load_checkpoint, runs
from vae.datasets import ingest
from vae.models import collection, onnx
from vae.runs import trainer
from vae.training.recipes import TrainingConfig

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "checkpoints" / "olivetti-2d.safetensors"
SETS, BRING, MODELS = "Data sets", "Bring a data set", "Models"


def visit(page: str = "data", **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run().switch_page(f"pages/{page}.py").run()


def said(app: AppTest) -> str:
    """All that the page says; a traceback fails the test."""
    assert not app.exception, app.exception[0].message
    boxes = (*app.error, *app.success, *app.markdown, *app.caption, *app.info)
    return "\n".join(box.value for box in boxes)


def errors(app: AppTest) -> list[str]:
    assert not app.exception, app.exception[0].message
    return [box.value for box in app.error]


def click(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def look_at(app: AppTest, view: str) -> AppTest:
    return app.segmented_control(key="data_view").set_value(view).run()


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    given = [(name, content, "application/octet-stream") for name, content in files]
    return app.file_uploader[0].set_value(given).run()


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


@pytest.fixture
def faces() -> np.ndarray:
    return datasets.load("olivetti").images


@pytest.fixture
def stored(faces) -> str:
    images = faces[:30].copy()
    images[4] = images[2]
    images[5] = 9
    buffer = io.BytesIO()
    np.save(buffer, images)
    return ingest.store(ingest.look({"friends.npy": buffer})).faces.name


def test_a_set_shows_itself(stored):
    app = visit()
    assert "**400** grey images of **28 × 23** pixels" in said(app)
    assert "none twice" in said(app)
    app.selectbox(key="data_set").set_value(stored).run()
    assert "**30** grey images" in said(app)
    assert "1 is there twice" in said(app)
    assert "1 of one colour" in said(app)
    labels = [expander.label for expander in app.expander]
    assert labels == ["1 image is there twice", "1 image is of one colour"]


def test_a_zip_is_looked_at_before_it_is_stored(faces, tmp_path):
    app = look_at(visit(), BRING)
    entries = {f"f{place}_png": png(image) for place, image in enumerate(faces[:20])}
    app = upload(app, ("Party 2026.zip", zipped(**entries, bad_png=b"no", notes_txt=b"x")))
    assert "**20 grey images** of 28×23 pixels" in said(app)
    assert [e.label for e in app.expander][-1] == "Files not taken: 2"
    assert datasets.names() == ["frey", "olivetti", "cartoon"]
    app = click(app, "Store")
    assert errors(app) == []
    assert datasets.names()[3:] == ["party-2026"]
    assert app.selectbox(key="data_set").value == "party-2026"
    assert "is stored: 20 images" in said(app)
    np.testing.assert_array_equal(datasets.load("party-2026").images, faces[:20])
    app.switch_page("pages/train.py").run()
    assert "party-2026" in app.selectbox(key="new_dataset").options


def test_choices_say_what_images_become(faces):
    app = upload(look_at(visit(), BRING), *((f"{n}.png", png(faces[n])) for n in range(3)))
    app.number_input[0].set_value(20).run()
    app.number_input[1].set_value(16).run()
    next(one for one in app.segmented_control if one.label == "Colour").set_value("colour").run()
    app.text_input[0].set_value("../../Small ones").run()
    assert "is no name" in errors(click(app, "Store"))[0]
    app.text_input[0].set_value("Small ones").run()
    click(app, "Store")
    assert datasets.load("small-ones").images.shape == (3, 20, 16, 3)


def test_a_matrix_is_asked_about(faces):
    buffer = io.BytesIO()
    np.save(buffer, faces.reshape(400, -1))
    app = upload(look_at(visit(), BRING), ("matrix.npy", buffer.getvalue()))
    assert "say the height and width" in errors(app)[0]
    app.number_input(key="layout_height").set_value(28).run()
    app.number_input(key="layout_width").set_value(23).run()
    assert errors(app) == []
    assert "**400 grey images** of 28×23" in said(app)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.zip", b"PK\5\6 no"), ("a.npy", b"\x93NUMPY"), ("a.mat", b"x" * 200), ("a.png", b"")],
)
def test_a_damaged_upload_gets_a_sentence(name, content):
    app = upload(look_at(visit(), BRING), (name, content))
    assert len(errors(app)) == 1
    assert not [button for button in app.button if button.label == "Store"]


def test_a_set_is_renamed_and_deleted(stored):
    app = visit()
    app.selectbox(key="data_set").set_value(stored).run()
    app.text_input(key=f"data_rename_{stored}").set_value("Old friends").run()
    app = click(app, "Rename it")
    assert app.selectbox(key="data_set").value == "old-friends"
    app = click(app, "Delete old-friends")
    assert errors(app) == []
    assert datasets.names() == ["frey", "olivetti", "cartoon"]
    assert app.selectbox(key="data_set").value == "olivetti"
    assert not [button for button in app.button if button.label.startswith("Delete")]
    assert "**old-friends** is deleted" in said(app) and not app.toast
    app = click(app, "Undo")
    assert "**old-friends** is back" in app.toast[0].value
    assert app.selectbox(key="data_set").value == "old-friends"


def test_two_visitors_delete_one_set_once(stored, faces):
    buffer = io.BytesIO()
    np.save(buffer, faces[:10])
    other = ingest.store(ingest.look({"other.npy": buffer})).faces.name
    first, second = visit(), visit()
    for app in (first, second):
        app.selectbox(key="data_set").set_value(stored).run()
    click(first, f"Delete {stored}")
    # Another set has the name by now.
    ingest.rename(other, stored)
    second = click(second, f"Delete {stored}")
    assert "nothing was deleted" in second.toast[0].value and errors(second) == []
    assert datasets.names() == ["frey", "olivetti", "cartoon", stored]
    assert len(datasets.load(stored)) == 10


def test_a_set_that_another_visitor_deleted_is_missed_in_words(stored):
    app = visit()
    app.selectbox(key="data_set").set_value(stored).run()
    ingest.delete(stored)
    app.run()
    assert not app.exception
    assert f"There is no data set {stored} here any more" in app.toast[0].value


def test_it_is_one_press_from_a_set_to_training_on_it(faces):
    app = upload(look_at(visit(), BRING), *((f"{n}.png", png(faces[n])) for n in range(30)))
    app.text_input[0].set_value("Party").run()
    app = click(app, "Store")
    assert "**party** is stored" in said(app)
    app = click(app, "Train on it")
    assert app.title[0].value == "Train"
    assert app.selectbox(key="new_dataset").value == "party"
    assert "Start training" in [button.label for button in app.button]


def test_a_name_that_is_none_gets_a_sentence_and_is_no_markdown(stored):
    app = visit()
    app.selectbox(key="data_set").set_value(stored).run()
    for bad, sentence in (
        ("**bold**", r"\*\*bold\*\*' is no name"),
        ("x" * 300, "300 characters"),
    ):
        app.text_input(key=f"data_rename_{stored}").set_value(bad).run()
        assert sentence in errors(click(app, "Rename it"))[0]
    assert stored in datasets.names()


def test_a_checkpoint_is_brought_and_removed():
    app = look_at(visit(), MODELS)
    content = CHECKPOINT.read_bytes()
    app.file_uploader[0].set_value(("Mine.safetensors", content, "")).run()
    app = click(app, "Keep it")
    assert "mine" in app.selectbox(key="model").options
    app.selectbox(key="model").set_value("mine").run()
    assert "Uploaded, trained" in said(app)
    app.selectbox(key="shelf_model").set_value("mine").run()
    app = click(app, "Delete mine")
    assert errors(app) == []
    assert collection.brought() == []
    assert "mine" not in app.selectbox(key="model").options
    app = click(app, "Undo")
    assert "mine" in app.selectbox(key="model").options
    assert app.selectbox(key="shelf_model").value == "mine"


@pytest.fixture(scope="module")
def foreign() -> tuple[bytes, bytes]:
    """A decoder and an encoder as ONNX files, as if they were somebody else's."""
    model = load_checkpoint(CHECKPOINT).model
    decoder, encoder = onnx.decoder(model), onnx.encoder(model)
    assert decoder is not None and encoder is not None
    return decoder, encoder


def bring_foreign(decoder: bytes, encoder: bytes | None = None) -> AppTest:
    app = look_at(visit(), MODELS)
    app.file_uploader(key="open_decoder").set_value(("theirs.onnx", decoder, ""))
    if encoder is not None:
        app.file_uploader(key="open_encoder").set_value(("theirs-encoder.onnx", encoder, ""))
    return app.run()


def chosen_box(app: AppTest, label: str):
    return next(box for box in app.selectbox if box.label == label)


def test_a_model_from_elsewhere_is_looked_at_corrected_and_stored(foreign):
    app = bring_foreign(*foreign)
    # An image of 644 values may be of several sizes: that is for a person to say.
    assert "“Image size”" in errors(app)[0]
    size = next(box for box in app.text_input if box.label == "Image size")
    size.set_value("28x23").run()
    assert errors(app) == []
    text = said(app)
    assert "z (2 latents) → mean (images of 28×23)" in text
    assert "it runs in the browser" in text
    chosen_box(app, "Its values").set_value("symmetric").run()
    assert "−1, 1" in said(app)
    chosen_box(app, "Its values").set_value(None).run()
    chosen_box(app, "Noise of the pixels").set_value("none")
    chosen_box(app, "Images").set_value("olivetti").run()
    assert "what encoder and decoder make of them" in said(app)
    app = click(app, "Store")
    assert errors(app) == []
    assert "theirs" in app.selectbox(key="model").options
    (path,) = collection.brought()
    assert load_checkpoint(path).model.architecture.network.kind == "graph"
    app.selectbox(key="model").set_value("theirs").run()
    app.switch_page("pages/explore.py").run()
    assert errors(app) == [] and "Nearest training faces" in [sub.value for sub in app.subheader]
    # Nobody has stated its noise: errors stand in the place of nats.
    app.switch_page("pages/reconstruct.py").run()
    assert errors(app) == [] and "no nats" in said(app)
    assert re.search(r"#\d+\*\* · signal-to-noise ratio \*\*\d\d\.\d dB", said(app))
    app.segmented_control(key="reconstruct_order").set_value("worst").run()
    assert errors(app) == []


def test_a_decoder_alone_says_what_is_missing(foreign):
    app = bring_foreign(foreign[0])
    size = next(box for box in app.text_input if box.label == "Image size")
    size.set_value("28x23").run()
    assert errors(app) == []
    assert "has no encoder" in said(app)
    app = click(app, "Store")
    app.selectbox(key="model").set_value("theirs").run()
    app.switch_page("pages/reconstruct.py").run()
    assert "came without an encoder" in said(app)
    for page in ("explore", "manifold"):
        app.switch_page(f"pages/{page}.py").run()
        assert errors(app) == []


def test_another_file_is_no_model_from_elsewhere():
    app = bring_foreign(b"no graph")
    assert "ONNX" in errors(app)[0]
    assert "Store" not in [button.label for button in app.button]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.safetensors", b"no", "is not a whole safetensors file"),
        ("x.safetensors", CHECKPOINT.read_bytes()[:5000], "is not a whole safetensors file"),
        ("olivetti-2d.safetensors", CHECKPOINT.read_bytes(), "already"),
    ],
)
def test_another_file_is_no_checkpoint(name, content, sentence):
    app = look_at(visit(), MODELS)
    app.file_uploader[0].set_value((name, content, "")).run()
    app = click(app, "Keep it")
    assert sentence in errors(app)[0]
    assert "/" not in errors(app)[0]
    assert collection.brought() == []
    assert list(collection.folder().glob("*")) == []


@pytest.mark.parametrize(
    ("view", "sentence"), [(BRING, r"save the images as \.npy"), (MODELS, r"Give a \.safetensors")]
)
def test_a_pickle_is_refused_with_the_reason(view, sentence):
    app = look_at(visit(), view)
    content = b"\x80\4pickled"
    given = [("model.pt", content, "")] if view == BRING else ("model.pt", content, "")
    app.file_uploader[0].set_value(given).run()
    (said,) = errors(app)
    assert "pickle" in said and "can run anything when it is opened" in said
    assert "1 files" not in said
    assert re.search(sentence, said)
    assert not [button for button in app.button if button.label in ("Store", "Keep it")]


def test_labels_are_told_in_the_preview_and_kept(faces):
    buffer = io.BytesIO()
    np.savez(buffer, faces=faces[:20], person=np.arange(20))
    app = upload(look_at(visit(), BRING), ("faces.npz", buffer.getvalue()))
    assert "Labels: person: 20 kinds." in said(app)
    app = click(app, "Store")
    assert errors(app) == []
    assert len(datasets.load("faces").labels["person"].kinds) == 20
    app = upload(look_at(app, BRING), ("faces.npz", buffer.getvalue()))
    assert "was stored before" in said(click(app, "Store"))


def test_a_look_that_was_ended_is_said_beside_its_pictures(faces, monkeypatch):
    monkeypatch.setenv("VISAGE_MAX_LOOK_SECONDS", "2")
    slow = [(f"{place}.bmp", nasty_files.bmp_of_runs()) for place in (1, 2)]
    app = upload(look_at(visit(), BRING), ("0.png", png(faces[0])), *slow)
    assert errors(app) == []
    (warning,) = app.warning
    assert warning.value.startswith("The look was ended after 1 image: ")
    assert "takes over 2 s to read, the limit" in warning.value


def test_a_photo_lands_among_the_faces(faces):
    app = visit("reconstruct", model="olivetti-2d")
    app.segmented_control(key="reconstruct_source").set_value("Your own photo").run()
    photo = np.asarray(Image.fromarray(faces[77]).resize((230, 280)))
    app.file_uploader[0].set_value(("me.png", png(photo), "image/png")).run()
    assert errors(app) == []
    assert "surprising than" in said(app)
    assert "nats** over the encoder" in said(app)
    # It is one of the training faces, enlarged: its nearest ones are those of the same person.
    nearest = [int(caption.split(" ")[0][1:]) for caption in captions(app) if "away" in caption]
    assert nearest[0] // 10 == 7
    app = click(app, "Explore from here")
    assert app.title[0].value == "Explore"
    assert app.selectbox(key="model").value == "olivetti-2d"


@pytest.mark.parametrize("kind", ["noise", "inverted", "checkerboard"])
def test_an_unusual_photo_has_its_bounds_in_order(faces, kind):
    app = visit("reconstruct", model="olivetti-2d")
    app.segmented_control(key="reconstruct_source").set_value("Your own photo").run()
    photo = {
        "noise": np.random.default_rng(0).integers(0, 256, faces[0].shape, np.uint8),
        "inverted": 255 - faces[77],
        "checkerboard": (np.indices(faces[0].shape).sum(0) % 2 * 255).astype(np.uint8),
    }[kind]
    app.file_uploader[0].set_value(("odd.png", png(photo), "image/png")).run()
    text = said(app).replace(",", "").replace("−", "-")
    encoder, refined = map(float, re.findall(r"ELBO \*\*([-\d.]+)\*\* nats", text))
    (log_p,) = map(float, re.findall(r"log p\(x\) = ([-\d.]+) nats", text))
    assert encoder <= refined <= log_p
    assert "more surprising than **any** of the training faces" in text


@pytest.mark.parametrize(
    ("below", "above", "words"),
    [
        (0, 1000, "more surprising than **any** of"),
        (1, 999, "more surprising than **more than 99%** of"),
        (500, 500, "more surprising than **50%** of"),
        (996, 4, "less surprising than **more than 99%** of"),
        (1000, 0, "less surprising than **any** of"),
    ],
)
def test_a_share_of_faces_is_never_rounded_to_all(below, above, words):
    assert surprising(0.0, np.repeat([-1.0, 1.0], [below, above])) == words


def test_colour_works_on_every_page():
    rng = np.random.default_rng(0)
    shades = rng.random((40, 1, 1, 3)) * np.linspace(0.2, 1, 12)[:, None, None]
    buffer = io.BytesIO()
    np.save(buffer, (shades * np.ones((40, 12, 10, 3)) * 255).astype(np.uint8))
    ingest.store(ingest.look({"shades.npy": buffer}))
    run = runs.create(TrainingConfig(dataset="shades", steps=40, hidden_dims=(8,), batch_size=20))
    list(trainer.trained(run))
    for page in ("explore", "manifold", "reconstruct", "morph", "train", "data"):
        assert errors(visit(page, model=run.name)) == []
    app = visit("reconstruct", model=run.name)
    app.segmented_control(key="reconstruct_source").set_value("Your own photo").run()
    photo = np.zeros((60, 50, 3), np.uint8) + np.array([200, 40, 90], np.uint8)
    app.file_uploader[0].set_value(("me.png", png(photo), "image/png")).run()
    assert errors(app) == []
    assert "surprising than" in said(app)
    ingest.rename("shades", "hues")
    assert errors(visit("reconstruct", model=run.name)) == []


def captions(app: AppTest) -> list[str]:
    return [caption for image in app.image for caption in image.captions]


def test_a_photo_that_is_none_gets_a_sentence():
    app = visit("reconstruct", model="olivetti-2d")
    app.segmented_control(key="reconstruct_source").set_value("Your own photo").run()
    app.file_uploader[0].set_value(("me.png", b"nothing", "image/png")).run()
    assert errors(app)[0].startswith("This photo can't be taken: it is damaged")


def test_a_browser_is_not_believed():
    photo = Image.new("L", (400, 100))
    assert fitting(photo, 0.5) == Frame(0.5, 0.5, 0.125)
    for nonsense in (None, 3, {}, {"x": 1, "y": 2}, {"x": "1", "y": 0, "width": 1}):
        assert _checked(nonsense, photo, 0.5) is None
    for value in (float("nan"), float("inf"), None):
        assert _checked({"x": 0.5, "y": 0.5, "width": value}, photo, 0.5) is None
    assert _checked({"x": -3, "y": 7, "width": 1e9}, photo, 0.5) == Frame(0.0, 1.0, 1.5)
    assert _checked({"x": 0.2, "y": 0.3, "width": 0}, photo, 0.5).width > 0


def test_a_public_deployment_takes_nothing(stored, monkeypatch):
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    app = visit()
    assert app.segmented_control(key="data_view").options == [SETS, MODELS]
    app.selectbox(key="data_set").set_value(stored).run()
    assert "**30** grey images" in said(app)
    assert not [
        button
        for button in app.button
        if button.label in ("Rename it", "Train on it", f"Delete {stored}")
    ]
    assert len(look_at(app, MODELS).file_uploader) == 0
    app = visit("reconstruct", model="olivetti-2d")
    assert "reconstruct_source" not in [control.key for control in app.segmented_control]
