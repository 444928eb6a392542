"""Learn, as Streamlit runs it: which model it is told with, and what travels to the browser."""

import json
import shutil
import struct

import numpy as np
import pytest

from tests.pages.test_pages import sentences, shipped, visit  # noqa: F401
from ui import library
from ui.learn import lesson
from vae import VAE, datasets, save_checkpoint
from vae.latent.lesson import JOURNEYS, POINTS
from vae.models import collection
from vae.models.architecture import Architecture
from vae.models.conv import Conv
from vae.models.mlp import MLP


def choice(name: str) -> library.Choice:
    return library.models()[name]


def opened(packet: bytes) -> dict[str, bytes]:
    """The parts of what travels, by their names."""
    (length,) = struct.unpack_from("<I", packet)
    header = json.loads(packet[4 : 4 + length])
    parts, at = {}, 4 + length
    for name, size in header["parts"]:
        parts[name] = packet[at : at + size]
        at += size
    assert at == len(packet)
    return parts


def test_learn_is_second_in_the_navigation():
    from ui.navigation import PAGES

    assert [name for name, _, _ in PAGES][:2] == ["explore", "learn"]


def test_learn_opens_with_the_first_model_and_keeps_other_ones_for_other_pages():
    app = visit("learn")
    assert not sentences(app)
    assert app.title[0].value == "Learn"
    assert not any("told with" in caption.value for caption in app.caption)
    app = visit("learn", model="frey-10d")
    assert not sentences(app)
    assert any("told with **frey-2d**" in caption.value for caption in app.caption)
    assert app.session_state.model == "frey-10d"


def test_without_a_model_to_teach_with_there_is_a_sentence(shipped):  # noqa: F811
    shutil.copy(collection.SHIPPED / "frey-10d.safetensors", shipped)
    app = visit("learn")
    assert any("The lesson needs the model frey-2d" in text for text in sentences(app))


@pytest.mark.parametrize("other", [{"activation": "relu"}, {"kind": "conv"}])
def test_a_model_whose_slopes_the_browser_does_not_know_is_not_taught_with(shipped, other):  # noqa: F811
    shutil.copy(collection.SHIPPED / "frey-2d.safetensors", shipped)
    network = Conv() if "kind" in other else MLP((16,), **other)
    model = VAE.of(Architecture((28, 20), 2, network))
    save_checkpoint(shipped / "other.safetensors", model, {})
    assert not lesson.teachable(choice("other"))
    assert lesson.subject(choice("other")).name == "frey-2d"


def test_without_the_data_the_lesson_is_told_with_faces_that_the_model_makes():
    taught = lesson.subject(choice("frey-2d"))
    parts = opened(lesson.packed(taught.stored, taught.dataset))
    assert set(parts) == {"decoder", "encoder"}


def test_where_the_data_are_here_faces_come_along_that_were_not_trained_on(data_folder):
    taught = lesson.subject(choice("olivetti-2d"))
    assert taught.name == "olivetti-2d"
    parts = opened(lesson.packed(taught.stored, taught.dataset))
    data = datasets.load("olivetti")
    sent = np.frombuffer(parts["faces"], np.uint8).reshape(-1, *data.images.shape[1:])
    assert 1 < len(sent) <= lesson.DATA_FACES
    training = library.parts(library.load(taught.stored).card, data)["training"]
    known = {data.images[place].tobytes() for place in training}
    assert not any(image.tobytes() in known for image in sent)


@pytest.mark.parametrize("name", ["frey-2d", "olivetti-2d"])
def test_what_travels_is_light(name):
    assert len(lesson.packed(choice(name).stored, "")) < 3 * 2**20


def test_a_geodesic_is_no_longer_than_the_straight_line_between_the_same_faces():
    found = lesson.journeys(choice("frey-2d").stored)
    assert len(found) == JOURNEYS
    for ways in found:
        straight, geodesic = ways["straight"], ways["geodesic"]
        assert geodesic["length"] <= straight["length"]
        assert geodesic["points"][0] == pytest.approx(straight["points"][0], abs=1e-6)
        assert geodesic["points"][-1] == pytest.approx(straight["points"][-1], abs=1e-6)
        assert len(geodesic["points"]) == POINTS
