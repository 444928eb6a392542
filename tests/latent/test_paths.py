"""Paths through the latent space, against surfaces whose geodesics are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies

from tests.latent.surfaces import frey_surface, linear, small_surface, sphere
from vae.errors import VisageError
from vae.latent.metric import image_change
from vae.latent.paths import KINDS, SEGMENTS, frames, geodesic, route, spherical, straight
from vae.latent.surface import DecoderSurface
from vae.models.vae import VAE, Gaussian


def great_circle(start: np.ndarray, end: np.ndarray) -> float:
    cosine = math.sin(start[0]) * math.sin(end[0]) + math.cos(start[0]) * math.cos(
        end[0]
    ) * math.cos(end[1] - start[1])
    return math.acos(cosine)


@given(strategies.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_geodesics_of_a_linear_map_are_straight(seed):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((5, 2))
    start, end = rng.standard_normal((2, 2))
    path = geodesic(linear(a), start, end)
    expected = np.linalg.norm(a @ (end - start))
    assert path.length == pytest.approx(expected, rel=1e-6)
    # Off the line, at most a hundredth of its length.
    t = np.linspace(0, 1, len(path.points))[:, None]
    gap = np.linalg.norm((path.points - (start + t * (end - start))) @ a.T, axis=1).max()
    assert gap < 0.02 * expected


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ([0.0, 0.0], [0.0, 2.0]),
        ([0.9, -1.0], [0.9, 1.0]),
        ([1.2, -1.2], [1.1, 1.3]),
        ([-0.8, 0.3], [1.0, 2.2]),
    ],
)
def test_geodesics_of_a_sphere_are_great_circles(start, end):
    surface, start, end = sphere(), np.array(start), np.array(end)
    path = geodesic(surface, start, end)
    assert path.converged
    assert path.length == pytest.approx(great_circle(start, end), rel=0.01)
    on_sphere = surface.mean(torch.from_numpy(path.points)).numpy()
    normal = np.cross(on_sphere[0], on_sphere[-1])
    assert np.abs(on_sphere @ normal / np.linalg.norm(normal)).max() < 0.02
    steps = image_change(surface, path.points)
    assert steps.max() < 1.01 * steps.min()


def test_length_of_a_parallel_is_its_radius_times_its_angle():
    path = straight(sphere(), np.array([1.0, 0.0]), np.array([1.0, 2.0]))
    assert path.length == pytest.approx(2 * math.cos(1.0), rel=1e-6)


def test_a_geodesic_is_never_longer_than_the_straight_line(rng):
    surface, _ = frey_surface()
    for _ in range(25):
        start, end = rng.standard_normal((2, 2)) * 2
        path = geodesic(surface, start, end)
        line = straight(surface, start, end)
        assert path.length <= line.length
        np.testing.assert_array_equal(path.points[[0, -1]], [start, end])


def test_a_geodesic_spreads_the_change_of_the_face(rng):
    surface, means = frey_surface()
    pairs = [means[rng.choice(len(means), 2, replace=False)] for _ in range(30)]
    smaller = 0
    for start, end in pairs:
        line, path = (
            image_change(surface, frames(surface, route(surface, [start, end], kind), 33)).max()
            for kind in ("straight", "geodesic")
        )
        smaller += path < line
    assert smaller >= 27


@pytest.mark.parametrize("latent_dim", [1, 2, 3, 20])
def test_paths_of_any_latent_dimension_join_their_stops(latent_dim, rng):
    surface = small_surface(latent_dim)
    stops = rng.standard_normal((3, latent_dim))
    lengths = {}
    for kind in KINDS:
        path = route(surface, stops, kind)
        assert path.points.shape == (2 * SEGMENTS + 1, latent_dim)
        np.testing.assert_allclose(path.points[[0, SEGMENTS, -1]], stops)
        assert np.isfinite(path.points).all()
        assert len(path.lengths) == 2
        lengths[kind] = path.length
    assert lengths["geodesic"] <= lengths["straight"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("latent_dim", [1, 2, 20])
def test_a_path_between_identical_faces_stays_there(kind, latent_dim):
    z = np.full(latent_dim, 0.3)
    surface = small_surface(latent_dim)
    path = route(surface, [z, z], kind)
    np.testing.assert_allclose(path.points, np.tile(z, (SEGMENTS + 1, 1)))
    assert path.length == pytest.approx(0, abs=1e-9)
    assert frames(surface, path, 9, steady=True).shape == (9, latent_dim)


@pytest.mark.parametrize("far", [9.0, 1e6])
def test_faces_far_from_the_data_still_have_paths(far):
    surface = small_surface(2)
    path = geodesic(surface, np.array([far, far]), np.array([-far, 0.5]))
    assert np.isfinite(path.points).all()
    assert math.isfinite(path.length)


def test_a_path_needs_two_faces_and_a_known_kind():
    with pytest.raises(VisageError, match="two faces"):
        route(sphere(), np.zeros((1, 2)), "straight")
    with pytest.raises(VisageError, match="not 'bent'"):
        route(sphere(), np.zeros((2, 2)), "bent")
    with pytest.raises(VisageError, match="2 finite numbers"):
        straight(sphere(), np.zeros(2), np.array([0.0, np.nan]))


def test_spherical_paths_keep_the_radius():
    path = spherical(small_surface(3), np.array([2.0, 0, 0]), np.array([0, 0, 2.0]))
    np.testing.assert_allclose(np.linalg.norm(path.points, axis=1), 2)
    np.testing.assert_allclose(path.points[32], np.array([1, 0, 1]) * math.sqrt(2))


@pytest.mark.parametrize("end", [[-1.0, -1.0], [2.0, 2.0], [0.0, 0.0]])
def test_spherical_paths_without_an_angle_are_straight(end):
    start = np.array([1.0, 1.0])
    path = spherical(small_surface(2), start, np.array(end))
    np.testing.assert_allclose(path.points, np.linspace(start, end, len(path.points)))


def test_frames_keep_the_pace_of_a_path_unless_asked_for_a_steady_one():
    surface = sphere()
    path = straight(surface, np.array([0.0, 0.0]), np.array([1.5, 2.0]))
    np.testing.assert_allclose(
        frames(surface, path, 7), np.linspace([0, 0], [1.5, 2], 7), atol=1e-12
    )
    change = image_change(surface, frames(surface, path, 99, steady=True))
    assert change.max() < 1.02 * change.min()


@pytest.mark.parametrize("steady", [False, True])
def test_every_stop_is_a_frame(steady):
    stops = np.array([[0.0, 0.0], [0.2, 0.1], [0.2, 0.1], [1.2, 2.0]])
    path = route(sphere(), stops, "straight")
    for count in (4, 10, 31):
        film = frames(sphere(), path, count, steady)
        assert film.shape == (count, 2)
        for stop in stops:
            assert np.abs(film - stop).sum(axis=1).min() < 1e-9


def test_a_geodesic_goes_around_where_the_data_are_not():
    """Data on a ring, a decoder that is flat: only its uncertainty makes the middle far."""
    angles = torch.arange(200) * (2 * np.pi / 200)
    ring = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)
    model = VAE((4, 3), 2, (8,))
    with torch.no_grad():
        model.decoder.head.weight.mul_(0.01)
        model.decoder.head.bias[12:] = -6.0
    surface = DecoderSurface(model, Gaussian(ring, torch.full((200, 2), -4.0)))
    ends = np.array([2.0, 0.0]), np.array([-2.0, 0.02])
    line = straight(surface, *ends)
    path = geodesic(surface, *ends)
    assert np.linalg.norm(line.points, axis=1).min() < 0.1
    assert np.linalg.norm(path.points, axis=1).min() > 1.2
    assert path.length < 0.9 * line.length


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
