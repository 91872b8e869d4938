"""`ostinato up`: one command is the server, the scheduler and a worker; and all of it ends with it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.e2e.conftest import Cli

FLOW = """
from ostinato import flow


@flow
def hello(name: str = "world") -> str:
    return f"hello {name}"
"""
TOML = """
[[deployments]]
name = "{name}"
flow = "flow.py:hello"
"""


def start(cli: Cli, *words: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """Give the process and what it said of itself, when it answers."""
    process = cli.start("up", "--port", "0", *words)
    assert process.stdout is not None
    told: dict[str, str] = {}
    while "open" not in told:
        line = process.stdout.readline()
        assert line, process.communicate()
        name, _, text = line.strip().partition(" ")
        told[name] = text.strip()
    return process, told


def until(is_so: Callable[[], Any], what: str, patience_s: float = 30.0) -> Any:
    end = time.monotonic() + patience_s
    while not (found := is_so()):
        assert time.monotonic() < end, f"not within {patience_s:g} s: {what}"
        time.sleep(0.05)
    return found


def workers(cli: Cli) -> list[dict[str, Any]]:
    return [one for one in cli.json("workers") if one["left_at"] is None]


def is_there(pid: int) -> bool:
    try:
        return "leash" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_it_tells_where_it_is_and_runs_what_is_deployed(cli: Cli) -> None:
    process, told = start(cli)
    assert httpx.get(f"{told['server']}/health").json()["status"] == "ok"
    assert told["home"] == str(cli.home)
    (cli.folder / "flow.py").write_text(FLOW)
    cli("deploy", "flow.py:hello", "--name", "asked")
    cli("deploy", "run", "hello/asked", "name=you")
    until(lambda: cli.json("runs")[0]["state"] == "Completed", "the run is at its end")
    link = told["open"]
    with httpx.Client(follow_redirects=True) as browser:
        assert browser.get(link).status_code == 200
        assert browser.get(f"{told['server']}/api/session").json()["actor"] == "local"
        assert browser.get(f"{told['server']}/api/runs").json()["items"][0]["flow"] == "hello"
    (worker,) = workers(cli)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert time.monotonic() - begin < 4.0
    assert not is_there(worker["pid"])


def test_it_says_that_all_is_there_when_its_worker_has_joined(cli: Cli) -> None:
    process = cli.start("up", "--port", "0")
    assert process.stdout is not None
    while "Ctrl-C ends all." not in process.stdout.readline():
        assert process.poll() is None
    assert [one["n_held"] for one in workers(cli)] == [0]


def test_a_worker_of_a_queue_that_is_not_there_says_so(cli: Cli) -> None:
    start(cli, "--no-worker")
    said = cli("worker", "--queue", "nope", "--once").stderr
    assert "ostinato worker: there is no queue 'nope' yet; there are: default." in said


def test_a_worker_that_dies_is_started_again(cli: Cli) -> None:
    start(cli)
    (first,) = until(lambda: workers(cli), "a worker joins")
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: any(one["pid"] != first["pid"] for one in workers(cli)), "another one joins")


def test_the_worker_ends_though_the_server_is_killed(cli: Cli) -> None:
    process, _ = start(cli)
    (worker,) = until(lambda: workers(cli), "a worker joins")
    process.kill()
    until(lambda: not is_there(worker["pid"]), "the worker is gone")


def test_its_facts_are_one_line_of_json(cli: Cli, database: str) -> None:
    process = cli.start("up", "--port", "0", "--no-worker", "--json")
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert set(told) == {"server", "home", "worker", "open"} | ({"database"} if database else set())
    assert httpx.get(f"{told['server']}/health").status_code == 200


def test_without_a_worker_nothing_runs(cli: Cli) -> None:
    _, told = start(cli, "--no-worker")
    assert told["worker"] == "none"
    (cli.folder / "flow.py").write_text(FLOW)
    cli("deploy", "flow.py:hello", "--name", "asked")
    cli("deploy", "run", "hello/asked")
    time.sleep(0.5)
    assert cli.json("runs")[0]["state"] == "Scheduled"


def test_a_watched_folder_is_deployed_anew_when_it_changes(cli: Cli) -> None:
    (cli.folder / "flow.py").write_text(FLOW)
    (cli.folder / "ostinato.toml").write_text(TOML.format(name="first"))
    start(cli, "--no-worker", "--watch", ".")

    def names() -> set[str]:
        return {one["name"] for one in cli.json("deploy", "ls")}

    until(lambda: names() == {"first"}, "the deployment is made")
    (before,) = cli.json("deploy", "ls")
    (cli.folder / "flow.py").write_text(FLOW.replace("hello {name}", "good day {name}"))
    until(lambda: cli.json("deploy", "ls")[0]["version"] != before["version"], "its version follows the code")
    (cli.folder / "ostinato.toml").write_text(TOML.format(name="second"))
    until(lambda: names() == {"first", "second"}, "another one is made")


def test_a_folder_without_deployments_is_refused(cli: Cli) -> None:
    ended = cli("up", "--port", "0", "--watch", ".", code=2)
    assert "error[option-invalid]" in ended.stderr


def test_a_second_one_on_the_home_is_refused(cli: Cli) -> None:
    process, told = start(cli, "--no-worker")
    ended = cli("up", "--port", "0", code=4)
    assert "error[server-running]" in ended.stderr
    assert told["server"] in ended.stderr
    assert str(process.pid) in ended.stderr


@pytest.mark.parametrize("command", ["up", "server"])
def test_help_shows_examples(cli: Cli, command: str) -> None:
    said = cli(command, "--help").stdout
    assert "--allowed-host" in said
    assert "Examples" in said


def test_the_card_is_gone_when_it_ended(cli: Cli) -> None:
    process, _ = start(cli, "--no-worker")
    assert json.loads((cli.home / "server.json").read_text())["pid"] == process.pid
    process.terminate()
    assert process.wait(10) == 0
    assert not (cli.home / "server.json").exists()
