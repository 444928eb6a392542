"""The camera on Reconstruct: in the visitor's browser alone, until a face is taken along."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import CHROMIUM, SWITCHES
from vae import latent, load_checkpoint
from vae.images import to_uint8

ROOT = Path(__file__).parents[2]

# Two faces that the camera sees in turn.
FACES = np.array([[-0.5, 1.0], [1.0, -1.0]], dtype=np.float32)

# What the frame takes of 640×480: three quarters of its height, in the model's proportions.
HEIGHT, WIDTH = 360, 257


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """Each face for a second, as a camera sees it: mirrored by the page again."""
    model = load_checkpoint(ROOT / "checkpoints" / "frey-2d.safetensors").model
    path = tmp_path_factory.mktemp("film") / "faces.y4m"
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n")
        for face in to_uint8(latent.decode(model, FACES)[0]):
            still = np.full((480, 640), 90, dtype=np.uint8)
            large = Image.fromarray(face[:, ::-1]).resize(
                (WIDTH, HEIGHT), Image.Resampling.BICUBIC
            )
            top, left = (480 - HEIGHT) // 2, (640 - WIDTH) // 2
            still[top : top + HEIGHT, left : left + WIDTH] = np.asarray(large)
            for _ in range(30):
                file.write(b"FRAME\n" + still.tobytes() + bytes([128]) * (640 * 480 // 2))
    return path


@pytest.fixture
def sheet(browser: Browser, app_server, film, tmp_path) -> Iterator[Page]:
    switches = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    switches.append(f"--use-file-for-fake-video-capture={film}")
    places = {name: str(tmp_path / name) for name in ("VISAGE_DATA", "VISAGE_RUNS")}
    chromium = browser.browser_type.launch(executable_path=CHROMIUM, args=[*SWITCHES, *switches])
    with app_server(ROOT / "app.py", places) as app:
        opened = chromium.new_page(viewport={"width": 1280, "height": 1000})
        opened.set_default_timeout(60_000)
        opened.asked, opened.sent, faults = [], [], []
        opened.on("request", lambda request: opened.asked.append(request.url))
        opened.on(
            "websocket", lambda socket: socket.on("framesent", lambda _: opened.sent.append(1))
        )
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.goto(f"{app}/reconstruct?model=frey-2d")
        opened.get_by_text("Your own photo").click()
        opened.get_by_text("Live", exact=True).click()
        expect(opened.locator(".visage")).to_have_attribute("data-state", "ready")
        yield opened
        assert not faults
    chromium.close()


def visit(sheet: Page, z: np.ndarray) -> None:
    """Wait until the pad is where the encoder must see a face."""
    sheet.wait_for_function(
        """([x, y]) => [...document.querySelectorAll("*")].some((host) => {
             const z = host.visageLive?.pad.z;
             return z && Math.hypot(z[0] - x, z[1] - y) < 0.35;
           })""",
        arg=z.tolist(),
    )


def test_the_camera_moves_over_the_plane_and_nothing_leaves(sheet):
    expect(sheet.get_by_text("Nothing leaves this computer")).to_be_visible()
    expect(sheet.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning"
    )
    asked, sent = len(sheet.asked), len(sheet.sent)
    sheet.get_by_role("button", name="Camera").click()
    for z in (*FACES, FACES[0]):
        visit(sheet, z)
    expect(sheet.locator(".own-place")).to_contain_text("±")
    expect(sheet.locator(".posterior")).to_be_visible()
    sheet.get_by_role("button", name="Pin", exact=True).click()
    expect(sheet.locator(".tray .kept, .tray li")).to_have_count(1)
    sheet.get_by_role("button", name="Freeze").click()
    assert sheet.locator("video").evaluate("video => video.srcObject") is None
    assert (len(sheet.asked), len(sheet.sent)) == (asked, sent)
    # What is taken along is z alone, and what was pinned.
    written = sheet.locator(".readout").text_content()
    sheet.get_by_role("button", name="Explore from here").click()
    expect(sheet).to_have_url(re.compile(r"explore|/\?.*z="))
    expect(sheet).to_have_url(re.compile("pins="))
    expect(sheet.locator(".readout")).to_have_text(written)
