"""The box at the end of a run: state, duration, counts, what failed, artifacts, the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.cli.advice import next_commands, reference
from ostinato.cli.failure import place_of, said_by
from ostinato.cli.lines import Line, clip_line, line_width, one_line, pad, width, wrap_line
from ostinato.cli.times import ago, took
from ostinato.cli.tree import counts_line, state_piece, superseded_said, tasks_said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.cli.survey import Branch
    from ostinato.core.ports import Reader
    from ostinato.core.records import Artifact, FlowRun, StateChange

_WIDEST = 100


def summary_lines(
    branch: Branch, artifacts: Sequence[Artifact], history: Sequence[StateChange] = (), value: str = ""
) -> list[tuple[str, Line]]:
    """Give what there is to say about a run that ended, each line with its label."""
    run = branch.run
    rows: list[tuple[str, Line]] = [("took", [(_took(run, history), "")])]
    states = branch.states
    if states:
        said = f"{tasks_said(branch)}:  " if branch.n_runs > 1 else ""
        rows.append(("tasks", [(said, ""), *counts_line(states, words=True)]))
    if branch.n_superseded:
        rows.append(("", [(superseded_said(branch.n_superseded), "dim")]))
    if value:
        rows.append(("value", [(value, "")]))
    if run.error is not None and (run.error.trace or run.state == "Cancelled"):  # else its title above says all
        rows.append(("because", [(brief_reason(run), "" if run.state == "Cancelled" else "red")]))
        place = "  ".join(filter(None, (place_of(run.error), run.error.task and f"in {run.error.task}")))
        rows += [("", [(one_line(place), "dim")])] if place else []
    elif run.error is None and run.message:
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


def summary_box(run: FlowRun, said: list[tuple[str, Line]], columns: int) -> list[Line]:
    """Give the summary in a box that is at most `columns` wide."""
    title: Line = [state_piece(run.state), (f"  {one_line(run.flow)}", "bold"), (f" · {one_line(run.name)}", "")]
    rows = [[(f"{label:<10}", "dim"), *line] for label, line in said]
    inner = min(max(line_width(line) for line in [title, *rows]), min(columns, _WIDEST) - 4)
    title = clip_line(title, inner - 2)
    top: Line = [("╭─ ", "dim"), *title, (" " + "─" * (inner - line_width(title) - 1) + "╮", "dim")]
    wrapped = (part for row in rows for part in wrap_line(row, inner, 10))
    return [top, *(_side(row, inner) for row in wrapped), [("╰" + "─" * (inner + 2) + "╯", "dim")]]


def plain_summary(run: FlowRun, said: list[tuple[str, Line]]) -> list[Line]:
    """Give the summary as plain lines."""
    title: Line = [state_piece(run.state), (f"  {one_line(run.flow)} · {one_line(run.name)}", "")]
    return [title, *([(f"  {label:<10}", ""), *line] for label, line in said)]


def _side(line: Line, inner: int) -> Line:
    return [("│ ", "dim"), *line, (" " * (inner - line_width(line)), ""), (" │", "dim")]


def facts_of(run: FlowRun, history: Sequence[StateChange]) -> list[str]:
    """Give what happened beside the plain course: earlier epochs, attempts, reuse, lost log lines."""
    facts = []
    if run.epoch > 1:
        facts.append(f"resumed {_n(run.epoch - 1, 'time')}")
    if total := _all_epochs(history):
        facts.append(f"{took(total)} with earlier epochs")
    if run.attempt > 1:
        facts.append(f"attempt {run.attempt}")
    if run.n_reused:
        facts.append(f"{_n(run.n_reused, 'task run')} reused")
    if run.n_logs_dropped:
        facts.append(f"{_n(run.n_logs_dropped, 'log line')} dropped under pressure")
    return facts


def _n(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' * (n != 1)}"


def _all_epochs(history: Sequence[StateChange]) -> int:
    """Give the microseconds that a run went on in all its epochs; 0 when one of them is all, or nobody can tell."""
    spans: dict[int, tuple[int, int]] = {}
    for change in history:
        if change.state == "Crashed":  # it is marked when it is found, maybe a night after the process died
            return 0
        if change.state == "Running" or change.epoch in spans:
            spans[change.epoch] = (spans.get(change.epoch, (change.at, 0))[0], change.at)
    return sum(end - start for start, end in spans.values()) if len(spans) > 1 else 0


def _took(run: FlowRun, history: Sequence[StateChange]) -> str:
    last = took((run.ended_at or run.created_at) - (run.started_at or run.created_at))
    return ", ".join((last, *facts_of(run, history)))


def waits(run: FlowRun) -> bool:
    """Say whether a run may have a reason for which it does not run: it is to begin, or is in the hands of a worker."""
    return run.state in ("Scheduled", "Late") or (run.held and not run.ended)


def waiting_reason(reader: Reader, run: FlowRun, now: int) -> str:
    """Give in one line when a run is due, or what keeps it from beginning or from going on."""
    if not waits(run):
        return ""
    if run.held:
        return one_line(reader.why_waiting(run.id))
    if run.due_at > now:
        return f"due {ago(run.due_at, now)}"
    return one_line(reader.why_waiting(run.id)) or "a worker takes it"


def brief_reason(run: FlowRun) -> str:
    """Give in one line why a run is in its state, nothing for one that ended well."""
    if run.error is not None and run.error.type == "KeyboardInterrupt":
        return "stopped by Ctrl-C"
    if run.error is not None and run.state != "Cancelled":
        return said_by(run.error)
    return one_line(run.message.partition("\n")[0])
