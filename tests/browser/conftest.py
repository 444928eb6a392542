"""A real Chromium, and servers for it to visit."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.browser import CHROMIUM, SWITCHES, served
from vae import latent, load_checkpoint
from vae.images import to_uint8

# On a machine that is busy with other things a page takes its time.
expect.set_options(timeout=60_000)

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CHECKPOINTS = ROOT / "checkpoints"

# Where the faces of the film are.
FILMED = np.array([[-0.5, 1.0], [1.0, -1.0]], dtype=np.float32)

Server = Callable[[Path, Mapping[str, str]], AbstractContextManager[str]]
Scheme = Literal["light", "dark"]
Tab = Callable[..., AbstractContextManager[Page]]


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
def axe() -> Callable[..., set[str]]:
    """``axe(page, where)``: axe-core finds nothing there that shuts somebody out.

    ``where`` is JavaScript for an element or the document; the rules that hold there come back,
    by which a test can tell that axe-core looked inside.
    """
    if not AXE.exists():
        do_without("axe-core is not here: npm ci")
    script = AXE.read_text(encoding="utf-8")

    def look(page: Page, where: str = "document") -> set[str]:
        page.evaluate(script)
        found = page.evaluate(f"axe.run({where})")
        told = [
            (one["id"], node["target"], node["failureSummary"])
            for one in found["violations"]
            for node in one["nodes"]
        ]
        assert not told
        return {one["id"] for one in found["passes"]}

    return look


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a camera sees: two faces of ``frey-2d``, FILMED, in turn, each for a second."""
    model = load_checkpoint(CHECKPOINTS / "frey-2d.safetensors").model
    path = tmp_path_factory.mktemp("film") / "faces.y4m"
    # What the frame takes of 640×480: three quarters of its height, in the model's proportions.
    height, width = 360, 257
    top, left = (480 - height) // 2, (640 - width) // 2
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F15:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n")
        for face in to_uint8(latent.decode(model, FILMED)[0]):
            still = np.full((480, 640), 90, dtype=np.uint8)
            # The page shows it as a mirror does.
            large = Image.fromarray(face[:, ::-1]).resize(
                (width, height), Image.Resampling.BICUBIC
            )
            still[top : top + height, left : left + width] = np.asarray(large)
            picture = b"FRAME\n" + still.tobytes() + bytes([128]) * (640 * 480 // 2)
            file.write(15 * picture)
    return path


@pytest.fixture(scope="session")
def looking(browser: Browser, film: Path) -> Iterator[Browser]:
    """A Chromium whose camera sees the film."""
    switches = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    switches.append(f"--use-file-for-fake-video-capture={film}")
    chromium = browser.browser_type.launch(executable_path=CHROMIUM, args=[*SWITCHES, *switches])
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def app_server() -> Server:
    """``app_server(script, env)``: a Streamlit script on a free port, as a context manager."""
    return served


@pytest.fixture(scope="session")
def tab(browser: Browser) -> Iterator[Tab]:
    """``tab(width, height, scheme)``: a tab that others have had before, as a context manager.

    What Chromium has compiled stays with it, so that the app opens there in a third of the time
    that it takes in a new one. Nothing else stays: no storage, no cookie, no page.
    """
    # Each is alone in its window: of several there, all but the last would be drawn once a second.
    free: list[Page] = []

    @contextmanager
    def opened(width: int = 1280, height: int = 1000, scheme: Scheme = "light") -> Iterator[Page]:
        page = free.pop() if free else browser.new_page()
        page.set_default_timeout(60_000)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme, reduced_motion="no-preference")
        try:
            yield page
        except BaseException:
            page.close()
            raise
        page.evaluate("() => { try { localStorage.clear(); sessionStorage.clear(); } catch {} }")
        page.mouse.up()
        page.goto("about:blank")
        page.context.clear_cookies()
        free.append(page)

    yield opened
    for page in free:
        page.close()


@pytest.fixture
def page(tab: Tab) -> Iterator[Page]:
    """A page of usual size."""
    with tab() as page:
        yield page
