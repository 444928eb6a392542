"""A real Chromium, and servers for it to visit."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.browser import CHROMIUM, SWITCHES, served

# On a machine that is busy with other things a page takes its time.
expect.set_options(timeout=60_000)

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

Server = Callable[[Path, Mapping[str, str]], AbstractContextManager[str]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; where there is none, tests are skipped, except in continuous integration."""
    if not Path(CHROMIUM).exists():
        do_without(f"there is no {CHROMIUM}: install chromium, or name another by CHROMIUM=…")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield chromium
        chromium.close()


def do_without(reason: str) -> NoReturn:
    """Skip a test, for want of something; in continuous integration it fails."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, which looks for what shuts somebody out."""
    if not AXE.exists():
        do_without("axe-core is not here: npm ci")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def app_server() -> Server:
    """``app_server(script, env)``: a Streamlit script on a free port, as a context manager."""
    return served


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a window of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()
