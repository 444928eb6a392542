"""One thing changed, in a real Chromium: begun, seen to learn, left, stopped, and its table."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from vae import runs
from vae.runs import sweep

ROOT = Path(__file__).parents[2]

# The ranges of the curves' axes, as drawn.
RANGES = """() => [...document.querySelectorAll("[class*=st-key-lab_curve] .js-plotly-plot")].map(
    (chart) => JSON.stringify([chart._fullLayout.xaxis.range, chart._fullLayout.yaxis.range])
)"""


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    folders = {name: str(tmp_path / name.lower()) for name in ("RUNS", "DATA", "QUEUE")}
    environment = {f"VISAGE_{name}": folder for name, folder in folders.items()}
    # Both at once, so that both are seen to learn.
    environment["VISAGE_MAX_RUNS"] = "2"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield environment
    for run in runs.all_runs():
        run.request_stop()


def wait_until(happened: Callable[[], object], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.2)


def fill(page: Page, role: str, name: str, value: str) -> None:
    box = page.get_by_role(role, name=name)
    box.fill(value)
    box.press("Enter")
    page.wait_for_timeout(500)


def open_laboratory(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{address}/train")
    page.get_by_text("One thing changed", exact=True).click()
    return page


def test_runs_learn_side_by_side_on_common_axes_and_end_in_a_table(
    browser, app_server, environment
):
    with app_server(ROOT / "app.py", environment) as address:
        page = open_laboratory(browser, address)
        # The default recipe would end a run once validation has said enough.
        page.get_by_role("radio", name="adam").click()
        page.wait_for_timeout(500)
        fill(page, "textbox", "Hidden units", "16")
        fill(page, "spinbutton", "Steps", "1000000")
        fill(page, "textbox", "2 to 6 values", "0.5 4")
        page.get_by_role("button", name="Train 2 runs").click()
        page.get_by_role("button", name="Stop all").wait_for()
        # Each chart is drawn anew when there is news, one a moment after the other.
        wait_until(lambda: len(page.evaluate(RANGES)) == 2)
        wait_until(lambda: len(set(page.evaluate(RANGES))) == 1)
        expect(page.get_by_text("Manifold at step")).to_have_count(2)
        page.close()
    # The server is gone; the runs are not.
    (one,) = sweep.all_sweeps()
    assert one.is_alive()

    with app_server(ROOT / "app.py", environment) as address:
        page = open_laboratory(browser, address)
        page.get_by_role("button", name="Stop all").click()
        page.get_by_role("button", name="Resume all").wait_for()
        assert {run.status().state for run in one.here().values()} == {"stopped"}
        page.get_by_text("Download CSV").wait_for()
        assert page.locator(".js-plotly-plot").count() >= 5
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(1_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV").click()
        assert Path(download.value.path()).read_text().startswith("beta,run,state")
        page.close()
