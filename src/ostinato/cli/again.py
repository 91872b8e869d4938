"""Going on with a run: what `resume` and `retry` share, and the plan of it."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any, cast

import click
import msgspec

from ostinato.cli import exits
from ostinato.cli.advice import reference
from ostinato.cli.asked import asked_of, read_words
from ostinato.cli.execute import carry_out, conclude, style_of
from ostinato.cli.follow import one_run
from ostinato.cli.home import carry_out as ask
from ostinato.cli.home import open_reader
from ostinato.cli.lines import Line, columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps, run_shape
from ostinato.cli.times import ago, now_us
from ostinato.cli.tree import TIMES
from ostinato.core.commands import ResumeRun
from ostinato.core.errors import Refused
from ostinato.core.plan import summary
from ostinato.core.query import Query, Term
from ostinato.core.states import SUCCESSFUL
from ostinato.engine import resume as engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.core.plan import Changed, Decision
    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun
    from ostinato.engine.state import State

plan_option = click.option("--plan", "plan_only", is_flag=True, help="Only show what would be reused, and why not.")
changed_option = click.option(
    "--changed",
    type=click.Choice(["rerun", "refuse", "reuse"]),
    default="rerun",
    show_default=True,
    help="What to do with completed tasks whose code has changed.",
)
_SHOWN = 40
"""So many lines of the plan are shown."""
_TAKEN_S = 3.0
"""So long it takes at most until a process that waits for input has seen it."""
_LOOK_S = 0.1


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is to go on, and how that is shown."""

    plan_only: bool = False
    changed: str = "rerun"
    quiet: bool = False
    plain: bool = False
    full_trace: bool = False


def go_on(run: str, manner: Manner, *, given: Sequence[str] = (), as_json: bool) -> int:
    """Resume or retry a run, with what it waits for, or show the plan of it; give the exit code."""
    with open_reader() as reader:
        found = reader.find_run(run)
        asked = asked_of(reader, found)
        _tell_which(reader, run, found)
    changed = cast("Changed", manner.changed)
    if manner.plan_only:
        return _show_plan(found, engine.plan(found, changed=changed), as_json=as_json)
    if asked is None and given:
        message = f"Run {found.name} waits for no input ({' '.join(given)}); it is {found.state}."
        raise click.UsageError(message)
    value = None if asked is None else read_words(asked, given)
    if found.queue or asked is not None:
        resumed = ask(ResumeRun(run=found.id, input=value, changed=changed))
        if found.queue or (not found.suspended and _is_taken(found)):
            return _tell_resumed(resumed, as_json=as_json)
    return _resume_here(found, manner, changed, as_json=as_json)


def _tell_which(reader: Reader, ref: str, found: FlowRun) -> None:
    """Say which run is meant by a name that several have."""
    if ref != found.name:
        return
    alike, _ = reader.runs(Query((Term(field="name", op="in", values=(ref,)),)), limit=2)
    if len(alike) > 1:
        words = f"ostinato runs {shlex.quote(f'name:{ref}')}"
        when = ago(found.created_at, now_us())
        click.echo(
            f"{one_line(ref)}: the newest run of that name, {found.id}, made {when}. `{words}` lists all.", err=True
        )


def _is_taken(run: FlowRun) -> bool:
    """Wait until the process that waits for input has got it; False when there is none any more."""
    end_s = time.monotonic() + _TAKEN_S
    with open_reader() as reader:
        while time.monotonic() < end_s:
            if reader.find_run(run.id).state != "Paused":
                return True
            time.sleep(_LOOK_S)
    return False


def _tell_resumed(run: FlowRun, *, as_json: bool) -> int:
    with open_reader() as reader:
        now = reader.find_run(run.id)
        why = reader.why_waiting(run.id) if now.state in ("Scheduled", "Late") else ""
    if as_json:
        click.echo(dumps(run_shape(now)))
    else:
        click.echo(f"{one_line(now.name)} goes on{f', once it can: {one_line(why)}' if why else ''}.")
        click.echo(f"Watch it: ostinato watch {reference(now)}")
    return exits.OK


def _resume_here(found: FlowRun, manner: Manner, changed: Changed, *, as_json: bool) -> int:
    style = style_of(plain=manner.plain, quiet=manner.quiet)

    def work() -> State:
        # With --json, stdout is for the outcome alone.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            return engine.resume(found, changed=changed)

    find = one_run(found.id, found.epoch + 1)
    state = carry_out(work, find, style, recent=0)
    error = state.error if state is not None else None
    if isinstance(error, Refused):
        raise error
    return conclude(find, style, as_json=as_json, error=error, full_trace=manner.full_trace)


def _show_plan(run: FlowRun, decisions: list[Decision], *, as_json: bool) -> int:
    if as_json:
        click.echo(dumps([_decision_shape(decision) for decision in decisions]))
        return exits.OK
    screen = screen_of(sys.stdout)
    name = one_line(run.name)
    said = summary(decisions) if decisions else "nothing was recorded, all runs again"
    screen.print([[(f"{name}: {said}", "")]], whole=True)
    rows = _plan_rows(decisions)
    screen.print(columns_of(rows[:_SHOWN], screen.table_columns))
    if len(rows) > _SHOWN:
        click.echo(f"  … {len(rows) - _SHOWN:,} more; --json lists all")
    if decisions and run.state not in SUCCESSFUL:
        click.echo("  and what comes after")
    return exits.OK


def _plan_rows(decisions: list[Decision]) -> list[Line]:
    """Give the plan with calls of one task that share one fate on one line."""
    alike: dict[tuple[str, bool, str], list[Decision]] = {}
    for decision in decisions:
        alike.setdefault((decision.task, decision.reuse, decision.reason), []).append(decision)
    rows: list[Line] = []
    for (task, reuse, reason), members in alike.items():
        said = ("  ✓ reuse", "green") if reuse else ("  ↻ run again", "yellow")
        single = f"{task} · {members[0].name}" if members[0].subflow_id else members[0].name
        name = single if len(members) == 1 else f"{task} {TIMES}{len(members):,}"
        rows.append([said, (one_line(name), "bold"), (one_line(reason), "dim")])
    return rows


def _decision_shape(decision: Decision) -> dict[str, Any]:
    return {**msgspec.structs.asdict(decision), "key": decision.key.hex()}
