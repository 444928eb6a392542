"""The wheel: it holds all that the app needs, and the command works in a folder of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

ROOT = Path(__file__).parents[2]

# What of the tree is packed: the library, and the app as it lies there.
LIBRARY, APP = ("vae",), ("app.py", ".streamlit", "checkpoints", "pages", "ui")


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*command, *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree: what an earlier build left must not get in."""
    tree = tmp_path_factory.mktemp("tree") / "visage"
    tree.mkdir()
    for path in ROOT.iterdir():
        if path.name in {*LIBRARY, *APP}:
            (shutil.copytree if path.is_dir() else shutil.copy)(path, tree / path.name)
        elif path.is_file():
            shutil.copy(path, tree)
    pip("wheel", tree, "--no-deps", "--no-build-isolation", "--wheel-dir", tree / "dist")
    return next((tree / "dist").glob("visage-*.whl"))


def in_the_tree(names: tuple[str, ...]) -> set[str]:
    """The files of some parts of the tree."""
    return {
        path.relative_to(ROOT).as_posix()
        for name in names
        for path in (ROOT / name, *(ROOT / name).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_library_and_the_app(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == in_the_tree(LIBRARY) | {f"visage_app/{name}" for name in in_the_tree(APP)}


def test_the_requirements_are_the_one_source_of_dependencies(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    needed = metadata.get_all("Requires-Dist")

    def pins(*files: str) -> set[str]:
        lines = "\n".join((ROOT / file).read_text() for file in files).splitlines()
        return {line for line in lines if line and line[0] not in "#-"}

    assert {one for one in needed if ";" not in one} == pins("requirements.txt")
    for extra, files in {
        "dev": ("requirements-tools.txt",),
    }.items():
        asked = {one.split(";")[0].strip() for one in needed if f'"{extra}"' in one}
        assert asked == pins(*files)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the wheel alone in it; the packages that it needs are here."""
    folder = tmp_path_factory.mktemp("site")
    pip("install", "--no-deps", "--target", folder, wheel)
    return folder


@pytest.fixture
def environment(installed: Path, tmp_path: Path) -> dict[str, str]:
    """That of someone who has installed the wheel, and is in a folder of their own."""
    left_out = ("VISAGE_DATA", "VISAGE_RUNS", "PYTHONPATH")
    return {
        **{name: value for name, value in os.environ.items() if name not in left_out},
        "PYTHONPATH": str(installed),
        "VISAGE_QUEUE": str(tmp_path / "queue"),
    }


def test_the_command_is_the_command_line(installed, environment, tmp_path):
    def visage(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [installed / "bin" / "visage", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )

    told = visage("runs", "--help")
    assert told.returncode == 0 and told.stdout.startswith("Usage: visage runs")
    wrong = visage("evaluate", "nothing.safetensors")
    assert wrong.returncode == 2 and len(wrong.stderr.splitlines()) == 1


@pytest.fixture
def served(installed: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The app as ``visage`` opens it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [installed / "bin" / "visage", f"--server.port={port}", "--server.headless=true"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://localhost:{port}"
    deadline = time.monotonic() + 120
    try:
        while True:
            assert server.poll() is None and time.monotonic() < deadline
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)


def test_the_app_opens_from_another_folder(browser: Browser, served, tmp_path):
    page = browser.new_context(color_scheme="light").new_page()
    page.goto(served)
    expect(page.locator(".visage")).to_have_attribute("data-state", "ready", timeout=120_000)
    expect(page).to_have_title("Explore · Visage")
    # The settings that lie beside the app hold: its theme is one of them.
    chosen = page.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    assert chosen == "rgb(252, 252, 251)"
    for name in ("manifold", "train", "data"):
        page.get_by_test_id("stSidebarNavLink").filter(has_text=name.title()).click()
        expect(page.locator("h1")).to_have_text(name.title())
        expect(page.get_by_test_id("stException")).to_have_count(0)
    page.context.close()
