"""The brush in a real Chromium: on a page that is sent, in the app, by mouse, finger and keys."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from ui.browser import page_parts
from vae import VAE, latent, load_checkpoint, page
from vae.images import to_uint8
from vae.models.architecture import Architecture
from vae.models.checkpoint import Checkpoint
from vae.models.conv import Conv

ROOT = Path(__file__).parents[2]
WIDE = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

# Where the mouth of Frey Face is: rows and columns of the 28×20 pixels.
MOUTH = slice(19, 23), slice(7, 14)


@pytest.fixture(scope="module")
def model() -> VAE:
    return load_checkpoint(ROOT / "checkpoints" / "frey-10d.safetensors").model


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    held = {"frey": load_checkpoint(ROOT / "checkpoints" / "frey-10d.safetensors")}
    torch.manual_seed(0)
    colour = VAE((12, 16, 3), 20, (32,)).requires_grad_(False).eval()
    # Faces differ from point to point, as an untrained model's hardly do.
    for layer in (*colour.decoder.hidden, colour.decoder.head):
        layer.weight.mul_(3)
    held["colour"] = Checkpoint(colour, {})
    conv = VAE.of(Architecture((64, 64, 3), 20, Conv("medium"))).requires_grad_(False).eval()
    for layer in conv.decoder.parameters():
        layer.mul_(2)
    held["conv"] = Checkpoint(conv, {})
    path = tmp_path_factory.mktemp("brush") / "faces.html"
    page.write(path, held, page.Parts(**page_parts()))
    return path.as_uri()


@pytest.fixture
def sheet(browser: Browser, address: str, request):
    context = browser.new_context(offline=True, **getattr(request, "param", WIDE))
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(address)
    expect(opened.locator(".visage")).to_have_attribute("data-state", "ready")
    opened.get_by_role("button", name="Brush").click()
    yield opened
    assert not faults
    context.close()


def face(sheet: Page) -> np.ndarray:
    found = sheet.locator("canvas.face").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(found).reshape(28, 20, 4)[..., 0]


def painted(sheet: Page) -> int:
    return sheet.locator("canvas.paint").evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
        ".filter((x, i) => i % 4 === 3 && x).length"
    )


def stroke(sheet: Page, *places: tuple[float, float]) -> None:
    """Paint through places, in shares of the face."""
    canvas = sheet.locator("canvas.paint")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    sheet.mouse.move(*at[0])
    sheet.mouse.down()
    for place in at[1:]:
        sheet.mouse.move(*place, steps=4)
    sheet.mouse.up()


def answered(sheet: Page) -> list[float]:
    """z, once the face has answered."""
    expect(sheet).to_have_url(re.compile(r"z=-?[0-9.]*[1-9]"))
    said = sheet.evaluate("new URLSearchParams(location.hash.slice(1)).get('z')")
    return [float(number) for number in said.split(",")]


def test_a_mouth_that_is_painted_dark_opens(sheet, model):
    before = face(sheet)
    stroke(sheet, (0.36, 0.74), (0.66, 0.74))
    z = answered(sheet)
    after = face(sheet)
    assert after[MOUTH].mean() < before[MOUTH].mean() - 15
    # It is a face of the model's, near where one was.
    expected = to_uint8(latent.decode(model, np.array([z], dtype=np.float32))[0])[0]
    assert np.abs(after - expected.astype(int)).max() <= 3
    assert np.linalg.norm(z) < 5
    # What was painted fades, and comes back to be erased; then the face goes back as well.
    sheet.wait_for_function(
        "() => !document.querySelector('canvas.paint').getContext('2d')"
        ".getImageData(0, 0, 20, 28).data.some(Boolean)"
    )
    sheet.get_by_label("Erase", exact=True).check(force=True)
    assert painted(sheet)
    sheet.get_by_label("Large", exact=True).check(force=True)
    for y in (0.66, 0.74, 0.82):
        stroke(sheet, (0.2, y), (0.8, y))
    sheet.wait_for_function(
        "old => location.hash.length && !location.hash.includes(old)", arg=f"z={z[0]:.3f}"
    )
    assert abs(face(sheet)[MOUTH].mean() - before[MOUTH].mean()) < 15
    # All of it can be undone.
    for _ in range(4):
        sheet.get_by_role("button", name="Undo").click()
    expect(sheet.get_by_role("button", name="Undo")).to_be_disabled()
    assert (face(sheet) == before).all()


def test_the_face_answers_within_two_frames(sheet):
    for name in ("frey", "colour", "conv"):
        sheet.locator("[name=model]").select_option(label=name)
        expect(sheet).to_have_url(re.compile(f"model={name}"))
        frames = sheet.evaluate(
            """async () => {
              const paint = document.querySelector("canvas.paint");
              const face = document.querySelector("canvas.face");
              const seen = () => face.getContext("2d").getImageData(0, 0, 20, 20).data.join();
              const before = seen();
              const { left, top, width, height } = paint.getBoundingClientRect();
              const told = (type, x) => paint.dispatchEvent(new PointerEvent(type, {
                pointerId: 1, clientX: left + x * width, clientY: top + 0.74 * height,
              }));
              paint.setPointerCapture = () => {};
              told("pointerdown", 0.4);
              told("pointermove", 0.6);
              let frames = 0;
              while (seen() === before && frames < 50) {
                await new Promise(requestAnimationFrame);
                frames += 1;
              }
              told("pointerup", 0.6);
              return frames;
            }"""
        )
        assert frames <= 2, name


def test_any_scribble_leaves_a_face(sheet):
    random = np.random.default_rng(3)
    for tool in ("Lighten", "Darken", "Lighten", "Erase", "Darken"):
        sheet.get_by_label(tool, exact=True).check(force=True)
        stroke(sheet, *map(tuple, random.uniform(0, 1, (6, 2))))
    z = answered(sheet)
    assert np.isfinite(z).all() and np.linalg.norm(z) < 6
    assert face(sheet).std() > 10
    assert "NaN" not in sheet.locator(".readout").text_content()


def test_keys_paint_and_undo(sheet):
    before = face(sheet)
    canvas = sheet.get_by_role("application", name=re.compile("Paint on the face"))
    canvas.focus()
    for key in ("Shift+ArrowDown", "ArrowDown", "ArrowDown", "Space", "ArrowRight", "Space"):
        canvas.press(key)
    answered(sheet)
    assert (face(sheet) != before).any()
    canvas.press("Control+z")
    canvas.press("Control+z")
    assert (face(sheet) == before).all()
    canvas.press("Escape")
    expect(canvas).to_be_hidden()
    expect(sheet.get_by_role("button", name="Brush")).to_be_focused()


def test_a_drag_in_the_plane_ends_what_is_painted(sheet):
    stroke(sheet, (0.4, 0.7), (0.6, 0.7))
    answered(sheet)
    sheet.get_by_role("button", name="Origin").click()
    expect(sheet.get_by_role("button", name="Undo")).to_be_disabled()
    sheet.get_by_label("Erase", exact=True).check(force=True)
    assert not painted(sheet)
    # Noise and uncertainty are nothing to paint on.
    sheet.get_by_text("Uncertainty").click()
    expect(sheet.locator("canvas.paint")).to_be_hidden()
    expect(sheet.get_by_role("button", name="Brush")).to_have_attribute("aria-pressed", "false")


def test_colour_is_offered_where_there_are_colours(sheet):
    expect(sheet.get_by_label("Colour", exact=True)).to_be_hidden()
    pull = sheet.get_by_role("button", name="Pull")
    expect(pull).to_be_visible()
    sheet.locator("[name=model]").select_option(label="colour")
    # Latents of coloured faces move nothing under a finger.
    expect(pull).to_be_hidden()
    sheet.get_by_label("The brush's colour").fill("#00ff00")
    expect(sheet.get_by_label("Colour", exact=True)).to_be_checked()
    stroke(sheet, (0.4, 0.5), (0.6, 0.5))
    assert len(answered(sheet)) == 20


@pytest.mark.parametrize("sheet", [PHONE], indirect=True)
def test_a_finger_paints_and_scrolls_nothing(sheet):
    before = face(sheet)
    canvas = sheet.locator("canvas.paint")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    offset = sheet.evaluate("scrollY")
    touch = sheet.context.new_cdp_session(sheet)
    x, y = box["x"] + 0.5 * box["width"], box["y"] + 0.6 * box["height"]
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x, "y": y + 20}]),
        ("touchMove", [{"x": x, "y": y + 50}]),
        ("touchEnd", []),
    ):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    answered(sheet)
    assert (face(sheet) != before).any()
    assert sheet.evaluate("scrollY") == offset
    assert sheet.evaluate("document.documentElement.scrollWidth") <= 390
