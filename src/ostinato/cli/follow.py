"""Following runs while they go: what the live tree and the plain lines are made of."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ostinato.cli.command import open_reader
from ostinato.cli.loglines import text_of
from ostinato.cli.survey import Branch, Survey
from ostinato.cli.times import now_us
from ostinato.cli.tree import Pace, tree_of
from ostinato.core.query import Query, Term

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from ostinato.cli.lines import Line
    from ostinato.cli.live import Look
    from ostinato.cli.screen import Screen
    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun, LogLine

Finder: TypeAlias = "Callable[[Reader], list[FlowRun]]"
"""Gives the runs to follow, oldest first; asked again at each look."""

_PAGE = 1000
_RECENT = 10


def one_run(run_id: str) -> Finder:
    """Follow this run."""
    return lambda reader: [reader.find_run(run_id)]


def runs_of_stream(stream: Callable[[], str], since: int) -> Finder:
    """Follow the root runs that the process with this stream makes from an instant on."""
    query = Query(
        (Term(field="created", op=">=", values=(since,)), Term(field="parent", op="none", values=())),
    )
    return lambda reader: [run for run in reversed(reader.runs(query, limit=20)[0]) if run.stream == stream()]


class Follower:
    """Looks at runs again and again: their trees, and the log lines that came since the last look."""

    def __init__(self, reader: Reader, find: Finder, *, from_start: bool) -> None:
        self._reader = reader
        self._find = find
        self._survey = Survey(reader)
        self._cursor = 0
        self._recent_only = not from_start
        self._names: dict[str, str] = {}

    def look(self) -> list[Branch]:
        """Give the runs as they are now."""
        return [self._survey.take(run) for run in self._find(self._reader)]

    def new_lines(self, branches: list[Branch]) -> list[LogLine]:
        """Give the log lines of these runs that came since, at most 1,000 of them."""
        for branch in branches:
            self._names.update(_names(branch))
        if not self._names:
            return []
        recent = self._recent_only and self._cursor == 0
        self._recent_only = False
        lines = self._reader.logs(
            list(self._names), after=self._cursor, limit=_RECENT if recent else _PAGE, tail=recent
        )
        self._cursor = lines[-1].id if lines else self._cursor
        return lines

    def name_of(self, run_id: str) -> str:
        """Give the name of a run that was seen."""
        return self._names.get(run_id, run_id)


def _names(branch: Branch) -> Iterator[tuple[str, str]]:
    yield branch.run.id, branch.run.name
    for child in branch.branches:
        yield from _names(child)


@contextmanager
def live_look(find: Finder, *, from_start: bool, ended: threading.Event | None = None) -> Iterator[Look]:
    """Give the look of a live tree; `ended` is set once all that is followed has ended."""
    pace = Pace()
    with open_reader() as reader:
        follower = Follower(reader, find, from_start=from_start)

        def look(screen: Screen, frame: int) -> tuple[list[str], list[Line]]:
            branches = follower.look()
            lines = follower.new_lines(branches)
            if ended is not None and branches and not lines and all(branch.ended for branch in branches):
                ended.set()
            tree: list[Line] = []
            rows = max((screen.rows - 4) // max(len(branches), 1), 1)
            for branch in branches:
                tree += tree_of(branch, columns=screen.columns, rows=rows, now=now_us(), pace=pace, frame=frame)
            logged = [
                text_of(line, follower.name_of(line.run_id), colour=True, terminal=True, brief=True) for line in lines
            ]
            return logged, tree

        yield look
