"""One thing changed, as Streamlit runs it: begun, looked at, stopped, resumed, deleted."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.test_train_page import labels, press, sentences, visit
from vae import runs
from vae.runs import Run, processes, sweep, trainer
from vae.training.recipes import TrainingConfig

LAB = "One thing changed"


def laboratory() -> AppTest:
    app = visit()
    return app.segmented_control(key="train_view").set_value(LAB).run()


def made(knob: str, *values: str, **choices) -> sweep.Sweep:
    config = {"dataset": "olivetti", "hidden_dims": (8,), "steps": 40, "batch_size": 20}
    return sweep.create(TrainingConfig(**config | choices), knob, values)


def trained(one: sweep.Sweep) -> sweep.Sweep:
    for run in one.here().values():
        for _ in trainer.trained(run):
            pass
    return one


def test_what_changes_and_what_stays_is_what_is_started(monkeypatch):
    launched: list[Run] = []
    monkeypatch.setattr(Run, "launch", lambda run: launched.append(run))
    app = laboratory()
    app.selectbox(key="lab_knob").set_value("latent-dim").run()
    app.text_input(key="lab_values_latent-dim").set_value("1 2 10")
    app.number_input(key="new_steps_default").set_value(300).run()
    assert "Train 3 runs" in labels(app)
    press(app, "Train 3 runs")
    configs = [run.config for run in launched]
    assert [config.latent_dim for config in configs] == [1, 2, 10]
    assert {(config.steps, config.hidden_dims) for config in configs} == {(300, (200, 200, 200))}
    (one,) = sweep.all_sweeps()
    assert app.selectbox(key="lab_sweep").value == one.name
    assert "frozen: dataset olivetti · hidden dims 200 200 200" in sentences(app)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("1", "Give 2 to 6 values of β"),
        ("1 1", "given twice"),
        ("1 much", "'much' is no value of β"),
        ("1 -1", "β must be 0 or more"),
    ],
)
def test_values_that_can_t_be_tried_get_a_sentence_and_no_run(values, sentence):
    app = laboratory()
    app.text_input(key="lab_values_beta").set_value(values).run()
    assert sentence in sentences(app)
    assert next(button for button in app.button if button.label == "Train them").disabled
    assert runs.all_runs() == []


def test_a_finished_one_is_shown_whole_with_its_table_and_plane():
    one = trained(made("beta", "0.5", "4"))
    app = laboratory()
    text = sentences(app)
    assert "**β changes**" in text and "test images" in text
    assert "Rate" not in text and "Fixing a Broken ELBO" in text
    (table,) = app.dataframe
    assert list(table.value["β"]) == ["0.5", "4"]
    assert list(table.value["state"]) == ["finished", "finished"]
    assert all("±" in figure for figure in table.value["ELBO"])
    # A curve and the latents' bars of each, and the plane; a manifold and faces of each.
    assert len(app.get("plotly_chart")) == 2 * 2 + 1
    assert len(app.get("image")) + len(app.get("imgs")) >= 2
    assert one.csv_path.exists()
    assert f"Delete {one.name}" in labels(app) and "Resume all" not in labels(app)


def test_figures_of_different_likelihoods_are_not_compared_without_a_word():
    trained(made("likelihood", "gaussian", "student"))
    assert "have different likelihoods" in sentences(laboratory())


def test_one_that_goes_on_is_stopped_as_one():
    one = made("seed", "0", "1")
    me = processes.this_process()
    for run, state in zip(one.here().values(), ("running", "queued"), strict=True):
        run.set_status(state=state, pid=me.pid, born=me.born)
    app = laboratory()
    assert not app.dataframe and f"Delete {one.name}" not in labels(app)
    press(app, "Stop all")
    assert all(run.stop_requested() for run in one.here().values())
    assert "Stopping…" in labels(app)


def test_deleted_as_one_it_is_undone_as_one():
    one = trained(made("seed", "0", "1"))
    app = press(laboratory(), f"Delete {one.name}")
    assert runs.all_runs() == [] and sweep.all_sweeps() == []
    press(app, "Undo")
    assert len(runs.all_runs()) == 2
    assert app.selectbox(key="lab_sweep").value == one.name


def test_where_nothing_may_change_it_is_looked_at_alone(monkeypatch):
    one = trained(made("seed", "0", "1"))
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    app = laboratory()
    assert app.selectbox(key="lab_sweep").options == [one.name]
    assert not {"Stop all", "Resume all", f"Delete {one.name}"} & labels(app)
