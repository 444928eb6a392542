"""Several processes: the same gradient, the same steps, and a sentence when one of them dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from vae import VAE, load_checkpoint
from vae.runs import Run
from vae.training.gradient import AutogradGradient
from vae.training.loop import one_buffer

TORCHRUN = ["-m", "torch.distributed.run", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
TRAIN = ["-m", "vae", "train", "--dataset", "olivetti", "--hidden", "20", "--batch-size", "60"]

# What each rank does in the test of the gradient: its share of a minibatch of 7 images.
RANK = """
import sys, torch
from vae.training.distributed import add_up, joined, rank, world_size
from vae.training.gradient import gradient_of
from tests.training.test_distributed import minibatch, model
from vae.training.loop import one_buffer
share = slice(rank(), None, world_size())
with joined(torch.device("cpu")):
    network = model()
    _, gradient = one_buffer(network)
    x, noise, seen = (part[share] for part in minibatch())
    compute = gradient_of(network, 7, len(x))
    for _ in range(2):
        terms = compute(x, noise, seen)
        add_up(gradient)
    add_up(terms)
    torch.save((gradient, terms), f"{sys.argv[1]}/{rank()}.pt")
"""

# A run from beginning to end, and what is alive in this process thereafter.
RUN = """
import sys
from pathlib import Path
from vae.__main__ import main
from vae.training.distributed import rank
out = Path(sys.argv[1])
main([*sys.argv[2:], "--out", str(out / "run")], standalone_mode=False)
threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
(out / str(rank())).write_text(" ".join(threads))
"""


def model() -> VAE:
    torch.manual_seed(0)
    return VAE((5, 4), 2, (6, 5))


def minibatch() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, noise, seen = (torch.rand(7, size, generator=generator) for size in (20, 2, 20))
    return [x, noise, seen]


def torchrun(ranks: int, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *TORCHRUN, f"--nproc-per-node={ranks}", *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_gradient_of_several_ranks_is_that_of_the_joined_batch(tmp_path):
    network = model()
    _, expected = one_buffer(network)
    terms = AutogradGradient(network, 7)(*minibatch())

    script = tmp_path / "rank.py"
    script.write_text(RANK)
    ranks = torchrun(2, script, tmp_path)
    assert ranks.wait(120) == 0, ranks.stderr.read()
    for place in range(2):
        found = torch.load(tmp_path / f"{place}.pt")
        torch.testing.assert_close(found, (expected, terms), rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are listed by Linux")
def test_no_thread_of_the_process_group_outlives_the_run(tmp_path):
    # One that does, and lets go of a tensor while the interpreter ends, aborts the process.
    script = tmp_path / "run.py"
    script.write_text(RUN)
    ranks = torchrun(2, script, tmp_path, *TRAIN[2:], "--steps", 5)
    _, problems = ranks.communicate(timeout=300)
    assert ranks.returncode == 0, problems
    for place in range(2):
        alive = (tmp_path / str(place)).read_text()
        assert "gloo" not in alive and "python" in alive


@pytest.fixture
def alone(tmp_path) -> dict:
    out = tmp_path / "alone"
    done = subprocess.run(
        [sys.executable, *TRAIN, "--steps", "50", "--out", out, "--json"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def test_ranks_learn_what_one_process_learns(tmp_path, alone):
    ranks = torchrun(2, *TRAIN, "--steps", 50, "--out", tmp_path / "shared", "--json")
    out, problems = ranks.communicate(timeout=180)
    assert ranks.returncode == 0, problems
    found = json.loads(out.splitlines()[-1])
    assert found["heldout_elbo"] == pytest.approx(alone["heldout_elbo"], abs=1)
    assert found["test_elbo"] == pytest.approx(alone["test_elbo"], abs=1)
    assert found["test"]["images"] == alone["test"]["images"] == 40
    one, two = (load_checkpoint(each["checkpoint"]).model for each in (alone, found))
    for ours, theirs in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)
    steps = [record["step"] for record in Run(tmp_path / "shared").metrics()]
    assert steps == sorted(set(steps))


def test_a_killed_rank_ends_the_run_with_a_sentence_and_it_can_be_resumed(tmp_path):
    run = tmp_path / "shared"
    ranks = torchrun(2, *TRAIN, "--steps", 1_000_000, "--out", run)
    deadline = time.monotonic() + 120
    while not (run / "optimizer.safetensors").exists():
        assert time.monotonic() < deadline
        assert ranks.poll() is None, ranks.stderr.read()
        time.sleep(0.2)
    first = Run(run).status().pid
    other = next(
        process
        for process in psutil.Process(ranks.pid).children(recursive=True)
        if process.pid != first and "train" in process.cmdline()
    )
    other.send_signal(signal.SIGKILL)
    ranks.wait(120)
    status = Run(run).status()
    assert status.state in ("failed", "stopped")
    if status.state == "failed":
        assert "Another process of the run ended" in status.error

    step = load_checkpoint(run / "checkpoint.safetensors").info["step"]
    done = subprocess.run(
        [sys.executable, *TRAIN[:3], "--resume", run, "--steps", str(step + 500), "--json"],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert json.loads(done.stdout)["steps"] == step + 500
