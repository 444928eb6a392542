"""How threads wait, unless somebody wants otherwise."""

import os
import subprocess
import sys

import pytest

OWN = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OPENBLAS_THREAD_TIMEOUT")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({}, "10000 None"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None ACTIVE")],
)
def test_it_is_said_before_torch_comes_and_left_to_those_who_know_better(given, wanted):
    bare = {name: value for name, value in os.environ.items() if name not in OWN}
    code = (
        "import sys, vae, os; assert 'torch' not in sys.modules; "
        "print(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY'))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], env=bare | given, text=True)
    assert said.strip() == wanted
