"""The recordings of the lesson: small, without images, and true of their models."""

import numpy as np
import pytest

from benchmarks.lesson_recordings import FOLDER, RECORDINGS, figures, read
from vae import datasets
from vae.latent.arrays import encode


def test_they_are_small_and_no_image_is_in_them():
    files = list(FOLDER.glob("*.safetensors"))
    assert {file.stem for file in files} == set(RECORDINGS)
    sizes = [file.stat().st_size for file in files]
    assert max(sizes) < 2_000_000
    assert sum(sizes) < 3_000_000
    for name in RECORDINGS:
        _, _, arrays = read(name)
        for array, values in arrays.items():
            part = array.split(".")[1]
            assert part in ("encoder", "decoder", "training", "heldout", "shown")
            if part not in ("encoder", "decoder"):
                # Means of the posterior: two latents, or all that the model has.
                assert values.shape[1] in (2, 8)


def test_what_the_film_tells_is_true_of_its_models(frey):
    said, models, arrays = read("film")
    training, heldout, _ = (
        np.asarray(part) for part in datasets.load("frey").splits(0.1, None, "random")
    )
    assert said["images"] == [len(training), len(heldout)]
    for place in (4, len(models) - 1):
        model, frame = models[place], said["frames"][place]
        for name, value in figures(model, heldout).items():
            assert frame["heldout"][name] == pytest.approx(value, abs=0.1)
        found = arrays[f"{place}.training"] * said["unit"]
        assert found == pytest.approx(encode(model, training).mean, abs=1e-3)
