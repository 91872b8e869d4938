"""Runs in this process, shown while they go: the live tree on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from ostinato.cli import exits
from ostinato.cli.failure import failure_lines, own_frames
from ostinato.cli.follow import live_look
from ostinato.cli.home import open_reader
from ostinato.cli.lines import one_line
from ostinato.cli.live import Live
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.show import details_shape
from ostinato.cli.summary import plain_summary, summary_box, summary_lines
from ostinato.cli.survey import BAD, Survey
from ostinato.cli.values import value_said
from ostinato.core.states import UNSUCCESSFUL
from ostinato.engine.interrupts import Suspended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.cli.follow import Finder
    from ostinato.cli.lines import Line
    from ostinato.cli.screen import Screen
    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun

T = TypeVar("T")

Style = Literal["live", "plain", "quiet"]
"""How a run is shown: a tree, the lines of `python flow.py`, or nothing but its failure."""

plain_option = click.option("--plain", is_flag=True, help="Print log lines instead of a live tree.")
quiet_option = click.option("--quiet", is_flag=True, help="Print nothing but a failure.")


def style_of(*, plain: bool, quiet: bool) -> Style:
    """Give how runs are shown here."""
    if quiet:
        return "quiet"
    return "live" if screen_of(sys.stderr, plain=plain).live else "plain"


@contextmanager
def loading(target: str, style: Style) -> Iterator[None]:
    """Say that a file is being loaded, on a terminal and as long as that takes: an import may be slow."""
    if style != "live":
        yield
        return
    done = threading.Event()
    line: Line = [(f"loading {one_line(target.partition(':')[0])} ...", "dim")]

    def look(_screen: Screen, _frame: int) -> tuple[list[str], list[Line]]:
        return [], [] if done.is_set() else [line]

    with Live(nullcontext(look)):
        try:
            yield
        finally:
            done.set()


def carry_out(work: Callable[[], T], find: Finder, style: Style, *, recent: int | None = None) -> T | None:
    """Do the work and show its runs while they go; None after Ctrl-C, or when it waits for `resume`."""
    if style != "plain":
        # The tree reads states and log lines from the home.
        os.environ["OSTINATO_CONSOLE"] = "false"
    with Live(live_look(find, recent)) if style == "live" else nullcontext():
        try:
            return work()
        except (KeyboardInterrupt, Suspended):
            return None


def conclude(
    find: Finder, style: Style, *, as_json: bool, error: BaseException | None = None, full_trace: bool = False
) -> int:
    """Print how the runs ended, and give the exit code of the last one.

    `error` is the exception that the last one raised, where this process has it.
    """
    with open_reader() as reader:
        runs = find(reader)
        if not runs:  # interrupted before there was one
            return exits.CANCELLED
        run = runs[-1]
        if style != "quiet" or run.state in UNSUCCESSFUL:
            if full_trace and error is not None:
                traceback.print_exception(error)
            _print_end(reader, run, style, None if full_trace else error)
        if as_json:
            click.echo(dumps(details_shape(reader, run)))
    return exits.of_state(run.state)


def _print_end(reader: Reader, run: FlowRun, style: Style, error: BaseException | None) -> None:
    screen = screen_of(sys.stderr)
    if run.error is not None and run.state in BAD:
        lines = failure_lines(run.error, own_frames(error))
        screen.print([[], *lines, []], sys.stderr, whole=True)
    branch = Survey(reader).take(run)
    said = summary_lines(branch, reader.artifacts(run.id), reader.history(run.id), value_said(reader, run))
    box = summary_box(run, said, screen.columns) if style == "live" else plain_summary(run, said)
    screen.print(box, sys.stderr)
