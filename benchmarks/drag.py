"""How smoothly the face follows the pointer: a two-second drag across the latent pad.

    python -m benchmarks.drag [--runs 3] [--model cartoon-10d] [--app app.py] [--page faces.html]

Starts the app, opens its first page in Chromium (``CHROMIUM`` names another than
/usr/bin/chromium) and drags a pointer over the pad, 120 moves in two seconds. Counted are the
frames in which a new face was drawn, the time from an input event to the pixels on the canvas, and
the messages to the server while the button was down. ``--model`` chooses one of the app's models.
``--hidden`` serves a model with layers of those sizes in the app's place, ``--conv`` one of
convolutions of such a width, of 64×64 in colour and ten latents. ``--page`` opens a shared page
from the disk, with no server and no network; its messages are requests.
"""

import contextlib
import math
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import click
import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import CHROMIUM, ROOT, SWITCHES, served
from vae.models.conv import WIDTHS

MOVES = 120
SECONDS = 2.0

# Every face that is drawn is one putImageData on the face's canvas.
RECORDER = """
window.drag = { faces: [], latencies: [], input: 0 };
addEventListener("pointermove", () => { drag.input = performance.now(); }, { capture: true });
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...all) {
    put.apply(this, all);
    if (this.canvas.className !== "face") return;
    drag.faces.push(document.timeline.currentTime);
    if (drag.input) drag.latencies.push(performance.now() - drag.input);
};
"""

PAD_OF_A_SIZE = """
import sys
sys.path.insert(0, {root!r})
import streamlit as st
from ui.latent_pad import latent_pad
from vae import VAE
from vae.models.architecture import Architecture
from vae.models.checkpoint import Checkpoint
from vae.models.conv import Conv
from vae.models.mlp import MLP
st.set_page_config(layout="wide")
model = VAE.of(Architecture({architecture})).requires_grad_(False).eval()
latent_pad(Checkpoint(model, {{}}), key="pad", model_id="drag", version="1")
"""


def drag(page: Page, sent: list) -> dict[str, float]:
    """One drag along a circle: frames with a new face, latencies in ms, messages sent."""
    box = page.locator(".pad").bounding_box()
    centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    radius = 0.35 * box["width"]
    page.mouse.move(centre[0] + radius, centre[1])
    page.mouse.down()
    page.wait_for_timeout(500)
    page.evaluate("Object.assign(drag, { faces: [], latencies: [], input: 0 })")
    before = len(sent)
    start = time.perf_counter()
    for move in range(1, MOVES + 1):
        angle = 2 * math.pi * move / MOVES
        time.sleep(max(0.0, start + move * SECONDS / MOVES - time.perf_counter()))
        page.mouse.move(centre[0] + radius * math.cos(angle), centre[1] - radius * math.sin(angle))
    seconds = time.perf_counter() - start
    messages = len(sent) - before
    seen = page.evaluate("drag")
    page.mouse.up()
    latencies = np.array(seen["latencies"])
    return {
        "seconds": seconds,
        "frames": len(set(seen["faces"])),
        "p50": float(np.percentile(latencies, 50)),
        "p95": float(np.percentile(latencies, 95)),
        "messages": messages,
    }


@click.command()
@click.option("--runs", default=3, help="How many drags.")
@click.option("--app", default="app.py", help="The script to serve.")
@click.option("--page", "shared", type=click.Path(path_type=Path), help="A shared page instead.")
@click.option("--model", default="", help="One of the app's models, instead of its first.")
@click.option("--hidden", type=int, multiple=True, help="Units of each hidden layer, encoder's.")
@click.option("--conv", type=click.Choice(list(WIDTHS)), help="Convolutions of that width.")
def main(
    runs: int,
    app: str,
    shared: Path | None,
    model: str,
    hidden: tuple[int, ...],
    conv: str | None,
) -> None:
    """Measure drags across the latent pad."""
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        script = ROOT / app
        if hidden or conv:
            script = folder / "pad.py"
            told = f"(64, 64, 3), 10, Conv('{conv}')" if conv else f"(28, 20), 2, MLP({hidden})"
            script.write_text(PAD_OF_A_SIZE.format(root=str(ROOT), architecture=told))
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        places = {"VISAGE_DATA": str(folder / "data"), "VISAGE_RUNS": str(folder / "runs")}
        place = (
            contextlib.nullcontext(shared.resolve().as_uri()) if shared else served(script, places)
        )
        with place as address:
            window = {"width": 1280, "height": 900}
            page = chromium.new_page(viewport=window, offline=shared is not None)
            sent: list = []
            if shared:
                page.on("request", lambda request: sent.append(request))
            page.on(
                "websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data))
            )
            page.add_init_script(RECORDER)
            page.goto(f"{address}?{urlencode({'model': model})}" if model else address)
            page.wait_for_selector(".visage[data-state=ready]", timeout=60_000)
            # Whatever else the page draws should be done.
            page.wait_for_timeout(3000)
            click.echo("drag  seconds  frames  input to pixels p50  p95       messages")
            for run in range(1, runs + 1):
                found = drag(page, sent)
                page.wait_for_timeout(1500)
                click.echo(
                    f"{run:4}  {found['seconds']:7.2f}  {found['frames']:6}  "
                    f"{found['p50']:16.2f} ms  {found['p95']:4.2f} ms  {found['messages']:8}"
                )
        chromium.close()


if __name__ == "__main__":
    main()
