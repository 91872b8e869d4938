"""`ostinato cancel`: stop runs."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from ostinato.cli import exits
from ostinato.cli.command import json_option
from ostinato.cli.home import open_commands, open_reader
from ostinato.cli.lines import one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.selection import FIELD_WORDS, QueryCommand, complete_selection, do_to_all, is_query, yes_option
from ostinato.cli.shapes import dumps, run_shape
from ostinato.cli.tree import state_piece
from ostinato.core import settings
from ostinato.core.commands import CancelRun
from ostinato.core.errors import ControlRefused
from ostinato.core.states import ACTIVE, TERMINAL
from ostinato.session.writers import lives_here, stop_signal

if TYPE_CHECKING:
    from ostinato.core.ports import Commands, Reader
    from ostinato.core.records import FlowRun

WAIT_S: Final = 60.0
"""Longest wait for a run to end."""
_LOOK_S: Final = 0.1


@click.command(
    cls=QueryCommand,
    short_help="Stop a run, or all that match a query.",
    examples={
        "ostinato cancel quiet-otter": "stop it, and wait until it has ended",
        'ostinato cancel quiet-otter --reason "wrong month"': "the reason stands in its history",
        "ostinato cancel flow:train state:scheduled,late": "all that wait; a terminal is asked first",
        "ostinato cancel tag:nightly --yes": "without asking",
    },
    words=FIELD_WORDS,
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...|QUERY...", shell_complete=complete_selection)
@click.option("--reason", default="", metavar="TEXT", help="Why; it is recorded.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it has ended.")
@yes_option
@json_option
def cancel(*, runs: tuple[str, ...], reason: str, no_wait: bool, yes: bool, as_json: bool) -> int:
    """Stop runs. Code that runs gets an exception, then, after the grace of its deployment, signals.

    RUN is a name (the newest run that has it), an id or its first characters, or `last`. With a term such
    as `flow:train` among the words, they are a query as for `ostinato runs`. A run that was started by
    hand is stopped as by Ctrl-C, from the host on which it runs.
    """
    with open_commands() as commands:
        if is_query(runs):
            states = sorted(ACTIVE)
            return do_to_all(runs, states, "cancel", lambda run: stop(commands, run, reason), yes=yes, as_json=as_json)
        with open_reader() as reader:
            found = [reader.find_run(run) for run in runs]
            for run in found:
                stop(commands, run, reason)
            if not no_wait:
                _wait(reader, found)
            ended = [reader.find_run(run.id) for run in found]
    _tell(ended, as_json=as_json)
    return exits.OK if no_wait or all(run.state in TERMINAL for run in ended) else exits.REFUSED


def stop(commands: Commands, run: FlowRun, reason: str) -> None:
    """Cancel a run; one that was started by hand on this host through its process."""
    try:
        commands.do(CancelRun(run=run.id, reason=reason))
    except ControlRefused as refused:
        pid = _process_of(refused)
        if pid is None:
            raise
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, stop_signal(pid))


def _process_of(refused: ControlRefused) -> int | None:
    """Give the process of a run that no worker runs, when it lives here for sure."""
    values = refused.values
    stream, pid, host, began_at = (values.get(name) for name in ("stream", "pid", "host", "began_at"))
    if isinstance(stream, str) and isinstance(pid, int) and isinstance(host, str) and isinstance(began_at, int):
        return pid if pid and lives_here(settings.load().home, stream, pid, host, began_at) else None
    return None


def _wait(reader: Reader, runs: list[FlowRun]) -> None:
    """Wait until runs have ended; who presses Ctrl-C waits no longer."""
    end_s = time.monotonic() + WAIT_S
    left = [run.id for run in runs]
    with suppress(KeyboardInterrupt):
        while (left := [one for one in left if reader.find_run(one).state not in TERMINAL]) and (
            time.monotonic() < end_s
        ):
            time.sleep(_LOOK_S)


def _tell(runs: list[FlowRun], *, as_json: bool) -> None:
    if as_json:
        shapes = [run_shape(run) for run in runs]
        click.echo(dumps(shapes[0] if len(shapes) == 1 else shapes))
        return
    screen = screen_of(sys.stdout)
    for run in runs:
        said = f"  {one_line(run.flow)} · {one_line(run.name)}"
        why = f"  {one_line(run.message)}" if run.message else ""
        screen.print([[state_piece(run.state), (said, ""), (why, "dim")]], whole=True)
