"""Every page, as Streamlit runs it: with data and without, with good models and bad ones."""

import importlib
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from ui import library
from ui.library import Stored
from ui.manifold import traversals
from vae import VAE, datasets, save_checkpoint
from vae.errors import VisageError
from vae.models.architecture import Architecture
from vae.models.mlp import MLP
from vae.models.vae import Gaussian

ROOT = Path(__file__).parents[2]
PAGES = ("explore", "manifold", "reconstruct")


def save_model(
    path: Path,
    latent_dim: int = 2,
    image_shape: tuple = (28, 23),
    posterior: bool = True,
    seed: int = 0,
    **info,
) -> None:
    torch.manual_seed(seed)
    model = VAE(image_shape, latent_dim, (16,))
    means = torch.randn(360, latent_dim)
    save_checkpoint(
        path, model, info, Gaussian(means, torch.zeros_like(means)) if posterior else None
    )


OLIVETTI = {
    "dataset": "olivetti",
    "split": {"how": "random", "holdout": 0.1, "seed": 0},
    "heldout": {"elbo": 512.3},
    "trained_at": "2026-11-23T01:00:00+00:00",
}


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of ``checkpoints/``."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setattr(library, "SHIPPED", folder)
    return folder


def visit(page: str = "explore", **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    if page != "explore":
        app.switch_page(f"pages/{page}.py").run()
    return app


def explanation(app: AppTest) -> Block:
    """What opens beside the title."""
    opened = app.get("popover")[0]
    assert opened.proto.popover.label == "What am I looking at?"
    return opened


def sentences(app: AppTest) -> list[str]:
    """All that the page says in errors, warnings and notes; a traceback fails the test."""
    assert not app.exception, app.exception[0].message
    return [box.value for box in (*app.error, *app.warning, *app.info, *app.toast)]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_an_explanation(page, data_folder):
    app = visit(page)
    assert sentences(app) == [] or page == "reconstruct"
    assert app.title[0].value == page.title()
    assert explanation(app).latex


@pytest.mark.parametrize("name", [path.stem for path in library.SHIPPED.glob("*.safetensors")])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_every_model_that_ships(page, name, frey):
    app = visit(page, model=name)
    # Its data set may have to be drawn first, which takes a minute.
    missing = page == "reconstruct" and not library.dataset_is_here(name.split("-")[0])
    assert ["is not on this machine" in said for said in sentences(app)] == [True] * missing
    assert app.selectbox(key="model").value == name


# What takes a page its time: networks, geometry, charts and pictures.
COSTLY = (
    "vae.latent.decode",
    "vae.latent.draw",
    "vae.latent.encode",
    "vae.latent.evaluate",
    "vae.latent.reconstruct",
    "vae.latent.metric.image_change",
    "vae.images.png",
    "ui.paths.principal_directions",
    "ui.charts.manifold",
    "ui.charts.posteriors",
    "ui.charts.step_changes",
    "ui.charts.stretch",
    "ui.latent_pad.portable",
    "vae.images.side_by_side",
    "vae.images.tile",
)


@pytest.mark.parametrize("page", [*PAGES, "morph", "data"])
def test_what_was_made_for_one_visitor_is_made_no_more(page, shipped, monkeypatch):
    save_model(shipped / "model.safetensors", **OLIVETTI)
    app = visit(page)
    app.run()
    made = []
    for name in COSTLY:
        monkeypatch.setattr(name, noted(name, made))
    app.run()
    assert sentences(app) == []
    assert sentences(visit(page)) == []
    assert made == []
    # It is these that a page is made by.
    if page != "data":
        save_model(shipped / "model.safetensors", seed=1, **OLIVETTI)
        app.run()
        assert made


def noted(name: str, made: list[str]) -> Callable[..., object]:
    """A function that notes each time it is called."""
    module, _, function = name.rpartition(".")
    original = getattr(importlib.import_module(module), function)

    def noting(*args: object, **kwargs: object) -> object:
        made.append(name)
        return original(*args, **kwargs)

    return noting


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("latent_dim", [1, 2, 10])
def test_any_number_of_latents(page, latent_dim, shipped):
    save_model(shipped / "model.safetensors", latent_dim, **OLIVETTI)
    assert sentences(visit(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_checkpoint_that_says_nothing_of_itself(page, shipped):
    save_model(shipped / "model.safetensors", posterior=False)
    said = sentences(visit(page))
    assert len(said) == (page == "reconstruct")


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_checkpoint_gets_one_sentence(page, shipped):
    (shipped / "broken.safetensors").write_bytes(b"not a model")
    app = visit(page)
    assert len(sentences(app)) == 1
    assert "whole safetensors file" in app.error[0].value


def test_a_damaged_default_gives_way_to_another_model(shipped):
    (shipped / f"{library.DEFAULT}.safetensors").write_bytes(b"")
    save_model(shipped / "other.safetensors", **OLIVETTI)
    app = visit()
    assert sentences(app) == []
    assert app.selectbox(key="model").value == "other"
    app.selectbox(key="model").select(library.DEFAULT).run()
    assert len(sentences(app)) == 1


def test_no_model_at_all_is_said(shipped):
    assert "There is no model" in sentences(visit())[0]


def test_the_picker_says_what_a_model_is(shipped):
    save_model(shipped / "model.safetensors", **OLIVETTI)
    caption = visit().sidebar.caption[0].value
    for part in ("2 latents of olivetti", "512 nats", "23 November 2026"):
        assert part in caption


def test_the_chosen_model_stays_when_the_page_changes(shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI)
    save_model(shipped / "b.safetensors", 3, **OLIVETTI)
    app = visit()
    app.selectbox(key="model").select("b").run()
    assert app.query_params["model"] == "b"
    for page in PAGES:
        app.switch_page(f"pages/{page}.py").run()
        assert app.selectbox(key="model").value == "b"
        assert app.query_params["model"] == "b"


def test_a_link_chooses_the_model_and_the_point(shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI)
    save_model(shipped / "b.safetensors", **OLIVETTI)
    app = visit(model="b", z="0.5,-1.25")
    assert sentences(app) == []
    assert app.selectbox(key="model").value == "b"
    assert app.query_params["z"] == "0.5,-1.25"
    np.testing.assert_array_equal(app.session_state["start"].z, [0.5, -1.25])


@pytest.mark.parametrize(
    "query",
    [
        {"model": "none"},
        {"z": "1"},
        {"z": "a,b"},
        {"z": "nan,0"},
        {"z": "1e9,0"},
        {"z": ""},
        {"pins": "1,2;x"},
        {"pins": "1,2,3"},
        {"axes": "1"},
        {"axes": "1,1"},
        {"axes": "1,3"},
        {"axes": "data"},
    ],
)
def test_a_bad_link_is_ignored_with_one_sentence(query, shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI)
    app = visit(**query)
    assert len(sentences(app)) == 1
    assert app.selectbox(key="model").value == "a"
    assert app.query_params["z"] == "0,0"
    assert sentences(app.run()) == []


def test_a_link_brings_pins_and_axes(shipped):
    save_model(shipped / "a.safetensors", 3, **OLIVETTI)
    link = {"z": "0.5,-23.25,0", "pins": "1,2,3;-1,0,0.5", "axes": "3,1"}
    app = visit(**link)
    assert sentences(app) == []
    assert dict(app.query_params) == {"model": "a"} | link
    # What the visitor's other pages see of them.
    memory = app.session_state["explore-memory-3"]
    assert memory["start"]["pins"] == [[1, 2, 3], [-1, 0, 0.5]]
    assert memory["start"]["axes"] == [2, 0]
    assert sentences(app.run()) == []
    assert dict(app.query_params) == {"model": "a"} | link
    app.query_params["pins"] = "0,0,1"
    app.query_params["axes"] = "data"
    app.run()
    assert app.session_state["explore-memory-3"]["start"]["pins"] == [[0, 0, 1]]
    assert app.session_state["explore-memory-3"]["start"]["axes"] == [-1, -2]
    assert app.query_params["axes"] == "data" and sentences(app) == []
    assert app.query_params["z"] == link["z"]


def test_figures_explain_themselves_where_they_are_met(shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI)
    (density,) = (text for text in visit().markdown if "log p(z)" in text.value)
    assert "log-density of the prior" in density.help and "nats" in density.help
    cards = [text for text in visit("reconstruct").main.caption if "ELBO" in text.value]
    assert cards
    for card in cards:
        assert all(word in card.help for word in ("ELBO", "KL divergence", "nats"))


def test_explore_shows_the_nearest_training_faces(shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI)
    app = visit(z="0.5,0.5")
    (shown,) = app.get("image")
    alts = [image.alt for image in shown.proto.imgs]
    assert len(alts) == 6 and all(
        re.fullmatch(r"Face \d+ and its reconstruction", alt) for alt in alts
    )
    assert any("log p(z) = −2.09 nats" in text.value for text in app.markdown)


def test_what_a_visitor_has_not_asked_for_costs_nothing(shipped):
    """A mounted component is the most that a rerun costs: the weights, the pad and its arrows."""
    save_model(shipped / "a.safetensors", **OLIVETTI)
    app = visit()
    assert len(app.get("bidi_component")) == 3
    app.selectbox(key="tint_olivetti").set_value("person").run()
    assert len(app.get("bidi_component")) == 4
    app.selectbox(key="tint_olivetti").set_value("nothing").run()
    assert len(app.get("bidi_component")) == 3


def test_explore_without_the_data_says_how_to_see_more(shipped):
    save_model(shipped / "a.safetensors", image_shape=(28, 20), dataset="frey")
    app = visit()
    assert not app.get("image")
    assert "Reconstruct" in app.main.caption[-1].value
    assert "not on this machine" in app.sidebar.caption[0].value


@pytest.mark.parametrize("count", [10, 40])
def test_manifold_draws_grids_of_any_size(count):
    app = visit("manifold")
    app.slider(key="manifold_count").set_value(count).run()
    app.toggle(key="manifold_gap").set_value(True).run()
    assert sentences(app) == []
    assert app.get("plotly_chart")


def test_manifold_of_many_latents_lets_two_be_chosen(shipped):
    save_model(shipped / "a.safetensors", 5, **OLIVETTI)
    app = visit("manifold")
    app.selectbox(key="across_5").select(3).run()
    assert 3 not in app.selectbox(key="upwards_5").options
    app.slider(key="manifold_z4").set_value(1.5).run()
    assert sentences(app) == []


@pytest.mark.parametrize("order", ["random", "best", "worst"])
@pytest.mark.parametrize("part", ["held-out", "training"])
def test_reconstruct_shows_faces_with_their_figures(part, order, shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI)
    app = visit("reconstruct")
    app.segmented_control(key="reconstruct_part").set_value(part).run()
    app.segmented_control(key="reconstruct_order").set_value(order).run()
    assert sentences(app) == []
    assert len(app.get("image")) == 8
    figures = [caption.value for caption in app.main.caption if "ELBO" in caption.value]
    assert len(figures) == 8
    assert all("log-likelihood" in text and "KL" in text for text in figures)
    for text in figures:
        bounds = re.search(
            r" ELBO \*\*(−?[\d,]+).*refined ELBO (−?[\d,]+) · log p\(x\) = (−?[\d,]+)", text, re.S
        )
        elbo, refined, log_px = (
            float(b.replace(",", "").replace("−", "-")) for b in bounds.groups()
        )
        assert elbo <= refined <= log_px


def test_reconstruct_names_a_likelihood_that_is_not_the_gaussian(shipped):
    torch.manual_seed(0)
    model = VAE.of(Architecture((28, 23), 2, MLP((8,)), "student"))
    save_checkpoint(shipped / "s.safetensors", model, OLIVETTI)
    app = visit("reconstruct", model="s")
    assert sentences(app) == []
    figures = [caption for caption in app.main.caption if "refined ELBO" in caption.value]
    assert len(figures) == 8
    assert all("ELBO (student) **" in caption.value for caption in figures)
    assert all("**likelihood**: what noise" in caption.help for caption in figures)


def test_reconstruct_tells_the_elbo_before_log_px_is_known(shipped, monkeypatch):
    from ui import posteriors
    from ui.reconstruct import judged

    save_model(shipped / "a.safetensors", **OLIVETTI)
    told = []
    tell, judge, plane = DeltaGenerator.caption, judged.judge, posteriors.chart
    monkeypatch.setattr(
        DeltaGenerator,
        "caption",
        lambda self, text, **rest: told.append(text) or tell(self, text, **rest),
    )
    monkeypatch.setattr(posteriors, "chart", lambda *given: told.append("plane") or plane(*given))
    drawn = []
    monkeypatch.setattr(judged, "judge", lambda *given: drawn.extend(told) or judge(*given))
    judged.evidence.clear()
    visit("reconstruct", model="a")
    at_once = [text for text in drawn if "KL" in text and "log p(x) = …" in text]
    assert len(at_once) == 8 and all("ELBO **" in text for text in at_once)
    assert "plane" in drawn
    assert len([text for text in told if "log p(x) = " in text and "…" not in text]) == 8


def test_where_there_is_a_test_set_its_figure_is_the_model_s(shipped):
    tested = {"elbo": 498.7, "elbo_error": 17.2, "images": 40}
    split = OLIVETTI["split"] | {"test": 0.1}
    save_model(shipped / "old.safetensors", **OLIVETTI)
    save_model(shipped / "tested.safetensors", **OLIVETTI | {"test": tested, "split": split})
    app = visit("reconstruct", model="tested")
    said = app.sidebar.caption[0]
    assert "Test ELBO 499 ± 17 nats" in said.value and "512" not in said.value
    assert "nothing sees before training is over" in said.help
    control = app.segmented_control(key="reconstruct_part")
    assert control.options == ["test · 40", "validation · 40", "training · 320"]
    for part in ("validation", "test"):
        app.segmented_control(key="reconstruct_part").set_value(part).run()
        assert sentences(app) == [] and len(app.get("image")) == 8
    app.selectbox(key="model").select("old").run()
    assert sentences(app) == [] and len(app.get("image")) == 8
    said = app.sidebar.caption[0].value
    assert "Held-out ELBO 512 nats" in said and "Held-out images also chose the step" in said


def test_best_faces_have_a_higher_elbo_than_worst(shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI)
    app = visit("reconstruct")
    elbo = {}
    for order in ("best", "worst"):
        app.segmented_control(key="reconstruct_order").set_value(order).run()
        texts = [caption.value for caption in app.main.caption if "ELBO **" in caption.value]
        numbers = [text.split("ELBO **")[1].split("**")[0] for text in texts]
        elbo[order] = [float(text.replace("−", "-").replace(",", "")) for text in numbers]
    assert min(elbo["best"]) > max(elbo["worst"])
    # The noise that a few faces are judged with is not that of the whole set: almost in order.
    assert np.argmin(elbo["worst"]) < 4


def test_draw_others_draws_others(shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI)
    app = visit("reconstruct")
    before = [caption.value for caption in app.main.caption]
    next(button for button in app.main.button if button.label == "Draw others").click().run()
    assert [caption.value for caption in app.main.caption] != before


def test_reconstruct_without_the_data_says_how_to_get_it(shipped):
    save_model(shipped / "a.safetensors", image_shape=(28, 20), dataset="frey")
    save_model(shipped / "b.safetensors", **OLIVETTI)
    app = visit("reconstruct")
    assert "not on this machine" in sentences(app)[0]
    labels = [button.label for button in app.main.button]
    assert labels == ["Download Frey Face", "b"]
    app.main.button[-1].click().run()
    assert sentences(app) == []
    assert app.selectbox(key="model").value == "b"


def test_a_failed_download_is_a_sentence(shipped, monkeypatch):
    def unreachable(name, progress):
        progress(0.5)
        raise VisageError("The download of frey failed.")

    monkeypatch.setattr(datasets, "download", unreachable)
    save_model(shipped / "a.safetensors", image_shape=(28, 20), dataset="frey")
    app = visit("reconstruct")
    app.main.button[0].click().run()
    assert "The download of frey failed." in sentences(app)


def test_a_public_deployment_takes_nothing(shipped, monkeypatch):
    monkeypatch.setenv("VISAGE_READ_ONLY", "1")
    save_model(shipped / "a.safetensors", image_shape=(28, 20), dataset="frey")
    app = visit("reconstruct")
    assert not app.main.button and not app.get("file_uploader")
    assert any("public deployment" in caption.value for caption in app.main.caption)


def test_uploaded_frey_is_kept_and_shown(shipped, frey, tmp_path, monkeypatch):
    content = (frey / "frey_rawface.mat").read_bytes()
    monkeypatch.setenv("VISAGE_DATA", str(tmp_path / "elsewhere"))
    save_model(shipped / "a.safetensors", image_shape=(28, 20), dataset="frey")
    app = visit("reconstruct")
    app.file_uploader[0].upload("frey_rawface.mat", b"something else").run()
    assert "damaged or another file" in app.error[0].value
    app.file_uploader[0].upload("frey_rawface.mat", content).run()
    assert sentences(app) == []
    assert len(app.get("image")) == 8


@pytest.mark.parametrize("page", PAGES)
def test_data_other_than_the_model_was_trained_on_is_said(page, shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI, dataset_sha256="0" * 64)
    said = sentences(visit(page))
    assert len(said) == (page == "reconstruct")
    assert all("not the one this model was trained on" in text for text in said)


def test_data_of_another_size_is_said(shipped):
    save_model(shipped / "a.safetensors", image_shape=(10, 10), **OLIVETTI)
    app = visit("reconstruct")
    assert "differ in size: 28×23 and 10×10" in sentences(app)[0]
    assert not app.get("image")


def test_a_split_that_cannot_have_been_made_is_unknown(shipped):
    info = OLIVETTI | {"split": {"how": "astrology", "holdout": 0.1, "seed": 0}}
    save_model(shipped / "a.safetensors", **info)
    assert sentences(visit()) == []
    app = visit("reconstruct")
    assert sentences(app) == []
    assert app.segmented_control(key="reconstruct_part").options == ["all · 400"]


def test_what_a_file_says_of_itself_is_not_markdown(shipped):
    save_model(shipped / "a.safetensors", **OLIVETTI | {"dataset": "![x](http://example.com)"})
    assert "!\\[x\\]" in visit("reconstruct").info[0].value


def test_a_new_version_of_a_file_is_read_anew(shipped):
    path = shipped / "a.safetensors"
    save_model(path, 2, **OLIVETTI)
    app = visit()
    save_model(shipped / "b.safetensors", 3, **OLIVETTI)
    shutil.move(shipped / "b.safetensors", path)
    app.run()
    assert sentences(app) == []
    assert "3 latents" in app.sidebar.caption[0].value


def test_the_label_that_colours_points_is_the_same_on_every_page(shipped):
    save_model(shipped / "model.safetensors", **OLIVETTI)
    app = visit("reconstruct")
    app.selectbox(key="tint_olivetti").select("person").run()
    assert sentences(app) == []
    for page in ("reconstruct", "morph", "manifold"):
        # AppTest brings what a session persists with the second run only.
        app.switch_page(f"pages/{page}.py").run()
        app.run()
        if page == "manifold":
            app.selectbox(key="manifold_overlay_4").select("posterior means").run()
        assert sentences(app) == []
        assert app.selectbox(key="tint_olivetti").value == "person"
        drawn = [chart.proto.spec for chart in app.get("plotly_chart")]
        assert sum('"person: ' in spec for spec in drawn) == 1, page


@pytest.mark.parametrize("image_shape", [(28, 23), (16, 12, 3)])
def test_traversals_have_a_row_a_latent_those_that_tell_most_first(image_shape, shipped):
    torch.manual_seed(0)
    # The third latent tells most, the second nothing.
    means = torch.randn(360, 3) * torch.tensor([1.0, 0.0, 3.0])
    log_var = torch.tensor([-1.0, 0.0, -4.0]).expand(360, 3).clone()
    model = VAE(image_shape, 3, (16,))
    save_checkpoint(shipped / "model.safetensors", model, {}, Gaussian(means, log_var))
    app = visit("manifold", view="latents")
    app.query_params["view"] = "latents"
    app.run()
    assert sentences(app) == []
    (chart,) = app.get("plotly_chart")
    rows = json.loads(chart.proto.spec)["layout"]["yaxis"]["ticktext"]
    assert [row.split(" · ")[0] for row in rows] == ["z₃", "z₁", "z₂"]
    assert rows[2].endswith(" 0.0")
    drawn = traversals._drawn(Stored.of(shipped / "model.safetensors"), 9, np.zeros(3))
    assert drawn.faces.shape == (3, 9, *image_shape)
    moving = Image.open(
        io.BytesIO(
            traversals._film(Stored.of(shipped / "model.safetensors"), drawn.latents, np.zeros(3))
        )
    )
    assert moving.format == "GIF" and moving.n_frames == 2 * traversals.FRAMES - 2
    assert [box.label for box in app.get("download_button")] == ["PNG", "GIF"]
    app.segmented_control(key="traversal_start").set_value("a training face").run()
    before = app.get("plotly_chart")[0].proto.spec
    next(box for box in app.button if box.label == "Another face").click().run()
    assert sentences(app) == [] and app.get("plotly_chart")[0].proto.spec != before
