"""Deleting in a real Chromium: the popover closes, nothing else is armed, *Undo* is in sight."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from vae import runs
from vae.training.recipes import TrainingConfig

ROOT = Path(__file__).parents[2]


def test_two_tabs_delete_one_run_and_one_brings_it_back(
    browser: Browser, page: Page, app_server, tmp_path, monkeypatch
):
    environment = {
        "VISAGE_RUNS": str(tmp_path / "runs"),
        "VISAGE_DATA": str(tmp_path / "data"),
        "VISAGE_QUEUE": str(tmp_path / "queue"),
    }
    monkeypatch.setenv("VISAGE_RUNS", environment["VISAGE_RUNS"])
    for name in ("oldest", "older", "faces"):
        run = runs.create(TrainingConfig(dataset="olivetti"), runs.folder() / name)
        run.set_status(state="stopped", pid=None)
    with app_server(ROOT / "app.py", environment) as address:
        second = browser.new_page()
        second.set_default_timeout(60_000)
        for tab in (page, second):
            tab.goto(f"{address}/train?run=faces")
            tab.get_by_role("button", name="Delete", exact=True).click()
            tab.get_by_role("button", name="Delete faces").wait_for()
        page.get_by_role("button", name="Delete faces").click()
        undo = page.get_by_role("button", name="Undo")
        expect(undo).to_be_in_viewport(timeout=60_000)
        expect(page.get_by_text("faces is deleted.")).to_be_visible()
        # The popover is closed: nothing is armed for the run that stands there now.
        expect(page.get_by_role("button", name="Delete older")).to_have_count(0)
        expect(page.get_by_role("button", name="Delete", exact=True)).to_be_visible()

        second.get_by_role("button", name="Delete faces").click()
        expect(second.get_by_text("faces is not here any more")).to_be_visible(timeout=60_000)
        expect(second.get_by_role("button", name="Delete older")).to_have_count(0)
        assert {run.name for run in runs.all_runs()} == {"older", "oldest"}
        second.close()

        undo.click()
        expect(page.get_by_text("faces is back.")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("button", name="Delete faces")).to_have_count(0)
        assert {run.name for run in runs.all_runs()} == {"faces", "older", "oldest"}
