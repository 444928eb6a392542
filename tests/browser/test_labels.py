"""Points that are coloured by a label: the legend, its filter, and what a point tells."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, expect

from vae import VAE, save_checkpoint
from vae.models.vae import Gaussian

ROOT = Path(__file__).parents[2]
NASTY = "<img src=x onerror=alert(1)> **bold** [a](javascript:b)"


@pytest.fixture(scope="module")
def pad_app(tmp_path_factory: pytest.TempPathFactory, app_server) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("models")
    means = torch.tensor([[-2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    model = VAE((8, 8), 2, (8,))
    save_checkpoint(folder / "two.safetensors", model, {}, Gaussian(means, means * 0))
    with app_server(Path(__file__).parent / "pad_app.py", {"PAD_MODELS": str(folder)}) as address:
        yield address


def colour_at(page: Page, across: float, up: float) -> list[int]:
    """The colour of the chart at a place of the plane, in shares of its side from its middle."""
    return page.locator(".chart").evaluate(
        """(canvas, [across, up]) => {
          const side = canvas.width;
          const [x, y] = [side * (0.5 + across), side * (0.5 - up)].map(Math.round);
          return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];
        }""",
        [across, up],
    )


def test_a_label_colours_the_points_and_its_legend_filters_them(pad_app, page):
    alerts = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(pad_app)
    expect(page.locator(".visage[data-state=ready]")).to_be_visible()
    expect(page.locator(".key")).to_be_hidden()
    page.get_by_text("Labelled").click()
    entries = page.locator(".key button")
    expect(entries).to_have_text(["<i>a</i>", "**b**", "=c()"])
    expect(page.locator(".key b")).to_have_text(NASTY)
    assert page.locator(".key img, .key i i, .key a").count() == 0
    # The first entry's point lies on the left, the second's above, the third's on the right.
    colours = [colour_at(page, *place)[:3] for place in ((-0.25, 0), (0, 0.25), (0.25, 0))]
    assert len({tuple(colour) for colour in colours}) == 3
    entries.nth(0).click()
    expect(entries.nth(0)).to_have_attribute("aria-pressed", "true")
    assert colour_at(page, -0.25, 0)[:3] == colours[0]
    assert colour_at(page, 0, 0.25)[:3] != colours[1]
    entries.nth(0).click()
    expect(entries.nth(0)).to_have_attribute("aria-pressed", "false")
    assert colour_at(page, 0, 0.25)[:3] == colours[1]
    box = page.locator(".pad").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    expect(page.locator(".hover")).to_have_text(f"{NASTY}: <i>a</i>")
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    expect(page.locator(".hover")).to_be_hidden()
    page.get_by_text("Labelled").click()
    expect(page.locator(".key")).to_be_hidden()
    assert alerts == []


def test_explore_colours_the_training_faces_by_a_label(app_server, page, tmp_path):
    environment = {"VISAGE_DATA": str(tmp_path / "data"), "VISAGE_RUNS": str(tmp_path / "runs")}
    with app_server(ROOT / "app.py", environment) as address:
        page.goto(f"{address}/?model=olivetti-2d")
        expect(page.locator(".visage[data-state=ready]")).to_be_visible()
        page.get_by_role("combobox", name="Colour the points by").click()
        page.get_by_role("option", name="person").click()
        expect(page.locator(".key b")).to_have_text("person")
        expect(page.locator(".key button")).to_have_count(8)
        expect(page.locator(".key button").last).to_have_text("33 others")
