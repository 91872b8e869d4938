"""`ostinato delete`: forget runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ostinato.cli import exits
from ostinato.cli.command import json_option
from ostinato.cli.home import open_commands, open_reader
from ostinato.cli.lines import one_line
from ostinato.cli.selection import (
    FIELD_WORDS,
    QueryCommand,
    complete_selection,
    confirm_one,
    do_to_all,
    is_query,
    yes_option,
)
from ostinato.cli.shapes import dumps
from ostinato.core.commands import DeleteRun
from ostinato.core.states import TERMINAL

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun


@click.command(
    cls=QueryCommand,
    short_help="Forget a run, or all that match a query.",
    examples={
        "ostinato delete quiet-otter": "with its tasks, log lines and artifacts; a terminal is asked first",
        "ostinato delete state:failed until:30d --yes": "what failed a month ago and before",
    },
    words=FIELD_WORDS,
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...|QUERY...", shell_complete=complete_selection)
@yes_option
@json_option
def delete(*, runs: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Forget runs that have ended or not begun, with their subflows, tasks, log lines and artifacts. For good.

    RUN is a name (the newest run that has it), an id or its first characters, or `last`. With a term such
    as `flow:train` among the words, they are a query as for `ostinato runs`; of the runs that it names,
    those that have ended are forgotten.
    """
    with open_commands() as commands:
        if is_query(runs):

            def forget(run: FlowRun) -> None:
                commands.do(DeleteRun(run=run.id))

            return do_to_all(runs, sorted(TERMINAL), "delete", forget, yes=yes, as_json=as_json)
        with open_reader() as reader:
            found = [reader.find_run(run) for run in runs]
        for run in found:
            confirm_one("delete", run, yes=yes)
            commands.do(DeleteRun(run=run.id))
            if not as_json:
                click.echo(f"{one_line(run.name)} is forgotten.")
    if as_json:
        click.echo(dumps({"done": "delete", "runs": [run.id for run in found], "refused": []}))
    return exits.OK
