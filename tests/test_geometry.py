"""The geometry of the latent space, against surfaces whose geometry is known."""

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings, strategies

from vae.errors import VisageError
from vae.latent import geometry
from vae.latent.arrays import manifold_grid
from vae.latent.geometry import DecoderSurface, Surface
from vae.models.checkpoint import load_checkpoint
from vae.models.vae import VAE, Gaussian

SHIPPED = Path(__file__).parents[1] / "checkpoints" / "frey-2d.safetensors"


def linear(matrix: np.ndarray) -> Surface:
    """A flat surface, z ↦ Az: its metric is AᵀA everywhere and its geodesics are straight."""
    a = torch.from_numpy(matrix)
    return Surface(lambda z: z @ a.to(z.dtype).T, matrix.shape[1])


def sphere() -> Surface:
    """The unit sphere by latitude and longitude: its geodesics are great circles."""

    def mean(z: torch.Tensor) -> torch.Tensor:
        latitude, longitude = z[:, 0], z[:, 1]
        return torch.stack(
            [
                latitude.cos() * longitude.cos(),
                latitude.cos() * longitude.sin(),
                latitude.sin(),
            ],
            dim=1,
        )

    return Surface(mean, 2)


def great_circle(start: np.ndarray, end: np.ndarray) -> float:
    cosine = math.sin(start[0]) * math.sin(end[0]) + math.cos(start[0]) * math.cos(
        end[0]
    ) * math.cos(end[1] - start[1])
    return math.acos(cosine)


def small_model(latent_dim: int, hidden_dims: tuple[int, ...] = (30, 20)) -> VAE:
    torch.manual_seed(latent_dim)
    return VAE((6, 5), latent_dim, hidden_dims).requires_grad_(False)


def small_posterior(latent_dim: int, count: int = 200) -> Gaussian:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(count, latent_dim, generator=generator)
    return Gaussian(mean, torch.full_like(mean, -4.0))


def small_surface(latent_dim: int) -> DecoderSurface:
    return DecoderSurface(small_model(latent_dim), small_posterior(latent_dim))


@pytest.fixture(scope="module")
def frey() -> tuple[DecoderSurface, np.ndarray]:
    checkpoint = load_checkpoint(SHIPPED)
    means = checkpoint.posterior.mean.double().numpy()
    return DecoderSurface(checkpoint.model, checkpoint.posterior), means


def test_metric_of_a_linear_map_is_its_gram_matrix(rng):
    a = rng.standard_normal((7, 3))
    found = geometry.metric(linear(a), rng.standard_normal((4, 5, 3)))
    assert found.shape == (4, 5, 3, 3)
    np.testing.assert_allclose(found, np.broadcast_to(a.T @ a, found.shape), rtol=1e-5)


def test_metric_of_one_hidden_layer_is_its_closed_form(rng):
    """J of sigmoid(W₂ tanh(W₁ z + b₁) + b₂) is diag(μ(1 - μ)) W₂ diag(1 - h²) W₁."""
    model = small_model(2, (30,))
    z = rng.standard_normal(2)
    w1, b1 = (part.double().numpy() for part in model.decoder.hidden[0].parameters())
    w2, b2 = (part.double().numpy()[:30] for part in model.decoder.head.parameters())
    h = np.tanh(w1 @ z + b1)
    mean = 1 / (1 + np.exp(-(w2 @ h + b2)))
    jacobian = (mean * (1 - mean))[:, None] * w2 * (1 - h**2) @ w1
    found = geometry.metric(DecoderSurface(model), z, std=False)
    np.testing.assert_allclose(found, jacobian.T @ jacobian, rtol=1e-4)


@pytest.mark.parametrize("latent_dim", [1, 2, 3, 20])
def test_metric_matches_finite_differences_and_automatic_differentiation(latent_dim, rng):
    surface = small_surface(latent_dim)
    z = torch.from_numpy(rng.standard_normal((6, latent_dim)))
    step = 1e-5 * torch.eye(latent_dim, dtype=torch.float64)
    jacobian = torch.stack(
        [(surface.embed(z + d) - surface.embed(z - d)) / 2e-5 for d in step], dim=-1
    )
    expected = (jacobian.mT @ jacobian).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(surface.gram(z).numpy(), expected, atol=1e-4 * scale)
    np.testing.assert_allclose(
        surface.gram(z).numpy(), Surface.gram(surface, z).numpy(), atol=1e-9 * scale
    )
    np.testing.assert_allclose(
        geometry.metric(surface, z.numpy()), expected, rtol=1e-4, atol=1e-4 * scale
    )


def test_uncertainty_is_the_decoders_own_on_data_and_grows_away_from_it(frey):
    surface, means = frey
    model = load_checkpoint(SHIPPED).model
    trained = model.decode(torch.from_numpy(means).float()).log_var.mul(0.5).exp().numpy()
    regularised = surface.std(torch.from_numpy(means)).numpy()
    assert np.median(np.abs(np.log(regularised / trained))) < 0.2
    directions = torch.from_numpy(means[:50] / np.linalg.norm(means[:50], axis=1, keepdims=True))
    averages = [surface.std(radius * directions).mean() for radius in (5.0, 8.0, 12.0)]
    assert averages == sorted(averages)
    assert averages[-1] == pytest.approx(math.sqrt(1 / 12), rel=1e-3)


def test_the_precision_networks_weights_are_positive_and_no_step_lowers_the_likelihood(rng):
    basis = torch.from_numpy(rng.random((40, 5)))
    variances = torch.from_numpy(rng.random((40, 3)) * 0.05 + 1e-3)

    def likelihood(steps: int) -> float:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(geometry, "FITTING_STEPS", steps)
            weights = geometry._fitted_weights(basis, variances)
        assert (weights > 0).all()
        precision = basis @ weights + geometry.LEAST_PRECISION
        return float((precision.log() - precision * variances).sum())

    reached = [likelihood(steps) for steps in (0, 1, 2, 5, 20, 60)]
    assert reached == sorted(reached)


def test_magnification_of_a_linear_map_is_its_area_factor(rng):
    a = rng.standard_normal((6, 3))
    z = rng.standard_normal((5, 3))
    expected = 0.5 * np.linalg.slogdet(a.T @ a)[1]
    np.testing.assert_allclose(geometry.log_magnification(linear(a), z), expected, atol=1e-5)
    plane = a[:, [0, 2]]
    expected = 0.5 * np.linalg.slogdet(plane.T @ plane)[1]
    found = geometry.log_magnification(linear(a), z, axes=(0, 2))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_magnification_of_a_surface_without_extent_is_nothing():
    flat = linear(np.array([[1.0, 0.0]]))
    assert geometry.log_magnification(flat, np.zeros(2)) == -np.inf


def test_principal_directions_are_the_singular_vectors_of_a_linear_map(rng):
    a = rng.standard_normal((9, 4))
    change, directions = geometry.principal_directions(linear(a), np.zeros(4))
    _, singular, vectors = np.linalg.svd(a)
    np.testing.assert_allclose(change, singular, rtol=1e-5)
    np.testing.assert_allclose(np.abs((directions * vectors).sum(axis=1)), 1, rtol=1e-4)


@given(strategies.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_geodesics_of_a_linear_map_are_straight(seed):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((5, 2))
    start, end = rng.standard_normal((2, 2))
    path = geometry.geodesic(linear(a), start, end)
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
    path = geometry.geodesic(surface, start, end)
    assert path.converged
    assert path.length == pytest.approx(great_circle(start, end), rel=0.01)
    on_sphere = surface.mean(torch.from_numpy(path.points)).numpy()
    normal = np.cross(on_sphere[0], on_sphere[-1])
    assert np.abs(on_sphere @ normal / np.linalg.norm(normal)).max() < 0.02
    steps = geometry.image_change(surface, path.points)
    assert steps.max() < 1.01 * steps.min()


def test_length_of_a_parallel_is_its_radius_times_its_angle():
    path = geometry.straight(sphere(), np.array([1.0, 0.0]), np.array([1.0, 2.0]))
    assert path.length == pytest.approx(2 * math.cos(1.0), rel=1e-6)


def test_a_geodesic_is_never_longer_than_the_straight_line(frey, rng):
    surface, _ = frey
    for _ in range(25):
        start, end = rng.standard_normal((2, 2)) * 2
        path = geometry.geodesic(surface, start, end)
        line = geometry.straight(surface, start, end)
        assert path.length <= line.length
        np.testing.assert_array_equal(path.points[[0, -1]], [start, end])


def test_a_geodesic_spreads_the_change_of_the_face(frey, rng):
    surface, means = frey
    pairs = [means[rng.choice(len(means), 2, replace=False)] for _ in range(30)]
    smaller = 0
    for start, end in pairs:
        line, path = (
            geometry.image_change(
                surface, geometry.frames(surface, geometry.route(surface, [start, end], kind), 33)
            ).max()
            for kind in ("straight", "geodesic")
        )
        smaller += path < line
    assert smaller >= 27


@pytest.mark.parametrize("latent_dim", [1, 2, 3, 20])
def test_paths_of_any_latent_dimension_join_their_stops(latent_dim, rng):
    surface = small_surface(latent_dim)
    stops = rng.standard_normal((3, latent_dim))
    lengths = {}
    for kind in geometry.KINDS:
        path = geometry.route(surface, stops, kind)
        assert path.points.shape == (2 * geometry.SEGMENTS + 1, latent_dim)
        np.testing.assert_allclose(path.points[[0, geometry.SEGMENTS, -1]], stops)
        assert np.isfinite(path.points).all()
        assert len(path.lengths) == 2
        lengths[kind] = path.length
    assert lengths["geodesic"] <= lengths["straight"]


@pytest.mark.parametrize("kind", geometry.KINDS)
@pytest.mark.parametrize("latent_dim", [1, 2, 20])
def test_a_path_between_identical_faces_stays_there(kind, latent_dim):
    z = np.full(latent_dim, 0.3)
    surface = small_surface(latent_dim)
    path = geometry.route(surface, [z, z], kind)
    np.testing.assert_allclose(path.points, np.tile(z, (geometry.SEGMENTS + 1, 1)))
    assert path.length == pytest.approx(0, abs=1e-9)
    assert geometry.frames(surface, path, 9, steady=True).shape == (9, latent_dim)


@pytest.mark.parametrize("far", [9.0, 1e6])
def test_faces_far_from_the_data_still_have_paths(far):
    surface = small_surface(2)
    path = geometry.geodesic(surface, np.array([far, far]), np.array([-far, 0.5]))
    assert np.isfinite(path.points).all()
    assert math.isfinite(path.length)


def test_without_a_posterior_samples_of_the_prior_stand_in_for_it():
    surface = DecoderSurface(small_model(2))
    assert not surface.knows_data
    assert surface.points.std() == pytest.approx(1, abs=0.1)
    assert geometry.geodesic(surface, np.zeros(2), np.ones(2)).converged


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("latent_dim", [2, 5])
def test_a_handful_of_data_is_enough(count, latent_dim):
    surface = DecoderSurface(small_model(latent_dim), small_posterior(latent_dim, count))
    path = geometry.geodesic(surface, np.zeros(latent_dim), np.ones(latent_dim))
    assert np.isfinite(path.points).all()


def test_a_diverged_model_is_a_sentence():
    model = small_model(2)
    model.decoder.head.bias[0] = math.nan
    with pytest.raises(VisageError, match="not all numbers"):
        DecoderSurface(model)


def test_a_path_needs_two_faces_and_a_known_kind():
    with pytest.raises(VisageError, match="two faces"):
        geometry.route(sphere(), np.zeros((1, 2)), "straight")
    with pytest.raises(VisageError, match="not 'bent'"):
        geometry.route(sphere(), np.zeros((2, 2)), "bent")
    with pytest.raises(VisageError, match="2 finite numbers"):
        geometry.straight(sphere(), np.zeros(2), np.array([0.0, np.nan]))


def test_spherical_paths_keep_the_radius():
    path = geometry.spherical(small_surface(3), np.array([2.0, 0, 0]), np.array([0, 0, 2.0]))
    np.testing.assert_allclose(np.linalg.norm(path.points, axis=1), 2)
    np.testing.assert_allclose(path.points[32], np.array([1, 0, 1]) * math.sqrt(2))


@pytest.mark.parametrize("end", [[-1.0, -1.0], [2.0, 2.0], [0.0, 0.0]])
def test_spherical_paths_without_an_angle_are_straight(end):
    start = np.array([1.0, 1.0])
    path = geometry.spherical(small_surface(2), start, np.array(end))
    np.testing.assert_allclose(path.points, np.linspace(start, end, len(path.points)))


def test_constant_speed_gives_every_step_the_same_change():
    surface = sphere()
    points = np.linspace([0.0, 0.0], [1.4, 2.0], 30) ** 2
    steady = geometry.constant_speed(surface, points, 200)
    change = geometry.image_change(surface, steady)
    assert change.max() < 1.01 * change.min()
    np.testing.assert_array_equal(steady[[0, -1]], points[[0, -1]])


def test_frames_keep_the_pace_of_a_path_unless_asked_for_a_steady_one():
    surface = sphere()
    path = geometry.straight(surface, np.array([0.0, 0.0]), np.array([1.5, 2.0]))
    np.testing.assert_allclose(
        geometry.frames(surface, path, 7), np.linspace([0, 0], [1.5, 2], 7), atol=1e-12
    )
    change = geometry.image_change(surface, geometry.frames(surface, path, 99, steady=True))
    assert change.max() < 1.02 * change.min()


@pytest.mark.parametrize("steady", [False, True])
def test_every_stop_is_a_frame(steady):
    stops = np.array([[0.0, 0.0], [0.2, 0.1], [0.2, 0.1], [1.2, 2.0]])
    path = geometry.route(sphere(), stops, "straight")
    for count in (4, 10, 31):
        film = geometry.frames(sphere(), path, count, steady)
        assert film.shape == (count, 2)
        for stop in stops:
            assert np.abs(film - stop).sum(axis=1).min() < 1e-9


def test_aggregate_posterior_is_the_mixture_of_the_posteriors(rng):
    mean, log_var = rng.standard_normal((2, 30, 3))
    z = rng.standard_normal((4, 2, 3))
    densities = [
        scipy.stats.multivariate_normal(m, np.diag(np.exp(v))).pdf(z)
        for m, v in zip(mean, log_var, strict=True)
    ]
    found = geometry.aggregate_posterior(z, Gaussian(mean, log_var))
    np.testing.assert_allclose(found, np.log(np.mean(densities, axis=0)), rtol=1e-9)


def test_equal_area_cells_have_equal_area():
    """On a sphere, cells of equal area lie evenly in longitude and in the sine of latitude."""
    latitude = np.linspace(1.5, -1.5, 400)
    longitude = np.linspace(-2, 2, 300)
    z = np.stack(np.meshgrid(latitude, longitude, indexing="ij"), axis=-1)
    grid = geometry.equal_area_grid(sphere(), z, 8, axes=(1, 0))
    shares = (np.arange(8) + 0.5) / 8
    np.testing.assert_allclose(grid[0, :, 1], -2 + 4 * shares, atol=1e-3)
    sines = -math.sin(1.5) + 2 * math.sin(1.5) * shares
    np.testing.assert_allclose(np.sin(grid[::-1, 3, 0]), sines, atol=1e-3)


def test_equal_area_of_a_linear_map_is_an_even_grid():
    surface = linear(np.eye(3))
    z = manifold_grid(50, 0.02, 3, (2, 0), np.array([0.0, 0.7, 0.0]))
    grid = geometry.equal_area_grid(surface, z, 5, (2, 0))
    assert grid.shape == (5, 5, 3)
    assert (grid[..., 1] == 0.7).all()
    edge = np.abs(z[..., 0]).max()
    np.testing.assert_allclose(grid[0, :, 2], np.linspace(-0.8, 0.8, 5) * edge, atol=1e-6)
    np.testing.assert_allclose(grid[:, 0, 0], np.linspace(0.8, -0.8, 5) * edge, atol=1e-6)


def test_equal_lengths_of_a_single_latent():
    surface = Surface(lambda z: z**3, 1)
    grid = geometry.equal_area_grid(surface, np.linspace(0, 2, 999).reshape(1, -1, 1), 4)
    np.testing.assert_allclose(grid[0, :, 0] ** 3, [1, 3, 5, 7], rtol=1e-3)


def test_places_on_a_grid_are_its_rows_and_columns():
    z = manifold_grid(200, 0.05)
    grid = geometry.equal_area_grid(sphere(), z, 9)
    places = geometry.places_on_grid(grid, grid[2:4, 5])
    np.testing.assert_allclose(places, [[2, 5], [3, 5]], atol=1e-9)
    assert np.isnan(geometry.places_on_grid(grid, np.array([[9.0, 9.0]]))).any()


def test_group_direction_is_the_difference_of_the_means(rng):
    marked, others = rng.standard_normal((5, 4)), rng.standard_normal((3, 4))
    found = geometry.group_direction(marked, others)
    np.testing.assert_allclose(found, marked.mean(axis=0) - others.mean(axis=0))
    with pytest.raises(VisageError, match="both sides"):
        geometry.group_direction(marked, others[:0])
    with pytest.raises(VisageError, match="same mean"):
        geometry.group_direction(marked, marked)


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
    line = geometry.straight(surface, *ends)
    path = geometry.geodesic(surface, *ends)
    assert np.linalg.norm(line.points, axis=1).min() < 0.1
    assert np.linalg.norm(path.points, axis=1).min() > 1.2
    assert path.length < 0.9 * line.length


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
