"""`ostinato pause`: let a run wait."""

from __future__ import annotations

import click

from ostinato.cli.command import Command, json_option, run_argument
from ostinato.cli.home import carry_out
from ostinato.cli.lines import one_line
from ostinato.cli.shapes import dumps, run_shape
from ostinato.core.commands import PauseRun


@click.command(
    cls=Command,
    short_help="Let a run of a worker wait.",
    examples={
        "ostinato pause quiet-otter": "at its next call of a task; what runs goes on to its end",
        "ostinato resume quiet-otter": "lets it go on",
    },
)
@run_argument
@json_option
def pause(*, run: str, as_json: bool) -> None:
    """Let a run of a worker wait until `ostinato resume`: at once when it has not begun, else at its next task.

    RUN is a name (the newest run that has it), an id or its first characters, or `last`.
    """
    found = carry_out(PauseRun(run=run))
    if as_json:
        click.echo(dumps(run_shape(found)))
    elif found.state == "Paused":
        click.echo(f"{one_line(found.name)} is paused.")
    else:
        click.echo(f"{one_line(found.name)} pauses at its next call of a task.")
