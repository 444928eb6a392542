"""A visitor's own faces in a real Chromium: a zip becomes a data set, a photo finds its place."""

import io
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from vae import datasets

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def app(app_server, folder: Path) -> Iterator[str]:
    environment = {
        "VISAGE_DATA": str(folder),
        "VISAGE_RUNS": str(folder / "runs"),
        "VISAGE_READ_ONLY": "",
    }
    with app_server(ROOT / "app.py", environment) as address:
        yield address


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return datasets.load("olivetti").images


def png(image: np.ndarray | Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def give(page: Page, name: str, content: bytes, kind: str) -> None:
    """Upload a file that lies nowhere."""
    chooser = page.locator("[data-testid=stFileUploader] input[type=file]").first
    chooser.set_input_files({"name": name, "mimeType": kind, "buffer": content})


def test_a_zip_becomes_a_data_set(app: str, page: Page, faces: np.ndarray, folder: Path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for place, image in enumerate(faces[:60]):
            archive.writestr(f"{place}.png", png(image))
        archive.writestr("broken.png", b"no image")
        archive.writestr("../outside.png", png(faces[0]))
    page.goto(f"{app}/data")
    page.get_by_text("Bring a data set", exact=True).click()
    give(page, "my friends.zip", buffer.getvalue(), "application/zip")
    expect(page.get_by_text("60 grey images")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("elsewhere, ignored: 1")).to_be_visible()
    expect(page.get_by_text("Files not taken: 1")).to_be_visible()
    expect(page.get_by_alt_text("Samples of the upload")).to_be_visible()
    assert not (folder / "sets" / "my-friends").exists()
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_text("is stored: 60 images")).to_be_visible(timeout=60_000)
    expect(page.get_by_alt_text("Mean", exact=True)).to_be_visible()
    stored = np.load(folder / "sets" / "my-friends" / "images.npy")
    np.testing.assert_array_equal(stored, faces[:60])
    assert {path.name for path in folder.iterdir()} <= {"sets", "runs", "models"}


def test_a_photo_is_framed_and_lands_on_the_plane(app: str, page: Page, faces: np.ndarray):
    """A face lies off the middle of a photo; dragging and zooming put the frame on it."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    photo = Image.new("RGB", (920, 1120), (128, 128, 128))
    photo.paste(Image.fromarray(faces[77]).resize((460, 560), Image.Resampling.BICUBIC), (0, 0))
    page.goto(f"{app}/reconstruct?model=olivetti-2d")
    page.get_by_text("Your own photo", exact=True).click()
    give(page, "me.png", png(photo), "image/png")
    stage = page.locator(".stage")
    expect(stage).to_be_visible(timeout=60_000)
    expect(page.get_by_text("surprising than")).to_be_visible(timeout=60_000)
    before = encoder_elbo(page)

    # The frame holds the whole photo, the face its upper left quarter.
    frame = page.locator(".window").bounding_box()
    middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + frame["width"] / 4, middle[1] + frame["height"] / 4, steps=8)
    page.mouse.up()
    for _ in range(40):
        wide = page.locator(".photo").bounding_box()["width"]
        if wide > 1.98 * frame["width"]:
            break
        page.mouse.wheel(0, -30)
        page.wait_for_timeout(50)
    deadline = time.monotonic() + 60
    while float(encoder_elbo(page)) < float(before) + 100:
        assert time.monotonic() < deadline, "the framed face is no better than the whole photo"
        page.wait_for_timeout(200)

    seen = page.locator(".photo-frame canvas").evaluate(
        """canvas => {
          const { width, height } = canvas;
          return [...canvas.getContext("2d").getImageData(0, 0, width, height).data];
        }"""
    )
    preview = np.array(seen).reshape(28, 23, 4)[..., 0]
    assert np.corrcoef(preview.ravel(), faces[77].ravel())[0, 1] > 0.9

    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    nearest = page.get_by_text(re.compile(r"^#\d+ · [\d.]+ away$")).first
    expect(nearest).to_have_text(re.compile(r"^#7\d ·"))
    page.get_by_role("button", name="Explore from here").click()
    expect(page.get_by_role("heading", name="Explore", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile(r"[?&]z=-?[\d.]+(,|%2C)-?[\d.]+"), timeout=60_000)
    assert "model=olivetti-2d" in page.url
    assert "z=0%2C0" not in page.url
    assert problems == []


def encoder_elbo(page: Page) -> str:
    elbo = re.compile(r"answer: ELBO ([−\d,.]+) nats")
    text = page.get_by_text(elbo).first.inner_text()
    return elbo.search(text)[1].replace("−", "-").replace(",", "")


def test_the_frame_can_be_moved_with_keys(app: str, page: Page, faces: np.ndarray):
    page.goto(f"{app}/reconstruct?model=olivetti-2d")
    page.get_by_text("Your own photo", exact=True).click()
    give(page, "me.png", png(faces[77].repeat(10, axis=0).repeat(10, axis=1)), "image/png")
    photo = page.locator(".photo")
    expect(page.get_by_text("surprising than")).to_be_visible(timeout=60_000)
    start = photo.bounding_box()
    page.locator(".stage").press("ArrowRight")
    moved = photo.bounding_box()
    assert moved["x"] < start["x"]
    assert moved["width"] == pytest.approx(start["width"])
    page.locator(".stage").press("+")
    assert photo.bounding_box()["width"] > moved["width"] * 1.04
    page.locator(".stage").press("Home")
    assert photo.bounding_box() == pytest.approx(start)
