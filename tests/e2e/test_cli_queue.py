"""`queue`, `schedule`, `workers` and the matrix of `backfill`, as a person uses them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.e2e.terminal import Terminal

from ostinato import session
from ostinato.core.commands import CreateRun, DeleteRun

if TYPE_CHECKING:
    from typing import Any

    from tests.e2e.conftest import Cli

FLOW = """
import time

from ostinato import flow, get_run_context


@flow
def score(n: int = 1, label: str = ""):
    at = get_run_context().flow_run.expected_start_time
    if at.month == 4:
        raise FileNotFoundError("there are no trips of 2023-03")
    time.sleep(0.2)


@flow
def often():
    pass
"""


@pytest.fixture
def project(cli: Cli) -> Cli:
    """Give a home with two deployments, one of them monthly."""
    (cli.folder / "flow.py").write_text(FLOW)
    cli("deploy", "flow.py:score", "--name", "monthly", "--cron", "0 3 2 * *", "--timezone", "Europe/Berlin",
        "--tag", "ml")  # fmt: skip
    cli("deploy", "flow.py:often", "--name", "tick", "--interval", "1m")
    return cli


def create_run(cli: Cli, deployment: str, **fields: Any) -> str:
    commands = session.commands(str(cli.home))
    try:
        return commands.do(CreateRun(deployment=deployment, **fields)).id
    finally:
        commands.close()


def queues(cli: Cli) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in cli.json("queue", "ls")}


# ------------------------------------------------------------------------------------------- queues


def test_a_queue_takes_the_runs_that_its_filter_fits(project: Cli) -> None:
    said = project("queue", "create", "ml", "--tag", "ml", "--concurrency", "2").stdout
    assert said == "Made queue ml: runs with tag ml.\nServe it: ostinato worker --queue ml\n"

    create_run(project, "score/monthly")
    create_run(project, "often/tick")

    found = queues(project)
    assert {name: one["n_waiting"] for name, one in found.items()} == {"default": 1, "ml": 1}
    assert found["ml"]["concurrency"] == 2
    table = project("queue", "ls").stdout.splitlines()
    assert table[0].split() == ["QUEUE", "WAITING", "LATE", "RUNNING", "LATER", "WORKERS", "TAKES"]
    assert table[2].split()[:6] == ["ml", "1", "0", "0/2", "0", "0"]


def test_a_preview_shows_what_schedules_will_make_newest_first(project: Cli) -> None:
    project("queue", "create", "ml", "--deployment", "monthly")
    lines = project("queue", "preview", "ml", "--hours", "2160").stdout.splitlines()
    assert re.split(r"  +", lines[0]) == ["SCHEDULED START, LATEST FIRST", "RUN ID", "NAME", "DEPLOYMENT"]
    assert lines.pop().startswith("Next, in the last line: score/monthly, in ")
    times = [line[:19] for line in lines[1:]]
    assert times == sorted(times, reverse=True)
    assert 2 <= len(times) <= 3
    assert all(time[8:10] == "02" for time in times)
    assert all(re.split(r"  +", line)[1:] == ["-", "-", "score/monthly"] for line in lines[1:])


def test_a_preview_of_ninety_days_has_each_tick_once_and_tells_what_it_left_out(project: Cli) -> None:
    found = project.json("queue", "preview", "default", "--hours", "2", "--limit", "1000")
    assert 119 <= len(found) <= 120
    assert len({run["due_at"] for run in found}) == len(found)
    few = project("queue", "preview", "default", "--hours", "2", "--limit", "3")
    assert len(few.stdout.splitlines()) == 5
    assert "only the next 3 are shown" in few.stderr


def test_a_preview_marks_late_runs_and_says_what_the_mark_means(project: Cli) -> None:
    late = create_run(project, "often/tick", due_at=time.time_ns() // 1000 - 60_000_000)
    on_time = create_run(project, "often/tick", due_at=time.time_ns() // 1000 + 30_000_000)
    lines = project("queue", "preview", "default", "--hours", "0.01").stdout.splitlines()
    rows = {line.split()[-3]: line for line in lines if late in line or on_time in line}
    assert " (**)" in rows[late]
    assert "(**)" not in rows[on_time]
    assert lines[-1].endswith(" (**) denotes a late run.")
    assert [run["late"] for run in project.json("queue", "preview", "default") if run["id"] == late] == [True]


def test_a_preview_may_look_until_a_date(project: Cli) -> None:
    year = datetime.now(UTC).year + 1
    project("queue", "create", "ml", "--tag", "ml")
    found = project.json("queue", "preview", "ml", "--until", f"{year}-12-31")
    assert found[0]["due_at"][:7] == f"{year}-12"
    assert project("queue", "preview", "ml", "--until", "soon", code=2).stderr.startswith("error[usage]")


def test_a_paused_queue_says_so_and_goes_on(project: Cli) -> None:
    run = create_run(project, "often/tick")
    assert project("queue", "pause", "default").stdout == "Queue default is paused.\n"
    assert "paused, all others" in project("queue", "ls").stdout
    with_reader = session.reader(str(project.home))
    assert with_reader.why_waiting(run) == "queue 'default' is paused"
    with_reader.close()
    assert project.json("queue", "continue", "default")["paused"] is False


def test_changing_a_queue_leaves_it_paused(project: Cli) -> None:
    project("queue", "create", "ml", "--tag", "ml")
    project("queue", "pause", "ml")
    assert project.json("queue", "create", "ml", "--tag", "ml", "--priority", "5")["paused"] is True


def test_changing_a_queue_keeps_what_is_not_named_and_says_what_it_was(project: Cli) -> None:
    project("queue", "create", "ml", "--tag", "ml", "--concurrency", "1", "--priority", "5")
    assert project("queue", "create", "ml", "--concurrency", "3").stdout == "Changed queue ml: concurrency 3 (was 1).\n"
    assert project("queue", "create", "ml", "--concurrency", "3").stdout == "Unchanged queue ml.\n"
    assert queues(project)["ml"]["tags"] == ["ml"]
    project("queue", "pause", "ml")
    said = project("queue", "create", "ml", "--reset", "--description", "of all").stdout
    assert said == (
        "Changed queue ml: description of all (was none), tags none (was ml), concurrency none (was 3), "
        "priority 0 (was 5).\n"
    )
    assert queues(project)["ml"]["paused"] is True


def test_a_queue_in_which_runs_wait_stays(project: Cli) -> None:
    project("queue", "create", "ml", "--tag", "ml")
    run = create_run(project, "score/monthly")
    refused = project("queue", "rm", "ml", code=4).stderr
    assert "1 run waits in it" in refused
    commands = session.commands(str(project.home))
    commands.do(DeleteRun(run=run))
    commands.close()
    assert project("queue", "rm", "ml").stdout == "Queue ml is removed.\n"
    assert list(queues(project)) == ["default"]


def test_wrong_names_are_refused_with_what_there_is(project: Cli) -> None:
    assert "error[queue-not-found] There is no queue 'nope'; there are: default." in (
        project("queue", "preview", "nope", code=2).stderr
    )
    assert "error[deployment-not-found]" in project("queue", "create", "q", "--deployment", "no/such", code=2).stderr
    assert "error[limit-not-found]" in project("queue", "limit", "db", "--remove", code=2).stderr


def test_limits_are_made_changed_listed_and_removed(project: Cli) -> None:
    project("queue", "limit", "tag:gpu", "1")
    project("queue", "limit", "db", "5")
    project("queue", "limit", "db", "3")
    assert project.json("queue", "limits") == [
        {"name": "db", "slots": 3, "n_taken": 0},
        {"name": "tag:gpu", "slots": 1, "n_taken": 0},
    ]
    assert [line.split() for line in project("queue", "limits").stdout.splitlines()] == [
        ["LIMIT", "SLOTS", "TAKEN"], ["db", "3", "0"], ["tag:gpu", "1", "-"],
    ]  # fmt: skip
    project("queue", "limit", "db", "--remove")
    assert [one["name"] for one in project.json("queue", "limits")] == ["tag:gpu"]
    assert project("queue", "limit", "db", code=2).stderr.startswith("error[usage]")
    wrong = project("queue", "limit", "db", "many", code=2).stderr
    assert "Invalid value for 'SLOTS': write a whole number from 0 to 1,000,000, not many." in wrong


# ------------------------------------------------------------------------------------------- schedules


def test_schedules_are_listed_in_words_on_their_own_clock(project: Cli) -> None:
    page = project("schedule", "ls", "score/monthly").stdout.splitlines()
    assert page[0] == "score/monthly  cron-1"
    assert page[1] == "  at 03:00 on day 2 of each month, Europe/Berlin"
    times = page[2].removeprefix("  next  ").split(", ")
    assert len(times) == 5
    assert all(re.fullmatch(r"\d{4}-\d\d-02 03:00", shown) for shown in times)
    (found,) = project.json("schedule", "ls", "score/monthly")
    assert found["schedule"] == {"kind": "cron", "cron": "0 3 2 * *", "timezone": "Europe/Berlin", "day_or": True}
    assert found["last"] is None
    assert len(project.json("schedule", "ls")) == 2


def test_the_last_run_of_a_schedule_is_shown(project: Cli) -> None:
    run = create_run(project, "score/monthly", schedule="cron-1", expected_at=1_677_722_400_000_000)
    (found,) = project.json("schedule", "ls", "score/monthly")
    assert found["last"]["id"] == run
    assert "  last  2023-03-02 03:00  ○ Scheduled" in project("schedule", "ls", "score/monthly").stdout


def test_a_schedule_is_paused_and_goes_on(project: Cli) -> None:
    assert project("schedule", "pause", "score/monthly", "cron-1").stdout == (
        "Schedule cron-1 of score/monthly is paused.\n"
    )
    assert "score/monthly  cron-1  paused" in project("schedule", "ls").stdout
    assert project("schedule", "continue", "score/monthly", "cron-1").stdout == (
        "Schedule cron-1 of score/monthly goes on.\n"
    )
    project("schedule", "pause", "score/monthly")
    still = project("schedule", "continue", "score/monthly", "cron-1")
    assert still.stderr == "Still paused: `ostinato schedule continue score/monthly`.\n"
    assert project.json("schedule", "continue", "score/monthly")["schedules"] == [{"slug": "cron-1", "active": True}]
    assert "it has no schedule 'nope'" in project("schedule", "pause", "score/monthly", "nope", code=2).stderr


def test_a_schedule_is_tried_out_before_it_is_there(cli: Cli) -> None:
    lines = cli("schedule", "preview", "0 3 2 * *", "--timezone", "Europe/Berlin", "-n", "3").stdout.splitlines()
    assert lines[0] == "at 03:00 on day 2 of each month, Europe/Berlin"
    assert len(lines) == 4
    assert all(re.search(r"-02 03:00:00 CES?T  \d{4}-\d\d-02 0[12]:00:00 UTC", line) for line in lines[1:])
    assert cli.json("schedule", "preview", "90m", "-n", "1")["words"] == "every 90 minutes"
    assert cli("schedule", "preview", "FREQ=WEEKLY;BYDAY=MO", "-n", "1").stdout.startswith("every week on Monday, UTC")
    assert "error[schedule-invalid]" in cli("schedule", "preview", "61 * * * *", code=2).stderr
    wrong = cli("schedule", "preview", "@daily", "--timezone", "Berlin", code=2).stderr
    assert "error[zone-unknown] There is no time zone 'Berlin'." in wrong
    assert 'Write timezone="Europe/Berlin"' in wrong
    assert "it has 1 field instead of 5" in cli("schedule", "preview", "soon", code=2).stderr


# ------------------------------------------------------------------------------------------- workers, backfill


def test_without_workers_the_list_says_how_to_start_one(cli: Cli) -> None:
    ended = cli("workers")
    assert ended.stdout == ""
    assert "`ostinato worker` starts one" in ended.stderr
    assert cli.json("workers") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "2023-05", "--to", "2023-02"), "it is before --from 2023-05"),
        (("--from", "soon", "--to", "2023-02"), "it is no date"),
        (("--from", "1800-02", "--to", "2023-02"), "error[option-invalid] --from='1800-02'"),
        (("--from", "2023-02", "--to", "2023-05", "--schedule", "no"), "Its schedules: cron-1."),
        (("--from", "2023-02", "--to", "2023-05", "--again", "--only-missing"), "exclude one another"),
        (("--from", "2023-02", "--to", "2023-05", "-p", "n"), "is no NAME=VALUE"),
        (("--from", "2023-02", "--to", "2023-05", "-p", "n=many"), "error[parameters-misfit]"),
    ],
)
def test_a_backfill_that_makes_no_sense_makes_nothing(project: Cli, words: tuple[str, ...], said: str) -> None:
    refused = project("backfill", "score/monthly", *words, code=2).stderr
    assert said in refused
    assert "to run" not in refused
    assert project.json("runs") == []


def test_a_range_without_instants_is_no_failure(project: Cli) -> None:
    assert "has no instant" in project("backfill", "score/monthly", "--from", "2023-02-03", "--to", "2023-03-01").stderr
    future = project("backfill", "score/monthly", "--from", "2999-01", "--to", "2999-12")
    assert "still to come are left to the schedule" in future.stderr
    assert project.json("backfill", "score/monthly", "--from", "2023-02-03", "--to", "2023-03-01") == []


@pytest.fixture
def served(project: Cli) -> Cli:
    """Give the two deployments with a server and a worker that has nothing to do yet."""
    project("schedule", "pause", "often/tick")
    project.start("server", "--port", "0")
    project.start("worker", "--name", "w1")
    deadline = time.monotonic() + 20
    while not project.json("workers"):
        assert time.monotonic() < deadline
    return project


def test_the_matrix_shows_a_cell_for_each_instant_and_the_table_says_why(served: Cli) -> None:
    project = served
    (worker,) = project.json("workers")
    assert (worker["name"], worker["n_held"]) == ("w1", 0)
    assert re.search(r"^w1 +here +0 of \d+ +all", project("workers").stdout, re.MULTILINE)

    terminal = Terminal(project, "backfill", "score/monthly", "--from", "2023-02", "--to", "2024-03", "-p", "label=1")
    terminal.wait_for("  2023  ")
    assert terminal.end() == 1
    screen = terminal.screen.text
    assert "score/monthly  14 instants of cron-1, 2023-02-02 03:00 to 2024-03-02 03:00" in screen
    assert "  2023  ✓ ✓ ✕ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓" in screen
    assert "  2024  ✓ ✓ ✓" in screen
    assert "14 of 14  ✓ 13 Completed  ✕ 1 Failed" in screen
    table = screen[screen.index("INSTANT") :].splitlines()
    assert [row[:26] for row in table[1:] if row] == ["2023-04-02 03:00  ✕ Failed"], "the matrix shows the others"
    assert "FileNotFoundError: " in table[1]
    assert terminal.screen.overflows == []
    assert "\x1b[32m✓" in terminal.raw
    found = project.json("runs", "tag:backfill", "--limit", "50")
    assert len(found) == 14
    assert {run["parameters"]["label"] for run in found} == {"1"}


def test_ctrl_c_stops_making_runs_and_says_what_goes_on(served: Cli) -> None:
    served("queue", "pause", "default")
    terminal = Terminal(served, "backfill", "score/monthly", "--from", "2023-02", "--to", "2024-03", "--parallel", "3")
    terminal.wait_for("waits: queue 'default' is paused")
    assert "○ ○ ○ · · · · · · · ·" in terminal.screen.text
    terminal.press("\x03")
    assert terminal.end() == 3
    assert terminal.screen.text.rstrip().endswith("3 under way go on, 11 are not made. Called again, it goes on.")
    assert len(served.json("runs", "tag:backfill")) == 3
