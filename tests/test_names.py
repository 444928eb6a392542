"""One rule for all names."""

import io
from pathlib import Path

import pytest

from vae import runs
from vae.errors import VisageError
from vae.models import collection
from vae.names import checked_name, name_from
from vae.training.recipes import TrainingConfig

SHIPPED = collection.SHIPPED / "olivetti-2d.safetensors"


@pytest.mark.parametrize(
    ("typed", "name"),
    [("Old friends", "old-friends"), (" a_1 ", "a_1"), ("CAFÉ", "café"), ("顔 2", "顔-2")],
)
def test_a_name_is_taken_in_lower_case_without_spaces(typed, name):
    assert checked_name(typed) == name


@pytest.mark.parametrize(
    "typed",
    ["", " ", "**bold**", "$x$", "☃", "a/b", "../a", ".a", "-a", "_a", "a:b", "a.b"],
)
def test_what_breaks_the_rule_is_refused(typed):
    with pytest.raises(VisageError, match="use letters, digits, hyphens and underscores"):
        checked_name(typed)
    made = name_from(typed)
    assert checked_name(made) == made


def test_a_long_name_gets_a_short_sentence():
    with pytest.raises(VisageError, match="has 300 characters: a name has 60 at most") as refused:
        checked_name("x" * 300)
    assert len(str(refused.value)) < 100
    assert len(name_from("x" * 300)) == 60


def test_runs_models_and_sets_share_names_and_the_rule(runs_folder):
    config = TrainingConfig(dataset="olivetti")
    with SHIPPED.open("rb") as file:
        collection.keep(file, "mine")
        for name in ("mine", "olivetti-2d", "frey-2d"):
            with pytest.raises(VisageError, match="already"):
                collection.keep(file, name)
            with pytest.raises(VisageError, match="taken"):
                runs.create(config, runs_folder / name)
    run = runs.create(config, runs_folder / "faces")
    for name in ("mine", "olivetti-2d", "Frey 2d", "faces"):
        with pytest.raises(VisageError, match=r"already|taken"):
            run.rename(name)
    for name in ("**x**", "☃", "a/b"):
        with pytest.raises(VisageError, match="is no name"):
            run.rename(name)
        with pytest.raises(VisageError, match="is no name"):
            collection.keep(io.BytesIO(), name)
    for name in ("**x**", "my faces"):
        with pytest.raises(VisageError, match="is no name"):
            runs.create(config, runs_folder / name)
    assert [path.name for path in runs_folder.iterdir()] == ["faces"]


def test_a_run_is_named_after_a_file_of_any_name(tmp_path):
    import numpy as np

    path = tmp_path / ("**bold** $x$ " + "long" * 40 + ".npy")
    np.save(path, np.zeros((40, 6, 5), np.uint8))
    run = runs.create(TrainingConfig(dataset=str(path), batch_size=4))
    assert checked_name(run.name) == run.name
    assert Path(run.config.dataset) == path
