"""A page that is sent: one file with models in it, no image, and a sentence for bad input."""

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from ui.browser import page_parts
from vae import VAE, datasets, load_checkpoint, page, save_checkpoint
from vae.__main__ import main
from vae.latent import decode, decoder_layers, encode, encoder_layers
from vae.latent.packed import halved, pack, pack_encoder, portable
from vae.models.architecture import Architecture
from vae.models.checkpoint import Checkpoint
from vae.models.conv import Conv
from vae.models.mlp import MLP

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
PARTS = page.Parts(**page_parts())


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return load_checkpoint(CHECKPOINTS / "frey-2d.safetensors")


def share(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["share", *map(str, arguments)])


class Document(HTMLParser):
    """A page's elements, as (tag, attributes), and the text of each kind."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.texts: dict[str, list[str]] = {}
        self.open = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open = tag

    def handle_endtag(self, tag):
        self.open = ""

    def handle_data(self, data):
        self.texts.setdefault(self.open, []).append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def unpacked(text: str, length: int) -> bytes:
    """The bytes of a model in a page, by another hand than the browser's."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return planes.reshape(4, -1).T.tobytes()[:length]


def test_the_page_holds_the_model_and_no_more_than_is_promised(shipped):
    text = page.page({"frey-2d": shipped}, PARTS)
    assert len(text.encode()) < 1.5 * 2**20
    held = re.search(r'data-part="decoder" data-bytes="(\d+)">([^<]+)<', text)
    assert unpacked(held[2], int(held[1])) == pack(shipped, "page", "frey-2d-0", "1", half=True)
    with_encoder = page.page({"frey-2d": shipped}, PARTS, encoder=True)
    assert len(with_encoder.encode()) < 1.5 * 2**20
    held = re.search(r'data-part="encoder" data-bytes="(\d+)">([^<]+)<', with_encoder)
    assert unpacked(held[2], int(held[1])) == pack_encoder(shipped, half=True)


def test_a_coloured_model_of_convolutions_is_small_too():
    checkpoint = load_checkpoint(CHECKPOINTS / "cartoon-10d.safetensors")
    text = page.page({"cartoon-10d": checkpoint}, PARTS, encoder=True)
    assert 'data-part="encoder"' in text
    assert len(text.encode()) < 4 * 2**20


def test_no_picture_is_in_it(shipped):
    document = Document(page.page({"frey-2d": shipped}, PARTS, encoder=True))
    assert not [image for image in document.all("img") if image.get("src")]
    assert [link["href"][:18] for link in document.all("link")] == ["data:image/svg+xml"]


def test_the_policy_lets_in_what_the_page_says_and_nothing_else(shipped):
    document = Document(page.page({"frey-2d": shipped}, PARTS))
    policy = next(meta["content"] for meta in document.all("meta") if "http-equiv" in meta)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    # WebAssembly alone is let in beside the script itself.
    digest_of_script, webassembly = rules["script-src"].split(" ", 1)
    assert webassembly == "'wasm-unsafe-eval'"
    assert "unsafe" not in policy.replace(webassembly, "") and "http" not in policy

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    (style,) = document.texts["style"]
    script = document.texts["script"][-1]
    assert rules["style-src"] == digest(style) and digest_of_script == digest(script)
    assert not [attributes for _, attributes in document.elements if "style" in attributes]


def test_what_a_model_says_of_itself_is_text(shipped):
    said = {"dataset": "/home/someone/<img src=x>.npy", "test": {"elbo": -12.5, "images": 90}}
    stranger = Checkpoint(shipped.model, said)
    text = page.page({'"><script>': stranger}, PARTS, title="</title><b> & c")
    document = Document(text)
    assert not [attributes for attributes in document.all("img") if attributes.get("src") == "x"]
    assert "".join(document.texts["title"]) == "</title><b> & c"
    assert "/home/someone" not in text
    assert {"data-name": '"><script>', "class": "card"} in document.all("div")
    assert "−12.5 nats" in text and "90 test images" in text


def test_a_rounded_model_draws_the_same_picture(shipped):
    z = np.random.default_rng(1).normal(size=(500, 2)).astype(np.float32)

    def drawn(layers):
        *hidden, (weight, bias) = layers
        x = z
        for inner, inner_bias in hidden:
            x = np.tanh(x @ inner.T + inner_bias)
        return 1 / (1 + np.exp(-(x @ weight.T + bias)[:, :560]))

    rounded = drawn(halved(decoder_layers(shipped.model)))
    own = decode(shipped.model, z)[0].reshape(-1, 560)
    assert 255 * np.abs(rounded - own).max() <= 1


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_a_model_says_what_follows_its_layers(activation):
    torch.manual_seed(0)
    model = VAE.of(Architecture((6, 5), 2, MLP((9, 7), activation))).requires_grad_(False).eval()
    checkpoint = Checkpoint(model, {})
    text = page.page({"m": checkpoint}, PARTS, encoder=True)
    for part, pack_part in (
        ("decoder", lambda: pack(checkpoint, "page", "m-0", "1", half=True)),
        ("encoder", lambda: pack_encoder(checkpoint, half=True)),
    ):
        held = re.search(rf'data-part="{part}" data-bytes="(\d+)">([^<]+)<', text)
        packed = unpacked(held[2], int(held[1]))
        # Rounding changes it by less than a grey level: so is it compared.
        assert packed == pack_part()
        size = int.from_bytes(packed[:4], "little")
        assert json.loads(packed[4 : 4 + size])["activation"] == activation


def test_networks_of_convolutions_are_held_and_rounded():
    torch.manual_seed(0)
    model = VAE.of(Architecture((30, 17, 3), 2, Conv("small"))).requires_grad_(False).eval()
    checkpoint = Checkpoint(model, {})
    text = page.page({"m": checkpoint}, PARTS, encoder=True)
    assert "a network of small, conv" in text
    held = re.search(r'data-part="decoder" data-bytes="(\d+)">([^<]+)<', text)
    assert unpacked(held[2], int(held[1])) == pack(checkpoint, "page", "m-0", "1", half=True)
    # Rounded as they travel they draw the same.
    z = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    rounded = model.decoder.with_layers(halved(portable(model)[1]))(torch.from_numpy(z)).mean
    assert 255 * np.abs(rounded.numpy() - decode(model, z)[0].reshape(50, -1)).max() <= 1
    held = re.search(r'data-part="encoder" data-bytes="(\d+)">([^<]+)<', text)
    assert unpacked(held[2], int(held[1])) == pack_encoder(checkpoint, half=True)


def test_a_model_that_rounding_would_change_travels_whole():
    torch.manual_seed(0)
    model = VAE((6, 5), 2, (4,)).requires_grad_(False).eval()
    # What float16 can't hold at all.
    model.decoder.hidden[0].weight[0, 0] = 1e6
    checkpoint = Checkpoint(model, {})
    held = re.search(r'data-bytes="(\d+)">([^<]+)<', page.page({"steep": checkpoint}, PARTS))
    assert unpacked(held[2], int(held[1])) == pack(checkpoint, "page", "steep-0", "1")


def test_the_encoder_as_arrays_takes_images_and_gives_z(shipped):
    moved = shipped.model.in_coordinates(torch.tensor([0.5, -1.0]), torch.tensor([2.0, 0.5]))
    moved.mean_image[:] = 0.25
    images = np.random.default_rng(2).random((7, 560), dtype=np.float32)
    *hidden, (weight, bias) = encoder_layers(moved)
    x = images
    for inner, inner_bias in hidden:
        x = np.tanh(x @ inner.T + inner_bias)
    mean, log_var = np.split(x @ weight.T + bias, 2, axis=1)
    expected = encode(moved, images)
    assert mean == pytest.approx(expected.mean, abs=1e-4)
    assert log_var == pytest.approx(expected.log_var, abs=1e-4)


def test_the_command_writes_a_page_and_says_how_to_show_it(tmp_path):
    out = tmp_path / "new" / "faces.html"
    found = share("frey-2d", CHECKPOINTS / "olivetti-2d.safetensors", "--out", out)
    assert found.exit_code == 0, found.output
    (frame,) = Document(found.output).all("iframe")
    assert frame["src"] == "faces.html" and frame["title"]
    document = Document(out.read_text(encoding="utf-8"))
    names = [one["data-name"] for one in document.all("div") if one.get("class") == "model"]
    assert names == ["frey-2d", "olivetti-2d"]
    assert [path.name for path in out.parent.iterdir()] == ["faces.html"]


def test_the_same_model_twice_has_two_names(tmp_path):
    out = tmp_path / "faces.html"
    assert share("frey-2d", "frey-2d", "--out", out).exit_code == 0
    document = Document(out.read_text(encoding="utf-8"))
    names = [one["data-name"] for one in document.all("div") if one.get("class") == "model"]
    assert names == ["frey-2d", "frey-2d (2)"]


@pytest.mark.parametrize("others", [(), ("frey-2d",)], ids=["alone", "beside one without it"])
def test_an_axis_of_a_label_becomes_a_slider(tmp_path, others):
    out = tmp_path / "faces.html"
    found = share(*others, "olivetti-2d", "--axis", "person=person 3", "--out", out)
    assert found.exit_code == 0, found.output
    text = out.read_text(encoding="utf-8")
    (carried,) = re.findall(r'data-part="axes">(.*?)</script>', text)
    (axis,) = json.loads(carried)
    assert axis["name"] == "person 3"
    checkpoint = load_checkpoint(CHECKPOINTS / "olivetti-2d.safetensors")
    data = datasets.load("olivetti")
    means = np.asarray(checkpoint.posterior.mean)
    of_three = data.labels["person"].values[data.splits_indices().training] == 2
    moved = means[of_three].mean(axis=0) - means[~of_three].mean(axis=0)
    assert axis["direction"] == pytest.approx(moved, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nobody",), "There is no model 'nobody'"),
        (("frey-2d", "--title", "x" * 121), "at most 120 letters"),
        (("frey-2d",) * 21, "20 models at most"),
        (("olivetti-2d", "--axis", "smile"), "no label 'smile': --axis takes person"),
        (("olivetti-2d", "--axis", "person"), "person is one of person 1, person 2"),
        (("olivetti-2d", *["--axis", "person=person 1"] * 7), "6 named axes at most"),
        (("olivetti-2d", "--axis", "person=person 1", "--learn"), "leave out --axis or --learn"),
        (("empty",), "no run with a checkpoint"),
        (("broken.safetensors",), "broken.safetensors"),
        (("diverged.safetensors",), "not numbers"),
    ],
    ids=[
        "name",
        "title",
        "many",
        "label",
        "kind",
        "axes",
        "lesson",
        "folder",
        "damaged",
        "diverged",
    ],
)
def test_bad_input_gets_one_sentence_and_no_file(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("broken.safetensors").write_bytes(b"nothing")
    model = VAE((6, 5), 2, (4,)).requires_grad_(False).eval()
    model.decoder.head.bias[0] = float("nan")
    save_checkpoint("diverged.safetensors", model)
    found = share(*arguments, "--out", "faces.html")
    assert found.exit_code == 2
    (line,) = found.stderr.splitlines()
    assert sentence in line
    assert not Path("faces.html").exists()


def test_a_page_that_can_not_be_written_leaves_the_old_one(tmp_path, shipped):
    out = tmp_path / "faces.html"
    out.mkdir()
    (out / "kept").touch()
    found = share("frey-2d", "--out", out)
    assert found.exit_code == 2 and "can't be written" in found.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["faces.html", "kept"]


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        (("frey-10d",), "The lesson can't be told with frey-10d"),
        (("frey-2d", "olivetti-2d"), "A lesson is told with one model"),
    ],
)
def test_a_lesson_is_told_with_one_model_of_two_latents(tmp_path, models, sentence):
    result = share(*models, "--learn", "--out", tmp_path / "lesson.html")
    assert result.exit_code == 2
    assert sentence in result.output
    assert not (tmp_path / "lesson.html").exists()


def test_what_a_lesson_is_told_with_cannot_close_its_place(shipped):
    outline = "<script>$data</script>"
    text = page.page({"faces": shipped}, page.Parts(outline, "", "", ""), data='["</script>"]')
    assert json.loads(text[len("<script>") : -len("</script>")]) == ["</script>"]
