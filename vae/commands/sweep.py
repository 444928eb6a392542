"""``sweep`` and ``sweeps``: one thing changed, in a terminal."""

import json
import shlex
import time
from typing import Any

import click

from vae import trash
from vae.commands.terminal import SpreadOptions, as_json, farewell, nats
from vae.commands.train import configured, training_options
from vae.errors import VisageError
from vae.runs import sweep as sweeps
from vae.runs.sweep import KNOBS, Sweep

# Seconds between two looks at the runs.
PATIENCE = 0.5


@click.command("sweep", cls=SpreadOptions)
@click.option(
    "--vary",
    multiple=True,
    required=True,
    help=f"The setting and two to six values of it: beta 0.1 1 4. One of {', '.join(KNOBS)}; "
    "layers with commas: 200,200.",
)
@click.option("--detach", is_flag=True, help="Leave the runs to themselves once they are started.")
@training_options
@as_json
def sweep_command(vary: tuple[str, ...], detach: bool, as_json: bool, **options: Any) -> None:
    """Train runs that differ in one setting, and compare what they come to."""
    knob, *values = vary
    sweep = sweeps.create(configured(options), knob, values)
    sweep.launch()
    if not as_json:
        click.echo(
            f"{sweep.name}: {len(sweep.entries)} runs. {sweep.base.recipe_in_words()}", err=True
        )
        click.echo(
            f"They go on by themselves if you leave; to stop them: python -m vae sweeps stop "
            f"{sweep.name}",
            err=True,
        )
    if not detach:
        follow(sweep, silent=as_json)
        sweep.write_csv()
    report(sweep, as_json)


def follow(sweep: Sweep, silent: bool) -> None:
    """Wait until the last run has ended, and say when one does."""
    told: set[str] = set()
    while True:
        states = {value: run.status() for value, run in sweep.here().items()}
        for value, status in states.items():
            if not status.is_alive and value not in told:
                told.add(value)
                if not silent:
                    said = f"{sweep.knob_name} {value}: {status.state} at step {status.step:,}"
                    click.echo(f"{said}. {status.error}".rstrip(), err=True)
        if len(told) == len(states):
            return
        time.sleep(PATIENCE)


def report(sweep: Sweep, as_json: bool) -> None:
    """Print what the runs came to."""
    rows = sweep.rows()
    if as_json:
        csv = str(sweep.csv_path) if sweep.csv_path.exists() else None
        click.echo(json.dumps({"sweep": sweep.name, "runs": rows, "csv": csv}))
        return
    if sweep.knob_name == "likelihood":
        click.echo(
            "Figures of different likelihoods are of different densities: not to be ranked."
        )
    head = (sweep.knob_name, "state", "images", "ELBO", "KL (rate)", "−log p(x|z) (distortion)")
    click.echo("{:<14} {:<12} {:<11} {:<16} {:<14} {}".format(*head))
    for row in rows:
        distortion = None if row["log_likelihood"] is None else -row["log_likelihood"]
        click.echo(
            f"{row[sweep.knob_name]:<14} {row['state']:<12} {row['measured_on']:<11} "
            f"{nats(row['elbo'], row['elbo_error']):<16} {nats(row['kl'], row['kl_error']):<14} "
            f"{nats(distortion, row['log_likelihood_error'])}"
        )
    if sweep.csv_path.exists():
        click.echo(str(sweep.csv_path))


@click.group("sweeps", invoke_without_command=True)
@as_json
@click.pass_context
def sweeps_group(context: click.Context, as_json: bool) -> None:
    """List the sweeps, or show, stop, resume, remove and restore one."""
    if context.invoked_subcommand:
        return
    found = sweeps.all_sweeps()
    if as_json:
        click.echo(json.dumps([{"sweep": one.name, "runs": one.rows()} for one in found]))
        return
    if not found:
        click.echo(f"There are no sweeps in {sweeps.folder()}/: start one with 'sweep --vary'.")
    for one in found:
        values = ", ".join(entry.value for entry in one.entries)
        click.echo(f"{one.name:<40} {state_of(one):<10} {one.knob_name}: {values}")


def state_of(sweep: Sweep) -> str:
    """How a sweep does, in a word."""
    if sweep.is_alive():
        return "running"
    return "finished" if sweep.is_finished() else "stopped"


name_argument = click.argument("name")


@sweeps_group.command("show")
@name_argument
@as_json
def show_command(name: str, as_json: bool) -> None:
    """Print what the runs of a sweep came to by now."""
    sweep = sweeps.find(name)
    sweep.write_csv()
    report(sweep, as_json)


@sweeps_group.command("stop")
@name_argument
def stop_command(name: str) -> None:
    """Ask all runs of a sweep to save and stop, and wait until they have."""
    sweep = sweeps.find(name)
    sweep.stop()
    while sweep.is_alive():
        time.sleep(0.1)
    click.echo(f"{name} is stopped. Go on with: python -m vae sweeps resume {name}")


@sweeps_group.command("resume")
@name_argument
def resume_command(name: str) -> None:
    """Go on with all runs of a sweep that are not finished, in processes of their own."""
    sweeps.find(name).launch()
    click.echo(f"{name} goes on in the background: 'python -m vae sweeps' shows how it does.")


@sweeps_group.command("rm")
@name_argument
def remove_command(name: str) -> None:
    """Remove a sweep with all its runs; they are kept for a day."""
    click.echo(farewell(sweeps.find(name).delete(), f"sweeps restore {shlex.quote(name)}"))


@sweeps_group.command("restore")
@name_argument
def restore_command(name: str) -> None:
    """Bring back a sweep that was removed within the last day, with its runs."""
    if name not in (deleted.name for deleted in trash.kept(sweeps.folder())):
        raise VisageError(f"There is no sweep '{name[:60]}' in the trash.")
    click.echo(str(sweeps.restore(trash.find(sweeps.folder(), name)).path))
