"""Training, watched in a real Chromium: it grows, everyone sees it, and nothing disturbs it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from vae import runs

ROOT = Path(__file__).parents[2]

# Where the last point of the validation curve lies, as drawn: its sample count.
LAST_SAMPLES = """() => {
    const chart = document.querySelector(".st-key-run_elbo .js-plotly-plot");
    const lines = (chart && chart._fullData) || [];
    const line = lines.find((one) => one.name === "validation");
    return line && line.x.length ? line.x[line.x.length - 1] : 0;
}"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "VISAGE_RUNS": str(tmp_path / "runs"),
        "VISAGE_DATA": str(tmp_path / "data"),
        "VISAGE_QUEUE": str(tmp_path / "queue"),
    }


def wait_until(happened: Callable[[], object], seconds: float = 180) -> None:
    # Long enough for a busy machine: how fast it happens is not what is tested.
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.2)


def open_train(browser: Browser, address: str, query: str = "") -> Page:
    page = browser.new_page()
    page.goto(f"{address}/train{query}")
    page.get_by_role("heading", name="Train", exact=True).wait_for(timeout=60_000)
    return page


def state(page: Page) -> str:
    return page.locator(".st-key-run_state").inner_text()


def samples(page: Page) -> float:
    return page.evaluate(LAST_SAMPLES)


def test_a_run_grows_for_all_viewers_through_refreshes_and_restarts(
    browser, app_server, environment
):
    with app_server(ROOT / "app.py", environment) as address:
        first = open_train(browser, address)
        # The default recipe would end the run once validation has said enough.
        first.get_by_role("radio", name="adam").click()
        hidden = first.get_by_role("textbox", name="Hidden units")
        expect(hidden).to_have_value("200", timeout=60_000)
        hidden.fill("16")
        hidden.press("Enter")
        steps = first.get_by_role("spinbutton", name="Steps")
        steps.fill("1000000")
        steps.press("Enter")
        start = first.get_by_role("button", name="Start training")
        start.wait_for()
        first.wait_for_timeout(1_000)
        start.click()
        wait_until(lambda: samples(first) > 0)
        (run,) = runs.all_runs()
        assert run.config.hidden_dims == (16,) and run.config.dataset == "olivetti"
        before = samples(first)
        wait_until(lambda: samples(first) > before)
        assert "Training" in state(first)

        second = open_train(browser, address, f"?run={run.name}")
        wait_until(lambda: samples(second) > 0)
        first.reload()
        wait_until(lambda: samples(first) > before)
        first.close()
        second.close()

    # The server is gone; the run is not.
    gone_at = run.status().step
    wait_until(lambda: run.status().step > gone_at)

    with app_server(ROOT / "app.py", environment) as address:
        pages = [open_train(browser, address, f"?run={run.name}") for _ in range(2)]
        for page in pages:
            wait_until(lambda page=page: samples(page) >= gone_at * run.config.batch_size)
        # Streamlit has a button of that name as well, while a page is being made.
        pages[0].locator(".st-key-run_controls").get_by_role("button", name="Stop").click()
        for page in pages:
            wait_until(lambda page=page: "Stopped" in state(page))
            page.get_by_role("button", name="Resume").wait_for()
        assert run.status().state == "stopped"
        wait_until(lambda: samples(pages[0]) == samples(pages[1]) > 0)
        for page in pages:
            page.close()


@pytest.fixture(autouse=True)
def _here(environment, monkeypatch):
    """This process reads the folders that the server writes."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield
    # A trainer outlives its server, and would outlive a test that failed.
    for run in runs.all_runs():
        run.request_stop()
