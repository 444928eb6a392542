"""A Plotly figure as a small PNG, drawn by the Chromium that the tests use."""

from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright

from benchmarks.browser import CHROMIUM, SWITCHES


def save(figure: go.Figure, path: Path, width: int = 760, height: int = 440) -> None:
    """Draw a figure into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.update_layout(
        template="plotly_white",
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        font={"family": "sans-serif", "size": 13},
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_content(figure.to_html(include_plotlyjs=True, config={"displayModeBar": False}))
        page.locator(".main-svg").first.wait_for()
        page.screenshot(path=path)
        browser.close()
