"""`cancel`, `pause`, `resume`, `retry` and `delete` as a person uses them, on runs of workers and on those by hand."""

from __future__ import annotations

import re
import signal
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Cli

FLOWS = """
    import time
    import msgspec
    from ostinato import flow, pause, suspend, task

    class Approval(msgspec.Struct):
        approved: bool
        note: str = "none"

    @task
    def step(i):
        time.sleep(0.05)
        return i

    @flow
    def steps(n: int = 1000):
        return sum(step(i) for i in range(n))

    @flow
    def asks():
        step(0)
        return pause(Approval, key="approval").note

    @flow
    def confirms():
        return suspend(bool)

    @flow
    def waits():
        pause()
        return "on"

    @flow
    def fails():
        step(0)
        raise ValueError("no")
"""


@pytest.fixture
def up(cli: Cli) -> Iterator[Cli]:
    """Give the command on a home with a server and a worker, and these flows deployed."""
    write(cli)
    process = cli.start("up", "--port", "0")
    until((cli.home / "server.json").exists, "the server begins")
    for name in ("steps", "asks", "confirms", "waits", "fails"):
        cli("deploy", f"flows.py:{name}", "--name", "d")
    yield cli
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)


def write(cli: Cli) -> None:
    (cli.folder / "flows.py").write_text(textwrap.dedent(FLOWS))


def until(is_so: Callable[[], bool], what: str, patience_s: float = 30) -> None:
    end = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def is_in(cli: Cli, run: str, *states: str) -> None:
    """Wait until a run is in one of these states."""

    def look() -> bool:
        found: list[dict[str, Any]] = cli.json("runs", f"name:{run}")
        return any(one["state"] in states for one in found)

    until(look, f"{run} is {' or '.join(states)}")


def test_runs_of_workers_are_paused_resumed_cancelled_retried_and_deleted(up: Cli) -> None:
    up("deploy", "run", "steps/d", "--name", "one")
    is_in(up, "one", "Running")
    assert up("pause", "one").stdout == "one pauses at its next call of a task.\n"
    is_in(up, "one", "Paused")
    assert "it is Paused" in up("pause", "one", code=4).stderr
    assert "one goes on." in up("resume", "one").stdout
    is_in(up, "one", "Running")
    assert "paused" not in up("show", "one").stdout.partition("\n")[0]
    said = up("cancel", "one", "--reason", "enough").stdout
    assert re.fullmatch(r"⊘ Cancelled  steps · one  cancelled by local: enough\n", said)
    assert "it is Cancelled" in up("cancel", "one", code=4).stderr
    up("retry", "one")
    is_in(up, "one", "Running")
    assert up.json("cancel", "one")["state"] == "Cancelled"
    assert up("delete", "one").stdout == "one is forgotten.\n"
    assert up("runs").stderr == "No runs yet. Begin with `ostinato demo`.\n"


def test_a_run_of_a_worker_is_shown_with_what_it_asks_and_gets_it(up: Cli) -> None:
    up("deploy", "run", "asks/d", "--name", "two")
    is_in(up, "two", "Paused")
    page = up("show", "two").stdout
    assert re.search(r"Waits for\n  approval · since \d+s ago · until 20", page)
    assert re.search(r"  approved +boolean +required\n  note +string +default \"none\"\n", page)
    assert "ostinato resume two approved=...\n" in page
    assert up.json("show", "two")["waits_for"]["key"] == "approval"
    assert "it needs the field 'approved'" in up("resume", "two", code=4).stderr
    assert "NAME=VALUE" in up("resume", "two", "yes", code=2).stderr
    assert "two goes on." in up("resume", "two", "approved=true", "note=12").stdout
    assert "value     '12'" in up("watch", "two", "--plain").stderr
    assert "waits for no input (a=1); it is Completed" in up("resume", "two", "a=1", code=2).stderr


def test_a_run_that_waits_says_why_in_lists_and_on_its_page(cli: Cli) -> None:
    write(cli)
    cli("deploy", "flows.py:steps", "--name", "d")
    cli("deploy", "run", "steps/d", "--name", "three")
    cli("deploy", "run", "steps/d", "--name", "four", "--in", "2h")
    assert cli.json("show", "last")["name"] == "three", "the other one is of the future"
    plain = cli("runs")
    assert "four" not in plain.stdout
    assert re.fullmatch(r"1 scheduled, next in (2h00|1h59)m: `ostinato queue preview`\n", plain.stderr)
    assert [run["name"] for run in cli.json("runs")] == ["three"]
    cli("deploy", "run", "steps/d", "--name", "five")
    assert "1 scheduled, next in" in cli("runs", "--limit", "1").stderr, "where there is more, too"
    assert plain.stdout.split()[:7] == ["STATE", "RUN", "DEPLOYMENT", "WHEN", "TOOK", "ID", "WHY"]
    listed = cli("runs", "state:scheduled").stdout
    assert re.search(r"○ Scheduled +three .*no worker serves queue 'default'", listed)
    assert re.search(r"○ Scheduled +four .*due in 1h59m|due in 2h00m", listed)
    assert "no worker serves queue 'default'" in cli("show", "three").stdout
    assert re.search(r"^deployment steps/d · due 20.* · queue default$", cli("show", "four").stdout, re.MULTILINE)
    assert cli.json("show", "three")["why_waiting"].startswith("no worker serves")
    assert "due in" in cli.json("show", "four")["why_waiting"]
    assert "it waits for a worker" in cli("resume", "three", code=4).stderr
    assert cli("pause", "three").stdout == "three is paused.\n"


def test_many_runs_are_cancelled_retried_and_deleted_by_a_query(cli: Cli) -> None:
    write(cli)
    cli("deploy", "flows.py:steps", "--name", "d", "--tag", "nightly")
    for _ in range(3):
        cli("deploy", "run", "steps/d")
    cli("run", "flows.py:fails", "--quiet", code=1)
    assert "This would cancel 3 runs; add --yes" in cli("cancel", "tag:nightly", code=2).stderr
    assert cli("cancel", "tag:nightly", "--yes").stdout == "cancel: 3 runs.\n"
    assert "No runs match" in cli("cancel", "tag:nightly", "--yes").stdout
    retried = cli("retry", "state:cancelled,failed", "-flow:other", "--yes", code=4)
    assert retried.stdout == "retry: 3 runs.\n"
    assert "no worker runs it" in retried.stderr
    done = cli.json("cancel", "flow:steps", "--yes")
    assert (done["done"], len(done["runs"]), done["refused"]) == ("cancel", 3, [])
    assert cli("delete", "flow:steps,fails", "--yes").stdout == "delete: 4 runs.\n"
    assert cli("runs", "-q").stdout == ""


def test_a_terminal_is_asked_before_many_runs_are_touched(cli: Cli) -> None:
    write(cli)
    cli("run", "flows.py:steps", "n=1", "--name", "five")
    for answer, left in (("n\n", 1), ("y\n", 0)):
        terminal = Terminal(cli, "delete", "flow:steps")
        terminal.wait_for("Delete 1 run?")
        terminal.press(answer)
        assert terminal.end() == (3 if left else 0)
        assert len(cli.json("runs")) == left


def test_a_run_by_hand_is_cancelled_through_its_process(cli: Cli) -> None:
    write(cli)
    process = cli.start("run", "flows.py:steps", "--name", "six", "--plain")
    is_in(cli, "six", "Running")
    assert "no worker runs it" in cli("pause", "six", code=4).stderr
    assert "⊘ Cancelled  steps · six" in cli("cancel", "six").stdout
    assert process.wait(20) == 3


def test_a_run_by_hand_waits_in_its_process_for_input(cli: Cli) -> None:
    write(cli)
    process = cli.start("run", "flows.py:asks", "--name", "seven", "--plain")
    is_in(cli, "seven", "Paused")
    assert "does not fit: approved:" in cli("resume", "seven", "approved=perhaps", code=4).stderr
    assert "seven goes on." in cli("resume", "seven", "approved=yes").stdout
    assert process.wait(20) == 0
    assert cli.json("show", "seven")["result"]["value"] == "none"


def test_a_suspended_run_by_hand_goes_on_where_it_is_resumed(cli: Cli) -> None:
    write(cli)
    ended = cli("run", "flows.py:confirms", "--name", "eight", "--plain")
    assert "‖ Paused  confirms · eight" in ended.stderr
    assert "pause-1" in cli("show", "eight").stdout
    assert "one value (boolean)" in cli("resume", "eight", code=2).stderr
    assert "value     True" in cli("resume", "eight", "yes", "--plain").stderr
    cli("run", "flows.py:confirms", "--name", "eight", "--plain")
    assert "eight: the newest run of that name, " in cli("resume", "eight", "no", "--plain").stderr
    ended = cli("run", "flows.py:confirms", "--name", "nine", "--quiet")
    assert "⊘ Cancelled" in cli("cancel", "nine").stdout
