"""The box at the end of a run: state, duration, counts, what failed, artifacts, the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.cli.advice import next_commands, reference
from ostinato.cli.failure import place_of, said_by
from ostinato.cli.lines import Line, clip_line, line_width, one_line, pad, width
from ostinato.cli.times import took
from ostinato.cli.tree import counts_line, state_piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.cli.survey import Branch
    from ostinato.core.records import Artifact, FlowRun
    from ostinato.core.states import StateName

_WIDEST = 100


def summary_lines(branch: Branch, artifacts: Sequence[Artifact]) -> list[tuple[str, Line]]:
    """Give what there is to say about a run that ended, each line with its label."""
    run = branch.run
    rows: list[tuple[str, Line]] = [("took", [(_took(run), "")])]
    states = all_states(branch)
    if states:
        rows.append(("tasks", counts_line(states, words=True)))
    if run.error is not None:
        stopped = run.state == "Cancelled"
        said = "stopped by Ctrl-C" if run.error.type == "KeyboardInterrupt" else said_by(run.error)
        rows.append(("because", [(said, "" if stopped else "red")]))
        place = "  ".join(filter(None, (place_of(run.error), run.error.task and f"in {run.error.task}")))
        rows += [("", [(one_line(place), "dim")])] if place else []
    elif run.message:
        rows.append(("because", [(one_line(run.message), "")]))
    if artifacts:
        names = ", ".join(f"{one_line(a.key) or 'unnamed'} ({a.kind})" for a in artifacts)
        rows.append(("artifacts", [(names, "")]))
        rows.append(
            ("", [(f"ostinato show {reference(run)} --save FOLDER", "cyan"), ("   writes them to files", "dim")])
        )
    commands = next_commands(run)
    longest = max(width(command) for command, _ in commands)
    for at, (command, meaning) in enumerate(commands):
        rows.append(("next" if at == 0 else "", [(pad(command, longest), "cyan"), (f"   {meaning}", "dim")]))
    return rows


def summary_box(branch: Branch, artifacts: Sequence[Artifact], columns: int) -> list[Line]:
    """Give the summary in a box that is at most `columns` wide."""
    run = branch.run
    title: Line = [state_piece(run.state), (f"  {one_line(run.flow)}", "bold"), (f" · {one_line(run.name)}", "")]
    rows = [[(f"{label:<10}", "dim"), *line] for label, line in summary_lines(branch, artifacts)]
    inner = min(max(line_width(line) for line in [title, *rows]), min(columns, _WIDEST) - 4)
    title = clip_line(title, inner - 2)
    top: Line = [("╭─ ", "dim"), *title, (" " + "─" * (inner - line_width(title) - 1) + "╮", "dim")]
    return [top, *(_side(clip_line(row, inner), inner) for row in rows), [("╰" + "─" * (inner + 2) + "╯", "dim")]]


def plain_summary(branch: Branch, artifacts: Sequence[Artifact]) -> list[Line]:
    """Give the summary as plain lines."""
    run = branch.run
    title: Line = [state_piece(run.state), (f"  {one_line(run.flow)} · {one_line(run.name)}", "")]
    return [title, *([(f"  {label:<10}", ""), *line] for label, line in summary_lines(branch, artifacts))]


def all_states(branch: Branch) -> dict[StateName, int]:
    """Give the counts of task runs in a run and all below it."""
    states: dict[StateName, int] = {}
    for group in branch.groups:
        for state, n in group.states.items():
            states[state] = states.get(state, 0) + n
    for child in branch.branches:
        for state, n in all_states(child).items():
            states[state] = states.get(state, 0) + n
    return states


def _side(line: Line, inner: int) -> Line:
    return [("│ ", "dim"), *line, (" " * (inner - line_width(line)), ""), (" │", "dim")]


def _took(run: FlowRun) -> str:
    parts = [took((run.ended_at or run.created_at) - (run.started_at or run.created_at))]
    if run.epoch > 1:
        parts.append(f"epoch {run.epoch}")
    if run.attempt > 1:
        parts.append(f"attempt {run.attempt}")
    if run.n_reused:
        parts.append(f"{run.n_reused:,} task runs reused")
    if run.n_logs_dropped:
        parts.append(f"{run.n_logs_dropped:,} log lines dropped")
    return ", ".join(parts)


def brief_reason(run: FlowRun) -> str:
    """Give in one line why a run is in its state, nothing for one that ended well."""
    if run.error is not None:
        return said_by(run.error)
    return one_line(run.message.partition("\n")[0])
