"""`ostinato logs`: the log lines of a run and its subflows."""

from __future__ import annotations

import re
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import click

from ostinato.cli.command import Command, json_option, run_argument
from ostinato.cli.home import open_reader
from ostinato.cli.loglines import LEVELS, text_of
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps, log_shape
from ostinato.core.query import Query, Term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun, LogLine

_PAGE: Final = 10_000
_POLL_S: Final = 0.2


@click.command(
    cls=Command,
    short_help="Print the log lines of a run.",
    examples={
        "ostinato logs last": "all lines of the newest run and its subflows",
        "ostinato logs quiet-otter -f --level warning": "follow, from warnings upwards, until the run ends",
        "ostinato logs quiet-otter --task fit --grep nan": "lines of tasks named like `fit` in which `nan` occurs",
        "ostinato logs last --tail 20 --json": "the last 20 lines, one JSON object a line",
    },
)
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Wait for more lines until the run ends.")
@click.option("--task", default="", metavar="NAME", help="Only task runs whose name contains this.")
@click.option(
    "--level",
    default="debug",
    type=click.Choice(list(LEVELS), case_sensitive=False),
    help="Only lines of this level and above.",
)
@click.option("--grep", "pattern", default="", metavar="REGEX", help="Only lines whose text matches, in any case.")
@click.option("--tail", type=click.IntRange(0), metavar="N", help="Only the last N of these lines (then follow).")
@json_option
def logs(*, run: str, follow: bool, task: str, level: str, pattern: str, tail: int | None, as_json: bool) -> None:
    """Print the log lines of a run and its subflows, oldest first.

    RUN is a name (the newest run that has it), an id or its first characters, or `last`.
    """
    wanted = _filter(task, pattern)
    with open_reader() as reader:
        found = reader.find_run(run)
        stream = _Lines(reader, found, LEVELS[level])
        write = _json_writer() if as_json else _text_writer(stream)
        for line in _first(stream, wanted, tail, plain=not (task or pattern)):
            write(line)
        while follow:
            # Asked before the lines are read: what was logged until it ended is then surely among them.
            ended = reader.find_run(found.id).ended
            for line in filter(wanted, stream.new()):
                write(line)
            if ended:
                break
            sys.stdout.flush()
            time.sleep(_POLL_S)


class _Lines:
    """The log lines of a run and all below it, from a cursor on."""

    def __init__(self, reader: Reader, run: FlowRun, level: int) -> None:
        self.names: dict[str, str] = {}
        self._reader = reader
        self._run = run
        self._level = level
        self._cursor = 0

    def new(self) -> Iterator[LogLine]:
        """Give the lines that came since the last time."""
        self.names = {run.id: run.name for run in family(self._reader, self._run)}
        while True:
            page = self._reader.logs(list(self.names), after=self._cursor, limit=_PAGE, level=self._level)
            if not page:
                return
            self._cursor = page[-1].id
            yield from page

    def last(self, n: int) -> list[LogLine]:
        """Give the last `n` lines there are now."""
        self.names = {run.id: run.name for run in family(self._reader, self._run)}
        page = self._reader.logs(list(self.names), limit=max(n, 1), level=self._level, tail=True)
        self._cursor = page[-1].id if page else 0
        return page[len(page) - n :] if n else []


def family(reader: Reader, run: FlowRun) -> list[FlowRun]:
    """Give a run and all subflow runs below it."""
    members = {run.id: run}
    query = Query((Term(field="root", op="prefix", values=(run.root_id,)),))
    runs: list[FlowRun] = []
    cursor = ""
    while True:
        page, cursor = reader.runs(query, limit=_PAGE, after=cursor)
        runs += page
        if not cursor:
            break
    # Oldest first: a parent comes before its children.
    for child in sorted(runs, key=lambda found: found.id):
        if child.parent_id in members:
            members[child.id] = child
    return list(members.values())


def _first(
    stream: _Lines, wanted: Callable[[LogLine], bool], tail: int | None, *, plain: bool
) -> Iterator[LogLine] | list[LogLine] | deque[LogLine]:
    if tail is None:
        return filter(wanted, stream.new())
    return stream.last(tail) if plain else deque(filter(wanted, stream.new()), maxlen=tail)


def _filter(task: str, pattern: str) -> Callable[[LogLine], bool]:
    try:
        found = re.compile(pattern, re.IGNORECASE).search
    except re.error as error:
        message = f"--grep {pattern!r} is no regular expression: {error}."
        raise click.BadParameter(message, param_hint="'--grep'") from error
    part = task.lower()
    return lambda line: part in line.task.lower() and found(line.text) is not None


def _json_writer() -> Callable[[LogLine], None]:
    out = sys.stdout

    def write(line: LogLine) -> None:
        out.write(dumps(log_shape(line)) + "\n")

    return write


def _text_writer(stream: _Lines) -> Callable[[LogLine], None]:
    out = sys.stdout
    screen = screen_of(out)

    def write(line: LogLine) -> None:
        name = stream.names.get(line.run_id, line.run_id)
        out.write(text_of(line, name, colour=screen.colour, terminal=screen.terminal) + "\n")

    return write
