"""The whole app in a real Chromium, as a visitor meets it."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from tests.conftest import link_frey
from vae import VAE, save_checkpoint
from vae.models.vae import Gaussian
from vae.runs import Run, create
from vae.runs.processes import this_process
from vae.training.recipes import TrainingConfig

ROOT = Path(__file__).parents[2]
PAGES = ("explore", "manifold", "reconstruct")
EVERY_PAGE = (*PAGES, "learn", "morph", "train", "data")
SIZES = {"wide": (1280, 900), "narrow": (380, 800)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders for data sets and runs, as a server's environment."""
    data, runs = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("runs")
    link_frey(data)
    return {"VISAGE_DATA": str(data), "VISAGE_RUNS": str(runs), "VISAGE_READ_ONLY": ""}


@pytest.fixture(scope="module")
def app(app_server, folders: dict[str, str]) -> Iterator[str]:
    with app_server(ROOT / "app.py", folders) as address:
        yield address


def is_of_others(message) -> bool:
    """Whether a line of the console is about nothing that is ours."""
    url = message.location.get("url", "")
    # Streamlit's frontend asks for its server below the page's own address first. Nothing that the
    # app could answer there would help: where the frontend gets an answer it takes that to be its
    # server's address, and only Streamlit's own page could tell it the right one beforehand.
    probed = rf"/({'|'.join(EVERY_PAGE)})/_stcore/(health|host-config)$"
    if re.search(probed, url) and "404" in message.text:
        return True
    # What Plotly, which Streamlit serves, and Chromium without a graphics card say of drawing.
    return message.type == "warning" and (
        "/static/js/" in url or "GL Driver Message" in message.text
    )


class Visit:
    """A page that notes what goes wrong."""

    def __init__(self, tab, size: str = "wide", scheme: str = "light"):
        self.tab = tab(*SIZES[size], scheme)
        self.problems: list[str] = []

    def _note_error(self, error) -> None:
        self.problems.append(str(error))

    def _note(self, message) -> None:
        if message.type in ("error", "warning") and not is_of_others(message):
            self.problems.append(message.text)

    def open(self, address: str) -> Page:
        self.page.goto(address)
        expect(self.page.locator("h1")).to_be_visible(timeout=60_000)
        settle(self.page)
        return self.page

    def __enter__(self) -> "Visit":
        self.page = self.tab.__enter__()
        self.page.on("pageerror", self._note_error)
        self.page.on("console", self._note)
        return self

    def __exit__(self, *trouble: object) -> None:
        self.page.remove_listener("pageerror", self._note_error)
        self.page.remove_listener("console", self._note)
        self.tab.__exit__(*trouble)


def settle(page: Page) -> None:
    """Wait until the script has run to its end."""
    running = page.locator("[data-testid=stApp][data-test-script-state=running]")
    expect(running).to_have_count(0, timeout=60_000)


def face(page: Page) -> str:
    """The decoded face as it is drawn, as a data URL."""
    expect(page.locator(".visage")).to_have_attribute("data-state", "ready", timeout=60_000)
    return page.locator("canvas.face").evaluate("canvas => canvas.toDataURL()")


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("narrow", "dark")])
@pytest.mark.parametrize("name", EVERY_PAGE)
def test_every_page_opens_without_an_error(tab, app, name, size, scheme):
    with Visit(tab, size, scheme) as visit:
        page = visit.open(f"{app}/{'' if name == 'explore' else name}")
        expect(page.locator("h1")).to_have_text(name.title())
        expect(page.get_by_test_id("stException")).to_have_count(0)
        fits = "document.documentElement.scrollWidth <= window.innerWidth"
        assert page.evaluate(fits), "the page is wider than the window"
        assert not visit.problems


def test_the_first_visitor_of_a_server_may_come_to_any_page(tab, app_server, folders):
    with app_server(ROOT / "app.py", folders) as fresh, Visit(tab) as visit:
        page = visit.open(f"{fresh}/manifold?model=frey-10d")
        expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=60_000)
        expect(page.get_by_test_id("stSidebarNavLink").first).to_have_text(re.compile("Explore"))
        expect(page.locator("h1")).to_have_text("Manifold")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert "model=frey-10d" in page.url
        assert not visit.problems


def test_the_first_page_is_found_by_its_name_too(tab, app_server, folders):
    with app_server(ROOT / "app.py", folders) as fresh:
        for _ in range(2):
            with Visit(tab) as visit:
                page = visit.open(f"{fresh}/explore?model=frey-10d")
                face(page)
                expect(page.locator("h1")).to_have_text("Explore")
                expect(page.get_by_role("dialog")).to_have_count(0)
                assert page.url.startswith(f"{fresh}/?model=frey-10d")
                assert not visit.problems


def test_every_page_is_reached_from_the_menu(tab, app):
    with Visit(tab) as visit:
        page = visit.open(app)
        for name in (*PAGES[1:], PAGES[0]):
            page.get_by_test_id("stSidebarNavLink").filter(has_text=name.title()).click()
            expect(page.locator("h1")).to_have_text(name.title())
            settle(page)
            expect(page.get_by_test_id("stException")).to_have_count(0)
        assert not visit.problems


def test_back_leads_from_page_to_page(tab, app):
    with Visit(tab) as visit:
        page = visit.open(app)
        seen = ["Explore", "Manifold", "Reconstruct", "Train"]
        face(page)
        for name in seen[1:]:
            page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
            expect(page.locator("h1")).to_have_text(name)
            settle(page)
        for name in reversed(seen[:-1]):
            page.go_back()
            expect(page.locator("h1")).to_have_text(name)
            settle(page)
        page.get_by_role("button", name="Random").click()
        page.wait_for_function(
            "location.search.includes('z=') && !location.search.includes('z=0%2C0')"
        )
        settle(page)
        length = page.evaluate("history.length")
        before = page.url
        page.get_by_role("button", name="Random").click()
        page.wait_for_function("before => location.href !== before", arg=before)
        settle(page)
        assert page.evaluate("history.length") == length
        assert not visit.problems


def test_a_link_opens_the_same_face(tab, app):
    with Visit(tab) as visit:
        page = visit.open(f"{app}/?model=frey-2d&z=1,-0.5")
        there = face(page)
        assert "z=1%2C-0.5" in page.url or "z=1,-0.5" in page.url
    with Visit(tab) as visit:
        page = visit.open(app)
        assert face(page) != there
        page.get_by_role("button", name="Random").click()
        expect(page).to_have_url(re.compile("z="))
        page.wait_for_function("!location.search.includes('z=0%2C0')")
        settle(page)
        link, here = page.url, face(page)
    with Visit(tab) as visit:
        assert same_picture(visit.open(link), here)


def test_pins_and_axes_survive_a_reload_and_travel_in_the_link(tab, app):
    with Visit(tab) as visit:
        page = visit.open(f"{app}/?model=frey-10d")
        face(page)
        page.get_by_label("Latent across").select_option("4")
        expect(page).to_have_url(re.compile("axes=5"))
        page.locator(".pad").press("Shift+ArrowRight")
        page.get_by_role("button", name="Pin", exact=True).click()
        expect(page).to_have_url(re.compile("pins=0"))
        page.reload()
        there = face(page)
        expect(page.locator(".tray .kept")).to_have_count(1)
        expect(page.get_by_label("Latent across")).to_have_value("4")
        settle(page)
        link = page.url
    with Visit(tab) as visit:
        page = visit.open(link)
        assert same_picture(page, there)
        expect(page.locator(".tray .kept")).to_have_count(1)
        expect(page.get_by_label("Latent across")).to_have_value("4")
        # The plane along which the data varies most is a choice beside the latents.
        page.get_by_label("Latent upwards").select_option("data 2")
        expect(page).to_have_url(re.compile("axes=data"))
        expect(page.locator(".pad")).to_have_attribute("aria-valuetext", re.compile("^data 1 "))
        page.reload()
        face(page)
        expect(page.get_by_label("Latent across")).to_have_value("-1")
        page.get_by_role("button", name="Remove pinned face 1").click(force=True)
        expect(page).not_to_have_url(re.compile("pins="))
        assert not visit.problems


def test_a_link_goes_as_far_as_its_z(tab, app):
    with Visit(tab) as visit:
        page = visit.open(f"{app}/?model=frey-2d&z=-31.5,12")
        face(page)
        expect(page.locator(".readout")).to_have_text("z = (−31.50, 12.00)")
        slider = page.get_by_role("slider", name="z₁", exact=True)
        expect(slider).to_have_js_property("value", "-31.5")
        pad, cursor = (page.locator(name).bounding_box() for name in (".pad", ".cursor"))
        assert pad["x"] <= cursor["x"] and pad["y"] <= cursor["y"]
        assert not visit.problems


@pytest.mark.parametrize("model", ["frey-2d", "frey-10d"])
def test_on_a_projector_the_whole_pad_is_in_sight(tab, app, model):
    with Visit(tab) as visit:
        visit.page.set_viewport_size({"width": 1280, "height": 720})
        page = visit.open(f"{app}/?model={model}")
        face(page)
        for part in (".slider", ".actions button", ".pad", ".frame"):
            for box in (element.bounding_box() for element in page.locator(part).all()):
                assert box["y"] >= 0 and box["y"] + box["height"] <= 720


def test_what_arrows_say_is_beside_the_cursor_and_apart(tab, app):
    with Visit(tab) as visit:
        page = visit.open(f"{app}/?model=frey-10d")
        labels = page.locator(".overlay .arrow text")
        expect(labels).to_have_count(2, timeout=60_000)
        most, least = (label.bounding_box() for label in labels.all())
        cursor = page.locator(".cursor").bounding_box()
        assert not any(touch(*pair) for pair in [(most, least), (most, cursor), (least, cursor)])


def touch(one: dict, other: dict) -> bool:
    """Whether two boxes of the page overlap."""
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


@pytest.mark.parametrize("size", [(1440, 900), (1280, 720), (390, 844)])
def test_all_of_z_can_be_read(tab, app, size):
    with Visit(tab) as visit:
        visit.page.set_viewport_size({"width": size[0], "height": size[1]})
        page = visit.open(f"{app}/?model=frey-10d&z=-0.5,1,-1.5,2,-2.25,0.75,-1,0.5,-0.25,-3")
        face(page)
        readout = page.locator(".readout")
        expect(readout).to_contain_text("−0.25, −3.00)")
        box = readout.bounding_box()
        for number in readout.locator("span").all():
            inner = number.bounding_box()
            assert box["x"] <= inner["x"]
            assert inner["x"] + inner["width"] <= box["x"] + box["width"]
            assert inner["y"] + inner["height"] <= box["y"] + box["height"] + 1


def same_picture(page: Page, there: str) -> bool:
    """Whether two drawn faces agree to within a few grey values: the link rounds z."""
    measure = """async ([one, other]) => {
        const pixels = async (url) => {
            const bitmap = await createImageBitmap(await (await fetch(url)).blob());
            const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
            const context = canvas.getContext("2d");
            context.drawImage(bitmap, 0, 0);
            return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
        };
        const [a, b] = [await pixels(one), await pixels(other)];
        return Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    }"""
    return page.evaluate(measure, [face(page), there]) <= 3


def test_the_chosen_model_stays_across_pages_and_in_the_url(tab, app):
    with Visit(tab) as visit:
        page = visit.open(f"{app}/?model=frey-10d")
        page.get_by_test_id("stSidebarNavLink").filter(has_text="Manifold").click()
        expect(page.locator("h1")).to_have_text("Manifold")
        expect(page).to_have_url(re.compile("model=frey-10d"))
        assert not visit.problems


def test_hovering_over_the_manifold_tells_z(tab, app):
    with Visit(tab) as visit:
        page = visit.open(f"{app}/manifold")
        plot = page.locator(".js-plotly-plot .nsewdrag").first
        expect(plot).to_be_visible(timeout=60_000)
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.locator(".hovertext")).to_contain_text("z₁")


def test_the_manifold_is_printed_sharp(tab, app):
    with Visit(tab) as visit:
        page = visit.open(f"{app}/manifold")
        with page.expect_download() as download:
            page.get_by_text("Download for print").click()
        picture = Image.open(download.value.path())
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        pixels = np.asarray(picture)
        scale = pixels.shape[1] // (20 * 20)
        # Each pixel of a face is a square of one grey value.
        blocks = pixels.reshape(20 * 28, scale, 20 * 20, scale)
        assert (blocks == blocks[:, :1, :, :1]).all()


def test_a_running_model_changes_in_place(tab, app, folders, monkeypatch):
    monkeypatch.setenv("VISAGE_RUNS", folders["VISAGE_RUNS"])
    run = create(TrainingConfig(dataset="olivetti", steps=10))
    running = this_process()
    run.set_status(state="running", pid=running.pid, born=running.born)
    save(run, seed=0)
    with Visit(tab) as visit:
        page = visit.open(f"{app}/?model={run.name}&z=0.5,0.5")
        before = face(page)
        page.evaluate("window.stayed = true")
        save(run, seed=1)
        for _ in range(300):
            if face(page) != before:
                break
            page.wait_for_timeout(200)
        assert face(page) != before
        assert page.evaluate("window.stayed")
        assert "z=0.5" in page.url
        assert not visit.problems
    run.set_status(state="finished")


def save(run: Run, seed: int) -> None:
    torch.manual_seed(seed)
    model = VAE((28, 23), 2, (16,))
    for layer in (*model.decoder.hidden, model.decoder.head):
        layer.weight.data.mul_(3)
    means = torch.randn(360, 2)
    save_checkpoint(
        run.last, model, {"dataset": "olivetti"}, Gaussian(means, torch.zeros_like(means))
    )
