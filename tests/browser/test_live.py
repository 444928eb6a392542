"""The camera, on Reconstruct and in a page that is sent: in the visitor's browser alone."""

import io
import re
from collections.abc import Iterator
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import CHECKPOINTS, FILMED, ROOT
from ui import photo_frame
from ui.browser import page_parts
from vae import load_checkpoint, page
from vae.datasets import photos

WIDE = {"viewport": {"width": 1280, "height": 1000}}

# Of the camera's picture the frame takes so much, in shares of the width at which it fits.
AIM = 0.75

# Keeps the last picture that was taken of the camera, and counts them.
WATCH = """
window.looks = 0;
const take = CanvasRenderingContext2D.prototype.getImageData;
CanvasRenderingContext2D.prototype.getImageData = function (...asked) {
  const picture = take.apply(this, asked);
  if (picture.width === 640) {
    window.looks += 1;
    window.looked = picture;
  }
  return picture;
};
"""


class Looked:
    """A page with a camera: what it asks for and says, and what the camera has seen."""

    def __init__(self, sheet: Page):
        self.page = sheet
        self.asked: list[str] = []
        self.sent: list[int] = []
        self.faults: list[str] = []
        sheet.set_default_timeout(60_000)
        sheet.add_init_script(WATCH)
        sheet.on("request", lambda request: self.asked.append(request.url))
        sheet.on("websocket", lambda socket: socket.on("framesent", lambda _: self.sent.append(1)))
        sheet.on("pageerror", lambda error: self.faults.append(str(error)))

    def traffic(self) -> tuple[int, int]:
        return len(self.asked), len(self.sent)

    def visit(self, z: np.ndarray) -> None:
        """Wait until the pad is where the encoder must see a face."""
        self.page.wait_for_function(
            """([box, x, y]) => {
                 const said = box.textContent.replaceAll("\\u2212", "-").match(/-?\\d+\\.\\d+/g);
                 return Math.hypot(said[0] - x, said[1] - y) < 0.35;
               }""",
            arg=[self.page.locator(".readout").element_handle(), *z.tolist()],
        )

    def looks_every_frame(self) -> None:
        """Of so many frames that the display shows, each has its picture encoded and decoded."""
        shown, looks = self.page.evaluate(
            """() => new Promise((done) => {
                 const before = window.looks;
                 let shown = 0;
                 const next = () => {
                   shown += 1;
                   if (shown > 48) done([shown, window.looks - before]);
                   else requestAnimationFrame(next);
                 };
                 requestAnimationFrame(next);
               })"""
        )
        assert looks >= shown - 1

    def sees_as_the_server_does(self) -> None:
        """What the encoder was given is what the server makes of the same picture."""
        picture, small = self.page.locator("canvas.seen").evaluate(
            """canvas => {
                 const whole = document.createElement("canvas");
                 whole.width = window.looked.width;
                 whole.height = window.looked.height;
                 whole.getContext("2d").putImageData(window.looked, 0, 0);
                 return [whole, canvas].map((one) => one.toDataURL("image/png"));
               }"""
        )
        photo, seen = (Image.open(io.BytesIO(urlopen(url).read())) for url in (picture, small))
        width = AIM * photo_frame.fitting(photo.convert("RGB"), 20 / 28).width
        expected = photos.framed(photo.convert("RGB"), (0.5, 0.5), width, (28, 20))
        found = np.asarray(seen.convert("L"), dtype=int)
        assert found.std() > 10
        assert np.abs(found - expected.astype(int)).max() <= 1


@pytest.fixture
def live(looking: Browser, app_server, tmp_path) -> Iterator[Looked]:
    places = {name: str(tmp_path / name) for name in ("VISAGE_DATA", "VISAGE_RUNS")}
    with app_server(ROOT / "app.py", places) as app, looking.new_context(**WIDE) as context:
        looked = Looked(context.new_page())
        sheet = looked.page
        sheet.goto(f"{app}/reconstruct?model=frey-2d")
        sheet.get_by_text("Your own photo").click()
        sheet.get_by_text("Live", exact=True).click()
        expect(sheet.locator(".visage")).to_have_attribute("data-state", "ready")
        yield looked
        assert not looked.faults


def test_the_camera_moves_over_the_plane_and_nothing_leaves(live, axe):
    sheet = live.page
    expect(sheet.get_by_text("Nothing leaves this computer")).to_be_visible()
    expect(sheet.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning"
    )
    before = live.traffic()
    sheet.get_by_role("button", name="Camera").click()
    for z in (*FILMED, FILMED[0]):
        live.visit(z)
    live.looks_every_frame()
    expect(sheet.locator(".own-place")).to_contain_text("±")
    expect(sheet.locator(".posterior")).to_be_visible()
    sheet.get_by_role("button", name="Pin", exact=True).click()
    expect(sheet.locator(".tray .kept, .tray li")).to_have_count(1)
    sheet.get_by_role("button", name="Freeze").click()
    assert sheet.locator("video").evaluate("video => video.srcObject") is None
    assert live.traffic() == before
    live.sees_as_the_server_does()
    for scheme in ("light", "dark"):
        sheet.emulate_media(color_scheme=scheme)
        passed = axe(sheet, '[...document.querySelectorAll("*")].find((host) => host.visageLive)')
        assert "color-contrast" in passed
    # What is taken along is z alone, and what was pinned.
    written = sheet.locator(".readout").text_content()
    sheet.get_by_role("button", name="Explore from here").click()
    expect(sheet).to_have_url(re.compile(r"explore|/\?.*z="))
    expect(sheet).to_have_url(re.compile("pins="))
    expect(sheet.locator(".readout")).to_have_text(written)


def test_the_camera_of_a_page_that_is_sent(looking: Browser, tmp_path):
    path = tmp_path / "faces.html"
    held = {"frey-2d": load_checkpoint(CHECKPOINTS / "frey-2d.safetensors")}
    page.write(path, held, page.Parts(**page_parts()), encoder=True)
    with looking.new_context(offline=True, **WIDE) as context:
        looked = Looked(context.new_page())
        sheet = looked.page
        sheet.goto(path.as_uri())
        expect(sheet.locator(".visage")).to_have_attribute("data-state", "ready")
        sheet.get_by_role("button", name="Camera").click()
        for z in (*FILMED, FILMED[0]):
            looked.visit(z)
        looked.looks_every_frame()
        # The posterior is seen on the plane, not only told.
        expect(sheet.locator(".posterior")).to_be_visible()
        expect(sheet.locator(".own-place")).to_contain_text("±")
        sheet.get_by_role("button", name="Freeze").click()
        expect(sheet.locator("video")).to_be_hidden()
        assert sheet.locator("video").evaluate("video => video.srcObject") is None
        looked.sees_as_the_server_does()
        assert looked.asked == [path.as_uri()] and not looked.sent and not looked.faults
