"""Grids over the latent space: of cells that share out the change of the image evenly, and of rows
along which one latent alone changes."""

__all__ = ["equal_area_grid", "positions_on_grid", "traversals"]

from collections.abc import Sequence

import numpy as np

from vae.latent.arrays import manifold_axis
from vae.latent.metric import log_magnification
from vae.latent.surface import Surface


def equal_area_grid(
    surface: Surface,
    z: np.ndarray,
    count: int,
    axes: Sequence[int] = (0, 1),
) -> np.ndarray:
    """A grid in each of whose cells the mean image changes by the same amount.

    Columns are cut where they share out the area of the surface evenly, and then each column into
    cells, as a picture is: the first row has the largest value upwards.

    Arguments:
        surface: The surface.
        z: A fine regular grid as :func:`vae.latent.manifold_grid` makes it, of shape (R, C, K).
        count: Cells a side.
        axes: The latents that run across and upwards.

    Returns:
        The centres of the cells, of shape (count, count, K); one row of them with K = 1.
    """
    shares = (np.arange(count) + 0.5) / count
    if surface.latent_dim == 1:
        length_element = np.exp(log_magnification(surface, z[0], std=False))
        return _quantiles(z[0, :, 0], length_element, shares).reshape(1, count, 1)
    across, upwards = axes
    x, y = z[0, :, across], z[::-1, 0, upwards]
    area = np.exp(log_magnification(surface, z[::-1], axes, std=False))
    grid = np.empty((count, count, z.shape[-1]))
    grid[:] = z[0, 0]
    columns = _quantiles(x, np.trapezoid(area, y, axis=0), shares)
    grid[..., across] = columns
    for index, column in enumerate(columns):
        nearby = np.array([np.interp(column, x, row) for row in area])
        grid[::-1, index, upwards] = _quantiles(y, nearby, shares)
    return grid


def positions_on_grid(grid: np.ndarray, z: np.ndarray, axes: Sequence[int] = (0, 1)) -> np.ndarray:
    """Where latent points lie on a grid, even or of equal area, in rows and columns.

    Arguments:
        grid: Of shape (R, C, K), with K > 1.
        z: Latent points, of shape (n, K).
        axes: The latents that run across and upwards.

    Returns:
        Row and column of each point, (n, 2), fractions between neighbours; NaN beyond the grid.
    """
    across, upwards = axes
    columns = np.arange(grid.shape[1])
    column = np.interp(z[:, across], grid[0, :, across], columns, np.nan, np.nan)
    row = np.full(len(z), np.nan)
    for index in np.flatnonzero(np.isfinite(column)):
        values = np.array([np.interp(column[index], columns, line) for line in grid[..., upwards]])
        rows = np.arange(len(grid))[::-1]
        row[index] = np.interp(z[index, upwards], values[::-1], rows, np.nan, np.nan)
    return np.stack([row, column], axis=1)


def _quantiles(x: np.ndarray, density: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Where the shares of a density, known at rising x, lie."""
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(x)
    if steps.sum() <= 0:
        steps = np.diff(x)
    return np.interp(shares, np.r_[0.0, np.cumsum(steps)] / steps.sum(), x)


def traversals(
    latents: Sequence[int] | np.ndarray, count: int, centre: np.ndarray, tail: float = 0.02
) -> np.ndarray:
    """A row of points a latent, which alone changes along it, evenly in the prior's probability.

    Arguments:
        latents: Which latents, (R,).
        count: Points a row.
        centre: What the others stay at, (K,).
        tail: As for :func:`vae.latent.manifold_axis`.

    Returns:
        float64, of shape (R, count, K).
    """
    z = np.empty((len(latents), count, len(centre)))
    z[:] = centre
    for row, axis in enumerate(latents):
        z[row, :, axis] = manifold_axis(count, tail)
    return z
