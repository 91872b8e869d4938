"""Deployments from the side of the code: make one, and run one and wait."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

import msgspec

from ostinato.core import settings as settings_of
from ostinato.core.commands import Deploy, PauseDeployment
from ostinato.core.deployments import Code, Deployment, fault_of
from ostinato.core.errors import BadOption, DeploymentInvalid, DeploymentNotFound
from ostinato.core.literals import literals
from ostinato.core.manifest import Wish, nearest
from ostinato.core.ports import COMMANDS, READER, SERVE, resolve
from ostinato.core.query import parse_duration
from ostinato.core.timetables import timetables
from ostinato.engine import loading, logs
from ostinato.engine.scopes import now_us
from ostinato.engine.sources import locate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostinato.core.commands import Command
    from ostinato.core.deployments import Catchup, CodeKind, Overlap, Timetable
    from ostinato.core.ports import Commands, Reader
    from ostinato.engine.flows import Flow

R = TypeVar("R")

KNOWN_ELSEWHERE: Final = {
    "schedule": "schedules",
    "concurrency_limit": "concurrency",
    "work_queue_name": "queue",
    "work_pool_name": "queue",
    "job_variables": "env",
}
"""Options of other orchestrators, and what stands for them here."""


class DeployOptions(TypedDict, total=False):
    """The options of `flow.deploy`, for type checkers; `core.manifest.Wish` has their defaults."""

    schedules: Any
    cron: str | list[str]
    interval: float | timedelta | str
    rrule: str | list[str]
    timezone: str
    parameters: Mapping[str, Any]
    tags: str | list[str] | tuple[str, ...]
    queue: str
    priority: int
    concurrency: int | None
    overlap: Overlap
    catchup: Catchup
    skip_if_late: float | timedelta | str | None
    crash_retries: int
    cancel_grace: float | timedelta | str
    env: Mapping[str, str]
    resources: Mapping[str, float]
    description: str
    version: str
    code: CodeKind
    storage: str
    paused: bool


class Made(msgspec.Struct, frozen=True):
    """A deployment that was made, and what its maker should know."""

    deployment: Deployment
    notes: tuple[str, ...]


def deploy(flow: Flow[Any, Any], name: str, options: Mapping[str, Any]) -> Deployment:
    """Make or change a deployment of a flow, and say so in the terminal; see `Flow.deploy`.

    While its file is loaded, by a worker for example, nothing is made.
    """
    if loading.is_loading():
        code = Code(kind="local", file=flow.source.file, function=flow.source.function)
        return Deployment(id="", flow=flow.name, name=name, code=code)
    made = make(flow, name, options)
    if settings_of.load().console:
        one = made.deployment
        logs.write(
            logs.line(20, f"Deployment {one.title!r} - version {one.version}, by code={one.code.kind!r}", now_us())
        )
        for each in one.schedules:
            logs.write(logs.line(20, f"Deployment {one.title!r} - runs {each.schedule} ({each.slug})", now_us()))
        for note in made.notes:
            logs.write(logs.line(30, f"Deployment {one.title!r} - {note}", now_us()))
    return made.deployment


def serve(flow: Flow[Any, Any], name: str, options: Mapping[str, Any], limit: int, *, pause_on_shutdown: bool) -> None:
    """Deploy a flow and be a worker for it until Ctrl-C; see `Flow.serve`."""
    if loading.is_loading():
        return
    made: Deployment = resolve(SERVE)(
        f"{flow.name}/{name}", lambda: deploy(flow, name, {"paused": False, **options}), limit
    )
    if pause_on_shutdown and made.schedules:
        carry_out(PauseDeployment(deployment=made.id))


def make(flow: Flow[Any, Any], name: str, options: Mapping[str, Any]) -> Made:
    """Make or change a deployment of a flow."""
    planned = plan(flow, name, options)
    return Made(carry_out(Deploy(deployment=planned.deployment)), planned.notes)


def plan(flow: Flow[Any, Any], name: str, options: Mapping[str, Any]) -> Made:
    """Give a deployment as it is to be, checked; a snapshot of its code is stored now, the deployment is not.

    What somebody paused stays paused, unless `paused=` says otherwise.

    Raises:
        BadOption: (option-invalid) there is no such option.
        DeploymentInvalid: (deployment-invalid) an option has a wrong value, or workers could not find the flow.
    """
    title = f"{flow.name}/{name}"
    wish = _read(title, options)
    parameters = literals(flow.parameters.check_some(wish.parameters))
    timetables = _timetables(flow, wish)
    if wish.timezone and not timetables:
        reason, fix = f"timezone={wish.timezone!r} without a schedule", "Give it cron=, interval= or rrule= too."
        raise DeploymentInvalid(name=title, reason=reason, fix=fix)
    located = locate(flow, title, wish.code, wish.storage)
    before = _before(title)
    try:
        wanted = Deployment(
            id="",
            flow=flow.name,
            name=name,
            code=located.code,
            version=wish.version or located.version,
            description=wish.description or flow.description,
            parameters=parameters,
            parameter_schema=flow.parameters.json_schema() if flow.options.validate_parameters else {},
            tags=tuple(dict.fromkeys((*flow.options.tags, *wish.tags))),
            queue=wish.queue,
            priority=wish.priority,
            schedules=_still_paused(timetables, before),
            concurrency=wish.concurrency,
            overlap=wish.overlap,
            catchup=wish.catchup,
            skip_if_late_s=None if wish.skip_if_late is None else _seconds(title, "skip_if_late", wish.skip_if_late),
            crash_retries=wish.crash_retries,
            cancel_grace_s=_seconds(title, "cancel_grace", wish.cancel_grace),
            env=wish.env,
            resources=wish.resources,
            paused=(before is not None and before.paused) if wish.paused is None else wish.paused,
        )
        wanted = msgspec.convert(msgspec.to_builtins(wanted), Deployment)  # checks what the annotations say
    except msgspec.ValidationError as error:
        raise _invalid(title, error) from error
    fault = fault_of(wanted)
    if fault is not None:
        reason, fix = fault
        raise DeploymentInvalid(name=title, reason=reason, fix=fix)
    return Made(wanted, located.notes)


def _before(title: str) -> Deployment | None:
    """Give the deployment that is there already."""
    reader: Reader = resolve(READER)()
    try:
        return reader.find_deployment(title)
    except DeploymentNotFound:
        return None
    finally:
        reader.close()


def _still_paused(timetables: tuple[Timetable, ...], before: Deployment | None) -> tuple[Timetable, ...]:
    """Give timetables; one that is there and paused stays so while its schedule is the same."""
    stopped = {(one.slug, one.schedule) for one in before.schedules if not one.active} if before is not None else ()
    return tuple(
        msgspec.structs.replace(one, active=False) if (one.slug, one.schedule) in stopped else one for one in timetables
    )


def carry_out(command: Command[R]) -> R:
    """Give the answer of a command on the configured home, or at its server."""
    commands: Commands = resolve(COMMANDS)()
    try:
        return commands.do(command)
    finally:
        commands.close()


def _read(title: str, options: Mapping[str, Any]) -> Wish:
    given = dict(options)
    for name, value in options.items():
        if name not in Wish.__struct_fields__:
            other = KNOWN_ELSEWHERE.get(name)
            fix = f"Write {other}=." if other else nearest(name, Wish)
            where = f"deployment {title!r}"
            raise BadOption(option=name, value=value, where=where, reason="there is no such option", fix=fix)
    if isinstance(given.get("tags"), str):
        given["tags"] = (given["tags"],)
    try:
        return msgspec.convert(given, Wish)
    except msgspec.ValidationError as error:
        raise _invalid(title, error) from error


def _invalid(title: str, error: msgspec.ValidationError) -> DeploymentInvalid:
    reason, _, place = str(error).partition(" - at `$.")
    where = f"{place.rstrip('`')}: " if place else ""
    return DeploymentInvalid(name=title, reason=f"{where}{reason}", fix="Mend that option.")


def _seconds(title: str, option: str, value: Any) -> float:
    """Give seconds from a number, a timedelta or a text such as `10m`."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str) and (length := parse_duration(value)) is not None:
        return length / 1e6
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    fix = "Write seconds, a timedelta, or 30s, 5m, 1h30m."
    raise DeploymentInvalid(name=title, reason=f"{option}={value!r} is no length of time", fix=fix)


def _timetables(flow: Flow[Any, Any], wish: Wish) -> tuple[Timetable, ...]:
    found = timetables(wish.schedules, cron=wish.cron, interval=wish.interval, rrule=wish.rrule, timezone=wish.timezone)
    return tuple(
        msgspec.structs.replace(one, parameters=literals(flow.parameters.check_some(one.parameters))) for one in found
    )
