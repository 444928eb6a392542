"""A sweep: made whole or not at all, then stopped, resumed, deleted and brought back as one."""

import csv
import io
import json
import time
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from vae import runs, trash
from vae.__main__ import main
from vae.errors import VisageError
from vae.runs import Run, sweep, trainer
from vae.runs.sweep import KNOBS, Sweep
from vae.training.recipes import TrainingConfig


def base(**choices) -> TrainingConfig:
    return TrainingConfig(
        **{"dataset": "olivetti", "hidden_dims": (8,), "steps": 20, "batch_size": 20} | choices
    )


def train(run: Run) -> None:
    for _ in trainer.trained(run):
        pass


def wait_until(happened: Callable[[], object], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


@pytest.fixture(autouse=True)
def _stopped(runs_folder):
    yield
    for run in runs.all_runs():
        run.request_stop()


def test_its_runs_differ_in_one_setting_whatever_a_recipe_would_set():
    made = sweep.create(base(hidden_dims=None, learning_rate=None), "latent-dim", ["1", "2", "10"])
    configs = [run.config for run in made.here().values()]
    assert [config.latent_dim for config in configs] == [1, 2, 10]
    assert {config.hidden_dims for config in configs} == {(200, 200, 200)}
    assert {config.learning_rate for config in configs} == {0.008}
    assert {config.whole_recipe for config in configs} == {made.base.whole_recipe}
    assert [one.name for one in sweep.all_sweeps()] == [made.name]
    assert len(runs.all_runs()) == 3 and sweep.find(made.name).knob_name == "latent-dim"


@pytest.mark.parametrize(
    ("knob", "values", "found"),
    [
        ("beta", ["0.1", "4"], [0.1, 4.0]),
        ("hidden", ["8", "8,4", "9 5"], [(8,), (8, 4), (9, 5)]),
        ("learning-rate", ["1e-3", "0.01"], [0.001, 0.01]),
        ("likelihood", ["gaussian", "student"], ["gaussian", "student"]),
        ("train-images", ["50", "100"], [50, 100]),
        ("seed", ["0", "1"], [0, 1]),
        ("activation", ["tanh", "silu"], ["tanh", "silu"]),
    ],
)
def test_every_knob_can_be_varied(knob, values, found):
    made = sweep.create(base(), knob, values)
    assert [getattr(run.config, KNOBS[knob].field) for run in made.here().values()] == found


@pytest.mark.parametrize(
    ("knob", "values", "sentence"),
    [
        ("weather", ["1", "2"], "What can be varied is latent-dim"),
        ("beta", ["1"], "Give 2 to 6 values of β"),
        ("beta", list("1234567"), "these are 7"),
        ("beta", ["1", "1.0"], "1.0 is given twice"),
        ("beta", ["1", "much"], "'much' is no value of β"),
        ("beta", ["1", "-1"], "β must be 0 or more"),
        ("train-images", ["50", "9999"], "There are 320 training images"),
        ("train-images", ["50", "10"], "larger than the training set"),
        ("likelihood", ["gaussian", "magic"], "A likelihood is one of"),
        ("hidden", ["8", "eight"], "is no value of layers"),
    ],
)
def test_what_can_t_be_varied_so_gets_a_sentence_and_no_run(knob, values, sentence):
    with pytest.raises(VisageError, match=sentence):
        sweep.create(base(), knob, values)
    assert runs.all_runs() == [] and sweep.all_sweeps() == []
    assert not list(sweep.folder().glob("*"))


def test_what_it_came_to_is_one_table():
    made = sweep.create(base(), "beta", ["0.5", "4"])
    first, second = made.here().values()
    train(first)
    sweep.write_csv_of(first)
    train(second)
    sweep.write_csv_of(second)
    rows = list(csv.DictReader(io.StringIO(made.csv_path.read_text())))
    assert [row["beta"] for row in rows] == ["0.5", "4"]
    for row, run in zip(rows, (first, second), strict=True):
        card = run.results()
        assert row["run"] == run.name and row["state"] == "finished"
        assert row["measured_on"] == "test" and row["hidden_dims"] == "8"
        assert float(row["elbo"]) == card.test.elbo
        assert float(row["elbo_error"]) == card.test.elbo_error
        assert float(row["kl"]) == card.test.kl
        assert float(row["log_likelihood"]) - float(row["kl"]) == pytest.approx(card.test.elbo)
        assert float(row["validation_elbo"]) == card.heldout.elbo
    assert made.csv() == made.csv_path.read_text()


def test_without_a_test_set_it_falls_back_to_validation_and_says_so():
    made = sweep.create(base(test=0), "seed", ["0", "1"])
    for run in made.here().values():
        train(run)
    assert {row["measured_on"] for row in made.rows()} == {"held-out"}


def test_deleted_as_one_it_comes_back_as_one():
    made = sweep.create(base(), "seed", ["0", "1"])
    train(made.here()["0"])
    rows, names = made.rows(), {run.name for run in runs.all_runs()}
    deleted = made.delete()
    assert runs.all_runs() == [] and sweep.all_sweeps() == []
    with pytest.raises(VisageError, match="There is no sweep named"):
        sweep.find(made.name)
    (kept,) = trash.kept(sweep.folder())
    assert kept.path == deleted.path
    back = sweep.restore(kept)
    assert {run.name for run in runs.all_runs()} == names
    assert back.rows() == rows


def test_one_that_is_trained_is_not_deleted_and_a_run_that_can_t_go_keeps_all(monkeypatch):
    made = sweep.create(base(), "seed", ["0", "1"])
    throw = trash.throw

    def full(path, known=None):
        if path == made.path:
            raise VisageError("The disk is full.")
        return throw(path, known)

    monkeypatch.setattr(trash, "throw", full)
    with pytest.raises(VisageError, match="disk is full"):
        made.delete()
    assert len(made.here()) == 2


def test_a_run_that_is_renamed_stays_in_it_and_one_that_is_deleted_is_told():
    made = sweep.create(base(), "seed", ["0", "1"])
    for run in made.here().values():
        train(run)
    first, second = made.here().values()
    first.rename("another-name")
    second.delete()
    rows = Sweep(made.path).rows()
    assert [row["run"] for row in rows] == ["another-name", ""]
    assert [row["state"] for row in rows] == ["finished", "missing"]


def test_a_damaged_file_gets_a_sentence_and_hides_no_other():
    good, bad = (sweep.create(base(), "seed", ["0", "1"]) for _ in range(2))
    for said in ("", "[]", '{"knob": "weather"}', json.dumps({"knob": "beta", "runs": 3})):
        (bad.path / "sweep.json").write_text(said)
        with pytest.raises(VisageError):
            Sweep(bad.path)
        assert [one.name for one in sweep.all_sweeps()] == [good.name]


def test_launched_stopped_and_resumed_as_one_its_runs_train_one_at_a_time():
    made = sweep.create(base(steps=1_000_000), "seed", ["0", "1", "2"])
    made.launch()

    def states() -> list[str]:
        return [run.status().state for run in made.here().values()]

    wait_until(lambda: states().count("running") == 1 and states().count("queued") == 2)
    assert made.is_alive()
    with pytest.raises(VisageError, match="being trained"):
        made.delete()
    made.stop()
    wait_until(lambda: not made.is_alive())
    assert set(states()) == {"stopped"} and not made.is_finished()
    again = Sweep(made.path)
    again.launch()
    wait_until(lambda: "running" in states())
    again.stop()
    wait_until(lambda: not again.is_alive())


def test_in_a_terminal_it_runs_to_its_end_and_leaves_a_table():
    options = ["--dataset=olivetti", "--hidden=8", "--steps=20", "--batch-size=20", "--json"]
    result = CliRunner().invoke(main, ["sweep", "--vary", "beta", "0.5", "4", *options])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout.splitlines()[-1])
    assert [row["beta"] for row in said["runs"]] == ["0.5", "4"]
    assert {row["state"] for row in said["runs"]} == {"finished"}
    assert said["csv"] == str(sweep.find(said["sweep"]).csv_path)
    name = said["sweep"]
    for command, told in (
        (["sweeps"], "finished"),
        (["sweeps", "show", name], "distortion"),
        (["sweeps", "rm", name], "sweeps restore"),
        (["sweeps", "restore", name], name),
    ):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0 and told in result.stdout, result.output
    assert len(sweep.find(name).here()) == 2


def test_in_a_terminal_a_bad_value_is_a_sentence():
    result = CliRunner().invoke(main, ["sweep", "--vary", "beta", "1", "--dataset", "olivetti"])
    assert result.exit_code == 2 and "Give 2 to 6 values of β" in result.output
    result = CliRunner().invoke(main, ["sweeps", "stop", "nothing"])
    assert result.exit_code == 2 and "There is no sweep named" in result.output


def test_a_model_of_fewer_images_says_so_and_is_judged_on_those():
    made = sweep.create(base(), "train-images", ["50", "100"])
    few = made.here()["50"]
    train(few)
    card = few.results()
    assert card.split.training_images == 50 and card.train.images == 50
    assert card.heldout.images == 40 and card.test.images == 40
