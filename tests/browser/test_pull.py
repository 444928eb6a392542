"""The hand that pulls the face, in a real Chromium: by mouse, finger and keys, on a sent page."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from scipy import ndimage

from ui.browser import page_parts
from vae import latent, load_checkpoint, page
from vae.images import to_uint8
from vae.models.checkpoint import Checkpoint

ROOT = Path(__file__).parents[2]
WIDE = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

# The head's edge in the light, in shares of the face, and the rows and columns around it.
EDGE = 0.87, 0.45
BESIDE = slice(9, 17), slice(10, 20)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(ROOT / "checkpoints" / "frey-10d.safetensors")


@pytest.fixture(scope="module")
def address(checkpoint, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("pull") / "faces.html"
    page.write(path, {"frey": checkpoint}, page.Parts(**page_parts()))
    return path.as_uri()


@pytest.fixture
def sheet(browser: Browser, address: str, request):
    context = browser.new_context(offline=True, **getattr(request, "param", WIDE))
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(address)
    expect(opened.locator(".visage")).to_have_attribute("data-state", "ready")
    opened.get_by_role("button", name="Pull").click()
    yield opened
    assert not faults
    context.close()


def face(sheet: Page) -> np.ndarray:
    found = sheet.locator("canvas.face").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(found, dtype=float).reshape(28, 20, 4)[..., 0]


def pull(sheet: Page, *places: tuple[float, float]) -> None:
    """Take hold of the first place, in shares of the face, and drag it through the others."""
    canvas = sheet.locator(".pull")
    box = canvas.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    sheet.mouse.move(*at[0])
    sheet.mouse.down()
    for place in at[1:]:
        sheet.mouse.move(*place, steps=6)
    sheet.mouse.up()
    came_along(sheet)


def came_along(sheet: Page) -> None:
    """Wait until nothing is held any more."""
    expect(sheet.locator(".pull .held")).to_have_count(0)


def where(sheet: Page) -> list[float]:
    expect(sheet).to_have_url(re.compile(r"z=-?[0-9.]*[1-9]"))
    said = sheet.evaluate("new URLSearchParams(location.hash.slice(1)).get('z')")
    return [float(number) for number in said.split(",")]


def shift(before: np.ndarray, after: np.ndarray) -> float:
    """By how many pixels to the right a part of the face has gone, its light apart."""
    parts = [image[BESIDE] - image[BESIDE].mean() for image in (before, after)]
    across = np.arange(-3, 3.05, 0.1)

    def missing(by: float) -> float:
        moved = ndimage.shift(before, (0, by), order=3, mode="nearest")[BESIDE]
        return float(((moved - moved.mean() - parts[1]) ** 2).mean())

    return float(across[np.argmin([missing(by) for by in across])])


def test_what_is_under_the_finger_comes_along(sheet, checkpoint):
    before = face(sheet)
    shifts = []
    for target in (0.74, 1.0):
        pull(sheet, EDGE, (target, EDGE[1]))
        z = where(sheet)
        after = face(sheet)
        shifts.append(shift(before, after))
        # It is a face of the model's, no further out than those that it knows.
        expected = to_uint8(latent.decode(checkpoint.model, np.array([z], dtype=np.float32))[0])[0]
        assert np.abs(after - expected.astype(int)).max() <= 3
        assert np.linalg.norm(z) < np.linalg.norm(checkpoint.posterior.mean, axis=1).max()
        sheet.get_by_role("button", name="Undo").click()
        expect(sheet.get_by_role("button", name="Undo")).to_be_disabled()
        assert (face(sheet) == before).all()
    print(shifts)
    assert shifts[0] < -0.3 and shifts[1] > 0.3


def test_any_scribble_leaves_a_face(sheet, checkpoint):
    random = np.random.default_rng(5)
    for _ in range(2):
        pull(sheet, *map(tuple, random.uniform(-0.2, 1.2, (4, 2)).clip(0.02, 0.98)))
    z = where(sheet)
    assert np.isfinite(z).all()
    assert np.linalg.norm(z) < np.linalg.norm(checkpoint.posterior.mean, axis=1).max()
    assert face(sheet).std() > 10
    # One tool at a time, and z that goes its own way has nothing to undo.
    sheet.get_by_role("button", name="Brush").click()
    expect(sheet.locator(".pull")).to_be_hidden()
    expect(sheet.get_by_role("button", name="Pull")).to_have_attribute("aria-pressed", "false")
    sheet.get_by_role("button", name="Pull").click()
    expect(sheet.locator("canvas.paint")).to_be_hidden()
    expect(sheet.get_by_role("button", name="Undo")).to_be_disabled()
    sheet.get_by_text("Uncertainty").click()
    expect(sheet.locator(".pull")).to_be_hidden()


def test_keys_pull_and_undo(sheet):
    before = face(sheet)
    hand = sheet.get_by_role("application", name=re.compile("Pull the face"))
    hand.focus()
    for key in ("Shift+ArrowDown", "Shift+ArrowDown", "Space", *["ArrowUp"] * 4):
        hand.press(key)
    expect(sheet.locator(".pull .held")).to_have_count(1)
    hand.press("Space")
    came_along(sheet)
    where(sheet)
    assert (face(sheet) != before).any()
    hand.press("Control+z")
    assert (face(sheet) == before).all()
    hand.press("Escape")
    expect(hand).to_be_hidden()
    expect(sheet.get_by_role("button", name="Pull")).to_be_focused()


@pytest.mark.parametrize("sheet", [PHONE], indirect=True)
def test_a_finger_pulls_and_scrolls_nothing(sheet):
    before = face(sheet)
    canvas = sheet.locator(".pull")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    offset = sheet.evaluate("scrollY")
    touch = sheet.context.new_cdp_session(sheet)
    x, y = box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"]
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x - 10, "y": y + 8}]),
        ("touchMove", [{"x": x - 20, "y": y + 16}]),
        ("touchEnd", []),
    ):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    came_along(sheet)
    where(sheet)
    assert (face(sheet) != before).any()
    assert sheet.evaluate("scrollY") == offset
    assert sheet.evaluate("document.documentElement.scrollWidth") <= 390
