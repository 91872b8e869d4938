"""`ostinato demo`: the example that comes with Ostinato."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ostinato import demo as example
from ostinato.cli import exits
from ostinato.cli.command import Command, json_option, trace_option
from ostinato.cli.execute import carry_out, conclude, plain_option, quiet_option, style_of
from ostinato.cli.follow import OwnRuns
from ostinato.cli.home import open_reader
from ostinato.core.errors import OstinatoError, RunError

if TYPE_CHECKING:
    from typing import Any

TAKES: Final = ("about a minute", "some minutes")
"""On two cores: as it comes, and in full."""


@click.command(
    cls=Command,
    short_help="Train a model on taxi rides, to see it all at work.",
    examples={
        "ostinato demo": "under two minutes: linear regression, XGBoost, a short search; the best is registered",
        "ostinato demo --full": "with the random forest and the whole search space",
        "ostinato demo --data rides/": "with the two months from a folder of yours",
    },
)
@click.option("--full", is_flag=True, help="Add the random forest and the whole search space.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder with the months, instead of those that come with Ostinato.",
)
@quiet_option
@plain_option
@trace_option
@json_option
def demo(*, full: bool, data: Path | None, quiet: bool, plain: bool, full_trace: bool, as_json: bool) -> int:
    """Train models of how long a taxi ride takes, on a month of real rides; the best of them goes to staging.

    It needs the packages of the extra: pip install "ostinato[demo]".
    """
    if not quiet:
        click.echo(f"Trains and compares models of two months of real rides: {TAKES[full]}.", err=True)
    style = style_of(plain=plain, quiet=quiet)
    find = OwnRuns()
    failures: list[Exception] = []

    def work() -> Any:
        try:
            with redirect_stdout(sys.stderr) if as_json else nullcontext():
                return example.train(full=full, data=data)
        except Exception as error:
            if isinstance(error, OstinatoError) and not isinstance(error, RunError):
                raise
            failures.append(error)  # the run has recorded it; it is told below
            return None

    staged = carry_out(work, find, style)
    if failures:
        with open_reader() as reader:
            if not find(reader):  # no run of ours failed, but the example around it
                raise failures[0]
    if staged is None or as_json:
        error = failures[0] if failures else None
        return conclude(find, style, as_json=as_json, error=error, full_trace=full_trace)
    click.echo("\n".join(example.lines(staged)))
    return exits.OK
