"""The README's pictures, taken from the running app.

    python -m benchmarks.screenshots [--out pictures] [PAGE ...]

Needs Frey Face in ``VISAGE_DATA`` for the pages that show it. Pictures are reduced to few colours
so that they stay small.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import CHROMIUM, ROOT, SWITCHES, served

PAGES = ("explore", "manifold", "reconstruct", "train", "morph")
SETTLED = 2_500


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("pictures"))
@click.argument("wanted", nargs=-1, type=click.Choice(PAGES))
def main(out: Path, wanted: tuple[str, ...]) -> None:
    """Start the app, visit its pages, and keep a picture of each."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        places = {
            "VISAGE_RUNS": str(Path(folder) / "runs"),
            "VISAGE_QUEUE": str(Path(folder) / "queue"),
        }
        if "train" in (wanted or PAGES):
            train(places)
        with served(ROOT / "app.py", places) as address:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
            page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
            for name in wanted or PAGES:
                # The first page of the app has no path of its own.
                page.goto(address if name == PAGES[0] else f"{address}/{name}")
                page.get_by_role("heading", level=1).wait_for()
                page.wait_for_timeout(SETTLED)
                # Where figures take a while, grey boxes stand for them.
                page.wait_for_function("!document.querySelector('.visage-skeleton')")
                page.wait_for_timeout(SETTLED)
                keep(page, out / f"{name}.png")
            browser.close()


def train(places: dict[str, str]) -> None:
    """A finished run for the Train page to show."""
    subprocess.run(
        [sys.executable, "-m", "vae", "train", "--dataset", "olivetti", "--steps", "3000"],
        env=os.environ | places,
        check=True,
    )
    time.sleep(1)


def keep(page: Page, path: Path) -> None:
    """Write what is on screen as a PNG of 128 colours."""
    with Image.open(io.BytesIO(page.screenshot())) as image:
        small = image.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    click.echo(f"{path} {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
