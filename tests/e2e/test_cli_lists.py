"""`runs`, `show` and `logs` on a home with recorded runs: tables, queries, stable JSON."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.e2e.conftest import COMMAND, Cli
from tests.e2e.filled import ERROR, SECOND, START, Filled

if TYPE_CHECKING:
    from typing import Any


@pytest.fixture
def three(filled: Filled) -> dict[str, str]:
    """Give a completed, a failed and a crashed run, the failed one with tasks, logs, a subflow, artifacts."""
    ids = {"done": filled.run("calm-otter", tags=("gpu",), parameters=b'{"n": 3, "model": "forest"}')}
    failed = filled.run("quiet-otter", "Failed", error=ERROR, message="Task 'score-17' failed", at=START + 60 * SECOND)
    filled.tasks(failed, "load", {"Completed": 1})
    filled.tasks(failed, "score", {"Completed": 40, "Failed": 7, "Cached": 3}, group="g")
    child = filled.run("brave-fox", flow="preprocess", parent=failed, no=2)
    filled.tasks(child, "read", {"Completed": 2})
    filled.logs(failed, [(0, 20, "begin"), (2, 10, "detail"), (2, 30, "loss is nan"), (0, 40, "two\nlines")])
    filled.logs(child, [(1, 20, "reading größe 日本語")])
    filled.artifact(failed, "table", "scores", b'{"columns": ["model", "rmse"], "rows": [["linear", 7.76]]}')
    filled.artifact(failed, "markdown", "", b'"# Title"')
    ids |= {"failed": failed, "child": child, "crashed": filled.run("größe 日本", "Crashed", flow="score it")}
    filled.close()
    return ids


RUN_NAMES = {
    "id", "name", "flow", "state", "message", "epoch", "attempt", "root_id", "parent_id", "created_at", "expected_at",
    "started_at", "ended_at", "duration_s", "parameters", "tags", "version", "source", "result", "error", "n_reused",
    "n_logs_dropped", "deployment_id", "deployment", "queue", "priority", "schedule", "due_at", "worker", "asked",
    "n_crashes", "actor", "ended",
}  # fmt: skip


def names(found: list[dict[str, Any]]) -> list[str]:
    return [run["name"] for run in found]


def test_runs_are_listed_newest_first_without_subflows(cli: Cli, three: dict[str, str]) -> None:
    found = cli.json("runs")
    assert names(found) == ["größe 日本", "quiet-otter", "calm-otter"]
    assert set(found[0]) == RUN_NAMES
    assert found[2]["parameters"] == {"n": 3, "model": "forest"}
    assert found[2]["duration_s"] == 12.5
    assert found[2]["created_at"] == "2026-09-21T14:13:20Z"
    assert found[1]["error"]["type"] == "ValueError"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state:failed", ["quiet-otter"]),
        ("state:unsuccessful", ["größe 日本", "quiet-otter"]),
        ("otter", ["quiet-otter", "calm-otter"]),
        ("otter -state:failed", ["calm-otter"]),
        ("flow:preprocess", ["brave-fox"]),
        ('flow:"score it"', ["größe 日本"]),
        ("GRÖSSE", []),
        ("Größe", ["größe 日本"]),
        ("tag:gpu", ["calm-otter"]),
        ("-parent:none", ["brave-fox"]),
        ("until:2000-01-01", []),
        ("duration:>12s duration:<13s flow:train", ["quiet-otter", "calm-otter"]),
        ("state:active", []),
    ],
)
def test_a_query_finds_its_runs(cli: Cli, three: dict[str, str], query: str, expected: list[str]) -> None:
    assert names(cli.json("runs", query)) == expected
    assert len(cli("runs", query, "-q").stdout.split()) == len(expected)


def test_a_query_may_be_one_word_or_many(cli: Cli, three: dict[str, str]) -> None:
    assert cli.json("runs", "otter", "state:failed") == cli.json("runs", "otter state:failed")


def test_the_table_says_state_with_glyph_and_word(cli: Cli, three: dict[str, str]) -> None:
    lines = cli("runs").stdout.splitlines()
    assert lines[0].split() == ["STATE", "RUN", "FLOW", "WHEN", "TOOK", "ID", "WHY"]
    assert "✕ Failed" in lines[2]
    assert "ValueError: bad row 17" in lines[2]
    assert "\x1b" not in "".join(lines)


def test_pages_join_without_gap(cli: Cli, three: dict[str, str]) -> None:
    first = cli("runs", "--limit", "2", "--json")
    cursor = first.stderr.split()[-1]
    second = cli.json("runs", "--limit", "2", "--after", cursor)
    assert names(json.loads(first.stdout)) + names(second) == ["größe 日本", "quiet-otter", "calm-otter"]


def test_show_puts_the_failure_first(cli: Cli, three: dict[str, str]) -> None:
    page = cli("show", "quiet-otter").stdout
    parts = [
        "✕ Failed", "ValueError: bad row 17", "inputs", "hint", "Tasks", "score ×50", "… 2 more failed",
        "preprocess · brave-fox", "Artifacts", "scores", "linear", "History", "ostinato retry quiet-otter",
    ]  # fmt: skip
    at = [page.index(part) for part in parts]
    assert at == sorted(at), page


def test_show_as_json_is_one_object_with_all_parts(cli: Cli, three: dict[str, str]) -> None:
    found = cli.json("show", three["failed"][:20])
    assert set(found) == RUN_NAMES | {
        "tasks", "failures", "subflows", "artifacts", "history", "tracking_runs", "waits_for", "why_waiting",
    }  # fmt: skip
    assert found["tasks"] == [
        {"task": "load", "group": None, "total": 1, "states": {"Completed": 1}, "n_superseded": 0},
        {
            "task": "score",
            "group": "g",
            "total": 50,
            "states": {"Cached": 3, "Completed": 40, "Failed": 7},
            "n_superseded": 0,
        },
    ]
    assert names(found["subflows"]) == ["brave-fox"]
    assert len(found["failures"]) == 7
    assert [change["state"] for change in found["history"]] == ["Pending", "Running", "Failed"]
    assert found["artifacts"][0]["data"]["rows"] == [["linear", 7.76]]


def test_a_run_is_named_by_name_id_prefix_or_last(cli: Cli, three: dict[str, str]) -> None:
    assert cli.json("show", "last")["name"] == "größe 日本"
    assert cli.json("show", "größe 日本")["id"] == three["crashed"]
    assert cli.json("show", three["done"])["name"] == "calm-otter"


def test_artifacts_are_written_to_files_that_stay_in_their_folder(cli: Cli, filled: Filled) -> None:
    run = filled.run("quiet-otter")
    filled.artifact(run, "table", "../scores of größe", b'{"columns": ["a", "b"], "rows": [[1, "x,y"]]}')
    filled.artifact(run, "markdown", "", b'"# Title"')
    filled.artifact(run, "link", "docs", b'{"url": "https://example.org", "text": "docs"}')
    filled.image(run, "plot", b"\x89PNG")
    filled.close()
    assert "ostinato show quiet-otter --save FOLDER" in cli("show", "last").stdout
    files = cli.json("show", "last", "--save", "out")
    folder = cli.folder / "out"
    assert files == [f"out/{name}" for name in ("scores-of-größe.csv", "markdown-2.md", "docs.json", "plot.png")]
    assert (folder / "scores-of-größe.csv").read_text() == 'a,b\n1,"x,y"\n'
    assert (folder / "markdown-2.md").read_text() == "# Title"
    assert (folder / "plot.png").read_bytes() == b"\x89PNG"


def test_an_unknown_run_is_refused_with_a_hint(cli: Cli) -> None:
    ended = cli("show", "nobody", code=2)
    assert "error[run-not-found]" in ended.stderr
    assert "ostinato runs" in ended.stderr
    problem = json.loads(cli("show", "nobody", "--json", code=2).stderr)["error"]
    assert problem["code"] == "run-not-found"
    assert set(problem) == {"code", "message", "hint", "exit_code"}


def test_an_ambiguous_prefix_is_refused(cli: Cli, three: dict[str, str]) -> None:
    assert "error[run-ambiguous]" in cli("logs", three["done"][:5], code=2).stderr


def test_a_wrong_query_names_its_column(cli: Cli) -> None:
    message = cli("runs", "flow:train", "stat:failed", code=2).stderr
    assert "column 12" in message
    assert "perhaps you mean 'state'" in message


def test_an_empty_home_says_how_to_begin(cli: Cli) -> None:
    assert "ostinato demo" in cli("runs").stderr
    assert cli.json("runs") == []
    assert cli("runs", "-q").stdout == ""


def test_logs_hold_the_lines_of_subflows_too(cli: Cli, three: dict[str, str]) -> None:
    lines = cli("logs", "quiet-otter").stdout.splitlines()
    assert lines[0] == "14:13:20.000 | INFO    | Flow run 'quiet-otter' - begin"
    assert lines[2] == "14:13:20.002 | WARNING | Task run 'score-2' - loss is nan"
    assert any("Task run 'read-1' - reading größe 日本語" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (["--level", "warning"], ["loss is nan", "two\nlines"]),
        (["--task", "score"], ["detail", "loss is nan"]),
        (["--grep", "NAN|begin"], ["begin", "loss is nan"]),
        (["--tail", "1"], ["reading größe 日本語"]),
        (["--tail", "0"], []),
        (["--task", "score", "--tail", "1"], ["loss is nan"]),
    ],
)
def test_logs_are_filtered(cli: Cli, three: dict[str, str], options: list[str], texts: list[str]) -> None:
    rows = cli("logs", "quiet-otter", *options, "--json").stdout.splitlines()
    found = [json.loads(row) for row in rows]
    assert [row["text"] for row in found] == texts
    assert all(set(row) == {"id", "at", "level", "run_id", "task", "logger", "text"} for row in found)


def test_logs_of_a_subflow_are_its_own(cli: Cli, three: dict[str, str]) -> None:
    assert len(cli("logs", "brave-fox").stdout.splitlines()) == 1


def test_a_wrong_regular_expression_is_a_usage_error(cli: Cli, three: dict[str, str]) -> None:
    assert "--grep" in cli("logs", "last", "--grep", "(", code=2).stderr


def test_following_a_run_that_ended_ends(cli: Cli, three: dict[str, str]) -> None:
    assert cli("logs", "quiet-otter", "-f").stdout == cli("logs", "quiet-otter").stdout


def test_watching_a_run_that_ended_gives_its_exit_code(cli: Cli, three: dict[str, str]) -> None:
    assert "✕ Failed" in cli("watch", "quiet-otter", code=1).stderr
    cli("watch", "calm-otter", code=0)
    rows = [json.loads(row) for row in cli("watch", "quiet-otter", "--json", code=1).stdout.splitlines()]
    assert rows[-1]["state"] == "Failed"
    assert rows[-1]["tasks"]["Failed"] == 7


def test_a_reader_that_goes_away_is_no_error(cli: Cli, filled: Filled) -> None:
    run = filled.run("long")
    filled.logs(run, [(0, 20, "x" * 200)] * 5000)
    filled.close()
    piped = subprocess.run(
        f"{COMMAND} logs last | head -n 1", shell=True, env=cli.env, capture_output=True, text=True, check=False
    )
    assert len(piped.stdout.splitlines()) == 1
    assert piped.stderr == ""


def test_control_characters_of_logs_stay_out_of_tables(cli: Cli, filled: Filled) -> None:
    filled.run("evil\x1b[2Jname\n", "Failed", message="line\x07one\nline two")
    filled.close()
    assert "\x1b" not in cli("runs").stdout
    assert len(cli("runs").stdout.splitlines()) == 2
    assert "\x1b" not in cli("show", "last").stdout


def test_a_run_of_100_000_tasks_is_shown_quickly(cli: Cli, filled: Filled) -> None:
    run = filled.run("wide")
    filled.tasks(run, "score", {"Completed": 99_990, "Failed": 10}, group="g")
    filled.close()
    before = os.times()
    start = time.monotonic()
    page = cli("show", "wide").stdout
    assert "score ×100,000" in page
    assert "99,990 ✓  10 ✕" in page
    used = os.times().children_user - before.children_user
    assert used < 1.5, f"{used} s of CPU, {time.monotonic() - start} s in all"
