"""How threads wait: by what else runs, unless somebody wants otherwise."""

import os
import subprocess
import sys

import pytest

from vae import threads

OWN = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OPENBLAS_THREAD_TIMEOUT")


@pytest.mark.parametrize(
    ("running", "count", "cores", "crowded"),
    [
        (1, 2, 2, False),
        (2, 2, 2, True),
        (2, 1, 2, False),
        (3, 1, 2, True),
        (5, 4, 8, False),
        (6, 4, 8, True),
        (None, 2, 2, False),
    ],
)
def test_threads_sleep_where_there_is_no_core_for_each(running, count, cores, crowded):
    assert threads.is_crowded(lambda: running, count, cores) == crowded


def test_a_moment_s_work_of_others_is_no_crowd():
    counts = iter([4, 4, *[1] * threads.SAMPLES])
    assert not threads.is_crowded(lambda: next(counts), 2, 2)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({}, "10000 None"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None ACTIVE")],
)
def test_it_is_said_before_torch_comes_and_left_to_those_who_know_better(given, wanted):
    bare = {name: value for name, value in os.environ.items() if name not in OWN}
    code = (
        "import sys, vae, os; assert 'torch' not in sys.modules; "
        "print(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY')); "
        "print(len(set(vae.threads.inherited()) & {'GOMP_SPINCOUNT', 'OPENBLAS_THREAD_TIMEOUT'}))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], env=bare | given, text=True)
    assert said.split("\n")[:2] == [wanted, "0"]
