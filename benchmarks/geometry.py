"""How good and how fast the geometry of the shipped Frey model is: python -m benchmarks.geometry

A straight line and a geodesic are compared as films of the same number of frames, each at its own
natural pace: the straight line at that of z, the geodesic at that of the metric. As a check, the
straight line at constant speed is judged as well, which is the best that it can do.
"""

import json
import statistics
import time
from collections.abc import Callable

import click
import numpy as np
import torch

from vae import load_checkpoint
from vae.latent.metric import image_change, length, metric
from vae.latent.paths import frames, geodesic, straight
from vae.latent.surface import DecoderSurface

FRAMES = 33


@click.command()
@click.argument("checkpoint", default="checkpoints/frey-2d.safetensors")
@click.option("--threads", default=2, show_default=True)
@click.option("--pairs", default=1000, show_default=True, help="Of random points.")
@click.option("--data-pairs", default=200, show_default=True, help="Of data points.")
def main(checkpoint: str, threads: int, pairs: int, data_pairs: int) -> None:
    torch.set_num_threads(threads)
    loaded = load_checkpoint(checkpoint)
    model, posterior = loaded.model, loaded.posterior
    rng = np.random.default_rng(0)
    surface, fitting = timed(lambda: DecoderSurface(model, posterior))
    _, graph = timed(lambda: surface.graph)
    means = posterior.mean.double().numpy()
    found = {
        "checkpoint": checkpoint,
        "threads": threads,
        "fit_seconds": fitting,
        "graph_seconds": graph,
        "map_200x200_seconds": map_seconds(surface),
        **against_straight(surface, 2 * rng.standard_normal((pairs, 2, model.latent_dim))),
    }
    chosen = np.array([rng.choice(len(means), 2, replace=False) for _ in range(data_pairs)])
    found |= steadiness(surface, means[chosen])
    click.echo(json.dumps(found, indent=2))


def map_seconds(surface: DecoderSurface) -> float:
    """The median time of 200×200 metric evaluations."""
    side = np.linspace(-3, 3, 200)
    z = np.zeros((200, 200, surface.latent_dim))
    z[..., 0], z[..., -1] = np.meshgrid(side, side)
    return statistics.median(timed(lambda: metric(surface, z))[1] for _ in range(5))


def against_straight(surface: DecoderSurface, pairs: np.ndarray) -> dict:
    """How many geodesics between random points are longer than the straight line."""
    longer, converged, seconds, ratios = 0, 0, [], []
    for start, end in pairs:
        path, elapsed = timed(lambda ends=(start, end): geodesic(surface, *ends))
        line = straight(surface, start, end)
        longer += length(surface, path.points) > line.length * (1 + 1e-9)
        converged += path.converged
        seconds.append(elapsed)
        ratios.append(path.length / line.length)
    return {
        "random_pairs": len(pairs),
        "longer_than_straight": int(longer),
        "converged": converged,
        "geodesic_seconds_median": statistics.median(seconds),
        "geodesic_seconds_median_of_first_100": statistics.median(seconds[:100]),
        "geodesic_seconds_largest": max(seconds),
        "length_ratio_median": statistics.median(ratios),
    }


def steadiness(surface: DecoderSurface, pairs: np.ndarray) -> dict:
    """In how many pairs of data points the geodesic's largest step is the smaller one."""
    smaller, smaller_than_steady, ratios, uncertainty = 0, 0, [], []
    for start, end in pairs:
        path = geodesic(surface, start, end)
        line = straight(surface, start, end)
        largest, at_its_pace, steady = (
            image_change(surface, z).max()
            for z in (
                frames(surface, path, FRAMES),
                frames(surface, line, FRAMES),
                frames(surface, line, FRAMES, steady=True),
            )
        )
        smaller += largest < at_its_pace
        smaller_than_steady += largest < steady
        ratios.append(largest / at_its_pace)
        uncertainty.append([surface.std(torch.from_numpy(p.points)).max() for p in (path, line)])
    return {
        "data_pairs": len(pairs),
        "frames": FRAMES,
        "largest_step_smaller": smaller / len(pairs),
        "largest_step_smaller_than_straight_at_constant_speed": smaller_than_steady / len(pairs),
        "largest_step_ratio_median": float(np.median(ratios)),
        "largest_std_on_geodesic_and_straight": np.mean(uncertainty, axis=0).tolist(),
    }


def timed(function: Callable) -> tuple:
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


if __name__ == "__main__":
    main()
