"""`ostinato runs`: the list of runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ostinato.cli.command import json_option
from ostinato.cli.follow import OUTERMOST
from ostinato.cli.glyphs import GLYPHS
from ostinato.cli.home import open_reader
from ostinato.cli.lines import clip, columns_of, one_line
from ostinato.cli.offers import complete_query
from ostinato.cli.screen import screen_of
from ostinato.cli.selection import FIELD_WORDS, QueryCommand
from ostinato.cli.shapes import dumps, run_shape
from ostinato.cli.summary import brief_reason, waiting_reason
from ostinato.cli.times import ago, now_us, took
from ostinato.core.query import RUN_FIELDS, Query, Term, parse

if TYPE_CHECKING:
    from ostinato.cli.lines import Piece
    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun

_WIDE = 100
"""With fewer columns, names are cut and WHY gets what is left."""
_NAME, _FLOW, _ANY = 16, 12, 1_000_000
_MOST_NARROW = 6
_SHORTEST = 10
"""Characters of an id that are shown, or more where another run begins alike."""
_ASKED = 50
"""Of so many runs that wait it is asked why."""


@click.command(
    cls=QueryCommand,
    short_help="List runs.",
    examples={
        "ostinato runs": "the newest runs",
        "ostinato runs state:failed,crashed since:24h": "what went wrong since yesterday",
        "ostinato runs flow:train -state:completed duration:>5m": "long runs of one flow that did not end well",
        "ostinato runs parent:none tag:gpu --json": "as one JSON array",
        "ostinato runs state:crashed -q": "ids only, for a script",
    },
    words=FIELD_WORDS,
)
@click.argument("query", nargs=-1, shell_complete=complete_query)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="At most so many runs.")
@click.option("--after", default="", metavar="CURSOR", help="Go on after an earlier list (it prints its cursor).")
@click.option("-q", "--ids", "ids_only", is_flag=True, help="Print ids only.")
@json_option
def runs(*, query: tuple[str, ...], limit: int, after: str, ids_only: bool, as_json: bool) -> None:
    """List runs, newest first.

    Without QUERY only outermost runs are listed; with one, subflow runs too. A query is a row of
    terms that must all hold: `field:value`, `field:a,b` for either, `-field:value` for not,
    `field:"two words"` (keep the quotes from the shell: 'flow:"two words"'), and free words that are
    part of a run's or a flow's name.
    """
    text = " ".join(query)
    wanted = parse(text, RUN_FIELDS, zone=None) if text.strip() else OUTERMOST
    with open_reader() as reader:
        found, cursor = reader.runs(wanted, limit=limit, after=after)
        while cursor and len(found) < limit:  # a page looks at so many runs, whether they match or not
            rest, cursor = reader.runs(wanted, limit=limit - len(found), after=cursor)
            found += rest
        if found and not as_json and not ids_only:
            _print_table(reader, found)
    if as_json:
        click.echo(dumps([run_shape(run) for run in found]))
    elif ids_only:
        click.echo("".join(run.id + "\n" for run in found), nl=False)
    elif not found:
        click.echo("No runs match." if text or after else "No runs yet. Begin with `ostinato demo`.", err=True)
    if cursor and not ids_only:
        more = " ".join(("ostinato runs", text, f"--after {cursor}")).replace("  ", " ")
        click.echo(f"more: {more}", err=True)


def _print_table(reader: Reader, found: list[FlowRun]) -> None:
    screen = screen_of(sys.stdout)
    narrow = screen.table_columns < _WIDE
    columns = _columns(reader, found, narrow=narrow)
    if narrow:  # what is the same for many runs gives way to why one failed
        columns = [column for column in columns if any(text for text, _ in column[1:])]
        if len(columns) > _MOST_NARROW:
            columns = [column for column in columns if column[0][0] != "TOOK"]
    numbers = [at for at, column in enumerate(columns) if column[0][0] == "TOOK"]
    screen.print(columns_of(list(zip(*columns, strict=True)), screen.table_columns, right=numbers))


def _columns(reader: Reader, found: list[FlowRun], *, narrow: bool) -> list[list[Piece]]:
    now = now_us()
    name, flow = (_NAME, _FLOW) if narrow else (_ANY, _ANY)
    waiting = [run for run in found if run.state in ("Scheduled", "Late")][:_ASKED]
    reasons = {run.id: waiting_reason(reader, run, now) for run in waiting}
    cells = {
        "STATE": [(f"{GLYPHS[run.state][0]} {run.state}{late_mark(run)}", GLYPHS[run.state][1]) for run in found],
        "RUN": [(clip(("└ " if run.parent_id else "") + one_line(run.name), name), "bold") for run in found],
        "FLOW": [(clip(one_line(run.flow), flow), "") for run in found],
        "MADE": [(ago(run.created_at, now), "dim") for run in found],
        "TOOK": [(_took(run, now), "") for run in found],
        "WHY": [(reasons.get(run.id, brief_reason(run)), "dim") for run in found],
        "ID": [(_short_id(reader, run.id), "dim") for run in found],
    }
    return [[(head, "dim"), *column] for head, column in cells.items()]


def late_mark(run: FlowRun) -> str:
    """Give the mark of a run that is late."""
    return " (**)" if run.state == "Late" else ""


def _took(run: FlowRun, now: int) -> str:
    start = run.started_at or run.ended_at
    return "" if start is None else took((run.ended_at or now) - start)


def _short_id(reader: Reader, run_id: str) -> str:
    """Give the beginning of an id that fits no other run: ids begin with their time, and runs come in crowds."""
    for n in range(_SHORTEST, len(run_id)):
        found, _ = reader.runs(Query((Term(field="id", op="prefix", values=(run_id[:n],)),)), limit=2)
        if len(found) == 1:
            return run_id[:n]
    return run_id
