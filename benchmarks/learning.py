"""How well and how fast the recipes learn, and what a training step costs.

    python -m benchmarks.learning --seconds 60 --pictures pictures/

Trains the article's recipe, plain Adam and the default recipe on Frey Face through the command
line, each for the same time, one after the other in one run; prints their ELBOs and speeds, and
draws ELBO against seconds and against samples. Before that, in turns, the gradient derived by hand
against autograd's, everything else equal; and the article's network through the command line with
recording on, the same step as the article's plain PyTorch does it, the same by JAX, compiled, a
hundred steps a call (where requirements-tools.txt is installed; on all cores, whatever the number
of threads), and the matrix products alone, which no implementation can undercut.
"""

import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import plotly.graph_objects as go
import torch

from benchmarks.pictures import save
from vae import VAE, datasets
from vae.runs import Run
from vae.training import loop
from vae.training.gradient import AutogradGradient, ElboGradient
from vae.training.recipes import RECIPES

# Image shape, latents and hidden layers: the article's network, the default recipe's for few and
# for many latents, and that for larger images.
NETWORKS = (
    ((28, 20), 2, (200,)),
    ((28, 20), 2, (200, 200, 200)),
    ((28, 20), 10, (300, 300)),
    ((64, 64), 2, (200, 200, 200)),
)

# Steps of JAX in one call.
AT_ONCE = 100


@click.command()
@click.option("--dataset", default="frey", show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="Training time of each recipe.")
@click.option("--threads", default=2, show_default=True)
@click.option("--rounds", default=5, show_default=True, help="Of the step's timing.")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder for the two charts.")
def main(dataset: str, seconds: float, threads: int, rounds: int, pictures: Path | None) -> None:
    """Measure and print; draw where asked to."""
    torch.set_num_threads(threads)
    click.echo(f"{platform.machine()}, {os.cpu_count()} cores, {threads} threads, {dataset}")
    time_gradients(rounds)
    time_step(dataset, threads, rounds)
    with tempfile.TemporaryDirectory() as folder:
        runs = {recipe: learn(recipe, dataset, seconds, threads, folder) for recipe in RECIPES}
        if pictures:
            for axis, title in (("seconds", "Seconds of training"), ("samples", "Samples seen")):
                figure = curves({name: run.metrics() for name, run in runs.items()}, axis, title)
                save(figure, pictures / f"learning-{axis}.png")


def learn(recipe: str, dataset: str, seconds: float, threads: int, folder: str) -> Run:
    """Train by a recipe for about so many seconds; print a row."""
    path = Path(folder) / recipe
    speed = train(["--recipe", recipe, "--dataset", dataset, "--steps", 500], threads)
    steps = max(500, math.floor(speed["steps_per_second"] * seconds / 500) * 500)
    found = train(
        ["--recipe", recipe, "--dataset", dataset, "--steps", steps, "--out", path], threads
    )
    judged = evaluate(found["best_checkpoint"], threads)
    click.echo(
        f"{recipe:<8} {found['steps']:>8,} steps {found['seconds']:>6.1f} s "
        f"{found['steps_per_second']:>6.0f} steps/s   ELBO train {found['train_elbo']:>7.1f} "
        f"validation best {found['best_heldout_elbo']:>7.1f} end {found['heldout_elbo']:>7.1f} "
        f"test best {found['best_test_elbo']:>7.1f} ± {found['best_test_elbo_error']:.1f} "
        f"end {found['test_elbo']:>7.1f} ± {found['test_elbo_error']:.1f}   "
        f"log p(x) of the best: train {judged['train']['importance_weighted']:>7.1f} "
        f"test {judged['test']['importance_weighted']:>7.1f}"
    )
    return Run(path)


def time_step(dataset: str, threads: int, rounds: int) -> None:
    """The article's network in turns: our step, the article's, and the matrix products alone."""
    images, _ = datasets.load(dataset).split(0.1, "random", 0)
    pixels = images.shape[1]
    command = ["--dataset", dataset, "--hidden", 200, "--steps", 5000]
    article = article_step(torch.from_numpy(images))
    products = matrix_products(pixels)
    compiled = jax_steps(images)
    if compiled is None:
        click.echo("JAX is not installed and left out: pip install -r requirements-tools.txt")
    turns = []
    for _ in range(rounds):
        turn = {
            "ours, article's recipe": in_training([*command, "--recipe", "paper"], threads),
            "ours, default recipe": in_training(command, threads),
            "article's": milliseconds(article),
        }
        if compiled is not None:
            turn["article's, by JAX"] = milliseconds(compiled, 1000 // AT_ONCE, 1) / AT_ONCE
        turns.append(turn | {"matrix products": milliseconds(products)})
    click.echo(f"A step of {pixels}-200-2-200-{pixels} on 100 images, medians of the turns:")
    for name in turns[0]:
        took, speedup, excess = (
            statistics.median(values)
            for values in (
                [turn[name] for turn in turns],
                [turn["article's"] / turn[name] for turn in turns],
                [turn[name] / turn["matrix products"] for turn in turns],
            )
        )
        click.echo(
            f"{name:<23} {took:5.2f} ms   {speedup:4.2f} times the article's speed   "
            f"{excess:4.2f} times the matrix products' time"
        )


def time_gradients(rounds: int) -> None:
    """A minibatch's gradient by hand and by autograd, for the networks that the recipes train."""
    click.echo("The gradient of 100 images, by hand and by autograd, medians of the turns:")
    for shape, latent_dim, hidden_dims in NETWORKS:
        by_hand, by_autograd = (
            gradient_of_noise(kind, VAE(shape, latent_dim, hidden_dims))
            for kind in (ElboGradient, AutogradGradient)
        )
        turns = [
            (milliseconds(by_hand, 200), milliseconds(by_autograd, 200)) for _ in range(rounds)
        ]
        hand, autograd = (statistics.median(half) for half in zip(*turns, strict=True))
        saved = statistics.median(1 - first / second for first, second in turns)
        name = f"{'×'.join(map(str, shape))}, K = {latent_dim}, {hidden_dims}"
        click.echo(f"{name:<35} {hand:6.2f} ms   {autograd:6.2f} ms   {saved:4.0%} less time")


def gradient_of_noise(kind: type, model: VAE) -> Callable[[], None]:
    """One pass forwards and backwards, over images that are noise."""
    loop.one_buffer(model)
    gradient = kind(model, 100)
    x, noise = torch.rand(100, model.pixels), torch.randn(100, model.latent_dim)

    def step() -> None:
        gradient(x, noise, x)

    return step


def in_training(command: list, threads: int) -> float:
    """The mean time of a step through the command line, evaluations included."""
    return 1000 / train(command, threads)["steps_per_second"]


def article_step(images: torch.Tensor) -> Callable[[], float]:
    """A step as the article writes it: two Gaussian networks, two passes through the encoder.

    What is called returns the loss.
    """

    class Network(torch.nn.Module):
        def __init__(self, features: int, outputs: int, constrain_mean: bool):
            super().__init__()
            self.hidden = torch.nn.Sequential(torch.nn.Linear(features, 200), torch.nn.Tanh())
            mean = [torch.nn.Linear(200, outputs)]
            self.mean = torch.nn.Sequential(*mean, *[torch.nn.Sigmoid()] * constrain_mean)
            self.log_var = torch.nn.Linear(200, outputs)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            h = self.hidden(x)
            return self.mean(h), self.log_var(h)

    pixels = images.shape[1]
    encoder, decoder = Network(pixels, 2, False), Network(2, pixels, True)
    optimizers = [
        torch.optim.Adagrad(encoder.parameters(), lr=0.01, weight_decay=0.5),
        torch.optim.Adagrad(decoder.parameters(), lr=0.01),
    ]

    def step() -> float:
        x = images[torch.randperm(len(images))[:100]]
        mean, log_var = encoder(x)
        z = mean + torch.sqrt(torch.exp(log_var)) * torch.randn(100, 2)
        face, face_log_var = decoder(z)
        squares = (x - face) ** 2 / (torch.exp(face_log_var) + 1e-10)
        log_likelihood = -0.5 * (math.log(2 * math.pi) + face_log_var + squares).sum(dim=1)
        mean, log_var = encoder(x)
        kl = -0.5 * (1 + log_var - mean**2 - torch.exp(log_var)).sum(dim=1)
        loss = (kl - log_likelihood).mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return loss.item()

    return step


def jax_steps(images: np.ndarray) -> Callable[[], np.ndarray] | None:
    """A hundred of the article's steps in one call of JAX, or None where it isn't installed.

    What is called returns the losses. The encoder's second pass is none here, since a compiler
    sees that it is the first again.
    """
    if not importlib.util.find_spec("jax"):
        return None
    import jax
    from jax import numpy as jnp

    pixels = images.shape[1]
    resident = jnp.asarray(images)

    def layer(random: np.random.Generator, inputs: int, outputs: int) -> tuple:
        width = 1 / math.sqrt(inputs)
        sizes = (inputs, outputs), (outputs,)
        return tuple(random.uniform(-width, width, size).astype(np.float32) for size in sizes)

    def network(random: np.random.Generator, features: int, outputs: int) -> list:
        sizes = (features, 200), (200, outputs), (200, outputs)
        return [layer(random, *size) for size in sizes]

    def gaussian(weights: list, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden, mean, log_var = weights
        h = jnp.tanh(x @ hidden[0] + hidden[1])
        return h @ mean[0] + mean[1], h @ log_var[0] + log_var[1]

    def loss(networks: tuple, x: jax.Array, noise: jax.Array) -> jax.Array:
        encoder, decoder = networks
        mean, log_var = gaussian(encoder, x)
        z = mean + jnp.sqrt(jnp.exp(log_var)) * noise
        face, face_log_var = gaussian(decoder, z)
        squares = (x - jax.nn.sigmoid(face)) ** 2 / (jnp.exp(face_log_var) + 1e-10)
        log_likelihood = -0.5 * (math.log(2 * math.pi) + face_log_var + squares).sum(axis=1)
        kl = -0.5 * (1 + log_var - mean**2 - jnp.exp(log_var)).sum(axis=1)
        return (kl - log_likelihood).mean()

    def adagrad(weights, gradients, sums, decay: float) -> tuple:
        gradients = jax.tree.map(lambda g, w: g + decay * w, gradients, weights)
        sums = jax.tree.map(lambda s, g: s + g * g, sums, gradients)
        moved = jax.tree.map(
            lambda w, g, s: w - 0.01 * g / (jnp.sqrt(s) + 1e-10), weights, gradients, sums
        )
        return moved, sums

    def step(state: tuple, drawn: tuple) -> tuple:
        networks, sums = state
        rows, noise = drawn
        value, gradients = jax.value_and_grad(loss)(networks, resident[rows], noise)
        after = [
            adagrad(*parts, decay)
            for *parts, decay in zip(networks, gradients, sums, (0.5, 0.0), strict=True)
        ]
        return tuple(zip(*after, strict=True)), value

    several = jax.jit(lambda state, drawn: jax.lax.scan(step, state, drawn), donate_argnums=0)
    random = np.random.default_rng(0)
    networks = network(random, pixels, 2), network(random, 2, pixels)
    state = jax.device_put((networks, jax.tree.map(np.zeros_like, networks)))

    def steps() -> np.ndarray:
        nonlocal state
        rows = random.integers(len(images), size=(AT_ONCE, 100))
        noise = random.standard_normal((AT_ONCE, 100, 2), dtype=np.float32)
        state, losses = several(state, (rows, noise))
        return np.asarray(losses)

    return steps


def matrix_products(pixels: int) -> Callable[[], None]:
    """What a step can't do without: its matrix products, forwards and backwards."""
    batch, hidden, latent = 100, 200, 2
    sizes = [(pixels, hidden), (hidden, 2 * latent), (latent, hidden), (hidden, 2 * pixels)]
    factors = []
    for place, (inputs, outputs) in enumerate(sizes):
        x, weight, slope = (
            torch.rand(batch, inputs),
            torch.rand(inputs, outputs),
            torch.rand(batch, outputs),
        )
        factors += [(x, weight), (x.T, slope)]
        if place:
            factors.append((slope, weight.T))

    def products() -> None:
        for left, right in factors:
            left @ right

    return products


def milliseconds(step: Callable[[], object], count: int = 1000, warmup: int = 100) -> float:
    """The mean time of a step."""
    for _ in range(warmup):
        step()
    started = time.perf_counter()
    for _ in range(count):
        step()
    return 1000 * (time.perf_counter() - started) / count


def train(options: list, threads: int) -> dict:
    """Run the command line's train; its last line."""
    with tempfile.TemporaryDirectory() as runs:
        return call(["train", *options], threads, {"VISAGE_RUNS": runs})


def evaluate(checkpoint: str, threads: int) -> dict:
    """Run the command line's evaluate."""
    return call(["evaluate", checkpoint], threads)


def call(arguments: list, threads: int, environment: dict | None = None) -> dict:
    """Run ``python -m vae … --json`` on so many threads."""
    done = subprocess.run(
        [sys.executable, "-m", "vae", *map(str, arguments), "--json"],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)} | (environment or {}),
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def curves(metrics: dict[str, list[dict]], axis: str, title: str) -> go.Figure:
    """ELBO against seconds or samples on a log axis: training dashed, validation drawn through."""
    figure = go.Figure()
    for name, colour in zip(metrics, ("#2563eb", "#d97706", "#059669"), strict=True):
        for key, dash in (("elbo", "dot"), ("heldout_elbo", "solid")):
            records = [one for one in metrics[name] if one[key] is not None]
            figure.add_scatter(
                x=[one[axis] for one in records],
                y=[one[key] for one in records],
                name=f"{name}, {'training' if key == 'elbo' else 'validation'}",
                line={"color": colour, "dash": dash},
            )
    figure.update_xaxes(title=title, type="log")
    figure.update_yaxes(title="ELBO, nats an image", range=[400, 1150])
    return figure


if __name__ == "__main__":
    main()
