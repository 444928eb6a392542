"""Morph in a real Chromium: pinned faces, a framed photo, and files to take away."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from vae import datasets

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def app(app_server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("morph")
    environment = {
        "VISAGE_DATA": str(folder),
        "VISAGE_RUNS": str(folder / "runs"),
        "VISAGE_READ_ONLY": "",
    }
    with app_server(ROOT / "app.py", environment) as address:
        yield address


def test_pinned_faces_become_a_path(app: str, page: Page):
    page.goto(f"{app}/explore?model=olivetti-2d&z=-1,0.5")
    expect(page.locator(".visage")).to_have_attribute("data-state", "ready", timeout=60_000)
    pin = page.get_by_role("button", name="Pin", exact=True)
    for _ in range(2):
        pin.click()
        page.locator(".pad").press("Shift+ArrowRight")
    # What is in the address has reached the server.
    expect(page).to_have_url(re.compile(r"z=0(,|%2C)0.5"))
    page.get_by_role("link", name="Morph").click()
    page.get_by_role("button", name="Pinned faces · 2").click()
    for place in (1, 2):
        expect(page.get_by_role("button", name=f"{place} · pin {place}")).to_be_visible()
    for kind in ("geodesic", "straight", "spherical"):
        expect(page.get_by_role("img", name=f"Film along the {kind} path")).to_be_visible()


def test_a_photo_is_framed_and_joins_the_path(app: str, page: Page):
    buffer = io.BytesIO()
    Image.fromarray(datasets.load("olivetti").images[77]).resize((460, 560)).save(buffer, "PNG")
    page.goto(f"{app}/morph?model=olivetti-2d")
    page.get_by_role("button", name="A photo").click()
    chooser = page.locator("[data-testid=stFileUploader] input[type=file]")
    chooser.set_input_files({"name": "me.png", "mimeType": "", "buffer": b"no photo"})
    expect(page.get_by_text("This photo can't be taken: it is damaged")).to_be_visible()
    chooser.set_input_files({"name": "me.png", "mimeType": "", "buffer": buffer.getvalue()})
    expect(page.locator(".stage .window")).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_alt_text("Face 3, photo")).to_be_visible()


def test_films_play_in_step_until_they_are_paused(app: str, page: Page):
    page.goto(f"{app}/morph?model=olivetti-2d")
    player = page.locator(".player")
    expect(player).to_have_attribute("data-playing", "true")
    expect(player).not_to_have_attribute("data-frame", player.get_attribute("data-frame") or "")
    page.get_by_role("button", name="Pause").click()
    expect(player).to_have_attribute("data-playing", "false")
    frame = player.get_attribute("data-frame")
    page.evaluate("new Promise(resolve => setTimeout(resolve, 400))")
    assert player.get_attribute("data-frame") == frame
    # A film stands where its slider is put.
    page.get_by_role("slider", name="Frame", exact=True).fill("35")
    expect(player).to_have_attribute("data-frame", "35")
    page.get_by_role("button", name="Play").click()
    expect(player).to_have_attribute("data-playing", "true")


def test_films_stand_still_where_less_motion_is_wanted(app: str, page: Page):
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{app}/morph?model=olivetti-2d")
    player = page.locator(".player")
    expect(player).to_have_attribute("data-playing", "false")
    expect(player).to_have_attribute("data-frame", "0")
    page.get_by_role("button", name="Play").click()
    expect(player).to_have_attribute("data-playing", "true")
    expect(player).not_to_have_attribute("data-frame", "0")


def test_a_film_is_taken_away(app: str, page: Page):
    page.goto(f"{app}/morph?model=olivetti-2d")
    for label, kind, frames in (("GIF", "gif", 70), ("WebP", "webp", 70), ("PNG strip", "png", 1)):
        with page.expect_download() as download:
            page.get_by_role("button", name=label).click()
        assert download.value.suggested_filename == f"olivetti-2d-geodesic.{kind}"
        with Image.open(download.value.path()) as picture:
            assert picture.n_frames == frames
