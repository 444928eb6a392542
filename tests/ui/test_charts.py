"""The charts: what they draw is what they were given, at its place."""

import base64
import io
import itertools
import tomllib
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from ui import charts
from ui.tint import OTHERS, Tint, tint
from vae.datasets.labels import categorical, continuous
from vae.images import tile
from vae.latent.arrays import manifold_grid

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)


def test_what_is_sent_of_a_chart_is_made_once_and_is_what_plotly_makes():
    figure = charts.step_changes({"geodesic": RNG.random(24), "straight": RNG.random(24)})
    assert figure.to_dict() is figure.to_dict()
    assert figure.to_dict() == go.Figure(figure).to_dict()


@pytest.mark.parametrize(("latent_dim", "axes"), [(2, (0, 1)), (10, (7, 3))])
def test_posteriors_stand_at_their_means_with_their_deviations(latent_dim, axes):
    means, z_mean = RNG.normal(size=(50, latent_dim)), RNG.normal(size=(4, latent_dim))
    z_std = RNG.uniform(0.1, 1, size=(4, latent_dim))
    cloud, faces = charts.posteriors(means, z_mean, z_std, list("abcd"), axes).data
    np.testing.assert_array_equal(cloud.x, means[:, axes[0]])
    np.testing.assert_array_equal(cloud.y, means[:, axes[1]])
    np.testing.assert_array_equal(faces.x, z_mean[:, axes[0]])
    np.testing.assert_array_equal(faces.y, z_mean[:, axes[1]])
    np.testing.assert_array_equal(faces.error_x.array, z_std[:, axes[0]])
    np.testing.assert_array_equal(faces.error_y.array, z_std[:, axes[1]])
    assert list(faces.text) == list("abcd")


def test_one_latent_is_drawn_as_a_histogram():
    means = RNG.normal(size=(50, 1))
    figure = charts.posteriors(means, means[:3], np.ones((3, 1)), list("abc"), (0, 0))
    histogram, faces = figure.data
    assert histogram.type == "histogram"
    np.testing.assert_array_equal(faces.x, means[:3, 0])


def test_posteriors_need_no_training_set():
    figure = charts.posteriors(np.zeros((0, 2)), np.zeros((1, 2)), np.ones((1, 2)), ["a"])
    assert len(figure.data[0].x) == 0


def test_a_large_cloud_is_thinned_evenly():
    means = np.arange(50_000.0)[:, None].repeat(2, axis=1)
    cloud = charts.posteriors(means, means[:1], means[:1], ["a"]).data[0]
    assert len(cloud.x) == charts.MOST_POINTS
    assert (cloud.x[0], cloud.x[-1]) == (0, 49_999)


def test_paths_and_stops_lie_over_the_cloud_and_under_the_clicks():
    means, stops = RNG.normal(size=(400, 2)), RNG.normal(size=(2, 2))
    side = np.linspace(-3, 3, 20)
    figure = charts.stretch(
        np.zeros((20, 20)), side, side, means, stops, {"geodesic": stops, "straight": stops}
    )
    # Plotly paints WebGL over SVG, and what is of one kind in the order of the traces.
    over = [trace for trace in figure.data if trace.type != "heatmap"]
    assert {trace.type for trace in over} == {"scattergl"}
    cloud, *paths, faces, clicks = over
    assert len(cloud.x) == len(means)
    assert [path.name for path in paths] == ["geodesic", "straight"]
    assert list(faces.text) == ["1", "2"]
    assert clicks.marker.opacity == 0


@pytest.mark.parametrize("colour", [(), (3,)])
def test_manifold_shows_the_very_pixels(colour):
    faces = RNG.integers(0, 256, size=(10, 10, 5, 4, *colour), dtype=np.uint8)
    picture = charts.manifold(tile(faces), manifold_grid(10)).data[0]
    shown = Image.open(io.BytesIO(base64.b64decode(picture.source.partition(",")[2])))
    np.testing.assert_array_equal(np.asarray(shown), tile(faces))


def test_hovering_over_a_face_tells_its_z():
    z = manifold_grid(12, latent_dim=5, axes=(4, 1))
    faces = np.zeros((12, 12, 5, 4), dtype=np.uint8)
    figure = charts.manifold(tile(faces), z, axes=(4, 1))
    cells = figure.data[1]
    np.testing.assert_array_equal(cells.customdata, z[..., [4, 1]])
    assert "z₅" in cells.hovertemplate and "z₂" in cells.hovertemplate
    # The middle of the first and the last cell, in the picture's pixels, which are centred on
    # whole numbers.
    assert (cells.x0, cells.y0) == (1.5, 2)
    assert (cells.x0 + 11 * cells.dx, cells.y0 + 11 * cells.dy) == (45.5, 57)


def test_the_axes_of_a_manifold_tell_z_where_it_is():
    z = manifold_grid(21)
    figure = charts.manifold(np.zeros((21 * 5, 21 * 4), dtype=np.uint8), z)
    across = figure.layout.xaxis
    middle = list(across.ticktext).index("0.0")
    assert across.tickvals[middle] == (21 * 4 - 1) / 2
    assert across.ticktext[0] == "−2.3"
    assert figure.layout.yaxis.ticktext[0] == "2.3"
    assert figure.layout.yaxis.scaleanchor == "x"


def test_no_figure_brings_a_background_of_its_own():
    for figure in (
        charts.manifold(np.zeros((50, 40), dtype=np.uint8), manifold_grid(10)),
        charts.posteriors(np.zeros((3, 2)), np.zeros((1, 2)), np.ones((1, 2)), ["a"]),
    ):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"


# What people see who lack the receptors for green, or for red: Machado, Oliveira & Fernandes,
# A Physiologically-based Model for Simulation of Color Vision Deficiency (2009), linear RGB.
DEUTERANOPIA = [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
]
PROTANOPIA = [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
]
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def as_seen(colour: str, eyes: np.ndarray) -> np.ndarray:
    """A colour in CIELAB, where distances are differences that people see."""
    rgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.array(TO_XYZ) @ np.clip(eyes @ linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("eyes", [np.eye(3), np.array(DEUTERANOPIA), np.array(PROTANOPIA)])
def test_five_compared_runs_are_told_apart_by_everybody(theme, eyes):
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    colours = config["theme"][theme]["chartCategoricalColors"][:5]
    seen = [as_seen(colour, eyes) for colour in colours]
    differences = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    # Two olives that were taken for one differed by 3.
    assert min(differences) > 20
    line = np.array([1.0, 10.0]), np.array([0.0, 1.0])
    figure = charts.compared_curves({f"run {place}": line for place in range(5)}, "ELBO")
    assert len({trace.line.dash for trace in figure.data}) == 5
    # No title that a legend could touch, and each run's name in it.
    assert not figure.layout.title.text and figure.layout.yaxis.title.text == "ELBO"
    assert figure.layout.legend.yanchor == "top" and figure.layout.legend.y < 0


def test_names_of_runs_are_drawn_as_they_stand():
    line = np.array([1.0, 10.0]), np.array([0.0, 1.0])
    figure = charts.compared_curves({"<b>$x$": line}, "ELBO")
    assert figure.data[0].name == "&lt;b>&#36;x&#36;"


NASTY = "<a href='javascript:b'>$x$</a>&amp;%{x}"


def coloured(kind: str, tinted: Tint) -> go.Figure:
    """A chart of 30 posterior means, coloured."""
    means, stops = RNG.normal(size=(30, 2)), RNG.normal(size=(2, 2))
    if kind == "posteriors":
        return charts.posteriors(means, stops, np.ones((2, 2)), list("ab"), (0, 1), tinted)
    if kind == "stretch":
        side = np.linspace(-3, 3, 20)
        paths = {"geodesic": stops, "straight": stops}
        return charts.stretch(np.zeros((20, 20)), side, side, means, stops, paths, (0, 1), tinted)
    figure = charts.manifold(np.zeros((50, 40), dtype=np.uint8), manifold_grid(10))
    return charts.manifold_points(figure, RNG.uniform(0, 9, size=(30, 2)), (5, 4), tinted)


@pytest.mark.parametrize("kind", ["posteriors", "stretch", "manifold"])
def test_points_take_the_colours_of_a_label_and_their_names_are_text(kind):
    codes = np.array([0, 1, -1] * 10)
    tinted = tint(categorical(NASTY, codes, [NASTY, "b" * 200]), np.arange(30))
    figure = coloured(kind, tinted)
    clouds = [trace for trace in figure.data if trace.type == "scattergl"]
    entries = [trace for trace in clouds if trace.showlegend]
    assert [trace.marker.color for trace in entries] == [colour for _, colour in tinted.legend]
    assert [len(trace.x) for trace in entries] == [10, 10]
    first, long = entries
    escaped = "&lt;a href='javascript:b'>&#36;x&#36;&lt;/a>&amp;amp;%{x}"
    assert first.name.startswith("&lt;a href='javascript:b'>") and len(long.name) < 40
    assert set(first.text) == {f"{escaped}: {escaped}"}
    assert first.hovertemplate == "%{text}<extra></extra>"
    assert figure.layout.legend.title.text == first.name and figure.layout.showlegend
    # What is not known is drawn as well, and the legend names nothing else.
    others = [trace for trace in clouds if not trace.showlegend]
    assert 10 in [len(trace.x) for trace in others if not trace.name and not trace.text]
    assert all(trace.showlegend is False for trace in others)


def test_coloured_points_of_a_manifold_are_those_that_lie_on_it():
    figure = charts.manifold(np.zeros((50, 40), dtype=np.uint8), manifold_grid(10))
    places = np.array([[0.0, 0.0], [np.nan, np.nan], [2.0, 3.0]])
    tinted = tint(continuous("smile", [0.0, 0.5, 1.0]), np.arange(3))
    charts.manifold_points(figure, places, (5, 4), tinted)
    clouds = [trace for trace in figure.data if trace.type == "scattergl"]
    on_it = [trace for trace in clouds if trace.showlegend and len(trace.x)]
    assert [trace.text[0] for trace in on_it] == ["smile: 0", "smile: 1"]
    assert (on_it[1].x[0], on_it[1].y[0]) == (3.5 * 4 - 0.5, 2.5 * 5 - 0.5)


def test_a_label_that_nothing_is_known_of_draws_all_points_in_one_colour():
    tinted = tint(categorical("mood", [-1] * 30, ["sad"]), np.arange(30))
    figure = coloured("posteriors", tinted)
    assert len(figure.data[0].x) == 30 and OTHERS not in str(figure)
