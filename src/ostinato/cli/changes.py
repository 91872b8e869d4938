"""What a deployment was before it was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostinato.cli.deployments import described_facts, parameters_said
from ostinato.cli.lines import one_line

if TYPE_CHECKING:
    from ostinato.cli.lines import Line
    from ostinato.core.deployments import Deployment, Timetable


def change_lines(before: Deployment, after: Deployment) -> list[Line]:
    """Give a line for each thing that is gone or was otherwise; a schedule that is gone is marked."""
    gone, changed = _schedules(before, after)
    marked: list[Line] = [[("! ", "yellow"), (one_line(f"- {text} (removed)"), "yellow")] for text in gone]
    plain = [*changed, *_parameters(before.parameters, after.parameters), *_facts(before, after)]
    return [*marked, *([("  ", ""), (one_line(text), "dim")] for text in plain)]


def _schedules(before: Deployment, after: Deployment) -> tuple[list[str], list[str]]:
    kept = {each.slug: each for each in after.schedules}
    gone, changed = [], []
    for each in before.schedules:
        now = kept.get(each.slug)
        if now is None:
            gone.append(f"runs {_said(each)}")
        elif now.schedule != each.schedule:
            changed.append(f"{each.slug} was {each.schedule}")
        else:
            changed += _parameters(each.parameters, now.parameters, f"{each.slug}: ")
    return gone, changed


def _said(each: Timetable) -> str:
    return "  ".join(text for text in (str(each.schedule), each.slug, parameters_said(each.parameters)) if text)


def _parameters(before: dict[str, Any], after: dict[str, Any], where: str = "") -> list[str]:
    said = []
    for name, value in before.items():
        text = parameters_said({name: value})
        if name not in after:
            said.append(f"- {where}{text} (removed)")
        elif after[name] != value:
            said.append(f"{where}{name} was {text.partition('=')[2]}")
    return said


def _facts(before: Deployment, after: Deployment) -> list[str]:
    now, said = described_facts(after), []
    for label, old in described_facts(before).items():
        if old and not now[label]:
            said.append(f"- {label} {old} (removed)")
        elif old and old != now[label]:
            said.append(f"{label} was {old}")
    said += [
        f"environment {name} had another value"
        for name, text in before.env.items()
        if after.env.get(name, text) != text
    ]
    if before.paused and not after.paused:
        said.append("its schedules were paused")
    return said
