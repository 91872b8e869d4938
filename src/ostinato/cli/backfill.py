"""`ostinato backfill`: runs of a deployment for past instants of its schedule."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import click

from ostinato.cli import exits
from ostinato.cli.command import Command, json_option
from ostinato.cli.execute import plain_option
from ostinato.cli.home import open_commands, open_reader
from ostinato.cli.lines import columns_of, one_line
from ostinato.cli.live import Live
from ostinato.cli.matrix import Row, counts_line, state_piece, took_of, view
from ostinato.cli.pairs import read_pairs
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps, run_shape
from ostinato.cli.times import in_zone, iso, now_us
from ostinato.core.backfill import TAG, Cell, Mode, Work, planned, span, timetable_of, work_of
from ostinato.core.commands import CreateRun
from ostinato.core.errors import RunNotFound, ServerUnreachable
from ostinato.core.schedules import upcoming

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.cli.lines import Line, Piece
    from ostinato.cli.screen import Screen
    from ostinato.core.deployments import Deployment, Timetable
    from ostinato.core.ports import Commands, Reader

_SOONEST_S: Final = 0.05
_LATEST_S: Final = 0.5
"""Bounds of the time between two looks at the runs."""
_ASK_WHY_S: Final = 2.0
"""How often it is asked why nothing starts."""
_PATIENCE_S: Final = 120.0
"""So long a server may be away."""


@click.command(
    cls=Command,
    short_help="Run a deployment for past instants of its schedule.",
    examples={
        "ostinato backfill score/monthly --from 2023-02 --to 2024-03": "one run for each month, four at once",
        "ostinato backfill score/monthly --from 2023-02-01 --to 2023-05-31 --only-missing": "where nothing completed",
        "ostinato backfill score/monthly --from 2023-02 --to 2023-05 -p model=v2": "with another parameter",
        "ostinato backfill score/monthly --from 2023-02 --to 2023-05 --again": "each anew, completed or not",
    },
)
@click.argument("deployment")
@click.option("--from", "begin", required=True, metavar="DATE", help="First month, day or time.")
@click.option("--to", "end", required=True, metavar="DATE", help="Last month, day (all of it) or time.")
@click.option("--parallel", default=4, show_default=True, type=click.IntRange(1, 1000), help="Most runs at once.")
@click.option("--only-missing", is_flag=True, help="Leave out what any run has completed, whatever its code.")
@click.option("--again", is_flag=True, help="Run each instant anew, though an earlier backfill completed it.")
@click.option("--schedule", "slug", default="", metavar="SLUG", help="The schedule, when there are several.")
@click.option("-p", "--param", "pairs", multiple=True, metavar="NAME=VALUE", help="Parameter of all its runs.")
@click.option("--detach", is_flag=True, help="Make all runs at once and wait for none; --parallel has no say then.")
@plain_option
@json_option
def backfill(
    *,
    deployment: str,
    begin: str,
    end: str,
    parallel: int,
    only_missing: bool,
    again: bool,
    slug: str,
    pairs: tuple[str, ...],
    detach: bool,
    plain: bool,
    as_json: bool,
) -> int:
    """Run DEPLOYMENT once for each past instant of its schedule between two dates, and watch the runs.

    Each run is told its instant, as by the schedule itself. Dates without a zone are on the clock of the schedule.
    This command makes the runs, a few at a time. Stopped, it makes no more, and called again it goes on: what has
    completed with this code and these parameters is not run again, what still runs is watched, what failed is
    run anew. The exit code is 1 when one of them did not complete.
    """
    if only_missing and again:
        message = "--only-missing and --again exclude one another."
        raise click.UsageError(message)
    mode: Mode = "missing" if only_missing else "again" if again else "once"
    screen = screen_of(sys.stderr, plain=plain)
    with open_reader() as reader, open_commands() as commands:
        one = reader.find_deployment(deployment)
        timetable = timetable_of(one, slug)
        work = work_of(one, timetable, read_pairs(pairs, one.parameter_schema), mode)
        cells = _cells(reader, timetable, work, begin, end)
        if not cells:
            click.echo(f"Schedule {timetable.slug} of {one.title} has no instant from {begin} to {end}.", err=True)
        alone = one.overlap != "allow" and not detach
        driver = Driver(reader, commands, cells, work, timetable, len(cells) if detach else 1 if alone else parallel)
        if not as_json:
            _say_begin(driver, one, alone=alone, screen=screen)
        code = _follow(driver, screen, detach=detach, live=screen.live and not as_json, quiet=as_json)
    if as_json:
        click.echo(dumps([_shape(row) for row in driver.rows]))
    elif cells:
        _print_end(driver, shown=screen.live)
    if code == exits.CANCELLED:
        n_going, n_open = sum(row.going for row in driver.rows), sum(map(_is_open, driver.rows))
        click.echo(f"Stopped: {n_going} under way go on, {n_open} are not made. Called again, it goes on.", err=True)
    return code


def _cells(reader: Reader, timetable: Timetable, work: Work, begin: str, end: str) -> list[Cell]:
    """Give what is to be done for each instant that has passed."""
    first, last = span(begin, end, timetable.schedule.timezone)
    now = now_us()
    found = planned(reader, timetable.schedule, work, first, min(last, now))
    if upcoming(timetable.schedule, max(first - 1, now), 1, until_us=last):
        click.echo("Instants that are still to come are left to the schedule.", err=True)
    return found


class Driver:
    """Makes the runs of a backfill, a few at a time, and sees to it that each has ended."""

    def __init__(
        self, reader: Reader, commands: Commands, cells: list[Cell], work: Work, timetable: Timetable, parallel: int
    ) -> None:
        self.rows = [Row(at=cell.at, todo=cell.todo, run=cell.run, key=cell.key) for cell in cells]
        self.zone = timetable.schedule.timezone
        self.work = work
        self.parallel = parallel
        self.waiting = ""
        """Why nothing starts."""
        self.tell: Callable[[Row], None] = lambda _: None
        """Called when a run was made or changed its state."""
        self.warn: Callable[[str], None] = lambda _: None
        """Called with the reason why nothing starts, when there is a new one."""
        self._reader = reader
        self._commands = commands
        self._asked_at = time.monotonic()

    @property
    def ended(self) -> bool:
        """Whether all runs are made and have ended."""
        return not any(row.going or _is_open(row) for row in self.rows)

    def run(self) -> None:
        """Make all runs and wait for their ends."""
        pause_s, away_since = _SOONEST_S, 0.0
        while True:
            try:
                changed = self.refresh() + self.fill()
                self._ask_why()
                away_since = 0.0
            except ServerUnreachable:
                changed, away_since = 0, away_since or time.monotonic()
                if time.monotonic() - away_since > _PATIENCE_S:
                    raise
            if self.ended:
                return
            pause_s = _SOONEST_S if changed else min(pause_s * 1.5, _LATEST_S)
            time.sleep(pause_s)

    def refresh(self) -> int:
        """Look at the runs that go on; give how many changed."""
        changed = 0
        for row in self.rows:
            if row.run is None or not row.going:
                continue
            before = row.run.state
            try:
                row.run = self._reader.find_run(row.run.id)
            except RunNotFound:
                row.run, row.note = None, "its run was deleted"
            if row.run is None or row.run.state != before:
                changed += 1
                self.tell(row)
        return changed

    def fill(self) -> int:
        """Make runs up to the number that may go on at once; give how many."""
        room = self.parallel - sum(row.going for row in self.rows)
        wanted = [row for row in self.rows if _is_open(row)][: max(room, 0)]
        for row in wanted:
            row.run = self._commands.do(
                CreateRun(
                    deployment=self.work.deployment_id,
                    parameters=self.work.parameters,
                    tags=(TAG,),
                    expected_at=row.at,
                    schedule=self.work.slug,
                    key=row.key,
                )
            )
            self.tell(row)
        return len(wanted)

    def _ask_why(self) -> None:
        """Ask why nothing starts, now and then."""
        going = [row.run for row in self.rows if row.going and row.run is not None]
        if not going or any(run.state not in ("Scheduled", "Late", "Crashed") for run in going):
            self.waiting = ""
        elif time.monotonic() - self._asked_at > _ASK_WHY_S:
            self._asked_at, before = time.monotonic(), self.waiting
            self.waiting = self._reader.why_waiting(going[0].id)
            if self.waiting not in ("", before):
                self.warn(self.waiting)


def _is_open(row: Row) -> bool:
    return row.run is None and not row.note


def _follow(driver: Driver, screen: Screen, *, detach: bool, live: bool, quiet: bool) -> int:
    """Let the backfill run, shown as it goes; give the exit code."""

    def look(screen: Screen, _frame: int) -> tuple[list[str], list[Line]]:
        return [], view(driver.rows, driver.zone, screen, driver.waiting, now_us())

    if not live and not quiet:
        driver.tell = lambda row: _tell(row, driver.zone, screen)
        driver.warn = lambda why: screen.print([[(f"waits: {one_line(why)}", "yellow")]], sys.stderr, whole=True)
    try:
        if detach:
            driver.fill()
            return exits.OK
        with Live(nullcontext(look)) if live else nullcontext():
            driver.run()
    except KeyboardInterrupt:
        return exits.CANCELLED
    return exits.RUN_FAILED if any(row.failed for row in driver.rows) else exits.OK


def _say_begin(driver: Driver, one: Deployment, *, alone: bool, screen: Screen) -> None:
    rows = driver.rows
    if not rows:
        return
    todo = [row.todo for row in rows]
    parts = [
        f"{todo.count(kind)} {said}"
        for kind, said in (("keep", "completed before"), ("watch", "under way"), ("make", "to run"))
        if kind in todo
    ]
    begin, end = in_zone(rows[0].at, driver.zone), in_zone(rows[-1].at, driver.zone)
    head: Line = [
        (one_line(one.title), "bold"),
        (f"  {len(rows)} instant{'s' * (len(rows) != 1)} of {driver.work.slug}, {begin} to {end} {driver.zone}", ""),
    ]
    lines: list[Line] = [head, [(f"  {', '.join(parts)}", "dim")]]
    if alone and "make" in todo:
        lines.append([(f"  one at a time: the deployment has overlap={one.overlap}", "yellow")])
    screen.print(lines, sys.stderr, whole=True)


def _tell(row: Row, zone: str, screen: Screen) -> None:
    """Print a line of a row; that a worker has taken it is soon told by what comes next."""
    if row.run is None or row.run.state != "Pending":
        screen.print([_plain(row, zone)], sys.stderr)


def _plain(row: Row, zone: str) -> Line:
    text, style = state_piece(row)
    name = row.run.name if row.run is not None else ""
    took = took_of(row.run, now_us()) if not row.going else ""
    rest = "  ".join(part for part in (took, one_line(row.why)) if part)
    return [(f"{in_zone(row.at, zone)}  ", ""), (f"{name}  ", "bold"), (f"{text}  ", style), (rest, "dim")]


def _print_end(driver: Driver, *, shown: bool) -> None:
    """Print a table of all instants; of what did not complete only, when the matrix has `shown` the rest."""
    screen, now = screen_of(sys.stdout), now_us()
    rows = [row for row in driver.rows if not (shown and screen.terminal and row.completed)]
    if not rows:
        return
    cells: list[list[Piece]] = [[(head, "dim") for head in ("INSTANT", "STATE", "RUN", "TOOK")]]
    cells += [
        [
            (in_zone(row.at, driver.zone), ""),
            state_piece(row),
            (one_line(row.run.name) if row.run is not None else "", "bold"),
            (took_of(row.run, now), "dim"),
        ]
        for row in rows
    ]
    said = ["WHY", *(one_line(row.why) for row in rows)]
    lines = columns_of(cells, screen.table_columns, right=(3,))
    screen.print([[*line, (f"  {why}", "dim")] for line, why in zip(lines, said, strict=True)])
    if not shown:
        screen.print([counts_line(driver.rows)])


def _shape(row: Row) -> dict[str, Any]:
    return {
        "instant": iso(row.at),
        "todo": row.todo,
        "why": row.why,
        "run": run_shape(row.run) if row.run is not None else None,
    }
