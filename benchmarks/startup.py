"""How long a newcomer waits: from ``streamlit run`` to the first decoded face in Chromium.

    python -m benchmarks.startup --turns 5

Prints the median, and the server's resident memory after a visit to every page.
"""

import statistics
import tempfile
import time
from pathlib import Path

import click
import psutil
from playwright.sync_api import Browser, sync_playwright

from benchmarks.browser import CHROMIUM, ROOT, SWITCHES, served

PAGES = ("manifold", "reconstruct", "morph", "train", "data")


@click.command()
@click.option("--turns", default=5, show_default=True)
def main(turns: int) -> None:
    """Start the app anew so many times."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        times, memory = zip(*(start(browser) for _ in range(turns)), strict=True)
        browser.close()
    click.echo(
        f"first face after {statistics.median(times):.1f} s "
        f"({min(times):.1f} to {max(times):.1f} s in {turns} starts), "
        f"{max(memory) / 2**20:.0f} MiB resident after a visit to every page"
    )


def start(browser: Browser) -> tuple[float, int]:
    """Seconds to the first face, and bytes resident after a tour."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"VISAGE_DATA": folder, "VISAGE_RUNS": str(Path(folder) / "runs")}
        page = browser.new_page()
        started = time.perf_counter()
        with served(ROOT / "app.py", places) as address:
            page.goto(address)
            page.wait_for_selector(".visage[data-state=ready]", timeout=60_000)
            seconds = time.perf_counter() - started
            for name in PAGES:
                page.goto(f"{address}/{name}")
                page.get_by_role("heading", level=1).wait_for(timeout=60_000)
                page.wait_for_timeout(2_000)
            server = next(
                child
                for child in psutil.Process().children()
                if "streamlit" in " ".join(child.cmdline())
            )
            memory = server.memory_info().rss
        page.close()
    return seconds, memory


if __name__ == "__main__":
    main()
