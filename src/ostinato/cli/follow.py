"""Following runs while they go: what the live tree and the plain lines are made of."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from ostinato.cli.home import open_reader
from ostinato.cli.lines import clip
from ostinato.cli.loglines import is_failure, short_lines
from ostinato.cli.summary import waiting_reason, waits
from ostinato.cli.survey import Branch, Survey
from ostinato.cli.times import now_us
from ostinato.cli.tree import Pace, View, tree_of
from ostinato.core.ports import RECORDER, resolve
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

OUTERMOST: Final = Query((Term(field="parent", op="none", values=()),))
"""The query for runs that no run called."""

_PAGE: Final = 1000
_NEWEST: Final = 100
_ASK_WHY_US: Final = 1_000_000
"""How often it is asked why a run waits."""


def one_run(run_id: str, epoch: int = 1) -> Finder:
    """Follow this run, once it is in this epoch."""

    def find(reader: Reader) -> list[FlowRun]:
        run = reader.find_run(run_id)
        return [run] if run.epoch >= epoch else []

    return find


class OwnRuns:
    """Follow the outermost runs that this process makes from now on."""

    def __init__(self) -> None:
        self._stream: str = resolve(RECORDER)().stream
        self._since = now_us()
        self._ids: list[str] = []

    def __call__(self, reader: Reader) -> list[FlowRun]:
        """Give them as they are now."""
        since = Query((*OUTERMOST.terms, Term(field="created", op=">=", values=(self._since,))))
        found, after = reader.runs(since, limit=_NEWEST)
        newest = list(found)
        while after and not any(self._is_mine(run) for run in newest):
            found, after = reader.runs(since, limit=_NEWEST, after=after)
            newest += found
        self._ids += [run.id for run in reversed(newest) if self._is_mine(run) and run.id not in self._ids]
        return [reader.find_run(run_id) for run_id in self._ids]

    def _is_mine(self, run: FlowRun) -> bool:
        return run.stream == self._stream


class Follower:
    """Looks at runs again and again: their trees, and the log lines that came since the last look."""

    def __init__(self, reader: Reader, find: Finder, recent: int | None) -> None:
        self._reader = reader
        self._find = find
        self._survey = Survey(reader)
        self._cursor = 0
        self._recent = recent
        self._names: dict[str, str] = {}
        self._reasons: dict[tuple[str, int, str], tuple[int, str]] = {}

    def look(self) -> list[Branch]:
        """Give the runs as they are now."""
        return [self._survey.take(run) for run in self._find(self._reader)]

    def new_lines(self, branches: list[Branch]) -> list[LogLine]:
        """Give the log lines of these runs that came since, at most 1,000 of them."""
        for branch in branches:
            self._names.update(_names(branch))
        if not self._names:
            return []
        recent, self._recent = self._recent, None
        if recent is None:
            lines = self._reader.logs(list(self._names), after=self._cursor, limit=_PAGE)
        else:
            lines = self._reader.logs(list(self._names), limit=max(recent, 1), tail=True)
        self._cursor = lines[-1].id if lines else self._cursor
        return lines if recent != 0 else []

    def why(self, run: FlowRun) -> str:
        """Say why a run does not run, "" when it does; asked now and then."""
        if not waits(run):
            return ""
        now = now_us()
        place = run.id, run.epoch, run.state
        asked_at, said = self._reasons.get(place, (0, ""))
        if now - asked_at > _ASK_WHY_US:
            said = waiting_reason(self._reader, run, now)
            self._reasons[place] = now, said
        return said

    def name_of(self, run_id: str) -> str:
        """Give the name of a run that was seen."""
        return self._names.get(run_id, run_id)


def _names(branch: Branch) -> Iterator[tuple[str, str]]:
    yield branch.run.id, branch.run.name
    for child in branch.branches:
        yield from _names(child)


@contextmanager
def live_look(find: Finder, recent: int | None = None, ended: threading.Event | None = None) -> Iterator[Look]:
    """Give the look of a live tree.

    It begins with the last `recent` log lines, with all of them when None; `ended` is set once all
    that is followed has ended.
    """
    pace = Pace()
    with open_reader() as reader:
        follower = Follower(reader, find, recent)

        def look(screen: Screen, frame: int) -> tuple[list[str], list[Line]]:
            branches = follower.look()
            lines = follower.new_lines(branches)
            if ended is not None and branches and not lines and all(branch.ended for branch in branches):
                ended.set()
            tree: list[Line] = []
            rows = max((screen.rows - 4) // max(len(branches), 1), 1)
            for branch in branches:
                view = View(columns=screen.columns, rows=rows, now=now_us(), pace=pace, frame=frame)
                tree += tree_of(branch, view)
                if why := follower.why(branch.run):
                    tree.append([(f"  {clip(why, screen.columns - 2)}", "yellow")])
            # Failures stand in the tree, and whole at the end.
            logged = [
                row
                for line in lines
                if not is_failure(line)
                for row in short_lines(line, follower.name_of(line.run_id), screen.columns)
            ]
            return logged, tree

        yield look
