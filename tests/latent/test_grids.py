"""Grids of equal change, against surfaces whose areas are known."""

import math

import numpy as np
import scipy.stats

from tests.latent.surfaces import linear, sphere
from vae.latent.arrays import manifold_grid
from vae.latent.grids import equal_area_grid, positions_on_grid, traversals
from vae.latent.surface import Surface


def test_equal_area_cells_have_equal_area():
    """On a sphere, cells of equal area lie evenly in longitude and in the sine of latitude."""
    latitude = np.linspace(1.5, -1.5, 400)
    longitude = np.linspace(-2, 2, 300)
    z = np.stack(np.meshgrid(latitude, longitude, indexing="ij"), axis=-1)
    grid = equal_area_grid(sphere(), z, 8, axes=(1, 0))
    shares = (np.arange(8) + 0.5) / 8
    np.testing.assert_allclose(grid[0, :, 1], -2 + 4 * shares, atol=1e-3)
    sines = -math.sin(1.5) + 2 * math.sin(1.5) * shares
    np.testing.assert_allclose(np.sin(grid[::-1, 3, 0]), sines, atol=1e-3)


def test_equal_area_of_a_linear_map_is_an_even_grid():
    surface = linear(np.eye(3))
    z = manifold_grid(50, 0.02, 3, (2, 0), np.array([0.0, 0.7, 0.0]))
    grid = equal_area_grid(surface, z, 5, (2, 0))
    assert grid.shape == (5, 5, 3)
    assert (grid[..., 1] == 0.7).all()
    edge = np.abs(z[..., 0]).max()
    np.testing.assert_allclose(grid[0, :, 2], np.linspace(-0.8, 0.8, 5) * edge, atol=1e-6)
    np.testing.assert_allclose(grid[:, 0, 0], np.linspace(0.8, -0.8, 5) * edge, atol=1e-6)


def test_equal_lengths_of_a_single_latent():
    surface = Surface(lambda z: z**3, 1)
    grid = equal_area_grid(surface, np.linspace(0, 2, 999).reshape(1, -1, 1), 4)
    np.testing.assert_allclose(grid[0, :, 0] ** 3, [1, 3, 5, 7], rtol=1e-3)


def test_places_on_a_grid_are_its_rows_and_columns():
    z = manifold_grid(200, 0.05)
    grid = equal_area_grid(sphere(), z, 9)
    places = positions_on_grid(grid, grid[2:4, 5])
    np.testing.assert_allclose(places, [[2, 5], [3, 5]], atol=1e-9)
    assert np.isnan(positions_on_grid(grid, np.array([[9.0, 9.0]]))).any()


def test_along_a_row_of_traversals_one_latent_alone_changes():
    centre = np.array([0.5, -1.0, 2.0])
    z = traversals([2, 0], 5, centre, tail=0.1)
    assert z.shape == (2, 5, 3)
    for row, axis in zip(z, (2, 0), strict=True):
        others = [place for place in range(3) if place != axis]
        assert (row[:, others] == centre[others]).all()
        np.testing.assert_allclose(
            scipy.stats.norm.cdf(row[:, axis]), [0.1, 0.3, 0.5, 0.7, 0.9], atol=1e-12
        )
