"""The Train page, as Streamlit runs it: choosing, watching, changing and comparing runs."""

import base64
import dataclasses
import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from ui.train import watch
from vae import runs
from vae.latent.disentanglement import Disentanglement
from vae.models.likelihoods import LIKELIHOODS
from vae.runs import Run, processes, trainer
from vae.training.loop import Progress
from vae.training.recipes import TrainingConfig

ROOT = Path(__file__).parents[2]
PICKER = "model"


def visit(**query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    return app.switch_page("pages/train.py").run()


def sentences(app: AppTest) -> str:
    """All that the page says in boxes and captions; a traceback fails the test."""
    assert not app.exception, app.exception[0].message
    return "\n".join(
        box.value for box in (*app.error, *app.warning, *app.info, *app.toast, *app.caption)
    )


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return app.run()


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def trained(name: str, **choices) -> Run:
    config = TrainingConfig(
        **{"dataset": "olivetti", "hidden_dims": (8,), "steps": 60, "batch_size": 20} | choices
    )
    run = runs.create(config, runs.folder() / name)
    for _ in trainer.trained(run):
        pass
    return run


def alive(name: str, state: str = "running") -> Run:
    """A run that this process claims to train."""
    run = runs.create(TrainingConfig(dataset="olivetti"), runs.folder() / name)
    me = processes.this_process()
    run.set_status(state=state, pid=me.pid, born=me.born)
    return run


def intervals(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Will hold the seconds between two looks of each page at its run."""
    asked = []
    fragment = watch.st.fragment

    def remembered(draw=None, run_every=None):
        if draw is watch.look:
            asked.append(run_every)
        return fragment(draw, run_every=run_every)

    monkeypatch.setattr(watch.st, "fragment", remembered)
    return asked


def test_without_runs_it_offers_a_new_one_on_the_data_that_is_here():
    app = visit()
    assert "frey** (Frey Face, the paper's data set) is not on this machine" in sentences(app)
    assert app.selectbox(key="new_dataset").options == ["olivetti"]
    assert app.get("popover")[0].latex
    assert "Start training" in labels(app)


def test_what_was_chosen_is_what_is_started(monkeypatch):
    launched = []
    monkeypatch.setattr(Run, "launch", lambda run: launched.append(run))
    app = visit()
    app.number_input(key="new_latent_dim").set_value(3)
    app.number_input(key="new_steps_default").set_value(500)
    app.number_input(key="new_seed").set_value(7)
    app.selectbox(key="new_split").set_value("last")
    app.text_input(key="new_hidden_default_200 200 200").set_value("20, 10")
    press(app, "Start training")
    (run,) = launched
    expected = TrainingConfig(
        *("olivetti", 3, (20, 10)),
        **{"steps": 500, "seed": 7, "split": "last", "learning_rate": 0.004, "network": "mlp"},
    )
    assert dataclasses.replace(run.config, learning_rate=0.004) == expected
    assert app.selectbox(key="train_run").value == run.name
    assert app.query_params["run"] in (run.name, [run.name])


def test_a_likelihood_is_chosen_with_a_sentence_and_may_need_more_steps(monkeypatch):
    launched = []
    monkeypatch.setattr(Run, "launch", lambda run: launched.append(run))
    app = visit()
    assert app.selectbox(key="new_likelihood").options == list(LIKELIHOODS)
    assert "each pixel has normal noise of its own" in sentences(app)
    app.selectbox(key="new_likelihood").set_value("correlated").run()
    assert "keeps the faces and learns how pixels deviate together" in sentences(app)
    press(app, "Start training")
    (run,) = launched
    assert (run.config.likelihood, run.config.steps) == ("correlated", 4_500)


def test_figures_of_another_likelihood_name_it():
    trained("one", steps=40)
    run = trained("two", steps=40, likelihood="correlated")
    assert run.status().noise_since == 20
    app = visit(run="two")
    assert "ELBO (correlated)" in sentences(app)
    assert "Training ELBO (correlated)" in {metric.label for metric in app.metric}
    app.segmented_control(key="train_view").set_value("Compare").run()
    assert "different likelihoods (correlated, gaussian)" in sentences(app)
    assert list(app.dataframe[0].value.loc["figures are of"]) == [
        "correlated likelihood",
        "gaussian likelihood",
    ]


def test_a_new_run_s_three_sets_are_chosen_and_counted(monkeypatch):
    launched = []
    monkeypatch.setattr(Run, "launch", lambda run: launched.append(run))
    app = visit()
    assert "320 training · 40 validation · 40 test" in sentences(app)
    app.selectbox(key="new_split").set_value("blocks").run()
    assert "280 training · 40 validation · 80 test" in sentences(app)
    app.number_input(key="new_split_seed").set_value(3)
    press(app, "Start training")
    (run,) = launched
    chosen = run.config
    assert (chosen.split, chosen.split_seed, chosen.holdout, chosen.test) == (
        "blocks",
        3,
        0.1,
        0.2,
    )
    app = visit()
    app.segmented_control(key="train_view").set_value("New run").run()
    app.slider(key="new_test_random").set_value(0.0).run()
    assert "360 training · 40 validation" in sentences(app)
    app.slider(key="new_holdout").set_value(0.5)
    app.slider(key="new_test_random").set_value(0.5).run()
    assert "leave images to train on" in sentences(app) and len(app.error) == 1
    assert next(button for button in app.button if button.label == "Start training").disabled


def test_a_run_of_before_there_was_a_test_set_says_what_chose_its_step():
    trained("old", test=0)
    app = visit(run="old")
    assert "Held-out, which also chose the step: ELBO" in sentences(app)
    run = next(button for button in app.button if button.label == "Explore this model")
    run.click().run()
    assert "Held-out images also chose the step" in app.sidebar.caption[0].value


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("new_hidden_default_200 200 200", "two hundred", "whole numbers, one a layer"),
        ("new_hidden_default_200 200 200", "0", "these are 0."),
        ("new_hidden_default_200 200 200", "99999 99999", "A model may have"),
        ("new_batch", 1_000, "larger than the training set of 320"),
    ],
)
def test_a_bad_choice_gets_a_sentence_and_no_run(key, value, sentence):
    app = visit()
    next(box for box in (*app.text_input, *app.number_input) if box.key == key).set_value(value)
    press(app, "Start training")
    assert sentence in sentences(app)
    assert runs.all_runs() == []


def test_an_unwritable_runs_folder_gets_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VISAGE_RUNS", str(tmp_path / "file" / "runs"))
    app = press(visit(), "Start training")
    assert "can't be written" in sentences(app)


def test_a_finished_run_is_shown_whole_and_asks_nothing(monkeypatch):
    run = trained("faces")
    asked = intervals(monkeypatch)
    app = visit(run=run.name)
    assert asked == [None, None]
    assert {"Go on", "Rename", "Delete faces", "Explore this model"} <= labels(app)
    assert {metric.label for metric in app.metric} >= {"Training ELBO", "Best validation"}
    assert len(app.get("plotly_chart")) == 7
    assert len(app.get("image")) == 3
    assert "The manifold at step" in sentences(app)
    assert "by importance weighting of 40 images; " in sentences(app)
    best, last = run.results(), run.last_results()
    told = f"Test: ELBO {best.test.elbo:.0f} ± {best.test.elbo_error:.0f} nats for the best model"
    assert told.replace("-", "−") in sentences(app)
    if best.step != last.step:
        told = f"and {last.test.elbo:.0f} ± {last.test.elbo_error:.0f} at the end"
        assert told.replace("-", "−") in sentences(app)
    assert run.name in app.selectbox(key=PICKER).options


def test_a_run_that_is_alive_is_asked_again_and_can_be_stopped(monkeypatch):
    run = alive("faces")
    asked = intervals(monkeypatch)
    app = visit()
    assert app.selectbox(key="train_run").value == "faces"
    assert asked == [watch.REFRESH, watch.REFRESH_PICTURES]
    assert labels(app) >= {"Stop"} and "Delete faces" not in labels(app)
    press(app, "Stop")
    assert run.stop_requested()
    assert "Stopping…" in labels(app)


def test_a_queued_run_says_how_many_are_before_it(monkeypatch):
    from vae.runs import queue

    me = processes.this_process()
    queue.join(Path("/other"), me)
    run = alive("faces", "queued")
    queue.join(run.path.resolve(), me)
    assert "waits for another run to end" in sentences(visit())


def test_a_killed_run_says_what_happened_and_what_was_kept():
    run = trained("faces")
    run.set_status(state="running", born=0.0, step=60)
    with run.log.open("a") as log:
        log.write("the end of the log")
    app = visit()
    said = sentences(app)
    assert "ended without a word" in said and "Resume it" in said
    assert "Kept: the last checkpoint and the best model, of step 60" in said
    assert "Resume" in labels(app)
    assert "the end of the log" in next(box.value for box in app.code)


def test_of_a_run_whose_status_is_damaged_no_time_is_made_up():
    run = alive("torn")
    (run.path / "status.json").write_text("[")
    said = sentences(visit(run="torn"))
    assert "status file is missing or damaged" in said
    assert "That was at step 0." in said and "1970" not in said


def test_a_failed_run_says_so_in_its_own_words():
    run = trained("faces")
    run.set_status(state="failed", error="The disk is full: free some space.")
    assert "The disk is full: free some space." in sentences(visit())


def test_overfitting_is_said_in_words():
    run = trained("faces")
    record = run.metrics()[-1]
    with (run.path / "metrics.jsonl").open("a") as file:
        for place in range(30):
            changes = {"step": 100 + place, "elbo": 900 + place, "heldout_elbo": 880 - 20 * place}
            file.write(json.dumps(record | changes) + "\n")
    assert "It has begun to overfit; the best model was at step 100 and is kept." in sentences(
        visit()
    )


def test_a_run_is_renamed_deleted_and_extended(monkeypatch):
    launched = []
    monkeypatch.setattr(Run, "launch", lambda run: launched.append(run))
    trained("faces")
    app = visit()
    app.text_input(key="rename_faces").set_value("portraits").run()
    press(app, "Rename")
    assert app.selectbox(key="train_run").value == "portraits"
    press(app, "Go on")
    assert launched[0].name == "portraits" and launched[0].config.steps == 120
    press(app, "Delete portraits")
    assert not app.exception
    assert runs.all_runs() == []
    assert "**portraits** is deleted." in boxes(app)
    press(app, "Undo")
    assert app.selectbox(key="train_run").value == "portraits"
    assert [run.name for run in runs.all_runs()] == ["portraits"]


def test_two_visitors_delete_one_run_once():
    for name in ("oldest", "older", "faces"):
        trained(name, steps=2)
    first, second = visit(run="faces"), visit(run="faces")
    press(first, "Delete faces")
    assert not first.exception and [run.name for run in runs.all_runs()] == ["older", "oldest"]
    # Nothing is armed for the run that stands there now.
    assert "Delete older" in labels(first) and "Delete faces" not in labels(first)
    press(second, "Delete faces")
    assert "faces is not here any more" in second.toast[0].value and len(second.toast) == 1
    sentences(second)
    assert [run.name for run in runs.all_runs()] == ["older", "oldest"]
    # Another run has its name by now.
    press(first, "Undo")
    third = visit(run="faces")
    press(first, "Delete faces")
    runs.find("older").rename("faces")
    press(third, "Delete faces")
    assert "nothing was deleted" in sentences(third)
    assert sorted(run.name for run in runs.all_runs()) == ["faces", "oldest"]


def test_what_was_deleted_lately_is_restored_or_erased():
    for name in ("older", "faces"):
        trained(name, steps=2)
    app = visit(run="faces")
    press(app, "Delete faces")
    press(app, "Delete older")
    press(app, "Close")
    assert "Undo" not in labels(app)
    app.segmented_control(key="train_view").set_value("Watch").run()
    erase = [button for button in app.button if button.label == "Erase now"]
    assert len(erase) == 2
    # The latest first.
    erase[0].click().run()
    press(app, "Restore")
    assert not app.exception
    assert [run.name for run in runs.all_runs()] == ["faces"]
    assert app.selectbox(key="train_run").value == "faces"
    assert not [button for button in app.button if button.label == "Restore"]


def boxes(app: AppTest) -> str:
    """What the page says in plain text, where it tells of a deletion too."""
    return "\n".join(box.value for box in app.markdown)


def test_a_link_to_a_run_that_is_not_here_says_so():
    trained("faces", steps=2)
    app = visit(run="unknown *x*")
    assert r"There is no run unknown \*x\* here" in sentences(app)
    assert "this is faces" in sentences(app)
    assert app.selectbox(key="train_run").value == "faces"
    assert "There is no run" not in sentences(visit(run="faces"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("**x**", r"\*\*x\*\*' is no name"), ("x" * 300, "60 at most"), ("olivetti 2d", "already")],
)
def test_a_bad_name_for_a_run_gets_a_sentence(name, sentence):
    trained("faces", steps=2)
    app = visit()
    app.text_input(key="rename_faces").set_value(name).run()
    press(app, "Rename")
    assert sentence in sentences(app)
    assert [run.name for run in runs.all_runs()] == ["faces"]


def test_a_run_of_a_shipped_models_name_is_seen_and_explored():
    run = trained("faces", steps=2)
    for name in ("olivetti-2d", "**bold** $x$"):
        # As it was named before names were unique.
        run.path.rename(runs.folder() / name)
        run = runs.find(name)
        app = visit(run=name)
        sentences(app)
        shown = {"olivetti-2d": "olivetti-2d (run)"}.get(name, name)
        assert shown in app.selectbox(key=PICKER).options
        press(app, "Explore this model")
        assert not app.exception
        assert app.selectbox(key=PICKER).value == shown
        assert "Your run" in sentences(app)
    assert "olivetti-2d" in app.selectbox(key=PICKER).options


def test_the_time_lapse_has_every_snapshot():
    run = trained("faces")
    app = visit()
    slider = app.select_slider[0]
    steps = [step for step, _ in run.snapshots()]
    assert slider.options == [f"{step:,}" for step in steps] and slider.value == steps[-1]
    slider.set_value(steps[0]).run()
    assert not app.exception


def test_compared_runs_show_only_the_settings_that_differ():
    trained("one")
    trained("two", latent_dim=3, seed=5)
    app = visit()
    app.segmented_control(key="train_view").set_value("Compare").run()
    assert not app.exception
    table = app.dataframe[0].value
    assert list(table.columns) == ["two", "one"]
    assert set(table.index) >= {
        "latent dim",
        "seed",
        "test ELBO, best",
        "test ELBO, last",
        "best at step",
    }
    assert not {"batch size", "recipe", "hidden dims"} & set(table.index)
    assert len(app.get("image")) == 2
    app.multiselect(key="compared").set_value([]).run()
    assert "Pick the runs" in sentences(app)


def test_compared_runs_tell_how_far_apart_known_factors_are(monkeypatch):
    trained("plain")
    trained("known", latent_dim=3)
    known = Disentanglement(0.123, 0.456, 0.789, 0.5, ("tone", "width"), 400)
    monkeypatch.setattr(
        watch, "disentanglement", lambda run: known if run.name == "known" else None
    )
    app = visit()
    app.segmented_control(key="train_view").set_value("Compare").run()
    assert not app.exception
    table = app.dataframe[0].value
    assert table.loc["mutual information gap"].to_dict() == {"known": "0.123", "plain": "–"}
    assert table.loc["DCI disentanglement", "known"] == "0.456"
    assert table.loc["DCI completeness", "known"] == "0.789"
    assert table.loc["DCI prediction error", "known"] == "0.500"


def test_a_run_s_own_posterior_tells_how_far_apart_factors_are(monkeypatch):
    run = trained("faces")
    # Of the people of Olivetti there is one label, so nothing is kept apart.
    assert watch.disentanglement(run) is None
    watch._disentanglement.clear()
    monkeypatch.setattr(
        watch, "judge", lambda posterior, labels: (len(posterior.mean), len(labels))
    )
    images, told = watch.disentanglement(run)
    assert images == told > 0
    watch._disentanglement.clear()


def test_compared_runs_tell_log_px_when_it_is_asked_for(monkeypatch):
    from ui.train import exact

    judged = []
    judge = exact.judge
    monkeypatch.setattr(
        exact, "judge", lambda model, pixels: judged.append(len(pixels)) or judge(model, pixels)
    )
    one, two = trained("one"), trained("two", latent_dim=3, seed=5)
    app = visit()
    app.segmented_control(key="train_view").set_value("Compare").run()
    assert not judged and len(app.dataframe) == 1
    press(app, "Find log p(x)")
    assert not app.exception
    assert judged == [32, 32] and "Find log p(x)" not in labels(app)
    table = app.dataframe[1].value
    assert list(table.columns) == ["two", "one"]
    assert set(table.loc["images"]) == {"32 of 40 test, evenly spaced"}

    def figures(name: str, *terms: str) -> list[float]:
        told = (table.loc[term, name].removeprefix("at least about ") for term in terms)
        return [float(one.split(" ± ")[0].replace("−", "-").replace(",", "")) for one in told]

    for name in ("one", "two"):
        elbo, refined, log_px = figures(name, "ELBO", "refined ELBO", "log p(x)")
        assert elbo <= refined <= log_px
    assert "at least" in table.loc["log p(x)", "two"]
    assert "at least" not in table.loc["log p(x)", "one"]
    assert "±" in table.loc["amortisation gap", "one"]
    # Another visitor, and the same model in another place, find it there.
    shutil.copy(one.best, two.best)
    app = visit()
    app.segmented_control(key="train_view").set_value("Compare").run()
    press(app, "Find log p(x)")
    assert judged == [32, 32] and not app.exception
    assert (app.dataframe[1].value["one"] == app.dataframe[1].value["two"]).all()


def test_a_test_set_is_not_looked_at_while_a_run_is_alive():
    from ui.train import exact

    done = trained("done", steps=20)
    run = alive("now")
    shutil.copy(done.best, run.best)
    stored = exact.Stored.of(run.best)
    rows = exact.column(run, stored, exact.content(stored))
    assert rows["images"] == "32 of 40 validation, evenly spaced"
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(config | {"dataset": "frey"}))
    rows = exact.column(Run(run.path), stored, exact.content(stored))
    assert rows["images"] == "frey is not on this machine" and rows["log p(x)"] == "–"


def test_compared_runs_on_different_data_are_not_held_against_each_other():
    run = trained("one", steps=2)
    trained("two", steps=2, split="last")
    app = visit()
    app.segmented_control(key="train_view").set_value("Compare").run()
    assert "tested on different images" in sentences(app)
    app.segmented_control(key="compared_field").set_value("Training ELBO").run()
    assert "tested on different images" not in sentences(app)
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(config | {"dataset": "frey"}))
    app.run()
    assert "on different data (frey, olivetti)" in sentences(app)


def test_compared_runs_are_asked_again_while_one_is_alive(monkeypatch):
    from ui.train import comparison

    asked = []
    fragment = comparison.st.fragment
    monkeypatch.setattr(
        comparison.st,
        "fragment",
        lambda draw, run_every=None: (
            (asked.append(run_every) if draw is comparison.look else None) or fragment(draw)
        ),
    )
    done = trained("done", steps=20)
    run = alive("now")
    record = done.metrics()[-1]
    for step, elbo in ((10, 700.5), (20, 800.5)):
        line = json.dumps(record | {"step": step, "elbo": elbo, "heldout_elbo": elbo - 1})
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write(line + "\n")
    app = visit()
    app.segmented_control(key="train_view").set_value("Compare").run()
    assert not app.exception
    assert asked == [watch.REFRESH, watch.REFRESH_PICTURES]
    # What Watch shows: the latest record, not a checkpoint of some seconds ago.
    column = app.dataframe[0].value["now"]
    assert column["training ELBO, last"] == "800.5"
    assert column["validation ELBO, last"] == "799.5"
    assert column["steps taken"] == "20"
    run.set_status(state="stopped")
    asked.clear()
    app.run()
    assert asked == [None, None]


def test_a_manifold_of_one_latent_is_one_row():
    run = trained("line", latent_dim=1, steps=20)
    height, width = runs_picture(run)
    assert width > 5 * height
    with Image.open(run.snapshots()[-1][1]) as snapshot:
        assert snapshot.width > 5 * snapshot.height


def test_what_is_said_of_one_latent_is_of_a_row():
    trained("line", latent_dim=1, steps=20)
    trained("plane", steps=20)
    app = visit(run="line")
    assert "The manifold at step 20: a row along z₁" in sentences(app)
    app.segmented_control(key="train_view").set_value("Compare").run()
    said = sentences(app)
    assert "line, step 20: a row along z₁" in said
    assert "plane, step 20" in said and "plane, step 20:" not in said
    app.session_state["model"] = "line"
    app.switch_page("pages/manifold.py").run()
    sentences(app)
    assert app.slider(key="manifold_count").label == "Faces"
    assert "posterior means" not in app.selectbox(key="manifold_overlay_3").options
    (chart,) = app.get("plotly_chart")
    assert chart.proto.alt == "A row of decoded faces"


def runs_picture(run: Run) -> tuple[int, int]:
    found = watch.pictures(run, run.status())
    content = base64.b64decode(found["manifold"].partition(",")[2])
    with Image.open(io.BytesIO(content)) as picture:
        return picture.height, picture.width


def test_a_read_only_installation_shows_runs_and_changes_nothing(monkeypatch):
    trained("faces")
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    app = visit()
    assert "public deployment" in sentences(app)
    assert app.segmented_control(key="train_view").options == [
        "Watch",
        "Compare",
        "One thing changed",
    ]
    assert labels(app) <= {"Explore this model"}


def test_a_run_that_another_viewer_deleted_is_missed_in_words():
    trained("other")
    trained("faces")
    app = visit()
    assert app.selectbox(key="train_run").value == "faces"
    runs.find("faces").delete()
    app.run()
    assert "There is no run faces here" in sentences(app)
    assert app.selectbox(key="train_run").value == "other"


def test_durations_are_told_as_people_do():
    said = {0.2: "0 s", 59.6: "1 min", 61: "1 min 1 s", 3_600: "1 h", 100_000: "1 d 3 h"}
    assert {seconds: watch.duration(seconds) for seconds in said} == said


def test_the_words_of_a_run_explain_themselves():
    trained("one")
    app = visit(run="one")
    met = {metric.label: metric.help for metric in app.metric}
    assert "never more than log p(x)" in met["Training ELBO"]
    assert "never trains on" in met["Validation ELBO"] and "1.44 bits" in met["Validation ELBO"]
    assert "from the prior" in met["KL divergence"]
    said = {caption.value: caption.help for caption in app.caption}
    (best,) = (hover for words, hover in said.items() if "latents in use" in words)
    assert "change with the image" in best
    assert "never more than log p(x)" in app.sidebar.caption[0].help


def test_finishing_is_a_state_with_words_and_progress(runs_folder):
    run = alive("run")
    run.set_status(step=4_000, phase="finishing", share=0.4)
    for step in (3_900, 4_000):
        zeros = dict.fromkeys((field.name for field in dataclasses.fields(Progress)), 0.0)
        run.record(Progress(**zeros | {"step": step, "seconds": step / 100}))
    app = visit(run="run")
    said = " ".join(bar.proto.text for bar in app.get("progress"))
    assert "judging the model" in said and "40 %" in said
    assert "left" not in said
    assert app.get("progress")[0].proto.value == 40
    assert any("Finishing" in each.value for each in app.markdown)
    assert not app.exception


def test_the_knobs_behind_more_are_what_is_started(monkeypatch):
    launched = []
    monkeypatch.setattr(Run, "launch", lambda run: launched.append(run))
    app = visit()
    app.number_input(key="new_beta").set_value(4.0)
    app.number_input(key="new_beta_warmup").set_value(200)
    app.selectbox(key="new_activation").set_value("silu")
    app.number_input(key="new_training_images").set_value(150)
    press(app, "Start training")
    (run,) = launched
    chosen = run.config
    assert (chosen.beta, chosen.beta_warmup, chosen.activation, chosen.training_images) == (
        4.0,
        200,
        "silu",
        150,
    )
    app = visit()
    app.segmented_control(key="train_view").set_value("New run").run()
    app.segmented_control(key="new_objective").set_value("iwae").run()
    app.number_input(key="new_samples_iwae").set_value(3).run()
    press(app, "Start training")
    assert (launched[1].config.objective, launched[1].config.samples) == ("iwae", 3)


def test_what_a_recipe_sets_is_shown_and_what_differs_is_marked():
    app = visit()
    assert "For 2 latents the recipe default sets layers of 200 200 200, a" in sentences(app)
    app.number_input(key="new_latent_dim").set_value(10).run()
    assert "For 10 latents the recipe default sets layers of 300 300, a" in sentences(app)
    app.text_input(key="new_hidden_default_300 300").set_value("50").run()
    assert "layers of 300 300 :orange-badge[here 50]" in sentences(app)
    app.number_input(key="new_training_images").set_value(9_999).run()
    assert "There are 320 training images" in sentences(app)
