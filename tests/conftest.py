"""What all tests share: folders of their own, so that none writes into the repository."""

import functools
import os
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager

# Read before any test changes it: where the person who runs the tests keeps data sets.
GIVEN_DATA = Path(os.environ.get("VISAGE_DATA") or "data").resolve()


installed_components = functools.cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAGE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("VISAGE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("VISAGE_QUEUE", str(tmp_path / "queue"))
    monkeypatch.delenv("VISAGE_MAX_RUNS", raising=False)
    monkeypatch.delenv("VISAGE_READ_ONLY", raising=False)


@pytest.fixture(autouse=True)
def _app_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest takes the folder ``pages/`` for the whole app, as Streamlit did before ``app.py``
    could call ``st.navigation``, and forgets before each run that it did."""
    construct = PagesManager.__init__

    def constructed(self: PagesManager, *args: object, **kwargs: object) -> None:
        construct(self, *args, **kwargs)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", constructed)
    # Each AppTest would look through all that is installed for what is installed once.
    monkeypatch.setattr(manifest_scanner, "scan_component_manifests", installed_components)


@pytest.fixture
def runs_folder(tmp_path: Path) -> Path:
    """An empty folder of runs, which ``VISAGE_RUNS`` names."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """A folder of data sets, which ``VISAGE_DATA`` names: with frey, where this machine has it."""
    folder = tmp_path / "data"
    folder.mkdir()
    link_frey(folder)
    return folder


@pytest.fixture
def frey(data_folder: Path) -> Path:
    """The same with frey for certain; elsewhere the test is skipped."""
    if not (data_folder / "frey_rawface.mat").exists():
        pytest.skip("frey is not on this machine: set VISAGE_DATA to a folder that has it")
    return data_folder


def link_frey(folder: Path) -> None:
    """Make this machine's frey, if it has one, visible in another folder."""
    file = GIVEN_DATA / "frey_rawface.mat"
    if file.is_file():
        (folder / file.name).symlink_to(file)
