"""``runs``: a list of them, and what can be done with one."""

import json
import shlex
import time

import click

from vae import runs
from vae.commands.terminal import as_json, farewell, nats


@click.group("runs", invoke_without_command=True)
@as_json
@click.pass_context
def runs_group(context: click.Context, as_json: bool) -> None:
    """List the runs, or stop, resume, extend, rename, remove and restore one."""
    if context.invoked_subcommand:
        return
    rows = [row_of(run) for run in runs.all_runs()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo(f"There are no runs in {runs.folder()}/: start one with 'python -m vae train'.")
    for row in rows:
        elbo, test = row["best_heldout_elbo"], row["best_test_elbo"]
        best = ""
        if elbo is not None:
            best = f"  validation ELBO {elbo:,.1f} at step {row['best_step'] or 0:,}"
        if test is not None:
            best += f", test {nats(test, row['best_test_elbo_error'])}"
        place = f", {row['place']} before it" if row["place"] else ""
        state = row["state"] + place
        click.echo(f"{row['run']:<32} {state:<12} {row['step']:>9,} of {row['steps']:,}{best}")
        if row["error"]:
            click.echo(f"{'':<32} {row['error']}")


def row_of(run: runs.Run) -> dict:
    """What the list says of a run."""
    status, card = run.status(), run.results()
    return {
        "run": run.name,
        "state": status.state,
        "place": status.place,
        "step": status.step,
        "steps": run.config.steps,
        "best_step": card and card.step,
        "best_heldout_elbo": card and card.heldout.elbo,
        "best_test_elbo": card and card.test.elbo,
        "best_test_elbo_error": card and card.test.elbo_error,
        "error": status.error,
        "path": str(run.path),
    }


run_argument = click.argument("name")


@runs_group.command("stop")
@run_argument
def stop_command(name: str) -> None:
    """Ask a run to save and stop, and wait until it has."""
    run = runs.find(name)
    run.stop()
    while run.status().is_alive:
        time.sleep(0.1)
    status = run.status()
    click.echo(f"{status.state.capitalize()} at step {status.step:,}.")


@runs_group.command("resume")
@run_argument
def resume_command(name: str) -> None:
    """Go on with a run, in a process of its own."""
    launch(runs.find(name))


@runs_group.command("extend")
@run_argument
@click.option("--steps", type=int, required=True, help="The step to train up to.")
def extend_command(name: str, steps: int) -> None:
    """Give a run more steps and go on with it, in a process of its own."""
    run = runs.find(name)
    run.extend(steps)
    launch(run)


def launch(run: runs.Run) -> None:
    """Start a run and say where to look."""
    run.launch()
    click.echo(f"{run.name} goes on in the background: 'python -m vae runs' shows how it does.")


@runs_group.command("rename")
@run_argument
@click.argument("new_name")
def rename_command(name: str, new_name: str) -> None:
    """Give a run another name."""
    click.echo(str(runs.find(name).rename(new_name).path))


@runs_group.command("rm")
@run_argument
def remove_command(name: str) -> None:
    """Remove a run and all that it recorded; it is kept for a day."""
    click.echo(farewell(runs.find(name).delete(), f"runs restore {shlex.quote(name)}"))


@runs_group.command("restore")
@run_argument
def restore_command(name: str) -> None:
    """Bring back a run that was removed within the last day."""
    click.echo(str(runs.restore(name).path))
