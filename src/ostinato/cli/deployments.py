"""How a deployment looks: its facts on a terminal, and as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.cli.failure import short_path
from ostinato.cli.lines import one_line
from ostinato.cli.times import ago, iso, now_us
from ostinato.core.display import MASK, is_secret, shorten
from ostinato.core.manifest import Wish
from ostinato.core.schedules import upcoming
from ostinato.core.zones import named

if TYPE_CHECKING:
    from ostinato.cli.lines import Line
    from ostinato.core.deployments import Code, Deployment

SHOWN: Final = 3
"""Coming runs that are shown."""
_LABEL: Final = 12
_USUAL: Final = Wish()


class Due(msgspec.Struct, frozen=True):
    """An instant of a schedule; its text is by the clock of the schedule's zone."""

    at: int
    timezone: str

    def __str__(self) -> str:
        return datetime.fromtimestamp(self.at // 1_000_000, named(self.timezone)).strftime("%a %Y-%m-%d %H:%M:%S %Z")


def fact_lines(one: Deployment) -> list[Line]:
    """Give the facts of a deployment, a line each; those that are as always are left out."""
    facts = {"code": code_said(one.code), "parameters": parameters_said(one.parameters), **_rules_said(one)}
    lines: list[Line] = [_fact(label, text) for label, text in facts.items() if text]
    for each in one.schedules:
        extra = parameters_said(each.parameters)
        about = "".join(f"  {text}" for text in (each.slug, extra, "" if each.active else "paused") if text)
        lines.append([*_fact("runs", str(each.schedule)), (one_line(about), "dim")])
    if not one.schedules:
        lines.append(_fact("runs", "when asked"))
    elif one.paused:
        lines.append([*_fact("next", "none, its schedules are paused")])
    now = now_us()
    lines += [
        [*_fact("next" if not at else "", str(due)), (f"  {ago(due.at, now)}", "dim")]
        for at, due in enumerate(coming(one, SHOWN))
    ]
    return lines


def described_facts(one: Deployment) -> dict[str, str]:
    """Give what is said of a deployment beside its parameters and schedules, by label; empty where nothing is."""
    description = one.description.splitlines()[:1]
    return {
        "code": code_said(one.code),
        "version": one.version,
        "description": "".join(description),
        **_rules_said(one),
    }


def _rules_said(one: Deployment) -> dict[str, str]:
    return {
        "tags": ", ".join(one.tags),
        "queue": one.queue,
        "limits": _limits_said(one),
        "environment": ", ".join(one.env),
    }


def _fact(label: str, text: str) -> Line:
    return [(f"  {label:<{_LABEL}}", "dim"), (one_line(text), "")]


def code_said(code: Code) -> str:
    """Give in words where workers find the code."""
    where = f"{code.function} in {short_path(code.file)}"
    if code.kind == "snapshot":
        return f"{where}, snapshot {code.revision[:12]}" + (f" in {code.location}" if code.location else "")
    if code.kind == "git":
        return f"{where}, commit {code.revision[:12]} of {code.location}"
    return where


def parameters_said(parameters: dict[str, Any]) -> str:
    """Give parameters in one line."""
    return " ".join(f"{name}={MASK if is_secret(name) else shorten(value, 40)}" for name, value in parameters.items())


def _limits_said(one: Deployment) -> str:
    said = [
        f"at most {one.concurrency} at once" if one.concurrency is not None else "",
        f"overlap: {one.overlap}" if one.overlap != "allow" else "",
        f"catchup: {one.catchup}" if one.catchup != "latest" else "",
        f"skipped when {one.skip_if_late_s:g} s late" if one.skip_if_late_s is not None else "",
        f"crash retries: {one.crash_retries}" if one.crash_retries != _USUAL.crash_retries else "",
        f"{one.cancel_grace_s:g} s to end when cancelled" if one.cancel_grace_s != _USUAL.cancel_grace else "",
        *(f"{name}={amount:g}" for name, amount in one.resources.items()),
        f"priority {one.priority}" if one.priority else "",
    ]
    return ", ".join(text for text in said if text)


def coming(one: Deployment, n: int) -> list[Due]:
    """Give the next instants of all its schedules."""
    if one.paused:
        return []
    now = now_us()
    found = [
        Due(at, timetable.schedule.timezone)
        for timetable in one.schedules
        if timetable.active
        for at in upcoming(timetable.schedule, now, n)
    ]
    return sorted(found, key=lambda due: due.at)[:n]


def deployment_shape(one: Deployment) -> dict[str, Any]:
    """Give a deployment for `--json`."""
    return {
        **msgspec.to_builtins(one),
        "title": one.title,
        "parameters": masked(one.parameters),
        "schedules": [
            {**msgspec.to_builtins(each), "parameters": masked(each.parameters), "said": str(each.schedule)}
            for each in one.schedules
        ],
        "next": [iso(due.at) for due in coming(one, SHOWN)],
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
    }


def masked(parameters: dict[str, Any]) -> dict[str, Any]:
    """Give parameters with secrets masked."""
    return {name: MASK if is_secret(name) else value for name, value in parameters.items()}
