"""The pad in a page of its own: one HTML file, with no server behind it."""

import base64
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from ui.browser import read, script
from vae import load_checkpoint
from vae.latent.packed import pack
from vae.models.checkpoint import Checkpoint

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"

PAGE = """<!doctype html>
<meta charset="utf-8" />
<title>Faces</title>
<style>
  :root {{
    --st-primary-color: #0f766e;
    --st-text-color: #1c2421;
    --st-background-color: #fcfcfb;
    --st-secondary-background-color: #f0f1ee;
  }}
  {css}
</style>
{html}
<script type="module">
{script}
const bytes = Uint8Array.from(atob("{model}"), (letter) => letter.charCodeAt(0));
window.pad = openPad(document, bytes.buffer);
</script>
"""


def written(path: Path, packed: bytes) -> str:
    """Write a page of its own and give its address."""
    path.write_text(
        PAGE.format(
            css=read("pad.css"),
            html=read("pad.html"),
            script=script("standalone.js"),
            model=base64.b64encode(packed).decode(),
        ),
        encoding="utf-8",
    )
    return path.as_uri()


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return load_checkpoint(CHECKPOINTS / "olivetti-2d.safetensors")


def pixels(page: Page) -> np.ndarray:
    found = page.locator("canvas.face").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(found).reshape(-1, 4)


def test_a_page_of_its_own_decodes_under_the_pointer(browser: Browser, shipped, tmp_path):
    address = written(tmp_path / "faces.html", pack(shipped, "pad", "faces", "1"))
    with browser.new_context(viewport={"width": 1280, "height": 900}, offline=True) as context:
        page = context.new_page()
        failures: list = []
        page.on("pageerror", lambda error: failures.append(error))
        page.goto(address)
        expect(page.locator(".visage")).to_have_attribute("data-state", "ready")
        box = page.locator(".pad").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
        page.mouse.up()
        z = page.evaluate("[...pad.z]")
        extent = float(page.locator(".pad").get_attribute("aria-valuemax"))
        assert z == pytest.approx([extent / 2, 0], abs=0.05)
        mean, _ = shipped.model.decode(torch.tensor(z))
        expected = 255 * mean.numpy().reshape(-1)
        assert np.abs(pixels(page)[:, 0] - expected).max() <= 1
        page.get_by_role("button", name="Pin", exact=True).click()
        expect(page.locator(".tray .kept")).to_have_count(1)
        page.get_by_role("button", name="Origin").click()
        expect(page.locator(".readout")).to_have_text("z = (0.00, 0.00)")
        # Directions are found by a server.
        expect(page.get_by_text("Arrows", exact=True)).to_be_hidden()
        assert not failures


def test_a_damaged_model_gets_a_sentence(browser: Browser, shipped, tmp_path):
    packed = pack(shipped, "pad", "faces", "1")
    page = browser.new_page()
    page.goto(written(tmp_path / "cut.html", packed[: len(packed) // 2]))
    expect(page.get_by_role("alert")).to_contain_text("damaged")
    page.close()
