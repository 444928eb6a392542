"""The command ``visage``: alone it opens the app; anything else is ``python -m vae``.

It imports nothing heavy, so that the app starts as fast as by ``streamlit run app.py``.
"""

__all__ = ["main"]

import os
import sys
from pathlib import Path

APP = Path(__file__).resolve().parents[1] / "app.py"

HELP = """Usage: visage [COMMAND] …

  visage [app] [OPTIONS]  opens the app in a browser; options are Streamlit's, such as
                          --server.port 8080
"""


def main() -> None:
    """Open the app, with options of ``streamlit run``, or run a command of ``python -m vae``."""
    command, *options = sys.argv[1:] or ["app"]
    if command.startswith("--") and "." in command:
        command, options = "app", sys.argv[1:]
    if command == "app":
        # In this process's place: what stops or interrupts it reaches the server itself.
        streamlit = [sys.executable, "-m", "streamlit", "run", str(APP), *options]
        os.execv(sys.executable, streamlit)
    if command == "--help":
        print(HELP, flush=True)
    from vae.__main__ import start

    start("visage")
