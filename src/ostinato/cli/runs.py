"""`ostinato runs`: the list of runs."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from ostinato.cli.command import Command, json_option
from ostinato.cli.follow import OUTERMOST
from ostinato.cli.glyphs import GLYPHS
from ostinato.cli.home import open_reader
from ostinato.cli.lines import Line, columns_of, one_line
from ostinato.cli.offers import complete_query
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps, run_shape
from ostinato.cli.summary import brief_reason
from ostinato.cli.times import ago, now_us, took
from ostinato.core.query import RUN_FIELDS, parse

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun

_HEAD = [("STATE", "dim"), ("RUN", "dim"), ("FLOW", "dim"), ("MADE", "dim"), ("TOOK", "dim")]
_FIELDS = {f"{name}:": field.help for name, field in RUN_FIELDS.items()}


class _Runs(Command):
    """Takes `-state:completed` as a term, not as options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move negated terms behind `--`, where nothing is an option."""
        terms = [word for word in args if _NEGATED.match(word)]
        others = [word for word in args if not _NEGATED.match(word)]
        return super().parse_args(ctx, [*others, *([] if "--" in others else ["--"]), *terms] if terms else args)


_NEGATED = re.compile(r"-[A-Za-z_][\w.-]*:")


@click.command(
    cls=_Runs,
    short_help="List runs.",
    examples={
        "ostinato runs": "the newest runs",
        "ostinato runs state:failed,crashed since:24h": "what went wrong since yesterday",
        "ostinato runs flow:train -state:completed duration:>5m": "long runs of one flow that did not end well",
        "ostinato runs parent:none tag:gpu --json": "as one JSON array",
        "ostinato runs state:crashed -q": "ids only, for a script",
    },
    words=_FIELDS,
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
    if as_json:
        click.echo(dumps([run_shape(run) for run in found]))
    elif ids_only:
        click.echo("".join(run.id + "\n" for run in found), nl=False)
    elif found:
        _print_table(found)
    else:
        click.echo("No runs match." if text or after else "No runs yet. Begin with `ostinato demo`.", err=True)
    if cursor and not ids_only:
        more = " ".join(("ostinato runs", text, f"--after {cursor}")).replace("  ", " ")
        click.echo(f"more: {more}", err=True)


def _print_table(found: list[FlowRun]) -> None:
    screen = screen_of(sys.stdout)
    wide = screen.table_columns >= 100
    now = now_us()
    head: Line = [*_HEAD, ("WHY", "dim"), ("ID", "dim")] if wide else _HEAD
    rows = [head, *(_row(run, now, wide=wide) for run in found)]
    screen.print(columns_of(rows, screen.table_columns, right=(4,)))


def _row(run: FlowRun, now: int, *, wide: bool) -> Line:
    glyph, colour = GLYPHS[run.state]
    start = run.started_at or run.ended_at
    row: Line = [
        (f"{glyph} {run.state}", colour),
        (("└ " if run.parent_id else "") + one_line(run.name), "bold"),
        (one_line(run.flow), ""),
        (ago(run.created_at, now), "dim"),
        ("" if start is None else took((run.ended_at or now) - start), ""),
    ]
    return [*row, (brief_reason(run), "dim"), (run.id, "dim")] if wide else row
