"""`ostinato deploy`: as a person types it, and as a pipeline reads it."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from tests.e2e.terminal import Terminal

from ostinato.cli.lines import width

if TYPE_CHECKING:
    from tests.e2e.conftest import Cli

FLOW = """
from ostinato import flow

@flow
def train(n: int = 1, model: str = "tree", api_key: str = "") -> int:
    '''Train a model.'''
    return n * 2
"""

MANIFEST = """
[[deployments]]
flow = "flow.py:train"
name = "nightly"
cron = "0 3 * * *"
timezone = "Europe/Berlin"
parameters = { n = 3 }

[[deployments]]
flow = "flow.py:train"
name = "asked"
queue = "slow"
concurrency = "${MANY:-1}"
"""


@pytest.fixture(autouse=True)
def flow_file(cli: Cli) -> None:
    """Put a file of a flow into the working directory."""
    (cli.folder / "flow.py").write_text(FLOW, encoding="utf-8")


def test_a_deployment_is_made_shown_changed_and_removed(cli: Cli) -> None:
    words = ["deploy", "flow.py:train", "--name", "nightly", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin"]
    said = cli(*words, "-p", "n=3", "--tag", "ml", "--concurrency", "2", "--overlap", "skip").stdout
    for part in (
        "✓ Made train/nightly",
        "code        train in flow.py",
        "parameters  n=3",
        "tags        ml",
        "limits      at most 2 at once, overlap: skip",
        "runs        at 03:00 each day, Europe/Berlin  cron-1",
        "next        ",
        "! It runs only on machines that have",
        "ostinato deploy run train/nightly",
    ):
        assert part in said, said
    changed = cli(*words).stdout
    assert "✓ Changed train/nightly" in changed
    for part in ("- n=3 (removed)", "- tags ml (removed)", "- limits at most 2 at once, overlap: skip (removed)"):
        assert part in changed, changed
    assert "✓ Unchanged train/nightly" in cli(*words).stdout
    listed = cli("deploy", "ls").stdout
    assert "train/nightly  at 03:00 each day, Europe/Berlin  in " in listed
    shown = cli("deploy", "inspect", "nightly").stdout
    assert "Train a model." in shown
    assert "n        integer   default 1" in shown
    assert "api_key  password  a secret" in shown
    cli("deploy", "run", "nightly")
    assert cli("deploy", "rm", "nightly").stdout == "Removed train/nightly and 1 run of it that had not begun.\n"
    assert cli("deploy", "ls").stdout == ""
    assert "error[deployment-not-found]" in cli("deploy", "inspect", "nightly", code=2).stderr


def test_all_options_reach_the_deployment(cli: Cli) -> None:
    (made,) = cli.json(
        "deploy", "flow.py:train", "--interval", "10m", "--rrule", "FREQ=DAILY;BYHOUR=3", "--cron", "@hourly",
        "--param-json", '{"n": 5, "model": "forest"}', "-p", "model=2", "--queue", "gpu", "--priority", "7",
        "--catchup", "all", "--skip-if-late", "1h", "--crash-retries", "0", "--cancel-grace", "2m",
        "--env", "LEVEL=high", "--resource", "gpu=1", "--description", "Daily.", "--version", "v2",
        "--code", "snapshot", "--paused",
    )  # fmt: skip
    assert (made["title"], made["done"], made["version"], made["description"]) == (
        "train/default",
        "made",
        "v2",
        "Daily.",
    )
    assert [one["slug"] for one in made["schedules"]] == ["cron-1", "interval-1", "rrule-1"]
    assert made["schedules"][1]["schedule"]["interval"] == 600
    assert made["parameters"] == {"n": 5, "model": "2"}
    assert (made["queue"], made["priority"], made["catchup"], made["skip_if_late_s"]) == ("gpu", 7, "all", 3600.0)
    assert (made["crash_retries"], made["cancel_grace_s"], made["paused"]) == (0, 120.0, True)
    assert (made["env"], made["resources"], made["code"]["kind"]) == ({"LEVEL": "high"}, {"gpu": 1.0}, "snapshot")
    assert made["next"] == []


def test_a_secret_parameter_is_not_shown(cli: Cli) -> None:
    said = cli("deploy", "flow.py:train", "-p", "api_key=hunter2").stdout
    assert "api_key=********" in said
    for words in (
        ["deploy", "ls", "--json"],
        ["deploy", "inspect", "default"],
        ["deploy", "inspect", "default", "--json"],
    ):
        assert "hunter2" not in cli(*words).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["flow.py:train", "--cron", "0 3 * *"], "error[schedule-invalid]"),
        (["flow.py:train", "--cron", "@daily", "--timezone", "Europe/Berlyn"], "Europe/Berlin"),
        (["flow.py:train", "--interval", "soon"], "with its unit: 30s, 5m"),
        (["flow.py:train", "-p", "m=1"], "error[parameter-unknown]"),
        (["flow.py:train", "-p", "n=many"], "error[parameter-invalid]"),
        (["flow.py:train", "-p", "n"], "is no NAME=VALUE"),
        (["flow.py:train", "--resource", "gpu=all"], "is no number"),
        (["flow.py:train", "--concurrency", "0"], "--concurrency"),
        (["flow.py:tain"], "error[flow-not-found]"),
        (["flo.py:train"], "error[target-not-found]"),
        (["flow.py:train", "--name", "a/b"], "error[deployment-invalid]"),
        ([], "there is none here"),
        (["run", "train/other"], "error[deployment-not-found]"),
        (["pause", "train/other"], "error[deployment-not-found]"),
    ],
)
def test_what_cannot_be_deployed_is_refused(cli: Cli, words: list[str], said: str) -> None:
    assert said in cli("deploy", *words, code=2).stderr
    assert cli.json("deploy", "ls") == []


def test_a_manifest_is_deployed_as_a_whole_or_by_name(cli: Cli) -> None:
    (cli.folder / "ostinato.toml").write_text(MANIFEST, encoding="utf-8")
    said = cli("deploy").stdout
    assert "✓ Made train/nightly" in said
    assert "✓ Made train/asked" in said
    assert "2 deployments: 2 made." in said
    assert cli.json("deploy", "inspect", "asked")["concurrency"] == 1
    assert [one["done"] for one in cli.json("deploy")] == ["unchanged", "unchanged"]
    cli("deploy", "--name", "asked", env={"MANY": "4"})
    assert cli.json("deploy", "inspect", "asked")["concurrency"] == 4
    assert "goes with FILE:FLOW" in cli("deploy", "--cron", "@daily", code=2).stderr
    assert "It has: nightly, asked." in cli("deploy", "--name", "other", code=2).stderr


def test_of_a_manifest_with_a_mistake_nothing_is_deployed(cli: Cli) -> None:
    wrong = MANIFEST + '[[deployments]]\nflow = "flow.py:train"\nname = "wrong"\nparameters = { m = 1 }\n'
    (cli.folder / "ostinato.toml").write_text(wrong, encoding="utf-8")
    text = cli("deploy", code=2).stderr
    assert "error[manifest-invalid] ostinato.toml, deployment 3 (wrong): Flow 'train' has no parameter 'm'" in text
    assert cli.json("deploy", "ls") == []


def test_schedules_are_paused_and_continued(cli: Cli) -> None:
    cli("deploy", "flow.py:train", "--cron", "@daily", "--interval", "1h")
    assert "are paused." in cli("deploy", "pause", "default").stdout
    assert cli.json("deploy", "inspect", "default")["next"] == []
    assert "paused" in cli("deploy", "ls").stdout
    assert "are going on, next " in cli("deploy", "continue", "default").stdout
    assert (
        "Schedule interval-1 of train/default is paused."
        in cli("deploy", "pause", "default", "--schedule", "interval-1").stdout
    )
    active = [one["active"] for one in cli.json("deploy", "inspect", "default")["schedules"]]
    assert active == [True, False]
    assert "cron-1, interval-1" in cli("deploy", "pause", "default", "--schedule", "x", code=2).stderr


def test_what_a_change_takes_away_is_said_and_a_schedule_that_goes_is_marked(cli: Cli) -> None:
    (cli.folder / "old.py").write_text(FLOW, encoding="utf-8")
    old = ("--cron", "@daily", "--interval", "1h", "--env", "A=1", "-p", "n=3", "--crash-retries", "0")
    cli("deploy", "old.py:train", "--name", "nightly", *old)
    said = cli("deploy", "flow.py:train", "--name", "nightly", "--cron", "@hourly", "--env", "A=2", "-p", "n=4").stdout
    for part in (
        "! - runs every hour  interval-1 (removed)",
        "  cron-1 was at 00:00 each day, UTC",
        "  n was 3",
        "  code was train in old.py",
        "  - limits crash retries: 0 (removed)",
        "  environment A had another value",
    ):
        assert part in said, said


def test_what_goes_nowhere_is_said(cli: Cli) -> None:
    refused = cli("deploy", "flow.py:train", "--timezone", "Europe/Berlin", code=2).stderr
    assert "timezone='Europe/Berlin' without a schedule" in refused
    made = cli("deploy", "flow.py:train", "--queue", "gpuu").stdout
    assert "! Queue gpuu is new; no worker serves it." in made
    assert "Queue gpuu" not in cli("deploy", "flow.py:train", "--queue", "gpuu", "-p", "n=2").stdout
    for words in (("deploy", "pause"), ("schedule", "pause"), ("deploy", "continue")):
        told = cli(*words, "train/default")
        assert told.stdout == ""
        assert "train/default has no schedules: it runs only when asked. Nothing changed." in told.stderr
    assert "write it with its unit: 30s, 5m" in cli("deploy", "flow.py:train", "--interval", "10", code=2).stderr


def test_with_a_server_it_is_not_offered_to_start_one(cli: Cli) -> None:
    assert "ostinato up" in cli("deploy", "flow.py:train").stdout
    cli.start("server", "--port", "0")
    end = time.monotonic() + 20
    while not (cli.home / "server.json").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    assert "ostinato up" not in cli("deploy", "flow.py:train", "-p", "n=2").stdout
    assert "no worker serves queue 'default'" in cli("deploy", "run", "default").stdout


def test_a_run_is_made_now_or_later_with_other_parameters(cli: Cli) -> None:
    cli("deploy", "flow.py:train", "--name", "asked", "-p", "n=2")
    said = cli("deploy", "run", "asked", "n=5", "model=3", "--name", "answer").stdout
    assert "○ Scheduled answer  of train/asked, due now" in said
    assert "! It waits: no server runs on this home: `ostinato up`" in said
    assert "ostinato watch answer" in said
    made = cli.json("show", "answer")
    assert made["parameters"] == {"n": 5, "model": "3"}
    later = cli.json("deploy", "run", "asked", "--at", "2030-01-31T03:00Z", "--key", "once")
    assert later["due_at"] == "2030-01-31T03:00:00Z"
    again = cli("deploy", "run", "asked", "--key", "once", "--json")
    assert json.loads(again.stdout)["id"] == later["id"]
    assert "The run with this key was made before, " in again.stderr
    assert "2020-01-31 03:00:00 has passed" in cli("deploy", "run", "asked", "--at", "2020-01-31T03:00Z").stderr
    misfit = cli("deploy", "run", "asked", "m=1", code=2).stderr
    assert "deployment 'train/asked': there is no parameter 'm'; there are: n, model, api_key." in misfit
    assert re.search("in (10m00s|9m5.s)", cli("deploy", "run", "asked", "--in", "10m").stdout)
    assert "error[parameters-misfit]" in cli("deploy", "run", "asked", "n=many", code=2).stderr
    assert "not both" in cli("deploy", "run", "asked", "--in", "1m", "--at", "2030-01-01", code=2).stderr
    assert "is no time" in cli("deploy", "run", "asked", "--at", "soon", code=2).stderr
    shown = cli("deploy", "inspect", "asked").stdout
    assert "Newest runs" in shown
    assert "answer" in shown


def test_a_run_is_watched_to_its_end(cli: Cli) -> None:
    cli("deploy", "flow.py:train", "--name", "asked")
    cli.start("server", "--port", "0")
    worker = cli.start("worker")
    end = time.monotonic() + 30
    while not cli.json("workers"):
        assert time.monotonic() < end
        time.sleep(0.1)
    ended = cli("deploy", "run", "asked", "n=21", "--watch")
    assert "✓ Completed" in ended.stderr
    assert "value     42" in ended.stderr
    worker.terminate()
    worker.wait(20)


def test_help_shows_both_forms_and_completion_offers_deployments(cli: Cli) -> None:
    text = cli("deploy", "--help").stdout
    assert "Usage: ostinato deploy [OPTIONS] [FILE:FLOW | COMMAND] ..." in text
    for word in ("make", "ls", "inspect", "run", "pause", "continue", "rm"):
        assert f"\n  {word} " in text
    assert "--cron CRON" in cli("deploy", "make", "--help").stdout
    assert "--cron CRON" in cli("deploy", "flow.py:train", "--help").stdout
    cli("deploy", "flow.py:train", "--name", "nightly")
    env = {"COMP_WORDS": "ostinato deploy run tr", "COMP_CWORD": "3", "_OSTINATO_COMPLETE": "bash_complete"}
    assert "train/nightly" in cli(env=env).stdout


def test_it_fits_a_terminal_of_80_columns(cli: Cli) -> None:
    terminal = Terminal(
        cli, "deploy", "flow.py:train", "--name", "nightly", "--cron", "*/7 3 * * MON", "-p", f"model={'x' * 90}"
    )
    assert terminal.end() == 0
    assert "✓ Made train/nightly" in terminal.screen.text
    assert all(width(row) <= 80 for row in terminal.screen.rows)
    terminal = Terminal(cli, "deploy", "ls")
    assert terminal.end() == 0
    assert "train/nightly" in terminal.screen.text
    assert all(width(row) <= 80 for row in terminal.screen.rows)
