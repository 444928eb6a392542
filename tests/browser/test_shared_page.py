"""A page that is sent, opened as a file, with the network off."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from ui import photo_frame
from ui.browser import page_parts
from vae import VAE, latent, load_checkpoint, page
from vae.datasets import photos
from vae.images import to_uint8
from vae.latent.packed import NamedAxis, means_of
from vae.models.architecture import Architecture
from vae.models.checkpoint import Checkpoint
from vae.models.conv import Conv

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
APP = Path(__file__).parents[2] / "app.py"
NAMES = "frey-2d", "frey-10d"

WIDE = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def models() -> dict:
    return {name: load_checkpoint(CHECKPOINTS / f"{name}.safetensors") for name in NAMES}


@pytest.fixture(scope="module")
def address(models, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("shared") / "faces.html"
    page.write(path, models, page.Parts(**page_parts()), "Faces & more", encoder=True)
    return path.as_uri()


class Opened:
    """A page, all that it asked for and all that went wrong in it."""

    def __init__(self, sheet: Page):
        self.page = sheet
        self.requests: list[str] = []
        self.faults: list[str] = []
        sheet.on("request", lambda request: self.requests.append(request.url))
        sheet.on("pageerror", lambda error: self.faults.append(str(error)))
        sheet.on(
            "console",
            lambda said: self.faults.append(said.text) if said.type == "error" else None,
        )

    def goto(self, address: str) -> Page:
        self.page.goto(address)
        expect(self.page.locator(".visage")).to_have_attribute("data-state", "ready")
        return self.page


@pytest.fixture
def opened(browser: Browser, request) -> Iterator[Opened]:
    context = browser.new_context(offline=True, **getattr(request, "param", WIDE))
    found = Opened(context.new_page())
    yield found
    # The page itself, from the disk, and what it makes of its own bytes.
    outside = [url for url in found.requests if not url.startswith(("data:", "blob:"))]
    assert len(outside) == 1 and outside[0].startswith("file://")
    assert not found.faults
    context.close()


def pixels(sheet: Page) -> np.ndarray:
    found = sheet.locator("canvas.face").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(found).reshape(-1, 4)[:, 0]


def difference(sheet: Page, model, z: list) -> int:
    """How many grey levels the face is from what the library draws at z, at most."""
    expected = to_uint8(latent.decode(model, np.array([z], dtype=np.float32))[0]).reshape(-1)
    return int(np.abs(pixels(sheet) - expected.astype(int)).max())


def test_it_opens_where_a_link_leads(opened, address, models):
    sheet = opened.goto(f"{address}#model=frey-10d&z=1,0,0,0,-0.5,0,0,0,0,2&axes=5,1")
    z = [1, 0, 0, 0, -0.5, 0, 0, 0, 0, 2]
    expect(sheet.locator(".readout")).to_contain_text("1.00")
    assert sheet.locator("[name=model]").input_value() == "1"
    assert sheet.get_by_label("Latent across").input_value() == "4"
    # A grey level for float16, one for rounding.
    assert difference(sheet, models["frey-10d"].model, z) <= 2
    expect(sheet.locator(".card:visible")).to_have_attribute("data-name", "frey-10d")
    expect(sheet).to_have_title("Faces & more")


def test_a_drag_moves_the_face_and_the_address(opened, address, models):
    sheet = opened.goto(address)
    box = sheet.locator(".pad").bounding_box()
    sheet.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    sheet.mouse.down()
    sheet.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    sheet.mouse.up()
    extent = float(sheet.locator(".pad").get_attribute("aria-valuemax"))
    expect(sheet).to_have_url(re.compile(r"[#&]z=-?[1-9]"))
    said = sheet.evaluate("new URLSearchParams(location.hash.slice(1)).get('z')")
    z = [float(number) for number in said.split(",")]
    assert z == pytest.approx([0.4 * extent, 0.4 * extent], abs=0.05)
    assert difference(sheet, models["frey-2d"].model, z) <= 3
    sheet.get_by_role("button", name="Pin", exact=True).click()
    expect(sheet).to_have_url(re.compile("pins="))
    # Whoever opens that address sees the same.
    again = sheet.context.new_page()
    again.goto(sheet.url)
    expect(again.locator(".tray .kept")).to_have_count(1)
    assert (pixels(again) == pixels(sheet)).mean() > 0.9


def test_the_plane_along_which_the_data_varies_most(opened, address, models):
    sheet = opened.goto(f"{address}#model=frey-10d&z=1,0,0,0,-0.5,0,0,0,0,2&axes=data")
    assert sheet.get_by_label("Latent across").input_value() == "-1"
    box = sheet.locator(".pad").bounding_box()
    sheet.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    sheet.mouse.down()
    sheet.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.4 * box["height"], steps=5)
    sheet.mouse.up()
    extent = float(sheet.locator(".pad").get_attribute("aria-valuemax"))
    expect(sheet).to_have_url(re.compile("axes=data"))
    said = sheet.evaluate("new URLSearchParams(location.hash.slice(1)).get('z')")
    z = np.array([float(number) for number in said.split(",")])
    means = means_of(models["frey-10d"]).astype(float)
    _, _, axes = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    axes = axes[:2] * np.sign([axis[np.abs(axis).argmax()] for axis in axes[:2]])[:, None]
    assert axes @ z == pytest.approx([0.4 * extent, 0.2 * extent], abs=0.05)
    # What lies across the plane has stayed.
    began = np.array([1, 0, 0, 0, -0.5, 0, 0, 0, 0, 2])
    across = np.eye(10) - axes.T @ axes
    assert across @ z == pytest.approx(across @ began, abs=0.01)
    assert difference(sheet, models["frey-10d"].model, z.tolist()) <= 3
    # Keys go along the same axes.
    before = sheet.url
    sheet.locator(".pad").press("Shift+ArrowDown")
    expect(sheet).not_to_have_url(before)
    said = sheet.evaluate("new URLSearchParams(location.hash.slice(1)).get('z')")
    moved = np.array([float(number) for number in said.split(",")]) - z
    assert moved == pytest.approx(-0.5 * axes[1], abs=0.005)


@pytest.mark.parametrize("has_simd", [True, False])
def test_convolutions_are_dragged_from_the_disk(browser: Browser, tmp_path, has_simd):
    torch.manual_seed(0)
    model = VAE.of(Architecture((40, 36, 3), 2, Conv("small"))).requires_grad_(False).eval()
    for weight in (model.decoder.dense[0].weight, model.decoder.head.weight):
        weight.mul_(8)
    path = tmp_path / "conv.html"
    page.write(path, {"conv": Checkpoint(model, {})}, page.Parts(**page_parts()), encoder=True)
    with browser.new_context(offline=True, **WIDE) as context:
        context.add_init_script(
            """globalThis.kernels = 0;
            WebAssembly.Instance = class extends WebAssembly.Instance {
                constructor(...all) { super(...all); globalThis.kernels++; }
            };"""
        )
        if not has_simd:
            context.add_init_script("WebAssembly.validate = () => false")
        found = Opened(context.new_page())
        sheet = found.goto(path.as_uri())
        box = sheet.locator(".pad").bounding_box()
        sheet.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        sheet.mouse.down()
        seen = set()
        for step in range(1, 5):
            sheet.mouse.move(box["x"] + (0.5 + step / 20) * box["width"], box["y"] + 50)
            seen.add(tuple(pixels(sheet)))
        sheet.mouse.up()
        assert len(seen) == 4
        said = sheet.evaluate("new URLSearchParams(location.hash.slice(1)).get('z')")
        z = [float(number) for number in said.split(",")]
        shown = sheet.locator("canvas.face").evaluate(
            "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        )
        expected = to_uint8(latent.decode(model, np.array([z], dtype=np.float32))[0]).reshape(-1)
        # A grey level for float16, one for rounding.
        assert np.abs(np.reshape(shown, (-1, 4))[:, :3].reshape(-1) - expected).max() <= 2
        # The page's own policy lets the kernel in.
        assert (sheet.evaluate("kernels") > 0) == has_simd
        assert not found.faults


def test_a_named_axis_is_a_slider_in_the_same_frame(browser: Browser, models, tmp_path):
    name = "</script><b>smiling"
    axis = NamedAxis(name, (0.5, 0.0), (0.0, 2.0))
    path = tmp_path / "axes.html"
    text = page.page(
        {"frey-2d": models["frey-2d"]}, page.Parts(**page_parts()), axes={"frey-2d": [axis]}
    )
    path.write_text(text, encoding="utf-8")
    context = browser.new_context(offline=True, **WIDE)
    found = Opened(context.new_page())
    sheet = found.goto(path.as_uri())
    slider = sheet.get_by_role("slider", name=name)
    before = pixels(sheet)
    changed = slider.evaluate(
        """input => {
             const face = document.querySelector("canvas.face");
             const seen = () => face.getContext("2d").getImageData(0, 0, 20, 28).data.join();
             const old = seen();
             input.value = "0.75";
             input.dispatchEvent(new Event("input", {bubbles: true}));
             return seen() !== old;
           }"""
    )
    assert changed and (pixels(sheet) != before).any()
    expect(sheet.locator(".readout")).to_have_text("z = (0.00, 1.50)")
    slider.press("ArrowRight")
    expect(sheet).to_have_url(re.compile(r"z=0,1\.52$"))
    # It follows what moves z otherwise.
    sheet.get_by_role("button", name="Origin").click()
    expect(slider).to_have_value("0")
    assert not found.faults
    context.close()


def test_keys_and_modes(opened, address):
    sheet = opened.goto(address)
    sheet.locator(".pad").focus()
    sheet.keyboard.press("Shift+ArrowRight")
    sheet.keyboard.press("ArrowUp")
    expect(sheet.locator(".readout")).to_have_text("z = (0.50, 0.05)")
    expect(sheet).to_have_url(re.compile(r"z=0\.5,0\.05$"))
    sheet.get_by_text("Uncertainty").click()
    expect(sheet.locator(".legend")).to_be_visible()
    sheet.get_by_text("Sample", exact=True).click()
    expect(sheet.get_by_role("button", name="New noise")).to_be_visible()
    sheet.locator(".pad").focus()
    sheet.keyboard.press("Home")
    expect(sheet.locator(".readout")).to_have_text("z = (0.00, 0.00)")


def test_a_link_that_fits_no_model_says_so(opened, address):
    sheet = opened.goto(f"{address}#z=1,2,3")
    expect(sheet.locator(".row p[role=status]")).to_contain_text("2 latents")
    expect(sheet.locator(".readout")).to_have_text("z = (0.00, 0.00)")


def test_another_model_takes_the_pad(opened, address, models):
    sheet = opened.goto(address)
    sheet.locator("[name=model]").select_option("frey-10d")
    expect(sheet.locator(".slider")).to_have_count(10)
    assert difference(sheet, models["frey-10d"].model, [0] * 10) <= 2
    expect(sheet).to_have_url(re.compile("model=frey-10d"))


def test_the_sheet_is_the_manifold_and_leads_to_its_faces(opened, address, models):
    sheet = opened.goto(address)
    sheet.get_by_label("Faces a side").select_option("10")
    canvas = sheet.locator(".sheet canvas")
    canvas.scroll_into_view_if_needed()
    expect(canvas).to_have_attribute("data-state", "painted")
    z = latent.manifold_sheet(10, 0.05, 2)
    expected = latent.draw(models["frey-2d"].model, z)
    found = canvas.evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    drawn = np.array(found).reshape(10 * 28, 10 * 20, 4)[..., 0]
    tiled = expected.swapaxes(1, 2).reshape(280, 200).astype(int)
    assert np.abs(drawn - tiled).max() <= 2
    before = canvas.bounding_box()["width"]
    sheet.get_by_role("button", name="Closer").click()
    assert canvas.bounding_box()["width"] == pytest.approx(1.5 * before, rel=0.01)
    sheet.get_by_role("button", name="Farther").click()
    box = canvas.bounding_box()
    sheet.mouse.click(box["x"] + 0.05 * box["width"], box["y"] + 0.05 * box["height"])
    written = ",".join(f"{number:.3f}".rstrip("0") for number in z[0, 0])
    expect(sheet).to_have_url(re.compile(f"z={re.escape(written)}$"))


@pytest.mark.parametrize("opened", [PHONE], indirect=True)
def test_on_a_phone_it_fits_and_a_finger_moves_the_face(opened, address):
    sheet = opened.goto(address)
    assert sheet.evaluate("document.documentElement.scrollWidth") <= 390
    box = sheet.locator(".pad").bounding_box()
    before = pixels(sheet)
    sheet.touchscreen.tap(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    expect(sheet).to_have_url(re.compile(r"z=-"))
    assert (pixels(sheet) != before).any()


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    """A picture with colours, edges and a size that no step divides evenly."""
    y, x = np.mgrid[0:467, 0:613] / 100
    layers = [np.sin(2.1 * x + y), np.cos(3 * y) * np.sin(x), (np.hypot(x - 3, y - 2) < 1.3) - 0.5]
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(to_uint8(0.5 + 0.5 * np.stack(layers, axis=-1))).save(path)
    return path


def seen(sheet: Page) -> np.ndarray:
    """What the encoder is given."""
    found = sheet.locator("canvas.seen").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(found).reshape(28, 20, 4)[..., 0]


def test_a_photo_goes_through_the_encoder_here(opened, address, models, photo):
    sheet = opened.goto(address)
    sheet.get_by_label("Photo", exact=True).set_input_files(photo)
    expect(sheet.locator(".own-place")).to_contain_text("±")
    picture = Image.open(photo).convert("RGB")
    frame = photo_frame.fitting(picture, 20 / 28)
    expected = photos.framed(picture, (frame.x, frame.y), frame.width, (28, 20))
    assert np.abs(seen(sheet) - expected.astype(int)).max() <= 1
    z = latent.encode(models["frey-2d"].model, expected.reshape(1, -1) / np.float32(255)).mean[0]
    written = f"z = ({z[0]:.2f}, {z[1]:.2f})".replace("-", "−")
    expect(sheet.locator(".readout")).to_have_text(written)
    # Zoomed out, what lies beyond the photo is black; closer, there is less to average.
    width = frame.width
    for key, factor, times in (("-", 1.05, 6), ("+", 1 / 1.05, 30)):
        sheet.locator(".stage").focus()
        for _ in range(times):
            sheet.keyboard.press(key)
            width *= factor
        expected = photos.framed(picture, (0.5, 0.5), width, (28, 20)).astype(int)
        deadline = time.monotonic() + 30
        while np.abs(seen(sheet) - expected).max() > 1 and time.monotonic() < deadline:
            sheet.wait_for_timeout(100)
        assert np.abs(seen(sheet) - expected).max() <= 1


def test_another_photo_of_the_same_size_takes_its_place(opened, address, photo, tmp_path):
    sheet = opened.goto(address)
    turned = tmp_path / "turned.png"
    Image.open(photo).transpose(Image.Transpose.ROTATE_180).save(turned)
    chooser = sheet.get_by_label("Photo", exact=True)
    chooser.set_input_files(photo)
    expect(sheet.locator(".own-place")).to_contain_text("±")
    first = sheet.locator("img.photo").get_attribute("src")
    chooser.set_input_files(turned)
    expect(sheet.locator("img.photo")).not_to_have_attribute("src", first)


def test_no_picture_gets_a_sentence(opened, address, tmp_path):
    sheet = opened.goto(address)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    sheet.get_by_label("Photo", exact=True).set_input_files(bad)
    expect(sheet.locator(".own-word")).to_contain_text("no picture")


def test_light_and_dark(opened, address):
    sheet = opened.goto(address)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert sheet.evaluate(colour) == "rgb(252, 252, 251)"
    sheet.emulate_media(color_scheme="dark")
    assert sheet.evaluate(colour) == "rgb(18, 23, 22)"
    sheet.get_by_role("button", name="Light or dark").click()
    assert sheet.evaluate(colour) == "rgb(252, 252, 251)"


@pytest.mark.parametrize(("scheme", "tool"), [("light", "Brush"), ("dark", "Pull")])
def test_axe_finds_no_violation(browser: Browser, address, photo, axe, scheme, tool):
    # The test's own script is none of the page's.
    context = browser.new_context(offline=True, bypass_csp=True, color_scheme=scheme, **WIDE)
    found = Opened(context.new_page())
    sheet = found.goto(f"{address}#model=frey-10d&z=1,0,0,0,0,0,0,0,0,0&pins=0,0,0,0,0,0,0,0,0,0")
    sheet.get_by_label("Photo", exact=True).set_input_files(photo)
    expect(sheet.locator(".own-place")).to_contain_text("±")
    sheet.get_by_role("button", name=tool).click()
    axe(sheet)
    context.close()


def test_a_page_cut_short_says_so(browser: Browser, address, tmp_path):
    text = Path(address.removeprefix("file://")).read_text(encoding="utf-8")
    start = text.index('data-part="decoder"')
    middle = text.index(">", start) + 2000
    cut = tmp_path / "cut.html"
    cut.write_text(text[:middle] + text[text.index("<", middle) :], encoding="utf-8")
    sheet = browser.new_page()
    sheet.goto(cut.as_uri())
    expect(sheet.get_by_role("alert")).to_contain_text("damaged")
    sheet.close()


def test_the_button_on_explore_gives_the_page(browser: Browser, app_server, tmp_path):
    places = {name: str(tmp_path / name) for name in ("VISAGE_DATA", "VISAGE_RUNS")}
    with app_server(APP, {**places, "VISAGE_READ_ONLY": "1"}) as app:
        sheet = browser.new_page(**WIDE)
        sheet.goto(app)
        sheet.get_by_role("button", name="Share").click()
        expect(sheet.get_by_text("<iframe")).to_be_visible()
        with sheet.expect_download() as download:
            sheet.get_by_role("button", name="Download the page").click()
        assert download.value.suggested_filename == "frey-2d.html"
        kept = tmp_path / "faces.html"
        download.value.save_as(kept)
        sheet.close()
    context = browser.new_context(offline=True, **WIDE)
    Opened(context.new_page()).goto(kept.as_uri())
    context.close()
