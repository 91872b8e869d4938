"""What a flow run has tracked, as `ostinato show` tells it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.cli.lines import columns_of, one_line
from ostinato.core.tracking_views import tracking_run_view

if TYPE_CHECKING:
    from ostinato.cli.lines import Line, Piece
    from ostinato.cli.screen import Screen
    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun
    from ostinato.core.tracking import TrackingRun

STATUS_STYLES: Final = {
    "finished": "green",
    "running": "blue",
    "failed": "red",
    "killed": "yellow",
    "scheduled": "dim",
}
_SHOWN: Final = 10
_METRICS: Final = 4
_MOST: Final = 1000


def value_text(value: str | float) -> str:
    """Give a parameter or the value of a metric, to six digits."""
    return value if isinstance(value, str) else f"{value:.6g}"


def tracking_lines(reader: Reader, run: FlowRun, ref: str, screen: Screen) -> list[Line]:
    """Give the tracking runs of a flow run with some of their metrics, and the command that lists them all."""
    found = reader.tracking_runs_of(run.id, limit=_SHOWN + 1)
    if not found:
        return []
    rows: list[list[Piece]] = [
        [(f"  {one_line(one.name)}", ""), (one.status, STATUS_STYLES[one.status]), (_metrics(one), "dim")]
        for one in found[:_SHOWN]
    ]
    more = "and more: " if len(found) > _SHOWN else ""
    command = (f"  ostinato experiments runs --flow-run {shlex.quote(ref)}", "cyan")
    return [*columns_of(rows, screen.table_columns), [(f"  {more}" if more else "", "dim"), command]]


def tracking_shape(reader: Reader, run: FlowRun) -> list[dict[str, Any]]:
    """Give them as `--json` prints them."""
    return [msgspec.to_builtins(tracking_run_view(one)) for one in reader.tracking_runs_of(run.id, limit=_MOST)]


def _metrics(run: TrackingRun) -> str:
    shown = [f"{one_line(one.key)} {value_text(one.value)}" for one in run.metrics[:_METRICS]]
    return ", ".join(shown) + (", ..." if len(run.metrics) > _METRICS else "")
