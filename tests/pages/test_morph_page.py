"""The Morph page: choosing faces, paths between them, named axes, and files to take away."""

import base64
import io
import json
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from ui import library, paths
from ui.library import Stored
from ui.morph import film, stops
from vae import VAE, save_checkpoint
from vae.models.vae import Gaussian

ROOT = Path(__file__).parents[2]

OLIVETTI = {"dataset": "olivetti", "split": {"how": "random", "holdout": 0.1, "seed": 0}}


def visit(
    folder: Path,
    latent_dim: int = 2,
    posterior: bool = True,
    broken: bool = False,
    page: str = "morph",
    link: str = "",
    **state,
) -> AppTest:
    """A page of a small model of Olivetti faces."""
    torch.manual_seed(latent_dim)
    model = VAE((28, 23), latent_dim, (16,)).requires_grad_(False)
    if broken:
        model.decoder.head.bias[0] = float("nan")
    mean = torch.randn(360, latent_dim)
    known = Gaussian(mean, torch.full_like(mean, -4.0)) if posterior else None
    save_checkpoint(folder / "small.safetensors", model, OLIVETTI, known)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in state.items():
        app.session_state[name] = value
    app.run().switch_page(f"pages/{page}.py")
    # A browser leaves the first page's behind.
    app.query_params.clear()
    for name, values in urllib.parse.parse_qs(link).items():
        app.query_params[name] = values
    return app.run()


def chosen(app: AppTest, latent_dim: int = 2) -> list[stops.Stop]:
    return app.session_state[f"stops_small_{latent_dim}"]


def button(app: AppTest, label: str):
    return next(button for button in app.button if button.label.startswith(label))


def films(app: AppTest) -> list[dict]:
    """What the player was given to play."""
    (player,) = app.get("bidi_component")
    return json.loads(player.proto.json)["films"]


def queried(app: AppTest) -> dict[str, str]:
    """What the address says beside the model."""
    texts = {
        name: text if isinstance(text, str) else text[0] for name, text in app.query_params.items()
    }
    texts.pop("model", None)
    return texts


def captions(app: AppTest) -> str:
    return "\n".join(caption.value for caption in app.caption)


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of ``checkpoints/``."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setattr(library, "SHIPPED", folder)
    return folder


@pytest.mark.parametrize("latent_dim", [1, 2, 3, 20])
@pytest.mark.parametrize("posterior", [True, False])
def test_three_paths_between_two_faces_with_nothing_to_configure(shipped, latent_dim, posterior):
    app = visit(shipped, latent_dim, posterior)
    assert not app.exception
    assert not app.error
    assert len(chosen(app, latent_dim)) == 2
    assert [film["name"] for film in films(app)] == ["Geodesic", "Straight", "Spherical"]
    assert all(film["lines"][0].startswith("length ") for film in films(app))
    assert ("samples of the prior stand in" in captions(app)) != posterior


def test_faces_are_added_up_to_six_and_taken_out_down_to_two(shipped):
    app = visit(shipped)
    for count in range(3, 7):
        button(app, "Random face").click().run()
        assert len(chosen(app)) == count
    assert button(app, "Random face").disabled
    for count in range(5, 1, -1):
        button(app, "1 · ").click().run()
        assert len(chosen(app)) == count
    assert button(app, "1 · ").disabled
    assert not app.exception


def test_two_identical_faces_are_no_journey(shipped):
    app = visit(shipped)
    both = chosen(app)
    both[1] = both[0]
    app.run()
    assert not app.exception
    assert all("length 0.00" in film["lines"] for film in films(app))


def test_pinned_faces_become_the_path(shipped):
    pins = [[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0]]
    memory = {"settled": {"model": "small", "pins": pins, "z": [0.0, 0.0], "z_version": 0}}
    app = visit(shipped, **{"explore-memory-2": memory})
    button(app, "Pinned faces · 3").click().run()
    assert not app.exception
    assert [list(stop.z) for stop in chosen(app)] == pins


def test_a_diverged_model_is_a_sentence(shipped):
    app = visit(shipped, broken=True)
    assert not app.exception
    assert "not all numbers" in app.error[0].value


def explored(app: AppTest) -> list[str]:
    """The names of the axes that have a slider on Explore."""
    return list(app.session_state["axes_small"])


def test_marked_faces_give_an_axis_with_a_film(shipped):
    app = visit(shipped, 5, morph_what="along a named axis")
    assert not app.exception
    assert "Mark faces" in app.info[0].value
    offered = [group for group in app.segmented_control if group.key.startswith("mark_")]
    offered[0].set_value("+")
    offered[1].set_value("−")
    app.run()
    assert not app.exception
    assert not app.info
    assert "**1** smiling, **1** not" in captions(app)
    app.slider(key="axis_amount").set_value(1.0).run()
    assert not app.exception
    # Explore has a slider for it, until it is not wanted there.
    assert explored(app) == ["smiling"]
    box = next(box for box in app.checkbox if box.label == "A slider on Explore")
    box.set_value(False).run()
    assert explored(app) == []
    # Marks stay with their own name.
    app.selectbox(key="axis_name").set_value("frowning").run()
    assert "**0** frowning" in captions(app)
    app.selectbox(key="axis_name").set_value("smiling").run()
    assert "**1** smiling" in captions(app)


def test_a_named_axis_needs_to_know_where_faces_lie(shipped):
    app = visit(shipped, posterior=False, morph_what="along a named axis")
    assert not app.exception
    assert "does not say where" in app.info[0].value


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
@pytest.mark.parametrize("posterior", [True, False])
def test_overlays_and_a_grid_of_equal_change_on_the_manifold(shipped, latent_dim, posterior):
    app = visit(shipped, latent_dim, posterior, page="manifold")
    overlay = next(box for box in app.selectbox if box.label == "Overlay")
    assert ("data against prior" in overlay.options) == posterior
    for name in overlay.options:
        overlay.set_value(name).run()
        assert not app.exception
    app.toggle(key="manifold_equal").set_value(True).run()
    assert not app.exception


def test_words_of_the_paper_explain_themselves_where_they_are_met(shipped):
    app = visit(shipped)
    told = "\n".join(caption.help or "" for caption in app.caption)
    for term in ("metric", "geodesic", "spherical", "magnification"):
        assert f"**{term}**: " in told
    app = visit(shipped, page="manifold")
    told = "\n".join(box.help or "" for box in [*app.selectbox, *app.select_slider])
    for term in ("magnification", "posterior mean", "aggregate posterior", "prior", "σ", "nats"):
        assert f"**{term}**: " in told


def test_the_sidebar_names_every_page_that_shows_a_data_set(shipped, monkeypatch):
    monkeypatch.setattr(library, "dataset_is_here", lambda name: False)
    app = visit(shipped)
    assert not app.exception
    (said,) = [caption.value for caption in app.sidebar.caption]
    assert all(page in said for page in ("Reconstruct", "Explore", "Morph"))


MANIFOLD = {
    "grid": "25",
    "reach": "0.01",
    "overlay": "density",
    "equal": "1",
    "gaps": "1",
    "axes": "3,1",
    "at": "2:-1.5",
}

MORPH = {
    "stops": "0.5,1,0;-1,0.125,2;0,0,1",
    "frames": "72",
    "steady": "1",
    "kind": "straight",
    "axes": "2,3",
}


def test_a_link_to_the_manifold_holds_its_settings(shipped):
    app = visit(shipped, 3, page="manifold", link=urllib.parse.urlencode(MANIFOLD))
    assert not app.exception
    assert not app.toast
    assert app.slider(key="manifold_count").value == 25
    assert app.select_slider(key="manifold_tail").value == 0.01
    assert app.selectbox(key="manifold_overlay_4").value == "data against prior"
    assert app.toggle(key="manifold_equal").value
    assert app.toggle(key="manifold_gap").value
    assert (app.selectbox(key="across_3").value, app.selectbox(key="upwards_3").value) == (2, 0)
    assert app.slider(key="manifold_z1").value == -1.5
    # What a person changes goes into the address, and what is as usual leaves it.
    assert queried(app) == MANIFOLD
    app.slider(key="manifold_count").set_value(12).run()
    app.toggle(key="manifold_equal").set_value(False).run()
    assert queried(app) == {name: MANIFOLD[name] for name in MANIFOLD if name != "equal"} | {
        "grid": "12"
    }


def test_a_link_to_morph_holds_its_stops_and_settings(shipped):
    app = visit(shipped, 3, link=urllib.parse.urlencode(MORPH))
    assert not app.exception
    assert not app.toast
    assert [stop.z for stop in chosen(app, 3)] == [(0.5, 1, 0), (-1, 0.125, 2), (0, 0, 1)]
    assert app.select_slider(key="morph_frames").value == 72
    assert app.toggle(key="morph_steady").value
    assert app.session_state["morph_take_away"] == "straight"
    assert (app.selectbox(key="across_3").value, app.selectbox(key="upwards_3").value) == (1, 2)
    assert queried(app) == MORPH
    button(app, "1 · link").click().run()
    assert queried(app)["stops"] == "-1,0.125,2;0,0,1"


def test_what_everybody_begins_with_is_not_in_the_address(shipped):
    app = visit(shipped)
    assert queried(app) == {}
    button(app, "Random face").click().run()
    assert list(queried(app)) == ["stops"]
    assert len(queried(app)["stops"].split(";")) == 3


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("manifold", "grid=9999&reach=x&overlay=*&equal=yes&axes=1,1&at=2:nan"),
        ("manifold", "grid=&axes=0,7&at=9:1"),
        ("manifold", "axes=a,b&at=1"),
        ("manifold", "axes=1,2,3&at=1:2:3"),
        ("morph", "stops=1,2&frames=7&steady=2&kind=bent&axes=&morph=faces&axes=3"),
        ("morph", "stops=nan,0,0;1,1,1"),
        ("morph", "stops=1e99,0,0;1,1,1"),
        ("morph", f"stops={';'.join(['0,0,0'] * 7)}"),
        ("morph", "stops=;;;&morph=<b>"),
    ],
)
def test_a_bad_link_is_a_sentence(shipped, page, link):
    app = visit(shipped, 3, page=page, link=link)
    assert not app.exception
    assert not app.error
    assert "so it was ignored" in app.toast[0].value


@pytest.mark.parametrize("latent_dim", [1, 2, 20])
def test_directions_of_change_on_the_pad(shipped, latent_dim):
    app = visit(shipped, latent_dim, page="explore")
    assert not app.exception
    path = shipped / "small.safetensors"
    arrows = paths.directions(Stored.of(path), np.zeros(latent_dim))
    assert [arrow.label for arrow in arrows] == ["most", "least"][: min(latent_dim, 2)]
    if latent_dim > 1:
        most, least = (np.array(arrow.vector) for arrow in arrows)
        assert most @ least == pytest.approx(0, abs=1e-5)
        assert np.linalg.norm(most) >= np.linalg.norm(least)


@pytest.mark.parametrize("frames", [24, 36, 120])
@pytest.mark.parametrize("shape", [(28, 20), (28, 23, 3)])
def test_the_players_picture_holds_every_frame_at_its_place(frames, shape, rng):
    faces = rng.integers(0, 255, (frames, *shape), dtype=np.uint8)
    shown = film.Film(faces, "of noise")
    columns = shown.columns
    content = base64.b64decode(shown.sheet.partition(",")[2])
    sheet = np.asarray(Image.open(io.BytesIO(content)))
    for number, face in enumerate(faces):
        top, left = shape[0] * (number // columns), shape[1] * (number % columns)
        np.testing.assert_array_equal(sheet[top : top + shape[0], left : left + shape[1]], face)


def test_adding_a_face_searches_no_known_leg_again(shipped, monkeypatch):
    app = visit(shipped)
    searched = []
    search = paths.paths.route

    def route(surface, ends, kind):
        searched.append(kind)
        return search(surface, ends, kind)

    monkeypatch.setattr(paths.paths, "route", route)
    button(app, "Random face").click().run()
    assert not app.exception
    assert sorted(searched) == ["geodesic", "spherical", "straight"]


@pytest.mark.parametrize("broken", [False, True])
def test_no_grey_box_is_left_standing(shipped, broken):
    app = visit(shipped, broken=broken)
    assert not [html for html in app.get("html") if 'class="visage-skeleton"' in html.proto.body]


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
def test_a_film_plays_there_and_back_for_ever(format, rng):
    faces = rng.integers(0, 255, (7, 6, 5), dtype=np.uint8)
    with Image.open(io.BytesIO(film._encoded(faces, format, 4))) as picture:
        assert picture.format == format
        assert picture.n_frames == 12
        assert picture.info["loop"] == 0
        assert picture.size == (20, 24)
        picture.seek(3)
        frame = np.asarray(picture.convert("L"))[2::4, 2::4]
    np.testing.assert_allclose(frame, faces[3], atol=1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_an_axis_of_a_label_takes_one_press(shipped):
    app = visit(shipped, morph_what="along a named axis")
    assert any("Mark faces" in box.value for box in app.info)
    next(group for group in app.button_group if group.key == "axis_of_olivetti").select(
        "person"
    ).run()
    assert not app.exception and not app.error and not app.info
    assert "correlates with the label at" in captions(app)
    assert "not what causes it" in captions(app)
    kind = app.selectbox(key="axis_kind_olivetti_0")
    assert len(kind.options) == 40
    assert app.slider(key="axis_amount").label.startswith("Less or more person ")
