"""`ostinato watch`: a run of another process, until it ends."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

import click

from ostinato.cli import exits
from ostinato.cli.command import Command, json_option, run_argument
from ostinato.cli.execute import conclude, plain_option, style_of
from ostinato.cli.follow import Follower, live_look, one_run
from ostinato.cli.home import open_reader
from ostinato.cli.lines import one_line
from ostinato.cli.live import Live
from ostinato.cli.loglines import text_of
from ostinato.cli.shapes import dumps
from ostinato.cli.times import iso, now_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.cli.execute import Style
    from ostinato.cli.follow import Finder
    from ostinato.cli.survey import Branch
    from ostinato.core.records import LogLine

_POLL_S = 0.25
_ORPHANS_S = 2.0
"""So often it is asked whether the process of the run is still there."""
_RECENT = 10
_NUMBERS = re.compile(r"[0-9.]+m?s?")


@click.command(
    cls=Command,
    short_help="Watch a run until it ends.",
    examples={
        "ostinato watch quiet-otter": "a live tree; Ctrl-C stops watching, not the run",
        "ostinato watch last --plain": "log lines only",
        "ostinato watch last --json": "one JSON object for each change of state or counts",
        "ostinato watch last && ostinato show last": "the exit code is that of the run",
    },
)
@run_argument
@plain_option
@json_option
def watch(*, run: str, plain: bool, as_json: bool) -> int:
    """Watch a run of another process until it ends; the exit code is that of the run.

    RUN is a name (the newest run that has it), an id or its first characters, or `last`.
    """
    with open_reader() as reader:
        found = reader.find_run(run)
    find = one_run(found.id)
    if as_json:
        return _watch_json(find)
    style = style_of(plain=plain, quiet=False)
    try:
        _look_on(find, style)
    except KeyboardInterrupt:
        click.echo(f"{one_line(found.name)} goes on without being watched.", err=True)
        return exits.CANCELLED
    return conclude(find, style, as_json=False)


def _look_on(find: Finder, style: Style) -> None:
    """Show a run until it ends."""
    if style == "plain":
        said = ""
        for follower, branches, lines in _looks(find):
            for line in lines:
                click.echo(text_of(line, follower.name_of(line.run_id)))
            for branch in branches:
                why = follower.why(branch.run)
                if _NUMBERS.sub("", why) != _NUMBERS.sub("", said):  # what only counts down is not said again
                    said = why
                    click.echo(why, nl=bool(why), err=True)
    else:
        ended = threading.Event()
        with Live(live_look(find, _RECENT, ended)) as live:
            try:
                while live.drawing and not ended.wait(_ORPHANS_S):
                    _look_for_orphans()
            except KeyboardInterrupt:
                live.stays = False
                raise


def _watch_json(find: Finder) -> int:
    last: dict[str, Any] = {}
    for _, branches, _ in _looks(find):
        for branch in branches:
            shape = _change_shape(branch)
            if shape != last:
                click.echo(dumps({"at": iso(now_us()), **shape}))
                last = shape
    return exits.of_state(last["state"])


def _change_shape(branch: Branch) -> dict[str, Any]:
    run = branch.run
    return {
        "run_id": run.id,
        "name": run.name,
        "flow": run.flow,
        "state": run.state,
        "message": run.message,
        "epoch": run.epoch,
        "tasks": branch.states,
    }


def _looks(find: Finder) -> Iterator[tuple[Follower, list[Branch], list[LogLine]]]:
    """Look at runs until they have ended and all their log lines were given."""
    with open_reader() as reader:
        follower = Follower(reader, find, _RECENT)
        asked = time.monotonic()
        while True:
            branches = follower.look()
            lines = follower.new_lines(branches)
            yield follower, branches, lines
            if not lines and all(branch.ended for branch in branches):
                return
            if not lines:
                time.sleep(_POLL_S)
            if time.monotonic() - asked > _ORPHANS_S:
                asked = time.monotonic()
                _look_for_orphans()


def _look_for_orphans() -> None:
    # Opening a reader delivers the journals of processes that died, and marks their runs as Crashed.
    with open_reader():
        pass
