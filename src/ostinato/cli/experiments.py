"""`ostinato experiments`: experiments and their tracking runs."""

from __future__ import annotations

import sys
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from ostinato.cli.command import Command, json_option
from ostinato.cli.home import carry_out, open_reader
from ostinato.cli.lines import clip, columns_of, one_line, width
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.times import ago, now_us, took
from ostinato.cli.tracked import STATUS_STYLES, value_text
from ostinato.core import mlfilter
from ostinato.core.commands import ChangeExperiment, ChangeTracking, CreateExperiment, LogBatch, TagExperiment
from ostinato.core.tracking_views import experiment_view, file_views, tracking_run_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.cli.lines import Line, Piece
    from ostinato.core.mlfilter import Kind
    from ostinato.core.tracking import Experiment, Lifecycle, TrackedFile, TrackingRun

WIDEST: Final = 24
"""Columns of a terminal that a name or a value takes in a table at most."""
SHOWN_FILES = 100


run_option = click.option("--run", "is_run", is_flag=True, help="NAME is a tracking run: its name, id or beginning.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="List experiments and tracking runs, search and compare these.",
)
def experiments() -> None:
    """List experiments and tracking runs, search and compare these."""


@experiments.command(
    name="ls",
    cls=Command,
    short_help="List experiments.",
    examples={
        "ostinato experiments ls": "by name",
        "ostinato experiments ls --deleted": "those that `ostinato experiments restore NAME` brings back",
    },
)
@click.option("--deleted", is_flag=True, help="List those that are deleted.")
@json_option
def list_experiments(*, deleted: bool, as_json: bool) -> None:
    """List experiments by name."""
    with open_reader() as reader:
        found = reader.experiments(states=("deleted" if deleted else "active",))
    if as_json:
        click.echo(dumps([_plain(experiment_view(one)) for one in found]))
    elif found:
        screen, now = screen_of(sys.stdout), now_us()
        rows: list[list[Piece]] = [[(word, "dim") for word in ("EXPERIMENT", "MADE", "CHANGED", "ID", "TAGS")]]
        for one in found:
            tags = ", ".join(f"{key}={value}" for key, value in one.tags.items())
            when = [(ago(at, now), "dim") for at in (one.created_at, one.updated_at)]
            rows.append([(one_line(one.name), "bold"), *when, (one.id, "dim"), (one_line(tags), "")])
        screen.print(columns_of(rows, screen.table_columns))
    else:
        none = "No experiment is deleted." if deleted else "No experiments yet. The first tracking run makes one."
        click.echo(none, err=True)


@experiments.command(
    cls=Command,
    short_help="Make an experiment.",
    examples={"ostinato experiments create rides": "runs may also name one that is not there: it is made"},
)
@click.argument("name")
@json_option
def create(*, name: str, as_json: bool) -> None:
    """Make the experiment NAME."""
    _tell(carry_out(CreateExperiment(name=name)), as_json=as_json)


@experiments.command(
    cls=Command,
    short_help="Show an experiment and its newest runs.",
    examples={"ostinato experiments show rides": "facts, tags, and the newest tracking runs"},
)
@click.argument("name")
@json_option
def show(*, name: str, as_json: bool) -> None:
    """Show the experiment NAME (or id) and its newest runs."""
    with open_reader() as reader:
        one = reader.find_experiment(name)
        found, _ = reader.search_tracking_runs([one.id], limit=10)
    if as_json:
        shape = _plain(experiment_view(one)) | {"newest_runs": [_plain(tracking_run_view(run)) for run in found]}
        click.echo(dumps(shape))
        return
    _tell(one, as_json=False)
    for key, value in one.tags.items():
        click.echo(f"  {one_line(key)} = {one_line(value)}")
    if found:
        _print_runs(found)


@experiments.command(
    cls=Command,
    short_help="Give an experiment another name.",
    examples={
        "ostinato experiments rename rides taxi-rides": "its runs stay in it",
        "ostinato experiments rename --run 01a2 best": "a tracking run",
    },
)
@run_option
@click.argument("name")
@click.argument("new_name")
@json_option
def rename(*, name: str, new_name: str, is_run: bool, as_json: bool) -> None:
    """Give the experiment NAME (or id) the name NEW_NAME."""
    _change(name, is_run=is_run, as_json=as_json, name=new_name)


@experiments.command(
    cls=Command,
    short_help="Delete an experiment and its runs.",
    examples={
        "ostinato experiments delete rides": "`ostinato experiments restore rides` brings it back",
        "ostinato experiments delete --run quiet-otter": "a tracking run alone",
    },
)
@run_option
@click.argument("name")
@json_option
def delete(*, name: str, is_run: bool, as_json: bool) -> None:
    """Delete the experiment NAME (or id) with its runs; it can be restored."""
    _change(name, is_run=is_run, as_json=as_json, state="deleted")


@experiments.command(
    cls=Command,
    short_help="Bring a deleted experiment back.",
    examples={
        "ostinato experiments restore rides": "with its runs",
        "ostinato experiments restore --run quiet-otter": "a tracking run alone",
    },
)
@run_option
@click.argument("name")
@json_option
def restore(*, name: str, is_run: bool, as_json: bool) -> None:
    """Bring the deleted experiment NAME (or id) back, with its runs."""
    _change(name, is_run=is_run, as_json=as_json, state="active")


@experiments.command(
    cls=Command,
    short_help="Set tags of an experiment.",
    examples={
        "ostinato experiments tag rides team=geo": "set, or set again",
        "ostinato experiments tag rides --unset team": "taken away",
        "ostinato experiments tag --run quiet-otter checked=yes": "of a tracking run",
    },
)
@run_option
@click.argument("name")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--unset", multiple=True, metavar="KEY", help="Take this tag away; may be given again.")
@json_option
def tag(*, name: str, pairs: tuple[str, ...], unset: tuple[str, ...], is_run: bool, as_json: bool) -> None:
    """Set tags of the experiment NAME (or id)."""
    tags: dict[str, str | None] = dict.fromkeys(unset)
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            message = f"{pair!r} is no KEY=VALUE; write for example `team=geo`."
            raise click.BadArgumentUsage(message)
        tags[key] = value
    if is_run:
        carry_out(LogBatch(run=_run_of(name).id, tags=tags))
    else:
        carry_out(TagExperiment(experiment=name, tags=tags))
    _change(name, is_run=is_run, as_json=as_json)


@experiments.command(
    cls=Command,
    short_help="List and search tracking runs.",
    examples={
        "ostinato experiments runs rides": "the newest runs of one experiment",
        "ostinato experiments runs --filter 'metrics.rmse < 6.5 and params.kind = \"linear\"'": "in all experiments",
        "ostinato experiments runs rides --order-by 'metrics.rmse ASC' --limit 3": "the three best",
        "ostinato experiments runs --flow-run last": "what the newest flow run has tracked",
    },
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--filter", "text", default="", metavar="TEXT", help="Conditions on metrics, params, tags, attributes.")
@click.option("--order-by", multiple=True, metavar="KEY", help="Such as `metrics.rmse ASC`; may be given again.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="At most so many runs.")
@click.option("--after", default="", metavar="CURSOR", help="Go on after an earlier list (it prints its cursor).")
@click.option("--flow-run", default="", metavar="RUN", help="Those made in a flow run, in the order of its tasks.")
@click.option("--deleted", is_flag=True, help="Search those that are deleted.")
@json_option
def runs(
    *,
    names: tuple[str, ...],
    text: str,
    order_by: tuple[str, ...],
    limit: int,
    after: str,
    flow_run: str,
    deleted: bool,
    as_json: bool,
) -> None:
    """List tracking runs of experiments (NAME or id; all when none is named), the newest first."""
    if flow_run and (names or text or order_by or after or deleted):
        message = "--flow-run stands alone: it lists what a flow run has tracked."
        raise click.UsageError(message)
    with open_reader() as reader:
        if flow_run:
            found, following = reader.tracking_runs_of(reader.find_run(flow_run).id, limit=limit), ""
        else:
            found, following = reader.search_tracking_runs(
                names, text=text, order_by=order_by, state="deleted" if deleted else "active", limit=limit, after=after
            )
    if as_json:
        click.echo(dumps([_plain(tracking_run_view(run)) for run in found]))
    elif found:
        _print_runs(found, _asked(text, order_by))
    else:
        click.echo("No tracking runs match." if text or names or flow_run else "No tracking runs yet.", err=True)
    if following:
        click.echo(f"more: --after {following}", err=True)


@experiments.command(
    cls=Command,
    short_help="Show a tracking run.",
    examples={"ostinato experiments run quiet-otter": "parameters, metrics, tags and files"},
)
@click.argument("run")
@json_option
def run(*, run: str, as_json: bool) -> None:
    """Show the tracking run RUN: a name, an id or its beginning."""
    with open_reader() as reader:
        one = reader.find_tracking_run(run)
        files = reader.tracked_files(one.id, limit=SHOWN_FILES)
    if as_json:
        click.echo(dumps(_plain(tracking_run_view(one)) | {"files": _plain(file_views(files))}))
    else:
        screen_of(sys.stdout).print(_run_lines(one, files))


@experiments.command(
    cls=Command,
    short_help="Compare tracking runs.",
    examples={"ostinato experiments compare quiet-otter 01a2": "what differs in parameters and metrics"},
)
@click.argument("names", nargs=-1, required=True, metavar="RUN RUN...")
@click.option("--all", "same_too", is_flag=True, help="Show what is the same, too.")
@json_option
def compare(*, names: tuple[str, ...], same_too: bool, as_json: bool) -> None:
    """Show the parameters and metrics in which tracking runs differ."""
    with open_reader() as reader:
        found = [reader.find_tracking_run(name) for name in names]
    rows = _differences(found, same_too=same_too)
    if as_json:
        shape = [{"name": name, "values": values, "differ": differ} for name, values, differ in rows]
        click.echo(dumps({"runs": [one.id for one in found], "rows": shape}))
        return
    screen = screen_of(sys.stdout)
    head: list[Piece] = [("", ""), *((one_line(one.name), "bold") for one in found)]
    lines: list[list[Piece]] = [head]
    for name, values, differ in rows:
        shown = [(one_line("-" if value is None else value_text(value)), "" if differ else "dim") for value in values]
        lines.append([(one_line(name), "dim"), *shown])
    screen.print(columns_of(lines, screen.table_columns))


def _differences(found: Sequence[TrackingRun], *, same_too: bool) -> list[tuple[str, list[str | float | None], bool]]:
    """Give parameters and metrics by name: the value of each run, and whether they differ."""
    of_runs: list[dict[str, str | float]] = [
        {f"params.{key}": value for key, value in one.params.items()}
        | {f"metrics.{metric.key}": metric.value for metric in one.metrics}
        for one in found
    ]
    rows = []
    for name in sorted({name for values in of_runs for name in values}, key=lambda name: (name[0] != "p", name)):
        values = [values.get(name) for values in of_runs]
        differ = len({repr(value) for value in values}) > 1
        if differ or same_too:
            rows.append((name, values, differ))
    return rows


def _print_runs(found: Sequence[TrackingRun], asked: Sequence[tuple[Kind, str]] = ()) -> None:
    """Print a table with the metrics and parameters that fit: those asked about, then those that most runs have."""
    screen, now = screen_of(sys.stdout), now_us()
    facts: dict[str, list[Piece]] = {
        "STATUS": [(run.status, STATUS_STYLES[run.status]) for run in found],
        "RUN": [(clip(one_line(run.name), WIDEST), "bold") for run in found],
        "WHEN": [(ago(run.started_at, now), "dim") for run in found],
        "TOOK": [(took((run.ended_at or now) - run.started_at), "") for run in found],
        "ID": [(run.id[:12], "dim") for run in found],
    }
    columns: list[list[Piece]] = [[(head, "dim"), *cells] for head, cells in facts.items()]
    room = screen.columns - sum(map(_wide, columns))
    values: list[tuple[Kind, list[Piece]]] = []
    ranked = _ranked(found, asked)
    for kind, key in ranked:
        column: list[Piece] = [(clip(one_line(key), WIDEST), "dim"), *_cells(found, kind, key)]
        if _wide(column) <= room:
            room -= _wide(column)
            values.append((kind, column))
    values.sort(key=itemgetter(0))
    numbers = range(4, 4 + sum(kind == "metric" for kind, _ in values))
    columns[4:4] = [column for _, column in values]
    screen.print(columns_of(list(zip(*columns, strict=True)), screen.table_columns, right=numbers))
    if len(values) < len(ranked):
        left = len(ranked) - len(values)
        click.echo(f"{left} more metrics and parameters: a wider terminal, `experiments run RUN`, --json", err=True)


def _wide(column: Sequence[Piece]) -> int:
    """Give the terminal columns that a column of a table takes, with the gap."""
    return 2 + max(width(text) for text, _ in column)


def _cells(found: Sequence[TrackingRun], kind: Kind, key: str) -> list[Piece]:
    if kind == "param":
        return [(clip(one_line(run.params.get(key, "")), WIDEST), "") for run in found]
    newest = [next((one.value for one in run.metrics if one.key == key), None) for run in found]
    return [("" if value is None else value_text(value), "") for value in newest]


def _ranked(found: Sequence[TrackingRun], asked: Sequence[tuple[Kind, str]]) -> list[tuple[Kind, str]]:
    """Give the metrics and parameters of runs by turns, each those first that were asked about or most runs have."""
    ranked: list[tuple[bool, int, Kind, str]] = []
    for kind in ("metric", "param"):
        counts = Counter(name for run in found for name in _names(run, kind))
        names = sorted(counts, key=lambda name: (name.startswith("system/"), -counts[name], name))
        ranked += [((kind, name) not in asked, at, kind, name) for at, name in enumerate(names)]
    return [(kind, name) for _, _, kind, name in sorted(ranked)]


def _names(run: TrackingRun, kind: Kind) -> list[str]:
    return list(run.params) if kind == "param" else [one.key for one in run.metrics]


def _asked(text: str, order_by: Sequence[str]) -> list[tuple[Kind, str]]:
    """Give the metrics and parameters that a search speaks of."""
    orders = [mlfilter.parse_order(one, mlfilter.RUNS) for one in order_by]
    named = [(one.kind, one.key) for one in orders]
    named += [(one.kind, one.key) for one in mlfilter.parse(text, mlfilter.RUNS)]
    return [(kind, key) for kind, key in named if kind in ("metric", "param")]


def _run_lines(one: TrackingRun, files: Sequence[TrackedFile]) -> list[Line]:
    now = now_us()
    lines: list[Line] = [
        [(one_line(one.name), "bold"), ("  ", ""), (one.status, STATUS_STYLES[one.status]), (f"  {one.id}", "dim")],
        [(f"began {ago(one.started_at, now)}, took {took((one.ended_at or now) - one.started_at)}", "")],
        [(one_line(f"{one.source or 'no file'}, version {one.version[:12] or 'unknown'}, by {one.actor}"), "dim")],
    ]
    if one.flow_run_id:
        lines.append([(f"ostinato show {one.flow_run_id}", "cyan")])
    groups: dict[str, dict[str, str]] = {
        "Parameters": one.params,
        "Metrics": {metric.key: f"{value_text(metric.value)}  (step {metric.step})" for metric in one.metrics},
        "Tags": one.tags,
        "Files": {file.path: f"{file.size:,} bytes" for file in files},
    }
    for title, values in groups.items():
        if values:
            lines += [[("", "")], [(title, "bold")]]
            lines += columns_of(
                [[(f"  {one_line(key)}", ""), (one_line(text), "")] for key, text in values.items()], 200
            )
    return lines


def _change(ref: str, *, is_run: bool, as_json: bool, name: str = "", state: Lifecycle | None = None) -> None:
    """Change an experiment or a tracking run, and tell how it is now."""
    if not is_run:
        _tell(carry_out(ChangeExperiment(experiment=ref, name=name, state=state)), as_json=as_json)
        return
    one = _run_of(ref)
    if name or state is not None:
        one = carry_out(ChangeTracking(run=one.id, name=name, state=state))
    said = f"{one.name}: tracking run {one.id}, {one.status}{'' if one.state == 'active' else f', {one.state}'}."
    click.echo(dumps(_plain(tracking_run_view(one))) if as_json else said)


def _run_of(ref: str) -> TrackingRun:
    with open_reader() as reader:
        return reader.find_tracking_run(ref)


def _tell(one: Experiment, *, as_json: bool) -> None:
    state = "" if one.state == "active" else f", {one.state}"
    click.echo(dumps(_plain(experiment_view(one))) if as_json else f"{one.name}: experiment {one.id}{state}.")


def _plain(view: Any) -> Any:
    return msgspec.to_builtins(view)
