"""Going on with a run: what `resume` and `retry` share, and the plan of it."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any, cast

import click
import msgspec

from ostinato.cli import exits
from ostinato.cli.execute import carry_out, conclude, style_of
from ostinato.cli.follow import one_run
from ostinato.cli.home import open_reader
from ostinato.cli.lines import Line, columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.tree import TIMES
from ostinato.core.errors import Refused
from ostinato.core.plan import summary
from ostinato.core.states import SUCCESSFUL
from ostinato.engine import resume as engine

if TYPE_CHECKING:
    from ostinato.core.plan import Changed, Decision
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


def go_on(run: str, *, plan_only: bool, changed: str, quiet: bool, plain: bool, full_trace: bool, as_json: bool) -> int:
    """Resume or retry a run here, or show the plan of it; give the exit code."""
    with open_reader() as reader:
        found = reader.find_run(run)
    wanted = cast("Changed", changed)
    if plan_only:
        return _show_plan(found, engine.plan(found, changed=wanted), as_json=as_json)
    style = style_of(plain=plain, quiet=quiet)

    def work() -> State:
        # With --json, stdout is for the outcome alone.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            return engine.resume(found, changed=wanted)

    find = one_run(found.id, found.epoch + 1)
    state = carry_out(work, find, style, recent=0)
    error = state.error if state is not None else None
    if isinstance(error, Refused):
        raise error
    return conclude(find, style, as_json=as_json, error=error, full_trace=full_trace)


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
