"""The paper's Figure 2 for Frey Face: the bound against samples, for several latent dimensions.

python -m benchmarks.figure2 --recipe paper --steps 100000 --picture pictures/figure2.png
"""

import tempfile
from pathlib import Path

import click
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.learning import train
from benchmarks.pictures import save
from vae.runs import Run

LATENT_DIMS = (2, 5, 10, 20)


@click.command()
@click.option("--dataset", default="frey", show_default=True)
@click.option("--recipe", default="paper", show_default=True)
@click.option("--steps", default=100_000, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--picture", type=click.Path(path_type=Path), help="Where to draw it.")
def main(dataset: str, recipe: str, steps: int, threads: int, picture: Path | None) -> None:
    """Train one model for each latent dimension; print a row for each, and draw the four."""
    metrics = {}
    with tempfile.TemporaryDirectory() as folder:
        for latent_dim in LATENT_DIMS:
            path = Path(folder) / str(latent_dim)
            options = ["--dataset", dataset, "--recipe", recipe, "--steps", steps]
            found = train([*options, "--latent-dim", latent_dim, "--out", path], threads)
            metrics[latent_dim] = Run(path).metrics()
            click.echo(
                f"N_z = {latent_dim:<3} {found['seconds']:>6.0f} s   ELBO "
                f"train {found['train_elbo']:>7.1f}   validation {found['heldout_elbo']:>7.1f} "
                f"best {found['best_heldout_elbo']:>7.1f}   test {found['test_elbo']:>7.1f} "
                f"best {found['best_test_elbo']:>7.1f}"
            )
    if picture:
        save(figure2(metrics), picture, width=1000, height=360)


def figure2(metrics: dict[int, list[dict]]) -> go.Figure:
    """One panel for each latent dimension: training dashed, validation drawn through."""
    titles = [f"N_z = {latent_dim}" for latent_dim in metrics]
    figure = make_subplots(cols=len(metrics), shared_yaxes=True, subplot_titles=titles)
    for column, records in enumerate(metrics.values(), start=1):
        for key, dash, name in (
            ("elbo", "dot", "training"),
            ("heldout_elbo", "solid", "validation"),
        ):
            known = [one for one in records if one[key] is not None]
            figure.add_scatter(
                x=[one["samples"] for one in known],
                y=[one[key] for one in known],
                name=name,
                showlegend=column == 1,
                line={"color": "#2563eb", "dash": dash},
                row=1,
                col=column,
            )
    figure.update_xaxes(type="log", title="samples", dtick=2)
    figure.update_yaxes(range=[0, 1600])
    figure.update_yaxes(title="ELBO, nats an image", col=1)
    return figure


if __name__ == "__main__":
    main()
