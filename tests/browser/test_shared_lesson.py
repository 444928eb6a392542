"""The lesson as one file, with no server and no network."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, expect

from tests.browser.test_learn import figure, known
from vae import load_checkpoint
from vae.__main__ import main
from vae.latent.evidence import judge

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "frey-2d.safetensors"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lesson") / "lesson.html"
    result = CliRunner().invoke(main, ["share", str(SHIPPED), "--learn", "--out", str(path)])
    assert result.exit_code == 0, result.output
    return path


def test_a_lesson_is_one_file_that_asks_for_nothing(browser: Browser, file):
    with browser.new_context(viewport={"width": 1280, "height": 800}, offline=True) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{file.as_uri()}#step=2")
        shown = page.locator(".lesson section:visible h2")
        expect(shown).to_have_text("Infer: be the encoder")
        # Its figures are the library's, as in the app.
        held = known(page)
        model = load_checkpoint(SHIPPED).model
        evidence = judge(model, np.array([held["x"]], dtype=np.float32))
        assert held["logPx"] == pytest.approx(evidence.log_px[0], abs=0.1)
        assert held["encoder"]["terms"]["elbo"] == pytest.approx(
            evidence.encoder_elbo[0], abs=0.05
        )
        assert figure(page, "px") == pytest.approx(evidence.log_px[0], abs=0.15)
        page.keyboard.press("ArrowRight")
        expect(shown).to_have_text("Reparametrise")
        page.keyboard.press("ArrowRight")
        expect(shown).to_have_text("Learn")
        expect(page.locator("[data-step=learn]")).to_have_attribute("data-state", "known")
        page.keyboard.press("ArrowRight")
        expect(shown).to_have_text("Too well")
        expect(page.locator("[data-step=excess]")).to_have_attribute("data-state", "known")
        page.keyboard.press("ArrowRight")
        expect(shown).to_have_text("Beyond the plane")
        assert page.url.endswith("#step=6")
        page.get_by_text("Two ways across").click()
        expect(page.locator(".lengths")).to_contain_text("geodesic")
        # There are no other pages here to lead to.
        page.get_by_text("Where to go from here").click()
        expect(
            page.get_by_role("link", name="Auto-Encoding Variational Bayes").first
        ).to_be_visible()
        expect(page.locator(".in-app")).to_be_hidden()
        assert asked == [asked[0]]
        assert not problems


def test_a_lesson_fits_a_phone_and_shuts_nobody_out(browser: Browser, file, axe):
    phone = {"width": 390, "height": 844}
    # The test's own script is none of the page's.
    with browser.new_context(viewport=phone, offline=True, bypass_csp=True) as context:
        page = context.new_page()
        for step in range(1, 7):
            page.goto(f"{file.as_uri()}#step={step}")
            expect(page.locator(".lesson")).to_have_attribute("data-state", "ready")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            axe(page)
