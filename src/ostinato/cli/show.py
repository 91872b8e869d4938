"""`ostinato show`: one run on one page."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostinato.cli.advice import next_commands, reference
from ostinato.cli.asked import asked_lines, asked_of, asked_shape
from ostinato.cli.command import Command, json_option, run_argument, trace_option
from ostinato.cli.failure import failure_lines, short_path
from ostinato.cli.glyphs import GLYPHS
from ostinato.cli.home import open_reader
from ostinato.cli.lines import Line, columns_of, one_line
from ostinato.cli.preview import artifact_lines
from ostinato.cli.save import save
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import (
    artifact_shape,
    change_shape,
    counts_shape,
    dumps,
    parameters_of,
    run_shape,
    task_shape,
)
from ostinato.cli.summary import facts_of, waiting_reason
from ostinato.cli.survey import BAD, Survey, is_superseded
from ostinato.cli.times import ago, clock, local, now_us, took
from ostinato.cli.tracked import tracking_lines, tracking_shape
from ostinato.cli.tree import Pace, View, state_piece, tree_of
from ostinato.cli.values import value_said

if TYPE_CHECKING:
    from ostinato.cli.screen import Screen
    from ostinato.core.ports import Reader
    from ostinato.core.records import Artifact, FlowRun, StateChange

_TREE_ROWS = 60
_FAILURES = 100


@click.command(
    cls=Command,
    short_help="Show one run: state, failure, tasks, artifacts, history.",
    examples={
        "ostinato show last": "the newest run",
        "ostinato show quiet-otter": "the newest run of that name",
        "ostinato show quiet-otter --save plots/": "write its tables, texts and images into files",
        "ostinato show 01a2b3c4 --json": "by the beginning of its id, as one JSON object",
    },
)
@run_argument
@click.option(
    "--save",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write the artifacts into this folder: tables as CSV, images as they are.",
)
@trace_option
@json_option
def show(*, run: str, folder: Path | None, full_trace: bool, as_json: bool) -> None:
    """Show one run: its state and why, the failure, tasks, subflows, parameters, artifacts, history.

    RUN is a name (the newest run that has it), an id or its first characters, or `last`.
    """
    with open_reader() as reader:
        found = reader.find_run(run)
        if folder is not None:
            files = [str(file) for file in save(reader, reader.artifacts(found.id), folder)]
            click.echo(dumps(files) if as_json else "\n".join(files))
        elif as_json:
            click.echo(dumps(details_shape(reader, found)))
        else:
            screen = screen_of(sys.stdout)
            screen.print(_page(reader, found, screen, full_trace=full_trace))


def details_shape(reader: Reader, run: FlowRun) -> dict[str, Any]:
    """Give all that `show --json` says about a run."""
    return {
        **run_shape(run),
        "waits_for": asked_shape(asked_of(reader, run)),
        "why_waiting": _why_waiting(reader, run) or None,
        "tasks": counts_shape(reader.counts(run.id), run.epoch, reader.tallies(run.id)),
        "failures": [
            {**task_shape(task), "superseded": is_superseded(task, run)}
            for task in reader.task_runs(run.id, states=BAD, limit=_FAILURES)
        ],
        "subflows": [run_shape(child) for child in reader.subflow_runs(run.id)],
        "artifacts": [artifact_shape(artifact) for artifact in reader.artifacts(run.id)],
        "tracking_runs": tracking_shape(reader, run),
        "history": [change_shape(change) for change in reader.history(run.id)],
    }


def _page(reader: Reader, run: FlowRun, screen: Screen, *, full_trace: bool) -> list[Line]:
    history = reader.history(run.id)
    lines = _head(run, history, value_said(reader, run), _why_waiting(reader, run))
    lines += _placed(reader, run)
    if run.error is not None and run.state in BAD:
        lines += [[], *failure_lines(run.error, whole=full_trace)]
    lines += _section("Parameters", _parameters(run, screen))
    asked = asked_of(reader, run)
    if asked is not None:
        lines += _section("Waits for", asked_lines(asked, reference(run), now_us(), screen.table_columns))
    branch = Survey(reader).take(run)
    tree = tree_of(branch, View(columns=screen.columns, rows=_TREE_ROWS, now=now_us(), pace=Pace()))
    lines += _section("Tasks", tree[1:])
    ref = run.name if run.name.isprintable() and reader.find_run(run.name).id == run.id else run.id
    lines += _section("Artifacts", _artifacts(reader.artifacts(run.id), ref, screen))
    lines += _section("Tracking", tracking_lines(reader, run, ref, screen))
    lines += _section("History", _history(history))
    commands = [
        [(f"  {command}", "cyan"), (meaning, "dim")]
        for command, meaning in next_commands(run, ref)
        if not command.startswith("ostinato show")
    ]
    return [*lines, *_section("Next", columns_of(commands, screen.table_columns))]


def _artifacts(artifacts: list[Artifact], ref: str, screen: Screen) -> list[Line]:
    lines = [line for artifact in artifacts for line in artifact_lines(artifact, screen)]
    if any(artifact.blob for artifact in artifacts):
        command = f"  ostinato show {shlex.quote(ref)} --save FOLDER"
        lines.append([(command, "cyan"), ("  writes them to files", "dim")])
    return lines


def _why_waiting(reader: Reader, run: FlowRun) -> str:
    return waiting_reason(reader, run, now_us())


def _head(run: FlowRun, history: list[StateChange], value: str, why_waiting: str) -> list[Line]:
    start = run.started_at or run.created_at
    facts = [f"made {local(run.created_at)} ({ago(run.created_at, now_us())})"]
    if run.started_at is not None:
        facts.append(f"{'took' if run.ended_at else 'runs for'} {took((run.ended_at or now_us()) - start)}")
    facts += facts_of(run, history)
    rows: list[Line] = [
        [state_piece(run.state), (f"  {one_line(run.flow)}", "bold"), (f" · {one_line(run.name)}", "")],
        [(" · ".join(facts), "dim")],
        [(f"id {run.id}", "dim")],
    ]
    said = why_waiting or (run.message if run.error is None else "")
    if said:
        rows.insert(1, [(one_line(said), "")])
    if run.source.file:
        rows.append([(f"{short_path(run.source.file)}:{run.source.function}", "dim")])
    if run.tags:
        rows.append([("tags " + ", ".join(map(one_line, run.tags)), "dim")])
    if value:
        rows.append([("value  ", "dim"), (value, "")])
    return rows


def _placed(reader: Reader, run: FlowRun) -> list[Line]:
    """Say where a run of a deployment comes from, when it was due, and who runs it."""
    if not run.queue:
        return []
    worker = next((one.info.name for one in reader.workers() if one.info.id == run.worker), "")
    facts = [
        ("deployment", run.deployment),
        ("schedule", run.schedule),
        ("due", local(run.due_at)),
        ("queue", run.queue),
        ("worker", worker),
    ]
    return [[(" · ".join(f"{label} {one_line(text)}" for label, text in facts if text), "dim")]]


def _section(title: str, lines: list[Line]) -> list[Line]:
    return [[], [(title, "bold")], *lines] if lines else []


def _parameters(run: FlowRun, screen: Screen) -> list[Line]:
    rows = [[(f"  {one_line(name)}", ""), (one_line(dumps(value)), "")] for name, value in parameters_of(run).items()]
    return columns_of(rows, screen.table_columns)


def _history(changes: list[StateChange]) -> list[Line]:
    rows: list[Line] = []
    epoch = 1
    for change in changes:
        glyph, colour = GLYPHS[change.state]
        note = [f"epoch {change.epoch}"] * (change.epoch > epoch) + [change.message] * bool(change.message)
        epoch = change.epoch
        rows.append(
            [
                (f"  {clock(change.at)}", "dim"),
                (f"  {glyph} {change.state}", colour),
                ("  " + one_line(" · ".join(note)) if note else "", "dim"),
            ]
        )
    return rows
