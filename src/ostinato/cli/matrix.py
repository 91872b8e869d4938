"""The matrix of a backfill: one cell for each instant, and what is to be said below it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.cli.glyphs import GLYPHS, ORDER
from ostinato.cli.lines import Line, one_line
from ostinato.cli.summary import brief_reason
from ostinato.cli.times import in_zone, took
from ostinato.core import zones
from ostinato.core.backfill import Todo
from ostinato.core.records import FlowRun
from ostinato.core.states import SUCCESSFUL, UNSUCCESSFUL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.cli.lines import Piece
    from ostinato.cli.screen import Screen

UNMADE: Final[Piece] = ("·", "dim")
_FAILURES: Final = 3
_GROUPS: Final = ((20 * 86_400, "%Y"), (20 * 3600, "%Y-%m"), (20 * 60, "%Y-%m-%d"), (0, "%Y-%m-%d %Hh"))
"""Seconds between two instants, and what a row of cells has in common then."""


class Row(msgspec.Struct, kw_only=True):
    """One instant of a backfill, as it goes on."""

    at: int
    todo: Todo
    run: FlowRun | None = None
    key: str = ""
    note: str = ""

    @property
    def going(self) -> bool:
        """Whether its run has not ended, or its worker has not let go of it yet: then it is in the way of the next."""
        return self.run is not None and (not self.run.ended or self.run.held)

    @property
    def completed(self) -> bool:
        """Whether its run ended well."""
        return self.run is not None and self.run.state in SUCCESSFUL

    @property
    def failed(self) -> bool:
        """Whether its run ended, but not well."""
        return bool(self.note) or (self.run is not None and self.run.ended and self.run.state in UNSUCCESSFUL)

    @property
    def why(self) -> str:
        """What there is to say of it."""
        if self.note or self.run is None:
            return self.note
        return "completed before" if self.todo == "keep" else brief_reason(self.run)


def took_of(run: FlowRun | None, now: int) -> str:
    """Give how long a run has taken."""
    return "" if run is None or run.started_at is None else took((run.ended_at or now) - run.started_at)


def state_piece(row: Row) -> Piece:
    """Give glyph and word of the state of a row."""
    if row.run is None:
        return ("✕ gone", "red") if row.note else (f"{UNMADE[0]} not made", "dim")
    glyph, style = GLYPHS[row.run.state]
    return f"{glyph} {row.run.state}", style


def view(rows: Sequence[Row], zone: str, screen: Screen, waiting: str, now: int) -> list[Line]:
    """Give what a terminal shows while a backfill goes on."""
    going = [row for row in rows if row.going]
    is_over = all(row.failed or row.completed for row in rows)  # a table of what failed comes next
    failures = [] if is_over else [row for row in rows if row.failed][-_FAILURES:]
    below = [_row_line(row, zone, now) for row in going[: screen.rows // 3]] + [
        _row_line(row, zone, now) for row in failures
    ]
    if waiting:
        below.append([("  waits: ", "dim"), (one_line(waiting), "yellow")])
    room = max(screen.rows - len(below) - 4, 3)
    return [*_cells(rows, zone, screen.columns, room), counts_line(rows), *below]


def _row_line(row: Row, zone: str, now: int) -> Line:
    name = row.run.name if row.run is not None else ""
    why = one_line(row.why) if row.failed else took_of(row.run, now)
    text, style = state_piece(row)
    return [("  ", ""), (f"{text:<12}", style), (f"{in_zone(row.at, zone)}  ", ""), (f"{name}  ", "bold"), (why, "dim")]


def counts_line(rows: Sequence[Row]) -> Line:
    """Give how many instants are done, and how."""
    n_done = sum(row.failed or (row.run is not None and not row.going) for row in rows)
    line: Line = [(f"  {n_done} of {len(rows)}", "bold")]
    states = [row.run.state for row in rows if row.run is not None]
    for state in ORDER:
        if state in states:
            glyph, style = GLYPHS[state]
            line.append((f"  {glyph} {states.count(state)} {state}", style))
    n_unmade = sum(row.run is None and not row.note for row in rows)
    if n_unmade:
        line.append((f"  {UNMADE[0]} {n_unmade} to make", "dim"))
    return line


def _cells(rows: Sequence[Row], zone: str, columns: int, room: int) -> list[Line]:
    """Give the cells, grouped by what their instants have in common; the rows about what still goes on."""
    gap_s = (rows[-1].at - rows[0].at) / max(len(rows) - 1, 1) / 1e6 if rows else 0
    pattern = next(pattern for least, pattern in _GROUPS if gap_s >= least)
    clock = zones.named(zone)
    lines: list[Line] = []
    first_open = -1
    for label, same in groupby(rows, lambda row: zones.wall(row.at, clock).strftime(pattern)):
        group = list(same)
        most = max((columns - len(label) - 4) // 2, 1)
        for begin in range(0, len(group), most):
            part = group[begin : begin + most]
            if first_open < 0 and any(row.going or (row.run is None and not row.note) for row in part):
                first_open = len(lines)
            head = label if begin == 0 else " " * len(label)
            lines.append([(f"  {head} ", "dim"), *(piece for row in part for piece in ((" ", ""), _cell(row)))])
    if len(lines) <= room:
        return lines
    last = len(lines) - room
    start = last if first_open < 0 else min(max(first_open - 1, 0), last)
    return lines[start : start + room]


def _cell(row: Row) -> Piece:
    if row.run is None:
        return ("✕", "red") if row.note else UNMADE
    return GLYPHS[row.run.state]
