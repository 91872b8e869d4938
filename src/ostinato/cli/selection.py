"""Runs that a command line chooses: one or some by name, or all that match a query; and what is done to each."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from ostinato.cli import exits
from ostinato.cli.command import Command
from ostinato.cli.home import open_reader
from ostinato.cli.lines import one_line
from ostinato.cli.offers import complete_query, runs_beginning
from ostinato.cli.shapes import dumps
from ostinato.core.errors import OstinatoError
from ostinato.core.query import RUN_FIELDS, Query, Term, parse
from ostinato.core.records import FlowRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

    from ostinato.core.ports import Reader
    from ostinato.core.states import StateName

FIELD_WORDS: Final = {f"{name}:": field.help for name, field in RUN_FIELDS.items()}
"""The terms of a query, for the help of a command."""
PAGE: Final = 1000
AT_ONCE: Final = 8
"""So many are asked for at once: what is decided together is committed together."""
_TOLD: Final = 20
"""So many refusals are printed."""

_NEGATED: Final = re.compile(r"-[A-Za-z_][\w.-]*:")
_TERM: Final = re.compile(rf"-?(?:{'|'.join(RUN_FIELDS)}):")


class QueryCommand(Command):
    """Takes `-state:completed` as a term, not as options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move negated terms behind `--`, where nothing is an option."""
        terms = [word for word in args if _NEGATED.match(word)]
        others = [word for word in args if not _NEGATED.match(word)]
        return super().parse_args(ctx, [*others, *([] if "--" in others else ["--"]), *terms] if terms else args)


def complete_selection(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Give the names of the newest runs that begin so, then terms of a query."""
    return [*runs_beginning(incomplete), *complete_query(ctx, param, incomplete)]


class Refusal(msgspec.Struct, frozen=True):
    """A run to which it could not be done, and why."""

    run: FlowRun
    error: OstinatoError


yes_option = click.option("--yes", is_flag=True, help="Do not ask, also not when a query names many runs.")


def is_query(words: Sequence[str]) -> bool:
    """Say whether words are a query: one of them is a term. Else each is the name of a run."""
    return any(_TERM.match(word) for word in words)


def matching(reader: Reader, words: Sequence[str], states: Sequence[StateName]) -> list[FlowRun]:
    """Give all root runs that match a query and are in one of these states."""
    only = (Term(field="state", op="in", values=tuple(states)), Term(field="parent", op="none", values=()))
    query = Query((*parse(" ".join(words), RUN_FIELDS, zone=None).terms, *only))
    found, after = reader.runs(query, limit=PAGE)
    while after:
        more, after = reader.runs(query, limit=PAGE, after=after)
        found += more
    return found


def do_to_all(
    words: Sequence[str],
    states: Sequence[StateName],
    verb: str,
    act: Callable[[FlowRun], Any],
    *,
    yes: bool,
    as_json: bool,
) -> int:
    """Do something to all runs that a query names, and say how it went; give the exit code.

    `verb` is what is done, such as `cancel`; a terminal is asked first.
    """
    with open_reader() as reader:
        found = matching(reader, words, states)
    if not found:
        click.echo(dumps(_outcome(verb, [], [])) if as_json else "No runs match that this could be done to.")
        return exits.OK
    _confirm(verb, f"{len(found):,} run{'s' * (len(found) != 1)}", yes=yes)
    refusals: list[Refusal] = []

    def one(run: FlowRun) -> None:
        try:
            act(run)
        except OstinatoError as error:
            refusals.append(Refusal(run, error))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, found))
    if as_json:
        click.echo(dumps(_outcome(verb, found, refusals)))
    else:
        _tell(verb, len(found) - len(refusals), refusals)
    return refusals[0].error.exit_code if refusals else exits.OK


def confirm_one(verb: str, run: FlowRun, *, yes: bool) -> None:
    """Ask on a terminal whether something is to be done to a run."""
    if sys.stdin.isatty():
        _confirm(verb, f"run {one_line(run.name)}", yes=yes)


def _confirm(verb: str, what: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        message = f"This would {verb} {what}; add --yes to do it."
        raise click.UsageError(message)
    click.confirm(f"{verb.capitalize()} {what}?", abort=True, err=True)


def _tell(verb: str, n_done: int, refusals: list[Refusal]) -> None:
    click.echo(f"{verb}: {n_done:,} run{'s' * (n_done != 1)}.")
    for refusal in refusals[:_TOLD]:
        click.echo(f"error[{refusal.error.code}] {one_line(refusal.error.message)}", err=True)
    if len(refusals) > _TOLD:
        click.echo(f"and {len(refusals) - _TOLD:,} more; --json lists all", err=True)


def _outcome(verb: str, found: list[FlowRun], refusals: list[Refusal]) -> dict[str, Any]:
    refused = {refusal.run.id for refusal in refusals}
    return {
        "done": verb,
        "runs": [run.id for run in found if run.id not in refused],
        "refused": [
            {"id": one.run.id, "name": one.run.name, "code": one.error.code, "message": one.error.message}
            for one in refusals
        ],
    }
