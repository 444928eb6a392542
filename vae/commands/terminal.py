"""What the commands share: errors in one sentence, options of several, figures in words."""

import sys
from pathlib import Path

import click

from vae import trash
from vae.errors import VisageError


class Commands(click.Group):
    """A group whose commands turn errors into a sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except VisageError as error:
            click.echo(str(error), err=True)
            sys.exit(2)


class SpreadOptions(click.Command):
    """A command whose repeatable options also take several values: ``--hidden 200 200``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        repeatable = {
            name
            for option in self.params
            if getattr(option, "multiple", False)
            for name in option.opts
        }
        spread: list[str] = []
        option = None
        for argument in args:
            if option and not argument.startswith("-") and spread[-1] != option:
                spread.append(option)
            elif argument.startswith("-"):
                option = argument if argument in repeatable else None
            spread.append(argument)
        return super().parse_args(ctx, spread)


as_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
checkpoint_argument = click.argument("checkpoint", type=click.Path(path_type=Path))


def nats(value: float | None, error: float | None = None) -> str:
    """A figure as the terminal shows it, with its standard error where that is known."""
    if value is None:
        return "unknown"
    return f"{value:.1f}" if error is None else f"{value:.1f} ± {error:.1f}"


def farewell(deleted: trash.Deleted, command: str) -> str:
    """Where something went, and how to get it back."""
    return (
        f"{deleted.name} is gone. For {trash.KEPT_HOURS} hours it lies in {deleted.path}; to get "
        f"it back: python -m vae {command}"
    )
