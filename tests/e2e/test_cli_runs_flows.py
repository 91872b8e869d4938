"""`run`, `resume`, `retry` and `watch` with real flows: parameters, exit codes, Ctrl-C, kill -9."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.e2e.conftest import Cli

FLOWS = '''
import os
import time
from pathlib import Path

from ostinato import artifact, flow, get_run_logger, task


@task
def square(x: int) -> int:
    with Path("calls.txt").open("a") as file:
        file.write(f"{x}\\n")
    if x == 3 and Path("broken").exists():
        raise ValueError("three is bad today")
    return x * x


@flow
def squares(n: int = 5, *, names: list[str] | None = None) -> int:
    """Add squares.

    Args:
        n: How many.
    """
    print("printed by the flow")
    get_run_logger().info("logged by the flow")
    return sum(square(i) for i in range(n))


@task
def nap(x: int) -> int:
    Path(f"napping-{x}").touch()
    time.sleep(0.05 if x < 3 else 30)
    return x


@flow
def sleeper(n: int = 5) -> int:
    return sum(nap(i) for i in range(n))


@flow
async def later(text: str) -> str:
    return text.upper()


def plain() -> None:
    """No flow."""


if Path("explode").exists():
    raise RuntimeError("while loading")
'''


@pytest.fixture
def flows(cli: Cli) -> Path:
    """Give the folder with flows.py."""
    (cli.folder / "flows.py").write_text(FLOWS, encoding="utf-8")
    return cli.folder


def wait_for(file: Path) -> None:
    end = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < end, f"{file.name} never came"
        time.sleep(0.02)


def calls(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "calls.txt").read_text().split()]


def output(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=30)
    return out + err


def test_a_flow_runs_with_parameters_read_by_their_types(cli: Cli, flows: Path) -> None:
    found = cli.json("run", "flows.py:squares", "n=4", 'names=["a", "b"]')
    assert found["state"] == "Completed"
    assert found["parameters"] == {"n": 4, "names": ["a", "b"]}
    assert found["result"]["value"] == 14
    (task,) = found["tasks"]
    assert (task["task"], task["total"], task["states"]) == ("square", 4, {"Completed": 4})


def test_with_json_stdout_holds_the_outcome_alone(cli: Cli, flows: Path) -> None:
    ended = cli("run", "flows.py:squares", "--json")
    assert json.loads(ended.stdout)["state"] == "Completed"
    assert "printed by the flow" in ended.stderr


def test_without_a_terminal_each_log_line_is_a_line(cli: Cli, flows: Path) -> None:
    ended = cli("run", "flows.py:squares")
    assert ended.stdout == "printed by the flow\n"
    assert " | INFO    | Flow run '" in ended.stderr
    assert "logged by the flow" in ended.stderr
    assert "\x1b" not in ended.stderr
    assert "✓ Completed" in ended.stderr


def test_quiet_prints_nothing_but_what_the_flow_prints(cli: Cli, flows: Path) -> None:
    ended = cli("run", "flows.py:squares", "--quiet")
    assert (ended.stdout, ended.stderr) == ("printed by the flow\n", "")


def test_parameters_may_come_as_json_with_single_ones_on_top(cli: Cli, flows: Path) -> None:
    found = cli.json("run", "flows.py:squares", "n=2", "--param-json", '{"n": 9, "names": ["x"]}')
    assert found["parameters"] == {"n": 2, "names": ["x"]}


def test_name_and_tags_are_recorded(cli: Cli, flows: Path) -> None:
    found = cli.json("run", "flows.py:squares", "--name", "größe {1}", "--tag", "gpu", "--tag", "night")
    assert (found["name"], found["tags"]) == ("größe {1}", ["gpu", "night"])
    assert cli.json("runs", "tag:night")[0]["name"] == "größe {1}"


def test_an_async_flow_runs_too(cli: Cli, flows: Path) -> None:
    assert cli.json("run", "flows.py:later", "text=hello")["result"]["value"] == "HELLO"


def test_the_help_of_a_target_shows_its_parameters(cli: Cli, flows: Path) -> None:
    text = cli("run", "flows.py:squares", "--help").stdout
    assert "Parameters of squares" in text
    text = " ".join(text.split())
    assert "n: int How many (default 5)" in text
    assert "names: list[str] | None" in text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["missing.py:train"], "target-not-found", "missing.py"),
        (["flows.py:squres"], "flow-not-found", "squares"),
        (["flows.py"], "flow-not-found", "sleeper"),
        (["flows.py:plain"], "not-a-flow", "@flow"),
        (["flows.py:squares", "m=3"], "parameter-unknown", "'m'"),
        (["flows.py:squares", "n=three"], "parameter-invalid", "int"),
        (["flows.py:later"], "parameter-missing", "text=..."),
        (["flows.py:squares", "three"], "usage", "NAME=VALUE"),
        (["flows.py:squares", "--param-json", "[1]"], "usage", "JSON object"),
        (["flows.py:squares", "--param-json", "{"], "usage", "not JSON"),
        (["flows.py:squares", "--nam", "x"], "usage", "--name"),
    ],
)
def test_what_cannot_run_is_refused_with_code_and_hint(
    cli: Cli, flows: Path, words: list[str], code: str, said: str
) -> None:
    text = cli("run", *words, code=2).stderr
    assert f"error[{code}]" in text
    assert said in text
    assert "hint: " in text
    assert "Traceback" not in text
    assert cli.json("runs") == []


def test_a_file_that_does_not_load_names_its_line(cli: Cli, flows: Path) -> None:
    (flows / "explode").touch()
    text = cli("run", "flows.py:squares", code=2).stderr
    assert "error[file-does-not-load]" in text
    assert "while loading" in text


def test_a_failed_run_exits_with_1_and_retry_goes_on(cli: Cli, flows: Path) -> None:
    (flows / "broken").touch()
    ended = cli("run", "flows.py:squares", "--name", "quiet-otter", code=1)
    assert "ValueError: three is bad today" in ended.stderr
    line = FLOWS.splitlines().index('        raise ValueError("three is bad today")') + 1
    assert f"flows.py:{line} in square" in ended.stderr
    assert "inputs  x=3" in ended.stderr
    assert "ostinato frames, --full-trace shows them" in ended.stderr
    assert "ostinato retry quiet-otter" in ended.stderr
    cli("retry", "quiet-otter", code=1)
    (flows / "broken").unlink()
    plan = cli.json("retry", "quiet-otter", "--plan")
    assert [decision["reuse"] for decision in plan] == [True, True, True, False]
    found = cli.json("retry", "quiet-otter")
    assert (found["state"], found["epoch"], found["result"]["value"]) == ("Completed", 3, 30)
    assert calls(flows) == [0, 1, 2, 3, 3, 3, 4]


def test_changed_code_runs_again_is_refused_or_reused_as_asked(cli: Cli, flows: Path) -> None:
    (flows / "broken").touch()
    cli("run", "flows.py:squares", code=1)
    (flows / "broken").unlink()
    (flows / "flows.py").write_text(FLOWS.replace("return x * x", "return x**2 + 1"))
    text = cli("retry", "last", "--plan").stdout
    assert "re-run" in text
    assert "`square` changed" in text
    for options in (["--plan"], []):
        assert "error[plan-refused]" in cli("retry", "last", "--changed", "refuse", *options, code=4).stderr
    reuse = cli.json("retry", "last", "--changed", "reuse", "--plan")
    assert [decision["reuse"] for decision in reuse] == [True, True, True, False]
    assert cli.json("retry", "last", "--changed", "reuse")["result"]["value"] == 0 + 1 + 4 + 10 + 17


def test_the_full_trace_has_our_frames(cli: Cli, flows: Path) -> None:
    (flows / "broken").touch()
    text = cli("run", "flows.py:squares", "--full-trace", code=1).stderr
    assert "ostinato/engine/" in text
    assert "--full-trace" not in text


def test_a_run_that_ended_well_cannot_be_resumed(cli: Cli, flows: Path) -> None:
    cli("run", "flows.py:squares")
    text = cli("resume", "last", code=4).stderr
    assert "error[resume-refused]" in text
    assert json.loads(cli("resume", "last", "--json", code=4).stderr)["error"]["exit_code"] == 4


def test_ctrl_c_cancels_the_run_and_exits_with_3(cli: Cli, flows: Path) -> None:
    process = cli.start("run", "flows.py:sleeper")
    wait_for(flows / "napping-3")
    process.send_signal(signal.SIGINT)
    text = output(process)
    assert process.returncode == 3, text
    assert "⊘ Cancelled" in text
    assert "Traceback" not in text
    assert cli.json("show", "last")["state"] == "Cancelled"


def test_a_killed_run_is_crashed_and_resume_goes_on(cli: Cli, flows: Path) -> None:
    process = cli.start("run", "flows.py:sleeper", "--name", "quiet-otter")
    wait_for(flows / "napping-3")
    watching = cli.start("watch", "quiet-otter")
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    output(process)
    text = output(watching)
    assert watching.returncode == 1, text
    assert "⚡ Crashed" in text
    source = (flows / "flows.py").read_text()
    (flows / "flows.py").write_text(source.replace("else 30", "else 0.01"))
    found = cli.json("resume", "quiet-otter", "--changed", "reuse")
    assert (found["state"], found["epoch"], found["result"]["value"]) == ("Completed", 2, 10)
    assert found["n_reused"] == 3


def test_watch_follows_a_run_of_another_process(cli: Cli, flows: Path) -> None:
    (flows / "flows.py").write_text(FLOWS.replace("else 30", "else 3"))
    process = cli.start("run", "flows.py:sleeper", "n=4", "--quiet")
    wait_for(flows / "napping-3")
    while not cli.json("runs"):
        assert process.poll() is None
    rows = [json.loads(row) for row in cli("watch", "last", "--json").stdout.splitlines()]
    output(process)
    assert rows[-1]["state"] == "Completed"
    assert rows[0]["state"] == "Running"
    assert rows[-1]["tasks"] == {"Completed": 4}


def test_logs_follow_until_the_run_ends(cli: Cli, flows: Path) -> None:
    process = cli.start("run", "flows.py:squares", "--quiet")
    output(process)
    assert "logged by the flow" in cli("logs", "last", "-f").stdout


def test_a_run_that_goes_on_elsewhere_is_not_resumed(cli: Cli, flows: Path) -> None:
    process = cli.start("run", "flows.py:sleeper")
    wait_for(flows / "napping-3")
    text = cli("resume", "last", code=4).stderr
    assert "error[resume-refused]" in text
    assert "ostinato watch" in text
    process.send_signal(signal.SIGINT)
    output(process)


def test_a_home_that_cannot_be_written_is_told_with_exit_code_5(cli: Cli, flows: Path) -> None:
    (flows / "file").touch()
    text = cli("run", "flows.py:squares", code=5, env={"OSTINATO_HOME": str(flows / "file" / "home")}).stderr
    assert "error[home-read-only]" in text
    assert "OSTINATO_HOME" in text


def test_the_exit_code_of_a_closed_stdout_is_0(cli: Cli, flows: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    process = cli.start("explain", stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


HALF_WAY = """
from pathlib import Path

from ostinato import flow, task


@task
def early() -> None:
    raise ValueError("not called again")


@task
def late() -> int:
    if not Path("mended").exists():
        raise ValueError("not yet")
    return 1


@flow
def climb() -> dict[str, object]:
    if not Path("mended").exists():
        early(return_state=True)
    return {"rmse": 7.76, "late": late()}
"""


def test_what_a_resume_does_not_call_again_is_counted_apart(cli: Cli, flows: Path) -> None:
    (flows / "climb.py").write_text(HALF_WAY)
    cli("run", "climb.py", "--name", "quiet-otter", code=1)
    (flows / "mended").touch()
    ended = cli("retry", "quiet-otter", "--plain").stderr
    assert "1 ✓ Completed" in ended
    assert "1 left from before the resume" in ended
    assert "value     {'rmse': 7.76, 'late': 1}" in ended
    page = cli("show", "quiet-otter").stdout
    assert "resumed 1 time" in page
    assert "with earlier epochs" in page
    assert "value  {'rmse': 7.76, 'late': 1}" in page
    assert "✕ early" not in page
    assert [task["superseded"] for task in cli.json("show", "quiet-otter")["failures"]] == [True]
