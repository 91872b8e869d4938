"""The matrix of a backfill: how instants are grouped, what is shown when there is more than fits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from ostinato.cli.lines import paint, width
from ostinato.cli.matrix import Row, counts_line, view
from ostinato.cli.screen import Screen
from ostinato.core.events import Source
from ostinato.core.records import FlowRun
from ostinato.core.schedules import Cron, Interval, Schedule, upcoming

if TYPE_CHECKING:
    from ostinato.core.states import StateName

BEGIN = int(datetime(2023, 1, 31, 12, tzinfo=UTC).timestamp() * 1_000_000)


def screen(columns: int = 80, rows: int = 24) -> Screen:
    return Screen(columns=columns, rows=rows, colour=False, live=True, terminal=True)


def run(state: StateName, message: str = "") -> FlowRun:
    return FlowRun(
        id="r", name="calm-otter", flow="score", state=state, message=message, epoch=1, attempt=1, root_id="r",
        parent_id="", key=b"", no=0, upstream=(), created_at=0, expected_at=0, started_at=1_000_000, ended_at=None,
        parameters=b"{}", arguments=None, tags=(), version="", source=Source("", "", "", ""), stream="", result=None,
        error=None, n_reused=0, n_logs_dropped=0,
    )  # fmt: skip


def rows(schedule: Schedule, n: int, **states: StateName) -> list[Row]:
    """Give rows, those numbered by a keyword such as `n3` with a run in that state."""
    found = [Row(at=at, todo="make") for at in upcoming(schedule, BEGIN, n)]
    for name, state in states.items():
        found[int(name[1:])].run = run(state)
    return found


def texts(found: list[Row], shown: Screen, waiting: str = "", zone: str = "UTC") -> list[str]:
    return [paint(line, colour=False) for line in view(found, zone, shown, waiting, 3_000_000)]


def test_months_stand_in_a_row_for_each_year() -> None:
    lines = texts(rows(Cron("0 3 2 * *"), 14, n0="Completed", n1="Failed", n2="Running"), screen())
    assert lines[:2] == ["  2023  ✓ ✕ ◐ · · · · · · · ·", "  2024  · · ·"]
    assert lines[2] == "  2 of 14  ✓ 1 Completed  ✕ 1 Failed  ◐ 1 Running  · 11 to make"


def test_a_run_that_crashed_and_goes_on_elsewhere_is_not_counted_as_done() -> None:
    found = rows(Cron("0 3 2 * *"), 2, n0="Completed", n1="Crashed")
    found[1].run = msgspec.structs.replace(run("Crashed"), held=True)
    assert found[1].going
    assert not found[1].failed
    assert paint(counts_line(found), colour=False).startswith("  1 of 2")


@pytest.mark.parametrize(
    ("schedule", "n", "label"),
    [
        (Cron("0 3 * * *"), 20, "  2023-02  · · "),
        (Cron("0 * * * *"), 20, "  2023-01-31  · · "),
        (Interval(60), 20, "  2023-01-31 12h  · · "),
    ],
)
def test_rows_have_in_common_what_lies_above_the_step(schedule: Schedule, n: int, label: str) -> None:
    assert texts(rows(schedule, n), screen())[0].startswith(label)


def test_cells_are_grouped_on_the_clock_of_the_schedule() -> None:
    new_year = Cron("0 0 1 1 *", timezone="America/New_York")
    at = upcoming(new_year, BEGIN, 2)
    found = [Row(at=each, todo="make") for each in at]
    assert texts(found, screen(), zone="America/New_York")[:2] == ["  2024  ·", "  2025  ·"]


def test_nothing_is_wider_than_the_screen_and_long_groups_go_on_below() -> None:
    lines = texts(rows(Cron("0 * * * *"), 48), screen(columns=40))
    assert all(width(line) <= 40 for line in lines[:-1])
    assert lines[1].startswith("  2023-02-01  · ")
    assert lines[2].startswith("              · ")


def test_of_many_rows_those_about_the_first_that_is_not_done_are_shown() -> None:
    done: dict[str, StateName] = {f"n{number}": "Completed" for number in range(24 * 50)}
    found = rows(Cron("0 * * * *"), 24 * 100, **done)
    lines = texts(found, screen(rows=14))
    assert len(lines) <= 14
    assert "✓" in lines[0]
    assert "✓ ·" in lines[1]
    ended = texts(rows(Cron("0 * * * *"), 24 * 50, **done), screen(rows=14))
    assert ended[-2].startswith("  2023-03-22")


def test_below_stand_what_runs_what_failed_and_what_is_waited_for() -> None:
    found = rows(Cron("0 3 2 * *"), 4, n1="Running", n2="Scheduled")
    found[0].run = run("Failed", "ValueError: no trips")
    lines = texts(found, screen(), waiting="all workers are busy")
    assert lines[2] == "  ◐ Running   2023-03-02 03:00  calm-otter  2.0s"
    assert lines[3] == "  ○ Scheduled 2023-04-02 03:00  calm-otter  2.0s"
    assert lines[4] == "  ✕ Failed    2023-02-02 03:00  calm-otter  ValueError: no trips"
    assert lines[5] == "  waits: all workers are busy"


def test_a_run_that_is_gone_counts_as_done_and_not_well() -> None:
    found = rows(Cron("0 3 2 * *"), 2, n0="Completed")
    found[1].note = "its run was deleted"
    assert found[1].failed
    assert paint(counts_line(found), colour=False) == "  2 of 2  ✓ 1 Completed"
    assert texts(found, screen())[0] == "  2023  ✓ ✕"
