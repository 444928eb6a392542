"""Runs: nothing that happens to a trainer, a reader or a disk loses what was recorded."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from tests.runs import trainers
from ui.train import watch
from vae import datasets, load_checkpoint, runs, trash
from vae.datasets.faces import Faces
from vae.errors import VisageError
from vae.runs import Run, processes, queue, trainer
from vae.runs.status import SILENCE, STATES
from vae.training import loop, recipes
from vae.training.loop import Progress
from vae.training.recipes import TrainingConfig

# A run that takes a few seconds.
STEPS = 2_000


def configured(**choices) -> TrainingConfig:
    return TrainingConfig(
        **{"dataset": "olivetti", "hidden_dims": (8,), "steps": STEPS, "batch_size": 20} | choices
    )


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def finish(run: Run) -> None:
    process = trainers.start(run)
    process.join(120)
    assert run.status().state == "finished", run.log_tail()


def weights(path: Path) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(load_checkpoint(path).model.parameters())


def progress(step: int, **figures) -> Progress:
    zeros = dict.fromkeys((field.name for field in dataclasses.fields(Progress)), 0.0)
    told = {"step": step, "samples": step * 20, "heldout_objective": None}
    return Progress(**zeros | told | figures)


# Killed, and watched meanwhile


@contextlib.contextmanager
def reading(run: Run) -> Iterator[None]:
    """Read all that a run's folder has, again and again; whatever is broken fails the test."""
    stopped = threading.Event()
    broken: list[Exception] = []
    file = run.metrics_file()

    def read() -> None:
        while not stopped.is_set():
            try:
                assert run.status().state in STATES
                assert not any("damaged" in one.error for one in (run.status(),))
                steps = file.read().column("step")
                assert (np.diff(steps) > 0).all()
                for path in (run.last, run.best):
                    if path.exists():
                        assert torch.isfinite(weights(path)).all()
                for _, path in run.snapshots()[-1:]:
                    Image.open(path).load()
            except Exception as error:
                broken.append(error)
                return

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    assert not broken, repr(broken[0])


def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(runs_folder):
    whole = runs.create(configured(), runs_folder / "whole")
    finish(whole)
    random = np.random.default_rng(0)
    kills = 0
    while kills < 20:
        run = runs.create(configured(), runs_folder / f"killed-{kills}")
        with reading(run):
            while kills < 20 and run.status().state != "finished":
                kill_at_some_moment(run, random, early=kills % 4 == 0)
                kills += 1
            finish(run)
        assert torch.equal(weights(run.last), weights(whole.last))
        assert torch.equal(weights(run.best), weights(whole.best))
        lines = (run.path / "metrics.jsonl").read_bytes().splitlines()
        steps = [json.loads(line)["step"] for line in lines]
        assert steps == sorted(set(steps))
        heldout, expected = (
            {record["step"]: record["heldout_elbo"] for record in one.metrics()}
            for one in (run, whole)
        )
        assert all(heldout.get(step, value) == value for step, value in expected.items())


def kill_at_some_moment(run: Run, random: np.random.Generator, early: bool) -> None:
    """Go on with a run and kill it: before it has taken up training, or a little later."""
    known = run.log_tail().count("Training") + 1
    process = trainers.start(run)
    if not early:
        # Trained, and a record since then: what an earlier process left is dropped before.
        wait_until(
            lambda: (
                not process.is_alive()
                or (run.log_tail().count("Training") == known and run.metrics_file().read())
            )
        )
    time.sleep(random.uniform(0, 0.3))
    process.kill()
    process.join()
    assert run.status().state in ("interrupted", "finished") or early
    assert_little_was_lost(run)


def assert_little_was_lost(run: Run) -> None:
    """Training takes up from a checkpoint that is at most an interval and a record old."""
    records = run.metrics()
    if not records:
        return
    saved = load_checkpoint(run.last).info["seconds"] if run.last.exists() else 0.0
    assert records[-1]["seconds"] - saved < trainers.CHECKPOINT_SECONDS + 1.5


def test_a_run_outlives_whoever_launched_it(runs_folder):
    run = runs.create(configured(), runs_folder / "run")
    server = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from vae import runs; runs.Run(sys.argv[1]).launch(); "
            "time.sleep(99)",
            str(run.path),
        ],
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    wait_until(lambda: run.status().state == "running")
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    wait_until(lambda: not run.status().is_alive)
    assert run.status().state == "finished"
    assert run.status().step == STEPS
    # The log's last line is written after the status.
    wait_until(lambda: "Finished." in run.log_tail())


def test_stopped_and_resumed_it_ends_as_if_it_had_not_been(runs_folder):
    whole = runs.create(configured(), runs_folder / "whole")
    finish(whole)
    run = runs.create(configured(), runs_folder / "stopped")
    process = trainers.start(run)
    wait_until(lambda: len(run.metrics()) > 3)
    run.stop()
    process.join(30)
    status = run.status()
    assert status.state == "stopped"
    assert 0 < status.step < STEPS
    assert load_checkpoint(run.last).info["step"] == status.step
    finish(run)
    assert torch.equal(weights(run.last), weights(whole.last))


def test_a_polite_kill_saves_and_stops(runs_folder):
    run = runs.create(configured(), runs_folder / "run")
    process = trainers.start(run)
    wait_until(lambda: len(run.metrics()) > 3)
    process.terminate()
    process.join(30)
    assert run.status().state == "stopped"
    assert load_checkpoint(run.last).info["step"] == run.status().step


def test_a_finished_run_can_be_extended(runs_folder):
    run = runs.create(configured(steps=200), runs_folder / "run")
    finish(run)
    with pytest.raises(VisageError, match="larger number"):
        run.extend(200)
    run.extend(300)
    finish(run)
    assert run.status().step == 300
    assert [record["step"] for record in run.metrics()][-1] == 300


def test_a_late_request_to_stop_is_forgotten(runs_folder):
    run = runs.create(configured(steps=200), runs_folder / "run")
    finish(run)
    run.request_stop()
    run.extend(300)
    finish(run)


# When checkpoints come, and what the last one takes


def saves(costs: list[float], seconds: float) -> list[tuple[float, float]]:
    """When a run that looks at the clock ten times a second starts and ends its checkpoints."""
    now, done = 0.0, []
    clock = trainer.CheckpointClock(now)
    while now < seconds:
        now += 0.1
        if clock.is_due(now):
            started, now = now, now + costs[min(len(done), len(costs) - 1)]
            clock.saved(started, now)
            done.append((started, now))
    return done


def test_one_slow_checkpoint_does_not_put_off_all_later_ones():
    done = saves([30.0, 0.01], 120)
    waits = [later[0] - earlier[1] for earlier, later in pairwise(done)]
    assert max(waits) <= trainer.CHECKPOINT_SECONDS + 0.2


@pytest.mark.parametrize("cost", [0.0, 0.01, 0.1, 1.0, 3.0])
def test_what_is_drawn_is_at_most_15_s_older_than_the_curve(cost):
    done = saves([cost], 300)
    # A picture is of the step at which its checkpoint was begun, and stands until the next one
    # was written and a page looked again.
    ages = [later[1] - earlier[0] for earlier, later in pairwise(done)]
    assert max(ages) + watch.REFRESH_PICTURES < 15
    assert min(later[0] - earlier[1] for earlier, later in pairwise(done)) > 1.9


def test_checkpoints_cost_a_fiftieth_of_the_time_unless_pictures_would_grow_old():
    done = saves([0.1], 1_000)
    assert sum(ended - started for started, ended in done) < 0.025 * 1_000


def test_after_its_last_step_a_run_says_that_it_is_finishing(runs_folder):
    run = runs.create(configured(steps=30), runs_folder / "run")
    seen = []
    for _ in trainer.trained(run, finishing=lambda share: seen.append((share, run.status()))):
        assert not run.status().is_finishing
    shares = [share for share, _ in seen]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1 and len(shares) > 3
    assert all(status.is_finishing and status.is_alive for _, status in seen)
    assert [status.share for _, status in seen] == shares
    status = run.status()
    assert (status.state, status.phase, status.is_finishing) == ("finished", "", False)


def test_large_images_are_judged_by_fewer_and_the_checkpoint_says_by_how_many(
    runs_folder, monkeypatch
):
    decoded = []
    evaluate = trainer.evaluate

    def counted(model, pixels, samples, importance_samples):
        decoded.append(len(pixels) * model.pixels * (samples + importance_samples))
        return evaluate(model, pixels, samples, importance_samples)

    monkeypatch.setattr(trainer, "evaluate", counted)
    monkeypatch.setattr(trainer, "DECODED_AT_THE_END", 28 * 23 * 130)
    monkeypatch.setattr(trainer, "DECODED_MEANWHILE", 28 * 23 * 130)
    monkeypatch.setattr(trainer, "DECODED_IN_A_TEST", 28 * 23 * 130)
    run = runs.create(configured(steps=30), runs_folder / "run")
    list(trainer.trained(run))
    for path in (run.last, run.best):
        info = load_checkpoint(path).info
        # 320 images in training: a third of them fits. 40 held out: three samples of each do.
        assert (info["train"]["images"], info["train"]["samples"]) == (107, 1)
        assert (info["heldout"]["images"], info["heldout"]["samples"]) == (40, 3)
        assert info["heldout"]["importance_images"] == 2
        assert info["heldout"]["importance_samples"] == 64
        assert "importance_weighted" not in info["train"]
    assert max(decoded) < 28 * 23 * 200


@pytest.fixture
def own_faces(tmp_path, monkeypatch) -> Path:
    """A file of 200 faces, to be changed."""
    path = tmp_path / "faces.npy"
    np.save(path, datasets.load("olivetti").images[:200])
    return path


def test_nothing_of_the_test_set_moves_training(runs_folder, own_faces):
    faces = datasets.load(own_faces)
    images = faces.images.copy()
    poison = np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8)
    ended = []
    for name in ("clean", "poisoned"):
        config = configured(steps=300, dataset=str(own_faces), split="blocks", split_seed=3)
        run = runs.create(config, runs_folder / name)
        list(trainer.trained(run))
        kept = [load_checkpoint(path) for path in (run.last, run.best)]
        records = [
            {key: value for key, value in record.items() if "second" not in key}
            for record in run.metrics()
        ]
        ended.append((kept, records))
        tested = faces.splits_indices(how="blocks", seed=3).test
        images[tested] = poison[tested]
        np.save(own_faces, images)
    (clean, told), (poisoned, again) = ended
    assert told == again
    for one, other in zip(clean, poisoned, strict=True):
        weights = one.model.state_dict(), other.model.state_dict()
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
        assert one.info["step"] == other.info["step"]
        assert one.info["heldout"] == other.info["heldout"]
        # That there was poison is seen by the one look at the end.
        assert one.info["test"]["elbo"] != other.info["test"]["elbo"]


def test_the_test_set_is_looked_at_once_at_the_end_of_training(runs_folder, monkeypatch):
    run = runs.create(configured(steps=200, seed=1), runs_folder / "run")
    looked_at = []
    tested = Faces.splits_indices(datasets.load("olivetti")).test
    pixels = Faces.pixels

    def watched(faces, indices):
        if np.intersect1d(indices, tested).size:
            looked_at.append(run.status().phase)
        return pixels(faces, indices)

    monkeypatch.setattr(Faces, "pixels", watched)
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)
    news = trainer.trained(run)
    for progress in news:
        if progress.step >= 100:
            run.request_stop()
    assert run.status().state == "stopped" and not looked_at
    assert "test" not in load_checkpoint(run.last).info
    run.forget_stop()
    list(trainer.trained(run))
    assert set(looked_at) == {"finishing"}
    for path in (run.last, run.best):
        found = load_checkpoint(path).card
        assert found.test.elbo is not None and found.test.images == 40
        assert found.quality == found.test and found.measured_on == "test"
        assert found.test.elbo_error > 0


def test_a_large_test_set_is_judged_by_evenly_spaced_images(runs_folder, monkeypatch):
    monkeypatch.setattr(trainer, "TESTED_IMAGES", 12)
    run = runs.create(configured(steps=5), runs_folder / "run")
    list(trainer.trained(run))
    assert load_checkpoint(run.best).card.test.images == 10
    np.testing.assert_array_equal(trainer.spread(np.arange(100), 40), np.arange(0, 100, 3))


def test_a_run_begun_before_there_was_a_test_set_goes_on_without(runs_folder):
    run = runs.create(configured(steps=50, test=0), runs_folder / "run")
    told = json.loads((run.path / "config.json").read_text())
    del told["test"]
    (run.path / "config.json").write_text(json.dumps(told))
    run = runs.Run(run.path)
    list(trainer.trained(run))
    found = load_checkpoint(run.best)
    assert len(found.posterior.mean) == 360
    assert found.card.measured_on == "held-out" and found.card.quality == found.card.heldout


def test_the_best_model_is_judged_once(runs_folder, monkeypatch):
    run = runs.create(configured(steps=120, seed=1), runs_folder / "run")
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(trainer, "CHECKPOINT_SHARE", 1.0)
    written = []
    save = trainer.save_checkpoint

    def noted(path, model, info, posterior):
        written.append((path.name, info["step"], "importance_weighted" in info["heldout"]))
        save(path, model, info, posterior)

    monkeypatch.setattr(trainer, "save_checkpoint", noted)
    list(trainer.trained(run))
    best = [each for each in written if each[0] == run.best.name]
    assert len(best) == len(set(best)) and best[-1][2]
    assert len(written) > len(best)
    assert torch.isfinite(weights(run.best)).all()


# What is believed of a process


def test_a_recycled_process_number_fools_nobody(runs_folder):
    run = runs.create(configured(), runs_folder / "run")
    me = processes.this_process()
    run.set_status(state="running", pid=me.pid, born=me.born)
    assert run.status().state == "running"
    run.set_status(born=me.born - 100)
    assert run.status().state == "interrupted"
    assert "killed" in run.status().error


def test_a_process_that_nobody_waited_for_is_gone():
    child = subprocess.Popen([sys.executable, "-c", ""])
    found = processes.process(child.pid)
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert not found.is_alive()
    child.wait()
    assert not found.is_alive()


def test_a_run_of_another_machine_is_judged_by_its_heartbeat(runs_folder):
    run = runs.create(configured(), runs_folder / "run")
    run.set_status(state="running", host="elsewhere", pid=1, born=0.0)
    assert run.status().state == "running"
    status = json.loads((run.path / "status.json").read_text())
    status["heartbeat"] -= SILENCE + 1
    (run.path / "status.json").write_text(json.dumps(status))
    assert run.status().state == "interrupted"


# Failures in words


def failure(run: Run) -> str:
    """The sentence that a run fails with, which its status tells as well."""
    with pytest.raises(VisageError) as raised:
        for _ in trainer.trained(run):
            pass
    status = run.status()
    assert status.state == "failed"
    assert status.error == str(raised.value)
    assert status.error in run.log_tail()
    return status.error


def test_a_loss_that_is_no_number_fails_and_keeps_the_last_good_checkpoint(runs_folder):
    run = runs.create(configured(recipe="adam", steps=100), runs_folder / "run")
    finish(run)
    good = weights(run.last)
    run.extend(5_000)
    config = dataclasses.asdict(run.config) | {"learning_rate": 1e6}
    (run.path / "config.json").write_text(json.dumps(config))
    assert "try a lower learning rate" in failure(Run(run.path))
    assert torch.equal(weights(run.last), good)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "ran out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "ran out of memory"),
        (OSError(28, "No space left on device"), "The disk is full"),
        (KeyError("typo"), "unexpected error .KeyError.: .* the log has the details"),
    ],
)
def test_failures_are_told_in_words(runs_folder, monkeypatch, error, sentence):
    def fail(*_):
        raise error

    monkeypatch.setattr(trainer, "train", fail)
    run = runs.create(configured(), runs_folder / "run")
    with pytest.raises(VisageError, match=sentence):
        failure(run)
        raise VisageError(run.status().error)
    assert "Traceback" in run.log_tail()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_fails_in_words_and_earlier_checkpoints_load(small_disk):
    run = runs.create(configured(steps=1_000_000), small_disk / "run")
    process = trainers.start(run)
    wait_until(lambda: run.best.exists() and run.optimizer.exists())
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    process.join(60)
    status = run.status()
    assert status.state == "failed"
    assert status.error.startswith("The disk is full")
    step = load_checkpoint(run.last).info["step"]
    assert load_checkpoint(run.best).info["step"] <= step
    (small_disk / "filler").unlink()
    process = trainers.start(run)
    wait_until(lambda: load_checkpoint(run.last).info["step"] > step)
    run.stop()
    process.join(60)
    assert run.status().state == "stopped"


def test_files_that_may_not_grow_fail_in_words(runs_folder):
    run = runs.create(configured(steps=100), runs_folder / "run")
    finish(run)
    good = weights(run.last)
    run.extend(STEPS)
    process = trainers.start(run, largest_file=50_000)
    process.join(60)
    assert run.status().state == "failed"
    assert run.status().error.startswith("The disk is full")
    assert torch.equal(weights(run.last), good)
    finish(run)


# The queue


def test_simultaneous_starts_train_one_after_the_other(runs_folder):
    latents = (1, 2, 3)
    started: list[Run] = []

    def start(latent_dim: int) -> None:
        run = runs.create(configured(latent_dim=latent_dim, steps=1_500))
        run.launch()
        started.append(run)

    threads = [threading.Thread(target=start, args=(latent_dim,)) for latent_dim in latents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.config.latent_dim for run in started) == [1, 2, 3]
    assert len({run.path for run in started}) == 3
    assert sorted(run.status().place for run in started) == [0, 1, 2]
    last = max(started, key=lambda run: run.status().place)
    assert last.status().state == "queued"
    with pytest.raises(VisageError, match="being trained already"):
        last.launch()
    last.stop()

    def states() -> list[str]:
        found = [run.status().state for run in started]
        assert found.count("running") <= 1
        return found

    wait_until(lambda: not {"queued", "running"} & set(states()), 120)
    assert sorted(states()) == ["finished", "finished", "stopped"]
    assert last.status().state == "stopped"
    for run in started:
        if run is not last:
            assert load_checkpoint(run.last).model.latent_dim == run.config.latent_dim


def test_the_dead_do_not_block_the_line(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    me = processes.this_process()
    queue.join(Path("/first"), processes.process(child.pid))
    queue.join(Path("/second"), me)
    assert queue.place(Path("/second")) == 1
    child.kill()
    child.wait()
    assert queue.place(Path("/second")) == 0
    queue.join(Path("/third"), me)
    queue.join(Path("/third"), me)
    assert queue.place(Path("/third")) == 1
    assert len(list(queue.folder().glob("*.json"))) == 2
    queue.leave(Path("/second"), me)
    assert queue.place(Path("/third")) == 0


def test_the_limit_can_be_chosen(monkeypatch):
    me = processes.this_process()
    monkeypatch.setenv("VISAGE_MAX_RUNS", "2")
    for place, name in enumerate(("/a", "/b", "/c")):
        queue.join(Path(name), me)
        assert queue.place(Path(name)) == max(0, place - 1)
    for bad in ("0", "two", "-1"):
        monkeypatch.setenv("VISAGE_MAX_RUNS", bad)
        with pytest.raises(VisageError, match="whole number of at least 1"):
            queue.limit()


# Names and removal


def test_a_run_can_be_renamed_and_deleted(runs_folder):
    run = runs.create(configured(steps=50))
    finish(run)
    renamed = run.rename("My faces")
    assert [one.name for one in runs.all_runs()] == ["my-faces"]
    assert renamed.status().state == "finished"
    other = runs.create(configured(steps=50))
    for bad in ("", "a/b", ".hidden", "my faces", "-x", "a\0b"):
        with pytest.raises(VisageError, match="name"):
            other.rename(bad)
    renamed.delete()
    assert [one.name for one in runs.all_runs()] == [other.name]
    for change in (renamed.delete, renamed.launch, lambda: renamed.rename("faces")):
        with pytest.raises(VisageError, match="not here any more"):
            change()
    assert [one.name for one in runs.all_runs()] == [other.name]
    assert runs.restore("my-faces").status().state == "finished"
    assert len(runs.all_runs()) == 2


def test_a_folder_that_breaks_the_rule_is_a_run_all_the_same(runs_folder):
    run = runs.create(configured(steps=50), runs_folder / "old")
    old = run.path.rename(runs_folder / "**old** $run$ ☃")
    assert [one.name for one in runs.all_runs()] == [old.name]
    finish(runs.find(old.name))
    runs.find(old.name).delete()
    assert runs.restore(old.name).rename("new").name == "new"


def test_a_deleted_run_takes_no_other_with_it(runs_folder):
    run = runs.create(configured(), runs_folder / "a")
    other = runs.create(configured(), runs_folder / "b")
    known = trash.identity(run.path)
    run.delete(known)
    other.rename("a")
    with pytest.raises(VisageError, match="nothing was deleted"):
        runs.find("a").delete(known)
    assert [one.name for one in runs.all_runs()] == ["a"]


def test_a_run_that_is_alive_keeps_its_name_and_its_files(runs_folder):
    run = runs.create(configured())
    me = processes.this_process()
    run.set_status(state="running", pid=me.pid, born=me.born)
    for change in (run.delete, lambda: run.rename("other"), lambda: run.extend(9_999), run.launch):
        with pytest.raises(VisageError, match="being trained"):
            change()
    assert runs.find(run.name).status().state == "running"


def test_runs_are_listed_newest_first_whatever_their_names(runs_folder):
    names = ["b", "c", "a"]
    for name in names:
        runs.create(configured(), runs_folder / name)
    (runs_folder / "broken").mkdir()
    (runs_folder / "broken" / "config.json").write_text("{")
    assert [run.name for run in runs.all_runs()] == names[::-1]


def test_a_read_only_installation_changes_nothing(runs_folder, monkeypatch):
    run = runs.create(configured(), runs_folder / "run")
    before = {path: path.stat().st_mtime_ns for path in runs_folder.rglob("*")}
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    for change in (
        run.launch,
        run.stop,
        run.delete,
        lambda: run.extend(9_999),
        lambda: run.rename("other"),
        lambda: runs.create(configured()),
        lambda: next(trainer.trained(run)),
    ):
        with pytest.raises(VisageError, match="read-only"):
            change()
    assert {path: path.stat().st_mtime_ns for path in runs_folder.rglob("*")} == before
    monkeypatch.setenv("VISAGE_READ_ONLY", "0")
    run.delete()


# Metrics


def test_a_torn_last_line_is_ignored_and_closed(runs_folder):
    run = runs.create(configured(), runs_folder / "run")
    path = run.path / "metrics.jsonl"
    file = run.metrics_file()
    assert run.metrics() == [] and len(file.read()) == 0
    run.record(progress(1))
    with path.open("ab") as torn:
        torn.write(b'{"step": 2, "samp')
    for found in (run.metrics(), file.read()):
        assert len(found) == 1
    run.record(progress(3, heldout_elbo=None))
    assert [record["step"] for record in run.metrics()] == [1, 3]
    assert list(file.read().column("step")) == [1, 3]
    assert np.isnan(file.read().column("heldout_elbo")[1])
    assert file.read().last("heldout_elbo") == 0


def test_a_resumed_run_takes_its_steps_again(runs_folder):
    run = runs.create(configured(), runs_folder / "run")
    file = run.metrics_file()
    for step, elbo in ((1, 1.0), (2, 2.0), (3, 3.0), (2, 20.0), (4, 4.0)):
        run.record(progress(step, elbo=elbo))
        assert file.read().last("elbo") == elbo
    expected = {1: 1.0, 2: 20.0, 4: 4.0}
    assert {one["step"]: one["elbo"] for one in run.metrics()} == expected
    for records in (file.read(), run.metrics_file().read()):
        pairs = zip(records.column("step"), records.column("elbo"), strict=True)
        assert dict(pairs) == expected


@pytest.mark.parametrize("torn", [b"", b'{"step": 7, "samp', b"\xff" * 100_000])
def test_what_lies_beyond_the_step_gone_on_from_is_dropped(runs_folder, torn):
    run = runs.create(configured(), runs_folder / "run")
    file = run.metrics_file()
    run.forget_after(0)
    path = run.path / "metrics.jsonl"
    for step in (1, 2, 5, 6):
        run.record(progress(step))
        (run.path / "snapshots").mkdir(exist_ok=True)
        (run.path / "snapshots" / f"{step:09d}.png").touch()
    with path.open("ab") as more:
        more.write(torn)
    assert len(file.read()) == 4

    run.forget_after(4)
    assert [json.loads(line)["step"] for line in path.read_bytes().splitlines()] == [1, 2]
    assert path.read_bytes().endswith(b"\n")
    assert [step for step, _ in run.snapshots()] == [1, 2]
    run.record(progress(4))
    for reader in (file, run.metrics_file()):
        assert list(reader.read().column("step")) == [1, 2, 4]
    run.forget_after(4)
    assert len(run.metrics()) == 3
    run.forget_after(0)
    assert path.read_bytes() == b"" and not run.snapshots()


def test_a_run_keeps_the_recipe_that_it_began_with(runs_folder, monkeypatch):
    run = runs.create(configured(recipe="paper"), runs_folder / "run")
    began_with = run.config.whole_recipe
    assert json.loads((run.path / "config.json").read_text())["whole_recipe"]["learning_rate"]
    later = dataclasses.replace(began_with, optimizer="adam", clip_norm=1.0, averaging=0.9)
    monkeypatch.setitem(recipes.RECIPES, "paper", later)
    assert Run(run.path).config.whole_recipe == began_with
    run.extend(STEPS + 1)
    again = Run(run.path).config
    assert (again.whole_recipe, again.steps) == (began_with, STEPS + 1)
    assert loop.TrainingState(again, (28, 23)).recipe == began_with
    assert configured(recipe="paper").whole_recipe == later


def test_a_run_of_which_the_recipe_s_name_alone_is_known_takes_what_it_means_today(runs_folder):
    run = runs.create(configured(recipe="paper"), runs_folder / "run")
    values = json.loads((run.path / "config.json").read_text())
    del values["whole_recipe"]
    (run.path / "config.json").write_text(json.dumps(values))
    assert Run(run.path).config.whole_recipe == recipes.RECIPES["paper"]


@pytest.mark.parametrize("whole", [{"optimizer": "magic"}, {"optimizer": []}, {"speed": 3}, [1]])
def test_a_recipe_that_is_none_is_a_damaged_configuration(runs_folder, whole):
    run = runs.create(configured(), runs_folder / "run")
    values = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(values | {"whole_recipe": whole}))
    with pytest.raises(VisageError):
        Run(run.path)


def test_a_reader_sees_that_a_file_is_another_one(runs_folder):
    run = runs.create(configured(), runs_folder / "run")
    file = run.metrics_file()
    for step in range(1, 10):
        run.record(progress(step))
    assert len(file.read()) == 9
    assert file.read() is file.read()
    (run.path / "metrics.jsonl").unlink()
    assert len(file.read()) == 0
    run.record(progress(7))
    assert list(file.read().column("step")) == [7]


def test_a_curve_keeps_its_ends_its_extremes_and_its_number_of_points(runs_folder):
    records = written(runs_folder / "metrics.jsonl", 30_000, spike=17_000).read()
    assert len(records) == 30_000
    for points in (100, 1_000, 2_000):
        samples, values = records.curve("elbo", points)
        assert len(samples) <= points
        assert samples[[0, -1]].tolist() == [20, 600_000]
        assert (np.diff(samples) > 0).all()
        assert values.min() == -5_000
        # Each tenth of the logarithmic axis has its share, and so has each of the even one.
        for edges in (np.geomspace(20, 600_000, 11)[4:], np.linspace(20, 600_000, 11)):
            assert (np.histogram(samples, edges)[0] >= points // 50).all()
        heldout = records.curve("heldout_elbo", points)
        assert len(heldout[0]) <= points and not np.isnan(heldout[1]).any()
    assert records.best == (30_000, 600_000, records.column("heldout_elbo")[-1])


def test_of_too_many_records_the_last_are_read(runs_folder):
    file = written(runs_folder / "metrics.jsonl", 300_000)
    records = file.read()
    assert len(records) < 60_000
    for name in ("elbo", "heldout_elbo"):
        samples, values = records.curve(name)
        assert 1_000 < len(samples) <= 2_000
        assert samples[0] > 20 and samples[-1] == 6_000_000
        expected = elbo(samples / 20) - (50 if name == "heldout_elbo" else 0)
        assert np.allclose(values, expected, atol=1e-3)
    with file.path.open("a") as more:
        more.write(line(300_001))
    assert file.read().last("step") == 300_001


def elbo(step):
    return 1_000 - 1_500 * step**-0.4


def line(step: int, spike: int = 0) -> str:
    value = -5_000.0 if step == spike else elbo(step)
    held = f"{value - 50:.6f}" if step % 10 == 0 or step == 1 else "null"
    return (
        f'{{"step": {step}, "samples": {20 * step}, "seconds": {step / 250:.6f}, "elbo": '
        f'{value:.6f}, "log_likelihood": {value + 9:.12f}, "kl": 9.0, "heldout_elbo": {held}, '
        f'"heldout_log_likelihood": {held}, "heldout_kl": {held}, "learning_rate": 0.003, '
        f'"steps_per_second": 250.123456789012}}\n'
    )


def written(path: Path, count: int, spike: int = 0):
    from vae.runs.metrics import MetricsFile

    with path.open("w") as file:
        file.writelines(line(step, spike) for step in range(1, count + 1))
    return MetricsFile(path)


@pytest.mark.parametrize(
    ("train", "heldout", "expected"),
    [
        ("rises", "rises", False),
        ("rises", "falls", True),
        ("falls", "falls", False),
        ("rises", "rises then wavers", False),
    ],
)
def test_overfitting_is_told_from_noise(runs_folder, train, heldout, expected):
    random = np.random.default_rng(0)
    share = np.linspace(0, 1, 100)
    shapes = {
        "rises": 500 * share,
        "falls": 300 * np.minimum(share, 0.4) - 300 * np.maximum(share - 0.4, 0),
        "rises then wavers": 500 * np.minimum(share, 0.5),
    }
    run = runs.create(configured(), runs_folder / "run")
    for place in range(100):
        noise = random.normal(size=2)
        held = shapes[heldout][place] + 3 * noise[1] if place % 2 == 0 else None
        value = shapes[train][place] + 3 * noise[0]
        run.record(progress(100 * (place + 1), elbo=value, heldout_elbo=held))
    records = run.metrics_file().read()
    assert records.is_overfitting is expected
    if expected:
        assert 3_000 < records.best[0] < 5_000
