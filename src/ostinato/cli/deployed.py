"""`ostinato deploy ls`, `inspect`, `run`, `pause`, `continue`, `rm`: what is deployed."""

from __future__ import annotations

import importlib
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from ostinato.cli.advice import reference
from ostinato.cli.command import Command, json_option
from ostinato.cli.deployments import coming, deployment_shape, fact_lines, parameters_said
from ostinato.cli.glyphs import GLYPHS
from ostinato.cli.home import carry_out, open_reader, served_since
from ostinato.cli.lines import Line, columns_of, one_line
from ostinato.cli.schedule import pause_schedules
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps, run_shape
from ostinato.cli.times import ago, iso, local, now_us
from ostinato.core.commands import CreateRun, RemoveDeployment
from ostinato.core.display import is_secret, shorten
from ostinato.core.query import Query, Term, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from ostinato.core.deployments import Deployment
    from ostinato.core.records import FlowRun

_RUNS: Final = 5
"""Newest runs that `inspect` shows."""
_PAGE: Final = 1000
_JOINING_US: Final = 3_000_000
"""So long after a server the worker beside it may take to join."""
_LOOK_S: Final = 0.1


class _Instant(click.ParamType[int]):
    """A date and time, of this machine's zone when it names none; gives UTC microseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return round(datetime.fromisoformat(value).astimezone().timestamp() * 1e6)
        except ValueError:
            self.fail(f"{value!r} is no time; write 2026-01-31T03:00, or with a zone 2026-01-31T03:00Z.", param, ctx)


class _Later(click.ParamType[int]):
    """A length of time from now; gives UTC microseconds."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        length = parse_duration(value)
        if length is None:
            self.fail(f"{value!r} is no length of time; write it with its unit: 30s, 10m, 1h30m.", param, ctx)
        return now_us() + length


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    offers: list[CompletionItem] = importlib.import_module("ostinato.cli.offers").deployments_beginning(incomplete)
    return offers


_argument: Final[Callable[..., Any]] = click.argument("name", metavar="NAME", shell_complete=_complete)


@click.command(
    name="ls",
    cls=Command,
    short_help="List deployments.",
    examples={"ostinato deploy ls": "a line each", "ostinato deploy ls --json": "all of each, as one JSON array"},
)
@json_option
def list_deployments(*, as_json: bool) -> None:
    """List deployments by flow and name, with when they run next."""
    with open_reader() as reader:
        found = reader.deployments()
    if as_json:
        click.echo(dumps([deployment_shape(one) for one in found]))
    elif found:
        screen, now = screen_of(sys.stdout), now_us()
        rows = [[(head, "dim") for head in ("NAME", "RUNS", "NEXT", "QUEUE", "DEPLOYED")]]
        screen.print(columns_of([*rows, *(_row(one, now) for one in found)], screen.table_columns))
    else:
        click.echo("No deployments yet. `ostinato deploy FILE:FLOW --name NAME` makes one.", err=True)


def _row(one: Deployment, now: int) -> Line:
    runs = str(one.schedules[0].schedule) if one.schedules else "when asked"
    if len(one.schedules) > 1:
        runs = f"{len(one.schedules)} schedules, {runs}"
    following = coming(one, 1)
    soon = (ago(following[0].at, now), "") if following else ("paused" if one.paused else "-", "yellow" * one.paused)
    return [
        (one_line(one.title), "bold"),
        (one_line(runs), ""),
        soon,
        (one_line(one.queue or "-"), ""),
        (ago(one.updated_at, now), "dim"),
    ]


@click.command(
    cls=Command,
    short_help="Show a deployment.",
    examples={
        "ostinato deploy inspect train/nightly": "code, schedules, parameters, limits, the newest runs",
        "ostinato deploy inspect nightly --json": "as one JSON object; a name that only one has is enough",
    },
)
@_argument
@json_option
def inspect(*, name: str, as_json: bool) -> None:
    """Show the deployment NAME: FLOW/NAME, an id, or a name that only one has."""
    with open_reader() as reader:
        one = reader.find_deployment(name)
        newest = _newest_runs(reader.runs, one)
    if as_json:
        click.echo(dumps({**deployment_shape(one), "newest_runs": [run_shape(run) for run in newest]}))
        return
    title: Line = [(one_line(one.title), "bold"), (f"  version {one_line(one.version)}  {one.id}", "dim")]
    lines = [title]
    if one.description:
        lines.append([(f"  {one_line(one.description.splitlines()[0])}", "")])
    lines += fact_lines(one)
    lines += _section("Parameters", _parameter_lines(one))
    lines += _section("Newest runs", columns_of([_run_row(run) for run in newest], 1_000_000))
    screen_of(sys.stdout).print(lines, whole=True)


def _newest_runs(runs: Callable[..., tuple[list[FlowRun], str]], one: Deployment) -> list[FlowRun]:
    wanted = Term(field="deployment", op="in", values=(one.title,))
    return runs(Query((wanted, Term(field="created", op="<=", values=(now_us(),)))), limit=_RUNS)[0]


def _section(title: str, lines: list[Line]) -> list[Line]:
    return [[], [(title, "bold")], *lines] if lines else []


def _parameter_lines(one: Deployment) -> list[Line]:
    known = one.parameter_schema.get("properties", {})
    needed = one.parameter_schema.get("required", ())
    rows: list[Line] = []
    for name, schema in known.items():
        if name in one.parameters:
            value = parameters_said({name: one.parameters[name]}).partition("=")[2]
        elif name in needed:
            value = "required"
        else:
            value = "a secret" if is_secret(name) else f"default {shorten(schema.get('default'))}"
        rows.append([(f"  {one_line(name)}", ""), (_kind(schema), "dim"), (one_line(value), "")])
    return columns_of(rows, 1_000_000)


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(arm) for arm in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    return str(schema.get("format") or schema.get("type") or schema.get("title") or "any value")


def _run_row(run: FlowRun) -> Line:
    glyph, style = GLYPHS[run.state]
    when = local(run.started_at or run.expected_at)
    return [(f"  {glyph} {run.state}", style), (one_line(run.name), "bold"), (when, "dim")]


@click.command(
    cls=Command,
    short_help="Run a deployment, now or later.",
    examples={
        "ostinato deploy run train/nightly": "now, with its parameters",
        "ostinato deploy run train/nightly n=5 --watch": "with another parameter, and watch it",
        "ostinato deploy run train/nightly --in 10m": "once, in ten minutes",
        "ostinato deploy run train/nightly --at 2026-12-24T18:00 --json": "once, then; the run as JSON",
        "ostinato deploy run train/nightly --key import-417": "once, however often this is called",
    },
)
@_argument
@click.argument("parameters", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--param-json", metavar="JSON", help="Parameters as one JSON object; NAME=VALUE comes on top.")
@click.option("--at", "due", type=_Instant(), help="When it is to start: 2026-01-31T03:00.")
@click.option("--in", "later", type=_Later(), help="When it is to start, from now: 10m.")
@click.option("--name", "run_name", default="", metavar="NAME", help="Name of the run.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Tag of the run; may be given again.")
@click.option("--queue", default="", metavar="NAME", help="Queue in which it waits.  [default: of the deployment]")
@click.option("--priority", type=int, help="The larger, the earlier.  [default: of the deployment]")
@click.option("--key", default="", metavar="TEXT", help="Idempotency: a second call with it gives the same run.")
@click.option("--watch", "watches", is_flag=True, help="Watch it until it ends; the exit code is that of the run.")
@json_option
def run(
    *,
    name: str,
    parameters: tuple[str, ...],
    param_json: str | None,
    due: int | None,
    later: int | None,
    watches: bool,
    as_json: bool,
    **given: Any,
) -> Any:
    """Make a run of the deployment NAME; a worker starts it.

    Values are read as the parameters of the flow want them; lists and objects are written as JSON.
    """
    if due is not None and later is not None:
        message = "Write --at or --in, not both."
        raise click.UsageError(message, click.get_current_context())
    with open_reader() as reader:
        one = reader.find_deployment(name)
        newest = reader.runs(Query(), limit=1)[0] if given["key"] else []
    values = {
        **importlib.import_module("ostinato.cli.run").from_json(param_json),
        **importlib.import_module("ostinato.cli.pairs").read_pairs(parameters, one.parameter_schema),
    }
    given["name"] = given.pop("run_name")
    if due is not None and due < now_us():
        click.echo(f"{local(due)} has passed: the run is due at once.", err=True)
    made = carry_out(CreateRun(deployment=one.id, parameters=values, due_at=due or later or 0, **given))
    if newest and made.created_at <= newest[0].created_at:
        click.echo(f"The run with this key was made before, {ago(made.created_at, now_us())}.", err=True)
    if watches:
        return _watch(made, as_json=as_json)
    if as_json:
        click.echo(dumps({**run_shape(made), "due_at": iso(made.due_at)}))
        return None
    _print_made(made)
    return None


def _watch(made: FlowRun, *, as_json: bool) -> Any:
    command = importlib.import_module("ostinato.cli.watch").watch
    return click.get_current_context().invoke(command, run=made.id, plain=False, as_json=as_json)


def _print_made(made: FlowRun) -> None:
    now = now_us()
    when = f"due {local(made.due_at)}, {ago(made.due_at, now)}" if made.due_at > now else "due now"
    glyph, style = GLYPHS[made.state]
    lines: list[Line] = [
        [
            (f"{glyph} ", style),
            (f"{made.state} ", style),
            (one_line(made.name), "bold"),
            (f"  of {made.deployment}, {when}", "dim"),
        ]
    ]
    reason = _reason(made)
    if reason:
        lines.append([("! ", "yellow"), (one_line(f"It waits: {reason}"), "yellow")])
    lines.append([(f"  ostinato watch {reference(made)}", "cyan"), ("   watch it until it ends", "dim")])
    screen_of(sys.stdout).print(lines, whole=True)


def _reason(made: FlowRun) -> str:
    """Say why a run waits, "" when nothing keeps it; the worker of a server that has just begun may come yet."""
    since = served_since()
    if since is None:
        return "no server runs on this home: `ostinato up`"
    with open_reader() as reader:
        reason = reader.why_waiting(made.id)
        while reason and now_us() - since < _JOINING_US and all(one.left_at for one in reader.workers()):
            time.sleep(_LOOK_S)
            reason = reader.why_waiting(made.id)
    return reason


_schedule: Final[Callable[..., Any]] = click.option(
    "--schedule", "slug", default="", metavar="SLUG", help="Only this schedule.  [default: all]"
)


@click.command(
    cls=Command,
    short_help="Stop the schedules of a deployment for a while.",
    examples={
        "ostinato deploy pause train/nightly": "no runs by its schedules until `continue`",
        "ostinato deploy pause train/nightly --schedule cron-2": "one of them",
    },
)
@_argument
@_schedule
@json_option
def pause(*, name: str, slug: str, as_json: bool) -> None:
    """Make no more runs by the schedules of NAME; runs that wait for their time are taken back.

    `ostinato schedule pause` does the same.
    """
    _stop_or_go(name, slug, as_json=as_json, paused=True)


@click.command(
    name="continue",
    cls=Command,
    short_help="Let paused schedules go on.",
    examples={
        "ostinato deploy continue train/nightly": "its schedules make runs again",
        "ostinato deploy continue train/nightly --schedule cron-2": "one of them",
    },
)
@_argument
@_schedule
@json_option
def go_on(*, name: str, slug: str, as_json: bool) -> None:
    """Let the schedules of NAME make runs again, from now on."""
    _stop_or_go(name, slug, as_json=as_json, paused=False)


def _stop_or_go(name: str, slug: str, *, as_json: bool, paused: bool) -> None:
    one = pause_schedules(name, slug, paused=paused)
    if as_json:
        click.echo(dumps(deployment_shape(one)))
    if as_json or not one.schedules:
        return
    what = f"Schedule {slug} of {one.title}" if slug else f"The schedules of {one.title}"
    following = coming(one, 1)
    after = f", next {following[0]}" if following and not paused else ""
    click.echo(f"{what} {'is' if slug else 'are'} {'paused' if paused else 'going on'}{after}.")


@click.command(
    name="rm",
    cls=Command,
    short_help="Remove a deployment.",
    examples={"ostinato deploy rm train/nightly": "with its runs that have not begun; the others stay"},
)
@_argument
@json_option
def remove(*, name: str, as_json: bool) -> None:
    """Remove the deployment NAME and its runs that have not begun; runs that have begun stay."""
    with open_reader() as reader:
        one = reader.find_deployment(name)
        n_runs = _n_waiting(reader.runs, one)
    carry_out(RemoveDeployment(deployment=one.id))
    went = f" and {n_runs} run{'s' * (n_runs > 1)} of it that had not begun" if n_runs else ""
    click.echo(dumps({"removed": one.title, "n_runs": n_runs}) if as_json else f"Removed {one.title}{went}.")


def _n_waiting(runs: Callable[..., tuple[list[FlowRun], str]], one: Deployment) -> int:
    deployment = Term(field="deployment", op="in", values=(one.title,))
    waiting = Query((deployment, Term(field="state", op="in", values=("Scheduled", "Late"))))
    n_runs, after = 0, ""
    while True:
        found, after = runs(waiting, limit=_PAGE, after=after)
        n_runs += sum(not run.held for run in found)
        if not after:
            return n_runs
