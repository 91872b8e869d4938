"""`ostinato runs`: the list of runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

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
from ostinato.cli.summary import brief_reason, waiting_reason, waits
from ostinato.cli.times import ago, now_us, took
from ostinato.core.ids import id_bound
from ostinato.core.query import AHEAD, RUN_FIELDS, Query, Term, parse

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
_BEGUN: Final = Query((*OUTERMOST.terms, Term(field=AHEAD, op="in", values=(), negated=True)))
_FAR_US: Final = 1 << 62
_MOST_BEFORE: Final = 1000
"""Of a queue in which more runs are due it is not looked up when the next one is."""


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

    Without QUERY only outermost runs are listed that have begun or are due; with one, subflow runs and
    those that schedules have made ahead too. A query is a row of
    terms that must all hold: `field:value`, `field:a,b` for either, `-field:value` for not,
    `field:"two words"` (keep the quotes from the shell: 'flow:"two words"'), and free words that are
    part of a run's or a flow's name.
    """
    text = " ".join(query)
    is_plain = not text.strip()
    wanted = _BEGUN if is_plain else parse(text, RUN_FIELDS, zone=None)
    with open_reader() as reader:
        found, cursor = reader.runs(wanted, limit=limit, after=after)
        while cursor and len(found) < limit:  # a page looks at so many runs, whether they match or not
            rest, cursor = reader.runs(wanted, limit=limit - len(found), after=cursor)
            found += rest
        if is_plain:  # what a schedule made ahead comes after what was made before it was due
            found.sort(key=lambda run: max(run.id, id_bound(run.due_at)), reverse=True)
        ahead = _ahead(reader) if is_plain and not after and not as_json and not ids_only else ""
        if found and not as_json and not ids_only:
            _print_table(reader, found)
    if as_json:
        click.echo(dumps([run_shape(run) for run in found]))
    elif ids_only:
        click.echo("".join(run.id + "\n" for run in found), nl=False)
    elif not found:
        none = "No run has begun." if ahead else "No runs yet. Begin with `ostinato demo`."
        click.echo(none if is_plain and not after else "No runs match.", err=True)
    if ahead:
        click.echo(ahead, err=True)
    if cursor and not ids_only:
        more = " ".join(("ostinato runs", text, f"--after {cursor}")).replace("  ", " ")
        click.echo(f"more: {more}", err=True)


def _ahead(reader: Reader) -> str:
    """Say how many runs are to come, and when the next one is due."""
    now = now_us()
    n, following = 0, []
    for load in reader.queue_loads():
        n += load.n_later
        if load.n_later and load.n_waiting < _MOST_BEFORE:
            found = reader.preview(load.name, _FAR_US, load.n_waiting + 1)
            following += [run.due_at for run in found if run.due_at > now][:1]
    if not n:
        return ""
    said = f", next {ago(min(following), now)}" if following else ""
    return f"{n:,} scheduled{said}: `ostinato queue preview`"


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
    reasons = {run.id: waiting_reason(reader, run, now) for run in [run for run in found if waits(run)][:_ASKED]}
    deployed = not narrow and any(run.deployment for run in found)
    cells = {
        "STATE": [(f"{GLYPHS[run.state][0]} {run.state}{late_mark(run)}", GLYPHS[run.state][1]) for run in found],
        "RUN": [(clip(("└ " if run.parent_id else "") + one_line(run.name), name), "bold") for run in found],
        "DEPLOYMENT" if deployed else "FLOW": [
            (clip(one_line((deployed and run.deployment) or run.flow), flow), "") for run in found
        ],
        "WHEN": [(ago(run.started_at or run.due_at or run.created_at, now), "dim") for run in found],
        "TOOK": [(_took(run, now), "") for run in found],
        "ID": [(_short_id(reader, run.id), "dim") for run in found],
        "WHY": [(reasons.get(run.id) or brief_reason(run), "dim") for run in found],
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
