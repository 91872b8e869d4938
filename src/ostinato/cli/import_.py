"""`ostinato import`: what other trackers have recorded, brought over."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ostinato.cli import exits
from ostinato.cli.command import Command, json_option
from ostinato.cli.lines import clip, columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.sizes import size
from ostinato.tracking.imports.mlflow import import_mlflow

if TYPE_CHECKING:
    from ostinato.cli.lines import Line, Piece
    from ostinato.tracking.imports.report import Report

SHOWN: Final = 20
"""Remarks that are printed."""
EVERY_S: Final = 0.1
"""How often it is said how far it is."""
KINDS: Final = {
    "experiments": "experiments",
    "runs": "runs",
    "logged_models": "logged models",
    "models": "registered models",
    "versions": "versions",
}
"""Fields of a report, each as it is called."""


@click.group(
    name="import",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="Bring over what MLflow has recorded.",
)
def import_() -> None:
    """Bring over what other trackers have recorded."""


@import_.command(
    cls=Command,
    short_help="Bring over mlflow.db, mlruns, or what a server has.",
    examples={
        "ostinato import mlflow mlflow.db --dry-run": "say what there is, and what of it would be new",
        "ostinato import mlflow mlflow.db": "all of it; given again, what is new since then",
        "ostinato import mlflow mlruns": "from the folder of files",
        "ostinato import mlflow http://mlflow:5000": "from MLflow's server, whatever its database is, with its files",
        "ostinato import mlflow mlflow.db --artifacts /srv/mlartifacts": "files are there now",
    },
    words={
        "new": "brought over, or changed since the last import and brought up to date",
        "here already": "as it was at the last import: nothing is done",
        "left": "not brought over; it is said why",
    },
)
@click.argument("path", metavar="PATH|URL")
@click.option(
    "--artifacts", default="", metavar="FOLDER", help="Where the files of MLflow's server are, when they were moved."
)
@click.option("--dry-run", is_flag=True, help="Only count; change nothing.")
@json_option
def mlflow(*, path: str, artifacts: str, dry_run: bool, as_json: bool) -> int:
    """Bring over what MLflow has recorded: its database `mlflow.db`, its folder `mlruns`, or a server's URL.

    Experiments, runs with all values of their metrics, data, logged models, registered models with versions, stages
    and aliases, and the files that are on this machine or kept by the server. Ids stay, so `runs:/ID/model` goes on to
    work. MLflow's own records are not changed. An import that was interrupted goes on when the command is given again.
    Give a server's user and password in the URL, or as MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
    """
    progress = _Progress()
    try:
        report = import_mlflow(path, artifacts=artifacts, dry_run=dry_run, tell=progress.tell)
    except KeyboardInterrupt:
        progress.clear()
        click.echo("Interrupted. The same command goes on; a run that is half here is one that is running.", err=True)
        return exits.CANCELLED
    progress.clear()
    if as_json:
        click.echo(dumps(msgspec.to_builtins(report)))
    else:
        screen_of(sys.stdout).print(_lines(report), whole=True)
    return exits.OK


class _Progress:
    """One line on a terminal, that says how far it is."""

    def __init__(self) -> None:
        self._screen = screen_of(sys.stderr)
        self._drawn_s = 0.0

    def tell(self, report: Report, experiment: str) -> None:
        """Say it anew."""
        if self._screen.live and time.monotonic() - self._drawn_s > EVERY_S:
            self._drawn_s = time.monotonic()
            n_runs = report.runs.new + report.runs.same
            text = f"{one_line(experiment)}: {n_runs:,} runs, {report.points:,} values, {size(report.file_bytes)}"
            sys.stderr.write(f"\r\x1b[2K{clip(text, self._screen.columns - 1)}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._screen.live:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def _lines(report: Report) -> list[Line]:
    new = "would be new" if report.dry_run else "new"
    rows: list[list[Piece]] = [[(word, "dim") for word in ("", new, "here already", "left")]]
    for name, called in KINDS.items():
        tally = getattr(report, name)
        left = (f"{tally.left:,}", "yellow" if tally.left else "dim")
        rows.append([(called, "bold"), (f"{tally.new:,}", ""), (f"{tally.same:,}", ""), left])
    lines = columns_of(rows, 200, right=(1, 2, 3))
    points = "" if report.dry_run else f"{report.points:,} values of metrics, "
    said = f"{points}{report.files:,} files ({size(report.file_bytes)}), {report.took_s:.1f} s"
    lines += [[], [(said, "dim")]]
    if report.n_remarks:
        lines += [[], *([("- ", "yellow"), (one_line(text), "")] for text in report.remarks[:SHOWN])]
    if report.n_remarks > SHOWN:
        lines.append([(f"and {report.n_remarks - SHOWN:,} more: --json has them", "dim")])
    return lines
