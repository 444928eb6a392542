"""A page that is sent, opened as a file, with the network off."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from ui.browser import page_parts
from vae import latent, load_checkpoint, page
from vae.images import to_uint8

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
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
    assert sheet.get_by_label("Model").input_value() == "1"
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
    expect(sheet.locator("p[role=status]")).to_contain_text("2 latents")
    expect(sheet.locator(".readout")).to_have_text("z = (0.00, 0.00)")


def test_another_model_takes_the_pad(opened, address, models):
    sheet = opened.goto(address)
    sheet.get_by_label("Model").select_option("frey-10d")
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


def test_light_and_dark(opened, address):
    sheet = opened.goto(address)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert sheet.evaluate(colour) == "rgb(252, 252, 251)"
    sheet.emulate_media(color_scheme="dark")
    assert sheet.evaluate(colour) == "rgb(18, 23, 22)"
    sheet.get_by_role("button", name="Light or dark").click()
    assert sheet.evaluate(colour) == "rgb(252, 252, 251)"


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
