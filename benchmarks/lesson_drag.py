"""How Learn keeps up: q under the pointer, a new face's posterior, and the page after a click.

    python -m benchmarks.lesson_drag [--runs 3]

Starts the app and drags q over the plane of the second step, 120 moves in two seconds, from near
by and with the true posterior behind: counted are the frames in which its figures were made anew.
Then the time from choosing each of the faces that the model makes to its log p(x) and true
posterior, and from a click in the navigation to the lesson on the screen.
"""

import math
import statistics
import tempfile
import time
from pathlib import Path

import click
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import CHROMIUM, ROOT, SWITCHES, served
from benchmarks.drag import MOVES, SECONDS

# Every set of figures is one change of the ELBO's.
RECORDER = """box => {
    const { lesson } = (box.getRootNode().host ?? box.parentElement).visageLesson;
    const step = lesson.steps[1];
    globalThis.frames = new Set();
    const figure = step.figure.bind(step);
    step.figure = () => { figure(); frames.add(document.timeline.currentTime); };
}"""

FACES = """async box => {
    const { lesson } = (box.getRootNode().host ?? box.parentElement).visageLesson;
    const { subject } = lesson;
    const found = [];
    for (const given of subject.made) {
        subject.answers.delete(given);
        subject.given = given;
        const start = performance.now();
        await subject.answer(given, () => found.push(performance.now() - start));
    }
    return found;
}"""


def drag(page: Page) -> tuple[int, float]:
    """One drag along a circle: frames with new figures, and seconds."""
    box = page.locator("[data-step=infer] .field").bounding_box()
    centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    radius = 0.3 * box["width"]
    page.mouse.move(centre[0] + radius, centre[1])
    page.mouse.down()
    page.wait_for_timeout(300)
    page.evaluate("frames.clear()")
    start = time.perf_counter()
    for move in range(1, MOVES + 1):
        angle = 2 * math.pi * move / MOVES
        time.sleep(max(0.0, start + move * SECONDS / MOVES - time.perf_counter()))
        page.mouse.move(centre[0] + radius * math.cos(angle), centre[1] - radius * math.sin(angle))
    seconds = time.perf_counter() - start
    frames = page.evaluate("frames.size")
    page.mouse.up()
    return frames, seconds


@click.command()
@click.option("--runs", default=3, help="How many drags, and clicks.")
def main(runs: int) -> None:
    """Measure the lesson."""
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        places = {"VISAGE_DATA": str(folder / "data"), "VISAGE_RUNS": str(folder / "runs")}
        with served(ROOT / "app.py", places) as address:
            page = chromium.new_page(viewport={"width": 1280, "height": 900})
            page.goto(address)
            page.wait_for_selector(".visage[data-state=ready]", timeout=60_000)
            waits = []
            for _ in range(runs):
                page.get_by_test_id("stSidebarNavLink").filter(has_text="Explore").click()
                page.wait_for_selector(".visage[data-state=ready]", timeout=60_000)
                page.wait_for_timeout(2000)
                start = time.perf_counter()
                page.get_by_test_id("stSidebarNavLink").filter(has_text="Learn").click()
                page.wait_for_selector(".lesson[data-state=ready] .field:visible", timeout=60_000)
                waits.append(time.perf_counter() - start)
            click.echo(f"on screen after {', '.join(f'{wait:.2f}' for wait in waits)} s")
            page.goto(f"{address}/learn?step=2")
            page.wait_for_selector("[data-step=infer][data-state=known]", timeout=60_000)
            page.wait_for_timeout(3000)
            found = page.locator(".lesson").evaluate(FACES)
            click.echo(
                f"a new face's posterior is known after {statistics.median(found):.0f} ms, "
                f"{max(found):.0f} ms at most"
            )
            page.locator("section:visible [name=encoder]").click()
            page.wait_for_timeout(1500)
            page.locator(".lesson").evaluate(RECORDER)
            for _ in range(runs):
                frames, seconds = drag(page)
                click.echo(f"{frames} frames of new figures in {seconds:.2f} s, {MOVES} moves")
                page.wait_for_timeout(500)
        chromium.close()


if __name__ == "__main__":
    main()
