"""Charts in a real Chromium: what Plotly makes of the figures."""

import numpy as np
import pytest
from playwright.sync_api import Page

from ui import charts


@pytest.mark.parametrize("samples", [(1_000, 9_990), (3_000, 10_000), (100, 100)])
def test_a_short_runs_curve_is_drawn_without_complaint(page: Page, samples):
    lines = {"training": (np.array(samples, dtype=float), np.array([-50.0, 400.0]))}
    figure = charts.training_curves(lines, "ELBO, nats")
    figure.update_layout(width=390, height=230)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_content(figure.to_html(include_plotlyjs=True))
    page.locator(".xtitle").wait_for()
    assert not [text for text in complaints if "Expected length" in text]
