"""How threads wait, unless somebody wants otherwise; and who needs none."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from vae import threads
from vae.latent.evidence import judge
from vae.latent.paths import geodesic
from vae.latent.refine import refine
from vae.latent.surface import DecoderSurface
from vae.models.vae import VAE

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


def posteriors(search, seen):
    model = VAE((6, 5), 2, (8,)).eval()
    model.decoder.register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    search(model, np.random.default_rng(0).random((2, 30), dtype=np.float32))


def a_path(search, seen):
    surface = DecoderSurface(VAE((6, 5), 2, (8,)))
    embed = surface.embed

    def watched(z):
        seen.add(torch.get_num_threads())
        return embed(z)

    surface.embed = watched
    search(surface, np.zeros(2), np.ones(2))


@pytest.mark.parametrize(
    ("asked", "search"), [(posteriors, judge), (posteriors, refine), (a_path, geodesic)]
)
def test_who_searches_takes_one_thread_and_gives_the_others_back(asked, search):
    seen = set()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        asked(search, seen)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == {1}


@pytest.mark.parametrize(
    ("vendor", "flags", "order"),
    [
        ("GenuineIntel", "fpu avx avx2 avx512f amx_tile", "AVX512,STRICT"),
        ("GenuineIntel", "fpu avx avx2", "AVX2,STRICT"),
        ("GenuineIntel", "fpu avx", ""),
        ("AuthenticAMD", "fpu avx avx2 avx512f", ""),
    ],
)
def test_intel_s_library_adds_up_in_one_order_where_it_can(vendor, flags, order):
    assert threads._same_sums(f"vendor_id\t: {vendor}\nflags\t\t: {flags}\n") == order
