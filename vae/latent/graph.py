"""Graphs over the latent space: where a geodesic is first sought."""

__all__ = ["grid_edges", "neighbour_edges"]

import numpy as np
import scipy.spatial

# A grid's side, or the data points of a graph and how many neighbours each is joined to.
GRID_SIDE = 48
GRAPH_POINTS = 1500
NEIGHBOURS = 12

# The box of the grid holds the prior's bulk, whatever the data.
PRIOR_EXTENT = 3.0


def grid_edges(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes of a grid over the plane, joined to their neighbours and a knight's move away."""
    low = np.minimum(points.min(axis=0, initial=-PRIOR_EXTENT), -PRIOR_EXTENT)
    high = np.maximum(points.max(axis=0, initial=PRIOR_EXTENT), PRIOR_EXTENT)
    sides = [np.linspace(low[axis], high[axis], GRID_SIDE) for axis in range(2)]
    nodes = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 2)
    numbers = np.arange(GRID_SIDE**2).reshape(GRID_SIDE, GRID_SIDE)
    start, end = [], []
    for right, up in ((1, 0), (0, 1), (1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1)):
        rows = slice(None, GRID_SIDE - right), slice(right, None)
        columns = slice(None, GRID_SIDE - up), slice(up, None)
        if up < 0:
            columns = slice(-up, None), slice(None, GRID_SIDE + up)
        start.append(numbers[rows[0], columns[0]].ravel())
        end.append(numbers[rows[1], columns[1]].ravel())
    return nodes, np.concatenate(start), np.concatenate(end)


def neighbour_edges(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Data points joined to their nearest neighbours."""
    chosen = np.linspace(0, len(points) - 1, min(len(points), GRAPH_POINTS)).astype(int)
    nodes = np.unique(points[chosen], axis=0)
    if len(nodes) < 2:
        return nodes, np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    count = min(NEIGHBOURS + 1, len(nodes))
    _, neighbours = scipy.spatial.KDTree(nodes).query(nodes, count)
    # Each pair once: two equal entries of a sparse matrix would be added up.
    pairs = np.stack(
        [np.repeat(np.arange(len(nodes)), count - 1), np.asarray(neighbours)[:, 1:].ravel()]
    )
    start, end = np.unique(np.sort(pairs, axis=0), axis=1)
    return nodes, start, end
