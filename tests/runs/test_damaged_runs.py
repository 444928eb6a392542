"""Runs whose folders somebody damaged: the others are shown, and what is whole of this one."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from vae import runs
from vae.images import png
from vae.runs import Run, trainer
from vae.runs.metrics import LARGEST_READ, MetricsFile
from vae.training.recipes import TrainingConfig

ROOT = Path(__file__).parents[2]

RECORD = {"step": 10, "samples": 200, "seconds": 0.5, "elbo": 5.0, "kl": 1.0}
DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that is whole."""
    config = TrainingConfig(dataset="olivetti", hidden_dims=(8,), steps=60, batch_size=20)
    run = runs.create(config, tmp_path_factory.mktemp("whole") / "run")
    for _ in trainer.trained(run):
        pass
    return run.path


@pytest.fixture
def run(finished: Path) -> Run:
    """A copy of it, to be damaged."""
    return Run(shutil.copytree(finished, runs.folder() / "damaged"))


def line(**fields: object) -> str:
    return json.dumps(RECORD | fields) + "\n"


def in_its_place(path: Path, *, folder: bool = False, pipe: bool = False, text: str = "") -> None:
    path.unlink(missing_ok=True)
    if folder:
        path.mkdir()
    elif pipe:
        os.mkfifo(path)
    else:
        path.write_text(text)


def status_says(**fields: object):
    def damage(run: Run) -> None:
        path = run.path / "status.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return damage


def named(name: str, **how: object):
    return lambda run: in_its_place(run.path / name, **how)


def recorded(*lines: str):
    def damage(run: Run) -> None:
        with (run.path / "metrics.jsonl").open("a") as file:
            file.writelines(lines)

    return damage


def more_snapshots(run: Run) -> None:
    folder = run.path / "snapshots"
    (folder / "000000070.png").write_bytes(b"no picture")
    (folder / "000000080.png").write_bytes(png(np.zeros((900, 3), np.uint8))[:60])
    (folder / "000000090.png").write_bytes(png(np.zeros((9, 7, 3), np.uint8)))
    (folder / "000000095.png").mkdir()
    for name in ("1²", "12 of 30", "9" * 40, "last"):
        (folder / f"{name}.png").write_bytes(png(np.zeros((9, 7), np.uint8)))


DAMAGE = {
    "metrics without samples": recorded('{"step": 70, "seconds": 1.0, "elbo": 3.0}\n'),
    "metrics without seconds": recorded('{"step": 70, "samples": 9, "heldout_elbo": 9e9}\n'),
    "metrics of other kinds": recorded(
        line(step=70, samples=None),
        line(step=71, seconds=[1]),
        line(step="80"),
        line(step=10**400),
        line(step=72, elbo=10**400, kl={"a": 1}, heldout_elbo=float("inf")),
        line(step=73, samples=10**400),
        "[1]\n",
        "null\n",
    ),
    "deeply nested metrics": recorded(DEEP + "\n", line(step=75, elbo=7.0)),
    "metrics as a folder": named("metrics.jsonl", folder=True),
    "metrics as a pipe": named("metrics.jsonl", pipe=True),
    "no metrics": named("metrics.jsonl"),
    "snapshots": more_snapshots,
    "deeply nested status": named("status.json", text=DEEP),
    "status as a folder": named("status.json", folder=True),
    "status as a pipe": named("status.json", pipe=True),
    "status as a list": named("status.json", text='["state"]'),
    "status in no state": status_says(state="dancing"),
    "status of other kinds": status_says(step="9", since="then", created=None, pid="me", host=7),
    "huge status": status_says(step=10**400, since=1e300, created=10**400, heartbeat=float("nan")),
    "status in odd words": status_says(state="failed", error="\ud800"),
    "log as a folder": named("log.txt", folder=True),
    "model as a folder": named("best.safetensors", folder=True),
    "models that are none": named("best.safetensors", text="no model"),
}


def visit(**query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    app.switch_page("pages/train.py").run()
    assert not app.exception, app.exception[0].message
    return app


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_run_is_shown_as_far_as_it_is_whole(run, damage):
    damage(run)
    app = visit(run="damaged")
    assert app.selectbox(key="train_run").value == "damaged"
    assert app.metric
    app.segmented_control(key="train_view").set_value("Compare").run()
    assert not app.exception, app.exception[0].message


@pytest.mark.parametrize(
    "config",
    [
        {"dataset": {"a": 1}},
        {"dataset": "a\ud800"},
        {"dataset": "x" * 5_000},
        {"steps": "many"},
        {"steps": float("nan")},
        {"steps": 10**400, "batch_size": 2.5},
        {"hidden_dims": {"a": 1}},
        {"surprise": 1},
        [],
        DEEP,
    ],
)
def test_a_damaged_configuration_hides_no_other_run(run, config):
    other = runs.folder() / "other"
    other.mkdir()
    known = json.loads((run.path / "config.json").read_text())
    text = config if isinstance(config, str) else json.dumps(known | config if config else config)
    (other / "config.json").write_text(text)
    assert "damaged" in visit().selectbox(key="train_run").options


def test_a_run_that_cannot_be_told_is_named(run):
    other = runs.folder() / "lost_*one*"
    other.mkdir()
    (other / "config.json").write_text("{")
    said = [
        caption.value for caption in visit().caption if "config.json is damaged" in caption.value
    ]
    assert len(said) == 1
    assert r"lost\_\*one\*" in said[0]
    (other / "config.json").write_text((run.path / "config.json").read_text())
    assert not any("config.json is damaged" in caption.value for caption in visit().caption)


def test_folders_of_odd_names_hide_no_run(run):
    for name in (os.fsdecode(b"\xff\xfe"), "line\nbreak"):
        folder = runs.folder() / name
        folder.mkdir()
        (folder / "config.json").write_text((run.path / "config.json").read_text())
    assert visit().selectbox(key="train_run").options == ["damaged"]


def test_a_whole_record_among_damaged_ones_is_read(run):
    DAMAGE["metrics of other kinds"](run)
    DAMAGE["deeply nested metrics"](run)
    for records in (run.metrics_file().read(), MetricsFile(run.path / "metrics.jsonl").read()):
        assert list(records.column("step")[-2:]) == [72, 75]
        assert records.last("elbo") == 7.0


def test_of_a_line_without_end_no_more_is_read_than_fits(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with path.open("w") as file:
        file.write(line(step=1))
        # A hole: a gigabyte that takes no room.
        file.truncate(2**30)
        file.seek(2**30)
        file.write("\n" + line(step=2))
    file = MetricsFile(path)
    assert list(file.read().column("step")) == [2]
    with path.open("a") as more:
        more.write(line(step=3))
    assert list(file.read().column("step")) == [2, 3]
    assert path.stat().st_size > 10 * LARGEST_READ
