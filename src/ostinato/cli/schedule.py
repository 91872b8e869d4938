"""`ostinato schedule`: when deployments run."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec.structs import replace

from ostinato.cli.command import Command, json_option
from ostinato.cli.glyphs import GLYPHS
from ostinato.cli.home import carry_out, open_reader
from ostinato.cli.lines import columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.times import in_zone, iso, now_us
from ostinato.core import zones
from ostinato.core.commands import PauseDeployment
from ostinato.core.query import parse_duration
from ostinato.core.schedules import Schedule, convert, described, upcoming

if TYPE_CHECKING:
    from ostinato.cli.lines import Line, Piece
    from ostinato.core.deployments import Deployment, Timetable
    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun

_N_NEXT: Final = 5


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, short_help="Look at schedules, pause them.")
def schedule() -> None:
    """Look at the schedules of deployments, pause and continue them."""


@schedule.command(
    name="ls",
    cls=Command,
    short_help="List schedules, in words.",
    examples={
        "ostinato schedule ls": "all, each with its next five times and its last run",
        "ostinato schedule ls score/monthly": "those of one deployment",
    },
)
@click.argument("deployment", required=False)
@json_option
def list_schedules(*, deployment: str | None, as_json: bool) -> None:
    """List the schedules of DEPLOYMENT, or all, with their next times and last runs.

    Times are shown on the clock of the schedule.
    """
    now = now_us()
    with open_reader() as reader:
        wanted = [reader.find_deployment(deployment)] if deployment else reader.deployments()
        found = [(one, each, _last_run(reader, one, each, now)) for one in wanted for each in one.schedules]
    if as_json:
        click.echo(dumps([_shape(*row, now) for row in found]))
    elif found:
        screen = screen_of(sys.stdout)
        for number, row in enumerate(found):
            screen.print([*([[]] if number else []), *_lines(*row, now)], whole=True)
    else:
        click.echo("No schedules. `ostinato deploy FILE:FLOW --name NAME --cron '0 3 2 * *'` makes one.", err=True)


def _last_run(reader: Reader, one: Deployment, timetable: Timetable, now: int) -> FlowRun | None:
    found = reader.tick_runs(one.id, timetable.slug, 0, now, limit=1, newest_first=True)
    return found[0] if found else None


def _lines(one: Deployment, timetable: Timetable, last: FlowRun | None, now: int) -> list[Line]:
    zone = timetable.schedule.timezone
    head: Line = [(one_line(one.title), "bold"), (f"  {one_line(timetable.slug)}", "")]
    if not _goes(one, timetable):
        head.append(("  paused", "yellow"))
    lines: list[Line] = [head, [(f"  {described(timetable.schedule)}", "")]]
    if timetable.parameters:
        given = ", ".join(f"{name}={value!r}" for name, value in timetable.parameters.items())
        lines.append([("  with  ", "dim"), (one_line(given), "")])
    if _goes(one, timetable):
        times = upcoming(timetable.schedule, now, _N_NEXT)
        shown = ", ".join(in_zone(at, zone) for at in times) or "never again"
        lines.append([("  next  ", "dim"), (shown, "")])
    if last is not None:
        glyph, style = GLYPHS[last.state]
        run = [(f"{glyph} {last.state}", style), (f"  {one_line(last.name)}", "")]
        lines.append([("  last  ", "dim"), (f"{in_zone(last.expected_at, zone)}  ", ""), *run])
    return lines


@schedule.command(
    cls=Command,
    short_help="Show the times of a schedule that is not there yet.",
    examples={
        'ostinato schedule preview "0 3 2 * *" --timezone Europe/Berlin': "a cron",
        'ostinato schedule preview "FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9" -n 4': "a recurrence rule",
        "ostinato schedule preview 90m": "an interval: 30s, 5m, 12h, 7d",
    },
)
@click.argument("schedule", metavar="SCHEDULE")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="An IANA name.")
@click.option("-n", "number", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many times.")
@json_option
def preview(*, schedule: str, timezone: str, number: int, as_json: bool) -> None:
    """Show the next times of SCHEDULE: a cron, a recurrence rule or an interval."""
    meant = replace(_meant(schedule), timezone=timezone)
    found = upcoming(meant, now_us(), number)
    if as_json:
        click.echo(dumps({"schedule": meant, "words": described(meant), "next": [iso(at) for at in found]}))
        return
    zone = zones.named(timezone)
    screen = screen_of(sys.stdout)
    rows: list[list[Piece]] = []
    for at in found:
        shown = (zones.EPOCH + timedelta(microseconds=at)).astimezone(zone)
        utc = datetime.fromtimestamp(at / 1e6, UTC)
        other = "" if timezone == "UTC" else f"{utc:%Y-%m-%d %H:%M:%S} UTC"
        rows.append([(f"{shown:%a %Y-%m-%d %H:%M:%S %Z}", ""), (other, "dim")])
    screen.print([[(described(meant), "bold")], *columns_of(rows, screen.table_columns)])


def _meant(text: str) -> Schedule:
    """Give the schedule that a text means; one like `90m` is an interval."""
    if " " not in text.strip() and not text.startswith("@") and "FREQ=" not in text.upper():
        micros = parse_duration(text)
        if micros is not None:
            return convert(timedelta(microseconds=micros))
    return convert(text)


@schedule.command(
    cls=Command,
    short_help="Let a schedule make no more runs.",
    examples={
        "ostinato schedule pause score/monthly": "all schedules of a deployment; the runs made ahead are forgotten",
        "ostinato schedule pause score/monthly cron-1": "one of them",
    },
)
@click.argument("deployment")
@click.argument("slug", required=False)
@json_option
def pause(*, deployment: str, slug: str | None, as_json: bool) -> None:
    """Let the schedules of DEPLOYMENT, or the one called SLUG, make no more runs.

    `ostinato deploy pause` does the same.
    """
    _set_paused(deployment, slug or "", paused=True, as_json=as_json)


@schedule.command(
    name="continue",
    cls=Command,
    short_help="Let a schedule make runs again.",
    examples={"ostinato schedule continue score/monthly": "from now on; `ostinato backfill` makes up for the rest"},
)
@click.argument("deployment")
@click.argument("slug", required=False)
@json_option
def go_on(*, deployment: str, slug: str | None, as_json: bool) -> None:
    """Let the schedules of DEPLOYMENT, or the one called SLUG, make runs again, from now on."""
    _set_paused(deployment, slug or "", paused=False, as_json=as_json)


def pause_schedules(deployment: str, slug: str, *, paused: bool) -> Deployment:
    """Give a deployment whose schedules, or the one called `slug`, are paused or go on; say so when it has none."""
    with open_reader() as reader:
        one = reader.find_deployment(deployment)
    if one.schedules or slug:
        return carry_out(PauseDeployment(deployment=one.id, slug=slug, paused=paused))
    click.echo(f"{one.title} has no schedules: it runs only when asked. Nothing changed.", err=True)
    return one


def _set_paused(deployment: str, slug: str, *, paused: bool, as_json: bool) -> None:
    one = pause_schedules(deployment, slug, paused=paused)
    if as_json:
        states = [{"slug": each.slug, "active": _goes(one, each)} for each in one.schedules]
        click.echo(dumps({"deployment": one.title, "schedules": states}))
    if as_json or not one.schedules:
        return
    what = f"Schedule {slug} of {one.title}" if slug else f"All schedules of {one.title}"
    verb = "is" if slug else "are"
    going = "goes on" if slug else "go on"
    click.echo(f"{what} {verb} paused." if paused else f"{what} {going}.")
    still = [each.slug for each in one.schedules if not _goes(one, each)]
    if not paused and still:
        why = f"`ostinato schedule continue {one.title}`" if one.paused else f"{', '.join(still)} by itself"
        click.echo(f"Still paused: {why}.", err=True)


def _goes(one: Deployment, timetable: Timetable) -> bool:
    return timetable.active and not one.paused


def _shape(one: Deployment, timetable: Timetable, last: FlowRun | None, now: int) -> dict[str, Any]:
    going = _goes(one, timetable)
    return {
        "deployment": one.title,
        "slug": timetable.slug,
        "schedule": timetable.schedule,
        "words": described(timetable.schedule),
        "parameters": timetable.parameters,
        "active": going,
        "next": [iso(at) for at in upcoming(timetable.schedule, now, _N_NEXT)] if going else [],
        "last": None
        if last is None
        else {"id": last.id, "name": last.name, "state": last.state, "expected_at": iso(last.expected_at)},
    }
