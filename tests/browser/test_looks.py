"""What every page owes to everyone: room on a projector, names, words for pictures, contrast."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from vae.runs import create, trainer
from vae.training.recipes import TrainingConfig

ROOT = Path(__file__).parents[2]
PAGES = ("explore", "learn", "manifold", "reconstruct", "morph", "train", "data")
PROJECTOR = 1280, 720
PHONE = 390, 844

CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")

# Whether all of an element's words are within it.
WHOLE = """
e => [e, ...e.querySelectorAll("*")].every(e => !e.clientWidth || e.scrollWidth <= e.clientWidth)
"""

# Captions and their links, names below faces, the words at the axes of charts, and what the pad
# says by the way.
QUIET = (
    "[class*=st-key-stop_] button p, "
    "[data-testid=stCaptionContainer] *, .xtick text, .ytick text, .g-xtitle text, "
    ".g-ytitle text, .cbaxis text, .readout, .hint, .slider .value"
)


@pytest.fixture(scope="module")
def app(app_server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with a run that has ended."""
    folder = tmp_path_factory.mktemp("looks")
    places = {f"VISAGE_{name.upper()}": str(folder / name) for name in ("data", "runs", "queue")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in places.items():
            patch.setenv(name, value)
        run = create(TrainingConfig(dataset="olivetti", hidden_dims=(16,), steps=60))
        for _ in trainer.trained(run):
            pass
        write_diverged(folder / "runs" / "diverged")
    with app_server(ROOT / "app.py", places | {"VISAGE_READ_ONLY": ""}) as address:
        yield address


def write_diverged(path: Path) -> None:
    """A run whose figures are long and negative."""
    run = create(TrainingConfig(dataset="olivetti", steps=10), path)
    figures = {name: -49_123_456.7 for name in ("elbo", "heldout_elbo", "log_likelihood")}
    record = {
        "step": 10,
        "samples": 1_000,
        "seconds": 1.0,
        "kl": 1_234_567.8,
        "heldout_log_likelihood": -49_123_456.7,
        "heldout_kl": 1_234_567.8,
        "learning_rate": 0.003,
        "steps_per_second": 10.0,
    }
    (path / "metrics.jsonl").write_text(json.dumps(record | figures) + "\n", encoding="utf-8")
    run.set_status(state="finished", step=10)


def opened(page: Page, address: str, name: str) -> Page:
    """A page of the app, once its script has run to its end and its charts are drawn."""
    # A model whose data set is on every machine.
    page.goto(f"{address}/{'' if name == 'explore' else name}?model=olivetti-2d")
    expect(page.locator("h1")).to_be_visible(timeout=60_000)
    running = page.locator("[data-testid=stApp][data-test-script-state=running]")
    expect(running).to_have_count(0, timeout=60_000)
    if name == "explore":
        expect(page.locator(".visage")).to_have_attribute("data-state", "ready", timeout=60_000)
    elif name == "learn":
        expect(page.locator(".lesson")).to_have_attribute("data-state", "ready", timeout=60_000)
    elif name != "data":
        expect(page.locator(".js-plotly-plot .xtick").first).to_be_attached(timeout=60_000)
    return page


def faint(page: Page, selector: str) -> list[dict]:
    """The texts of a contrast below 4.5, once the page has come to rest."""
    for _ in range(60):
        texts = page.evaluate(CONTRAST, selector)
        low = [text for text in texts if text["ratio"] < 4.5]
        if texts and not low:
            return []
        page.wait_for_timeout(500)
    return low or [{"text": "none of these is on the page", "ratio": 0}]


@pytest.fixture(scope="module", params=PAGES)
def on_projector(request: pytest.FixtureRequest, tab, app: str) -> Iterator[Page]:
    """Each page in the light theme, opened once for all that is looked at there."""
    with tab(*PROJECTOR) as page:
        yield opened(page, app, request.param)


@pytest.fixture(scope="module", params=PAGES)
def on_phone(request: pytest.FixtureRequest, tab, app: str) -> Iterator[Page]:
    """Each page on a phone, and in the dark theme."""
    with tab(*PHONE, "dark") as page:
        yield opened(page, app, request.param)


def on_page(name: str, fixture: str) -> pytest.MarkDecorator:
    """Have a test look at one page alone."""
    return pytest.mark.parametrize(fixture, [name], indirect=True, scope="module")


def test_a_page_begins_at_the_top_of_a_projector(on_projector):
    page = on_projector
    # What a page was before it was this one may still be going.
    page.wait_for_function("document.querySelector('h1').getBoundingClientRect().bottom < 64")
    title = page.locator("h1").bounding_box()
    beside = page.get_by_role("button", name="What am I looking at?").bounding_box()
    assert title["y"] + title["height"] < 64
    assert abs(title["y"] + title["height"] / 2 - beside["y"] - beside["height"] / 2) < 8


def test_a_page_fits_a_phone(on_phone):
    page = on_phone
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@on_page("train", "on_projector")
def test_a_run_shows_its_whole_curve_on_a_projector(on_projector):
    page = on_projector
    curve = page.locator(".st-key-run_elbo .js-plotly-plot").bounding_box()
    assert curve["y"] + curve["height"] <= PROJECTOR[1]


@on_page("manifold", "on_projector")
def test_the_manifold_is_whole_on_a_projector(on_projector):
    page = on_projector
    grid = page.locator(".st-key-grid").bounding_box()
    assert grid["y"] + grid["height"] <= PROJECTOR[1]
    # Tall enough that faces are seen from the last row.
    assert grid["height"] > 500


@on_page("manifold", "on_phone")
def test_the_manifold_comes_first_on_a_phone(on_phone):
    page = on_phone
    grid = page.locator(".st-key-grid").bounding_box()
    assert grid["y"] < PHONE[1] / 2
    controls = page.locator("[data-testid=stMain] :is([data-testid=stSlider], [role=switch])")
    controls.first.wait_for()
    boxes = [control.bounding_box() for control in controls.all()]
    assert all(box["y"] >= grid["y"] + grid["height"] for box in boxes)


def test_a_page_has_a_title_of_its_own_and_words_for_its_pictures(on_projector, request):
    page, name = on_projector, request.node.callspec.params["on_projector"]
    expect(page).to_have_title(f"{name.title()} · Visage")
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
    charts = page.get_by_test_id("stPlotlyChart")
    assert all(chart.get_attribute("aria-label") for chart in charts.all())


def test_what_is_said_by_the_way_can_be_read(on_projector):
    assert_can_be_read(on_projector)


def test_what_is_said_by_the_way_can_be_read_in_the_dark_theme(on_phone):
    assert_can_be_read(on_phone)


def assert_can_be_read(page: Page) -> None:
    assert faint(page, QUIET) == []
    page.get_by_role("button", name="What am I looking at?").click()
    expect(page.get_by_role("dialog").locator(".katex-display")).to_be_visible()
    assert faint(page, "[role=dialog] :is(p, a)") == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("size", [PROJECTOR, PHONE], ids=["projector", "phone"])
def test_no_figure_of_a_run_is_cut(tab, app, size):
    with tab(*size) as page:
        page.goto(f"{app}/train?run=diverged")
        values = page.get_by_test_id("stMetricValue")
        expect(values.first).to_have_text("−49,123,457", timeout=60_000)
        expect(values).to_have_count(4)
        for value in values.all():
            assert value.evaluate(WHOLE)
            box = value.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
        boxes = [value.bounding_box() for value in values.all()]
        for left, right in itertools.pairwise(boxes):
            assert left["x"] + left["width"] <= right["x"] or right["y"] > left["y"] + 8
        # Neither are those at the axis, nor are they told in powers of e.
        ticks = page.locator(".st-key-run_elbo .ytick text")
        ticks.first.wait_for()
        assert not [text for text in ticks.all_text_contents() if "e+" in text]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_who_goes_by_the_keyboard_sees_where_they_are(tab, app, scheme):
    with tab(*PROJECTOR, scheme) as page:
        opened(page, app, "train")
        places = []
        for _ in range(16):
            page.keyboard.press("Tab")
            places.append(page.evaluate(CONTRAST, ":focus"))
        assert len({place["name"] for place in places}) > 10
        assert not [place for place in places if place["ring"] < 2 or place["ratio"] < 3]
