"""The command line: what training prints, what can be done with runs, and bad input in words."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import scipy.io
import scipy.stats
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import save_file

from vae import datasets, runs
from vae.__main__ import main
from vae.commands import evaluate as vae_evaluate
from vae.latent.arrays import evaluate
from vae.models.checkpoint import load_checkpoint, read_card
from vae.runs import processes, trainer

ROOT = Path(__file__).parents[1]
SMALL = ["--dataset", "olivetti", "--hidden", "8", "--batch-size", "20"]


def vae(*arguments: object) -> Result:
    """Run a command in this process."""
    found = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def refused(*arguments: object) -> str:
    """The sentence of a command that must not work."""
    found = vae(*arguments)
    assert found.exit_code == 2
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    return found.stderr


def trained(*arguments: object) -> dict:
    found = vae("train", *SMALL, "--json", *arguments)
    assert found.exit_code == 0, found.stderr
    return json.loads(found.stdout)


def test_train_ends_with_one_line_of_figures(runs_folder):
    found = trained("--steps", 60)
    assert set(found) == {
        "run",
        "likelihood",
        "steps",
        "seconds",
        "steps_per_second",
        "train_elbo",
        "heldout_elbo",
        "best_heldout_elbo",
        "checkpoint",
        "best_checkpoint",
        "train_elbo_error",
        "heldout_elbo_error",
        "best_heldout_elbo_error",
        "test_elbo",
        "test_elbo_error",
        "best_test_elbo",
        "best_test_elbo_error",
        "test",
    }
    assert found["steps"] == 60
    assert load_checkpoint(found["checkpoint"]).info["train"]["elbo"] == found["train_elbo"]
    best = load_checkpoint(found["best_checkpoint"]).info
    assert best["heldout"]["elbo"] == found["best_heldout_elbo"]
    assert Path(found["run"]).parent == runs_folder
    assert best["test"]["elbo"] == found["best_test_elbo"] == found["test"]["elbo"]
    assert found["test"]["images"] == best["test"]["images"] == 40
    faces = datasets.load("olivetti")
    sets = faces.splits()
    elbo = evaluate(load_checkpoint(found["best_checkpoint"]).model, sets.test)["elbo"]
    assert found["test"]["elbo"] == pytest.approx(elbo.mean(), abs=1)
    assert found["test"]["elbo_error"] == pytest.approx(scipy.stats.sem(elbo), rel=0.05)


@pytest.mark.parametrize("likelihood", ["student", "correlated", "logistic"])
def test_another_likelihood_is_trained_judged_and_named(likelihood, runs_folder, tmp_path):
    found = trained("--steps", 60, "--likelihood", likelihood)
    assert found["likelihood"] == likelihood
    card = read_card(found["best_checkpoint"])
    assert card.likelihood == likelihood
    assert card.test.elbo == found["best_test_elbo"]
    log = (Path(found["run"]) / "log.txt").read_text()
    assert ("the noise around it is learnt" in log) == (likelihood == "correlated")
    some = "--evidence-images", 0
    said = vae("evaluate", found["best_checkpoint"], *some).stdout
    assert f"of the {likelihood} likelihood" in said
    judged = json.loads(vae("evaluate", found["best_checkpoint"], "--json", *some).stdout)
    assert judged["likelihood"] == likelihood
    if likelihood == "logistic":
        assert judged["test"]["elbo"] < 0
        bits = -judged["test"]["elbo"] / (28 * 23 * math.log(2))
        assert judged["test"]["bits_per_dimension"] == pytest.approx(bits)
        assert "at most" in said and "bits per dimension" in said
    else:
        assert "bits_per_dimension" not in judged["test"]
    again = vae("train", "--resume", found["run"], "--steps", 80)
    assert f"ELBO, nats an image ({likelihood})" in again.stdout
    picture = tmp_path / "manifold.png"
    assert vae("manifold", found["best_checkpoint"], "--out", picture).exit_code == 0


def test_a_finished_run_tells_best_and_end_beside_each_other(runs_folder):
    said = vae("train", *SMALL, "--steps", 60).stdout
    table = {line.split()[0]: line for line in said.splitlines() if line.startswith("  ")}
    assert set(table) == {"training", "validation", "test"}
    assert all(line.count("±") == 2 for line in table.values())
    assert "on 40 test images" in said
    assert ", test " in vae("runs").stdout


def test_without_a_test_set_the_held_out_images_are_said_to_have_chosen_the_step(runs_folder):
    said = vae("train", *SMALL, "--steps", 5, "--test", 0).stdout
    assert "held-out" in said and "also chose the step" in said
    assert "  test" not in said
    found = trained("--steps", 5, "--test", 0)
    assert found["test"] is None and found["best_test_elbo"] is None
    assert "test" not in load_checkpoint(found["checkpoint"]).info
    quickly = "--evidence-images", 0
    assert "also chose the step" in vae("evaluate", found["checkpoint"], *quickly).stdout
    assert (
        json.loads(vae("evaluate", found["checkpoint"], "--json", *quickly).stdout)["test"] is None
    )


@pytest.mark.parametrize("how", ["first", "blocks"])
def test_a_run_is_split_as_it_was_asked_to(how, runs_folder):
    found = trained("--steps", 5, "--split", how, "--split-seed", 2)
    info = load_checkpoint(found["checkpoint"]).info
    assert info["split"] == {"how": how, "holdout": 0.1, "test": 0.2, "seed": 2}
    assert info["test"]["images"] == 80


def test_ctrl_c_saves_and_says_how_to_resume(runs_folder, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "vae", "train", *SMALL, "--steps", "1000000"]
    process = subprocess.Popen(
        [*command, "--out", str(out)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (out / "metrics.jsonl").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert f"python -m vae train --resume {out}" in said
    step = load_checkpoint(out / "checkpoint.safetensors").info["step"]
    assert runs.Run(out).status().step == step > 0
    assert f"after {step:,} steps" in said
    found = vae("train", "--resume", out, "--steps", step + 20, "--json")
    assert json.loads(found.stdout)["steps"] == step + 20


def test_runs_are_listed_renamed_extended_and_removed(runs_folder, monkeypatch):
    launched = []
    monkeypatch.setattr(runs.Run, "launch", lambda run: launched.append(run.config.steps))
    assert "There are no runs" in vae("runs").stdout
    name = Path(trained("--steps", 20)["run"]).name
    assert "finished" in vae("runs").stdout and "20 of 20" in vae("runs").stdout
    (row,) = json.loads(vae("runs", "--json").stdout)
    assert (row["run"], row["state"], row["step"]) == (name, "finished", 20)
    assert "portraits" in vae("runs", "rename", name, "portraits").stdout
    assert "is not being trained" in refused("runs", "stop", "portraits")
    assert "larger number" in refused("runs", "extend", "portraits", "--steps", 20)
    assert "in the background" in vae("runs", "extend", "portraits", "--steps", 40).stdout
    assert "in the background" in vae("runs", "resume", "portraits").stdout
    assert launched == [40, 40]
    said = vae("runs", "rm", "portraits").stdout
    assert "portraits is gone. For 24 hours it lies in" in said
    assert runs.all_runs() == []
    command = said.strip().split("python -m vae ")[1].split()
    assert str(runs_folder / "portraits") in vae(*command).stdout
    assert [run.name for run in runs.all_runs()] == ["portraits"]
    assert "There is no 'portraits' in the trash" in refused(*command)


@pytest.mark.parametrize("command", ["stop", "resume", "rm"])
def test_a_run_that_is_not_there(command, runs_folder):
    assert "There is no run named 'nothing'" in refused("runs", command, "nothing")


def test_what_a_run_waits_for_and_died_of_is_listed(runs_folder):
    from vae.runs import queue

    me = processes.this_process()
    for name, state, born in (("a", "queued", me.born), ("b", "running", 0.0)):
        trained("--steps", 1, "--out", runs_folder / name)
        runs.find(name).set_status(state=state, pid=me.pid, born=born)
    queue.join(Path("/other"), me)
    queue.join((runs_folder / "a").resolve(), me)
    said = vae("runs").stdout
    assert "queued, 1 before it" in said
    assert "interrupted" in said and "it was killed" in said


def test_a_read_only_installation_trains_nothing(runs_folder, monkeypatch):
    trained("--steps", 1, "--out", runs_folder / "a")
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    for command in (["train", *SMALL], ["runs", "resume", "a"], ["runs", "rm", "a"]):
        assert "read-only" in refused(*command)
    assert (runs_folder / "a").exists() and "finished" in vae("runs").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--latent-dim", 0], "at least 1, not 0"),
        (["--hidden", 0], "at least 1 unit"),
        (["--steps", -5], "steps must be at least 1, not -5"),
        (["--batch-size", 0], "batch size must be at least 1"),
        (["--batch-size", 361], "larger than the training set of 320 images"),
        (["--holdout", 0], "between 0 and 1"),
        (["--holdout", 1], "between 0 and 1"),
        (["--holdout", 0.0001], "must each be at least one image"),
        (["--learning-rate", -1], "above 0"),
        (["--split", "middle"], "one of random, last, first, blocks, not 'middle'"),
        (["--test", 1], "The test share must be 0 or more"),
        (["--test", 0.0001], "must each be at least one image"),
        (["--recipe", "secret"], "A recipe is one of"),
        (["--device", "abacus"], "A device is one of"),
        (["--seed", -1], "A seed must be 0 or more"),
        (["--dataset", "cats"], "There is no data set 'cats'"),
        (["--resume", "nowhere"], "There is no run at nowhere"),
    ],
)
def test_bad_choices_get_a_sentence_and_no_run(arguments, sentence, runs_folder):
    assert sentence in refused("train", *SMALL, *arguments)
    assert not list(runs_folder.iterdir())


def test_an_unwritable_runs_folder(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert "can't be written" in refused("train", *SMALL, "--out", tmp_path / "file" / "run")
    monkeypatch.setenv("VISAGE_RUNS", str(tmp_path / "file"))
    assert "can't be written" in refused("train", *SMALL)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").write_text("")
    assert "is not empty" in refused("train", *SMALL, "--out", tmp_path / "full")


def test_a_damaged_run(runs_folder):
    trained("--steps", 1, "--out", runs_folder / "a")
    (runs_folder / "a" / "optimizer.safetensors").write_bytes(b"nonsense")
    assert "can't be resumed" in refused("train", "--resume", runs_folder / "a", "--steps", 9)
    (runs_folder / "a" / "config.json").write_text("{")
    assert "is damaged" in refused("train", "--resume", runs_folder / "a")


def test_a_run_of_numbers_that_overflow(runs_folder):
    said = refused("train", *SMALL, "--recipe", "adam", "--learning-rate", 1e30, "--steps", 2_000)
    assert "try a lower learning rate" in said
    assert runs.all_runs()[0].status().state == "failed"


@pytest.fixture
def checkpoint(runs_folder) -> Path:
    return Path(trained("--steps", 1)["checkpoint"])


@pytest.mark.parametrize("command", [["evaluate"], ["manifold", "--out"], ["sample", "--out"]])
def test_bad_checkpoints_get_a_sentence(command, checkpoint, tmp_path):
    name, *options = command
    options += [tmp_path / "picture.png"] if options else []
    foreign, short = tmp_path / "foreign.safetensors", tmp_path / "short.safetensors"
    save_file({"weight": load_checkpoint(checkpoint).posterior.mean}, foreign)
    short.write_bytes(checkpoint.read_bytes()[:-100])
    for path, sentence in (
        (tmp_path / "missing.safetensors", "There is no checkpoint"),
        (tmp_path, "There is no checkpoint"),
        (short, "is not a whole safetensors file"),
        (ROOT / "requirements.txt", "is not a whole safetensors file"),
        (foreign, "is not a Visage checkpoint"),
    ):
        assert sentence in refused(name, path, *options)
    assert not (tmp_path / "picture.png").exists()


def test_evaluate_judges_on_the_split_that_the_checkpoint_records(checkpoint):
    found = json.loads(vae("evaluate", checkpoint, "--json", "--evidence-images", 10).stdout)
    assert set(found) == {"train", "heldout", "test", "active_units", "likelihood"}
    assert found.pop("likelihood") == "gaussian"
    assert found.pop("active_units") in (0, 1, 2)
    assert found["test"].pop("images") == 40
    names = {"elbo", "log_likelihood", "kl", "importance_weighted"}
    for figures in found.values():
        judged = figures.pop("evidence")
        assert judged["images"] == 10
        assert judged["method"] == "quadrature" and judged["method_error"] < 0.02
        assert judged["elbo"] <= judged["refined_elbo"] <= judged["log_px"]
        for upper, lower, gap in (
            ("refined_elbo", "elbo", "amortisation_gap"),
            ("log_px", "refined_elbo", "approximation_gap"),
        ):
            assert judged[gap] == pytest.approx(judged[upper] - judged[lower])
            assert judged[f"{gap}_error"] >= 0
        # The same ELBO as above, which is of all images and sampled.
        assert judged["elbo"] == pytest.approx(
            figures["elbo"], abs=5 * judged["elbo_error"] + 0.03 * abs(figures["elbo"])
        )
        assert set(figures) == names | {f"{name}_error" for name in names}
        assert figures["importance_weighted"] > figures["elbo"]
    said = vae("evaluate", checkpoint, "--evidence-images", 10).stdout.splitlines()
    assert [line.split()[0] for line in said[:3]] == ["training", "validation", "test"]
    assert all(line.count("±") == 4 for line in said[:3])
    chains = [line for line in said if "amortisation gap" in line and line.count(" ≤ ") == 2]
    assert [line.split()[0] for line in chains] == ["training", "validation", "test"]
    without = vae("evaluate", checkpoint, "--evidence-images", 0, "--json").stdout
    assert "evidence" not in without


def test_evaluate_looks_at_a_part_of_what_would_take_an_hour(checkpoint, monkeypatch):
    monkeypatch.setattr(vae_evaluate, "MOST_DECODED", 10_000)
    monkeypatch.setattr(trainer, "DECODED_IN_A_TEST", 10_000)
    quickly = "--evidence-images", 0
    found = json.loads(vae("evaluate", checkpoint, "--json", *quickly).stdout)["train"]
    pixels = load_checkpoint(checkpoint).model.pixels
    assert found["images"] * found["samples"] * pixels <= 10_000
    assert found["importance_images"] == 1
    said = vae("evaluate", checkpoint, *quickly).stdout
    assert f"of {found['images']} evenly spaced images" in said


def test_evaluate_tells_how_far_apart_known_factors_are(tmp_path, runs_folder):
    tone, width = np.random.default_rng(0).uniform(size=(2, 400))
    pictures = np.full((400, 16, 16), 30, dtype=np.uint8)
    for picture, grey, share in zip(pictures, tone, width, strict=True):
        picture[:, : 2 + int(12 * share)] = 60 + int(180 * grey)
    np.savez(tmp_path / "bars.npz", images=pictures, tone=tone, width=width)
    assert vae("datasets", "--add", tmp_path / "bars.npz").exit_code == 0
    run = vae("train", "--dataset", "bars", "--steps", 30, "--hidden", 8, "--json")
    best = json.loads(run.stdout)["best_checkpoint"]
    quickly = "--evidence-images", 0, "--importance-samples", 1, "--samples", 1
    found = json.loads(vae("evaluate", best, "--json", *quickly).stdout)["disentanglement"]
    assert found["factors"] == ["tone", "width"] and found["images"] > 200
    for name in ("mutual_information_gap", "disentanglement", "completeness"):
        assert 0 <= found[name] <= 1
    said = vae("evaluate", best, *quickly).stdout
    assert f"mutual information gap {found['mutual_information_gap']:.3f}" in said
    assert "2 known factors" in said


def test_pictures_are_written_where_they_were_asked_for(checkpoint, tmp_path):
    for command in (["manifold", "--grid", 4], ["sample", "-n", 5]):
        name, *options = command
        out = tmp_path / f"{name}.png"
        assert vae(name, checkpoint, "--out", out, *options).exit_code == 0
        assert out.read_bytes().startswith(b"\x89PNG")
        unwritable = tmp_path / "sample.png" / "x.png" if name == "sample" else out / "x.png"
        assert "can't be written" in refused(name, checkpoint, "--out", unwritable, *options)


def test_samples_may_have_their_noise(checkpoint, tmp_path):
    pictures = {}
    for name, options in (("mean", []), ("noise", ["--noise"]), ("again", ["--noise"])):
        out = tmp_path / f"{name}.png"
        assert vae("sample", checkpoint, "--out", out, "-n", 4, *options).exit_code == 0
        pictures[name] = np.asarray(Image.open(out)).astype(float)
    assert pictures["mean"].shape == pictures["noise"].shape
    assert not np.array_equal(pictures["mean"], pictures["noise"])
    assert np.array_equal(pictures["noise"], pictures["again"])


@pytest.fixture
def given(tmp_path) -> Path:
    """Files of faces as people have them."""
    faces = datasets.load("olivetti").images[:40]
    folder = tmp_path / "given" / "friends"
    folder.mkdir(parents=True)
    for place, face in enumerate(faces):
        Image.fromarray(face).save(folder / f"{place}.png")
    shutil.make_archive(str(folder.parent / "faces"), "zip", folder)
    np.savez(folder.parent / "array.npz", faces=faces, person=np.arange(40))
    np.save(folder.parent / "floats.npy", faces / 255)
    np.save(folder.parent / "bytes.npy", faces)
    scipy.io.savemat(folder.parent / "matrix.mat", {"faces": faces})
    return folder.parent


@pytest.mark.parametrize("name", ["friends", "faces.zip", "array.npz", "floats.npy", "matrix.mat"])
def test_whatever_can_be_added_can_be_trained_on(name, given, runs_folder):
    command = ["train", "--dataset", given / name, "--hidden", "8", "--batch-size", "20"]
    for turn in ("first", "again"):
        done = vae(*command, "--steps", 5, "--json")
        assert done.exit_code == 0, done.stderr
        assert f"{name}: 40 grey images of 28×23 pixels" in done.stderr
        assert ("stored already" in done.stderr) is (turn == "again")
    assert ("Labels: person: 40 kinds." in done.stderr) is (name == "array.npz")
    stored = Path(name).stem
    assert load_checkpoint(json.loads(done.stdout)["checkpoint"]).info["dataset"] == stored
    assert datasets.names() == ["frey", "olivetti", "cartoon", stored]


def test_a_file_of_bytes_is_trained_on_where_it_lies(given, runs_folder):
    path = given / "bytes.npy"
    done = vae("train", "--dataset", path, "--hidden", "8", "--batch-size", "20", "--steps", 5)
    assert done.exit_code == 0, done.stderr
    assert datasets.names() == ["frey", "olivetti", "cartoon"]


def test_what_is_no_data_set_is_told_the_ways(given, runs_folder):
    said = refused("train", "--dataset", "faces.zap")
    assert "choose one of frey, olivetti" in said
    assert "folder or zip" in said and ".npz or .mat" in said
    (given / "weights.pt").write_bytes(b"pickled")
    assert "it is a pickle" in refused("train", "--dataset", given / "weights.pt")
    assert not list(runs_folder.iterdir())


def test_data_sets_are_listed(data_folder):
    rows = {row["name"]: row for row in json.loads(vae("datasets", "--json").stdout)}
    assert rows["olivetti"]["here"] and rows["olivetti"]["images"] == 400
    assert os.fspath(data_folder) and "frey" in rows


def test_a_model_that_somebody_else_trained_is_opened_and_judged(tmp_path, monkeypatch):
    monkeypatch.setenv("VISAGE_DATA", str(tmp_path / "data"))
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((2, 48)).astype(np.float32)
    for name, given, wanted, matrix, last in (
        ("decoder", "z", "image", weight, "Sigmoid"),
        ("encoder", "x", "mean", weight.T / 48, "Identity"),
    ):
        nodes = [
            onnx.helper.make_node("MatMul", [given, "W"], ["h"]),
            onnx.helper.make_node(last, ["h"], [wanted]),
        ]
        ports = [
            onnx.helper.make_tensor_value_info(port, onnx.TensorProto.FLOAT, ["batch", size])
            for port, size in zip((given, wanted), matrix.shape, strict=True)
        ]
        constants = [onnx.numpy_helper.from_array(matrix, "W")]
        graph = onnx.helper.make_graph(nodes, name, ports[:1], ports[1:], constants)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.save(model, tmp_path / f"{name}.onnx")
    np.savez(tmp_path / "theirs.npz", images=rng.integers(0, 256, (20, 6, 8), np.uint8))
    files = tmp_path / "decoder.onnx", tmp_path / "encoder.onnx"

    found = vae("open", *files, "--image-shape", "6x8", "--look")
    assert "2 latents" in found.stderr and "images of 6×8" in found.stderr
    assert not list((tmp_path / "data").rglob("*.safetensors"))
    found = vae(
        *("open", *files, "--name", "theirs", "--image-shape", "6x8"),
        *("--images", tmp_path / "theirs.npz"),
    )
    assert found.exit_code == 0, found.stderr
    path = Path(found.stdout.strip().splitlines()[-1])
    assert path == tmp_path / "data" / "models" / "theirs.safetensors"
    assert load_checkpoint(path).posterior.mean.shape == (20, 2)
    judged = json.loads(vae("evaluate", path, "--json").stdout)
    assert judged["psnr"] > 0 and "no nats" in judged["why_no_nats"]
    assert vae("sample", path, "--out", tmp_path / "samples.png").exit_code == 0
    assert vae("manifold", path, "--grid", "3", "--out", tmp_path / "grid.png").exit_code == 0

    assert "choose another name" in refused("open", *files, "--name", "theirs")
    (tmp_path / "none.onnx").write_bytes(b"none")
    assert "no ONNX file" in refused("open", tmp_path / "none.onnx")
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    assert "read-only" in refused("open", *files, "--name", "others")
