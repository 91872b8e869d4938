"""The live tree in a terminal: what stands there, what stays above it, and that nothing wraps."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e.filled import ERROR, Filled
from tests.e2e.terminal import Terminal

if TYPE_CHECKING:
    from tests.e2e.conftest import Cli

FLOWS = """
import sys
import time
from pathlib import Path

from ostinato import flow, get_run_logger, task


@task
def load(n: int) -> list[int]:
    return list(range(n))


@task
def score(x: int) -> int:
    time.sleep(0.01)
    if x % 40 == 17:
        raise ValueError(f"bad row {x}, with a long explanation of what exactly was wrong, größer als erlaubt 日本")
    return x


@task
def hold() -> None:
    Path("holding").touch()
    while not Path("go").exists():
        time.sleep(0.01)


@flow
def prepare(n: int) -> list[int]:
    return load(n)


@flow
def train(n: int = 100, strict: bool = False) -> int:
    rows = prepare(n)
    print("a print of the flow")
    print("unfinished", end="")
    get_run_logger().warning("a log line of the flow")
    found = score.map(rows)
    good = [future.result(raise_on_failure=False) for future in found]
    hold()
    if strict:
        found[17].result()
    return sum(value for value in good if isinstance(value, int))
"""


@pytest.fixture
def flows(cli: Cli) -> Path:
    (cli.folder / "flows.py").write_text(FLOWS, encoding="utf-8")
    return cli.folder


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (60, 12)])
def test_the_tree_shows_tasks_on_one_line_and_fits_the_terminal(cli: Cli, flows: Path, columns: int, rows: int) -> None:
    terminal = Terminal(cli, "run", "flows.py:train", columns=columns, rows=rows)
    terminal.wait_for("hold")
    terminal.wait_for("score ×100")
    terminal.wait_for("97 ✓  3 ✕")
    live = terminal.screen.text
    assert "train · " in live
    assert "✕ score-" in live
    assert "ValueError: bad row" in live
    assert "✓ Completed  prepare" in live
    (flows / "go").touch()
    assert terminal.end() == 0
    assert terminal.screen.overflows == []
    assert terminal.screen.n_repaints > 1
    assert "╰──" in terminal.screen.text
    assert "ostinato show " in terminal.screen.text
    most_rows = max(frame.count("\n") for frame in terminal.raw.split("\x1b[?7h"))
    assert most_rows <= rows


def test_prints_and_log_lines_go_above_the_tree(cli: Cli, flows: Path) -> None:
    terminal = Terminal(cli, "run", "flows.py:train")
    terminal.wait_for("a log line of the flow")
    terminal.wait_for("score ×100")
    text = terminal.screen.text
    assert text.index("a print of the flow") < text.index("train · ")
    assert text.index("WARNING a log line of the flow") < text.index("train · ")
    (flows / "go").touch()
    terminal.end()
    assert terminal.screen.text.count("a print of the flow") == 1
    assert terminal.screen.text.count("unfinished") == 1


def test_a_failure_ends_with_frames_inputs_and_the_next_command(cli: Cli, flows: Path) -> None:
    (flows / "go").touch()
    terminal = Terminal(cli, "run", "flows.py:train", "strict=true", "--name", "quiet-otter")
    assert terminal.end() == 1
    text = terminal.screen.text
    for part in ("in score", "inputs  x=17", "✕ Failed  train · quiet-otter", "ostinato retry quiet-otter"):
        assert part in text


def test_ctrl_c_leaves_a_whole_screen(cli: Cli, flows: Path) -> None:
    terminal = Terminal(cli, "run", "flows.py:train")
    terminal.wait_for("hold")
    while not (flows / "holding").exists():
        time.sleep(0.01)
    terminal.press("\x03")
    assert terminal.end() == 3
    assert "⊘ Cancelled  train" in terminal.screen.text
    assert "Traceback" not in terminal.screen.text
    assert terminal.screen.wraps
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")


@pytest.mark.parametrize(("options", "env"), [(["--plain"], {}), ([], {"NO_COLOR": "1"}), ([], {"CI": "true"})])
def test_plain_lines_where_a_tree_is_not_wanted(cli: Cli, flows: Path, options: list[str], env: dict[str, str]) -> None:
    (flows / "go").touch()
    terminal = Terminal(cli, "run", "flows.py:train", *options, columns=200, env=env)
    assert terminal.end() == 0
    assert terminal.screen.n_repaints == 0
    assert "| WARNING | Flow run '" in terminal.raw
    if "NO_COLOR" in env:
        assert "\x1b[" not in terminal.raw


def test_a_slow_import_is_told_and_what_it_keeps_of_stderr_still_works(cli: Cli, flows: Path) -> None:
    slow = "import time, logging\nlogging.basicConfig(format='kept: %(message)s')\nprint('a print of the import')\n"
    (flows / "slow.py").write_text(f"{slow}time.sleep(1)\n{FLOWS}", encoding="utf-8")
    source = (flows / "slow.py").read_text(encoding="utf-8")
    (flows / "slow.py").write_text(source.replace("    hold()\n", "    logging.warning('late')\n"), encoding="utf-8")
    terminal = Terminal(cli, "run", "slow.py:train")
    terminal.wait_for("loading slow.py ...")
    assert "a print of the import" in terminal.screen.text
    assert terminal.end() == 0
    assert "loading" not in terminal.screen.text
    assert terminal.screen.text.count("kept: late") == 1


def test_watch_draws_the_run_of_another_process(cli: Cli, flows: Path) -> None:
    process = cli.start("run", "flows.py:train", "--name", "quiet-otter", "--quiet")
    while not (flows / "holding").exists():
        assert process.poll() is None
        time.sleep(0.01)
    terminal = Terminal(cli, "watch", "quiet-otter")
    terminal.wait_for("hold")
    terminal.wait_for("score ×100")
    (flows / "go").touch()
    assert terminal.end() == 0
    assert "✓ Completed  train · quiet-otter" in terminal.screen.text
    process.communicate(timeout=20)


def test_ctrl_c_stops_watching_and_not_the_run(cli: Cli, flows: Path) -> None:
    process = cli.start("run", "flows.py:train", "--name", "quiet-otter", "--quiet")
    while not (flows / "holding").exists():
        assert process.poll() is None
        time.sleep(0.01)
    terminal = Terminal(cli, "watch", "quiet-otter")
    terminal.wait_for("score ×100")
    terminal.press("\x03")
    assert terminal.end() == 3
    assert terminal.screen.text.rstrip().endswith("quiet-otter goes on without being watched.")
    assert "score ×100" not in terminal.screen.text
    assert process.poll() is None
    (flows / "go").touch()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_lists_fit_the_terminal(cli: Cli, filled: Filled) -> None:
    for name in ("calm-otter", "ein sehr langer Name mit Größen und 日本語の名前", "x" * 200):
        filled.run(name, "Failed", error=ERROR, flow="a_flow_with_a_name_that_is_much_too_long_for_a_list")
    filled.close()
    for columns in (60, 80, 120):
        terminal = Terminal(cli, "runs", columns=columns)
        assert terminal.end() == 0
        terminal.screen.wraps = False
        assert all(len(row) <= columns for row in terminal.screen.rows)
        assert terminal.screen.text.count("✕ Failed") == 3
        assert "\x1b[31m" in terminal.raw


def test_a_list_of_80_columns_says_why_and_gives_an_id_that_names_the_run(cli: Cli, filled: Filled) -> None:
    made = [filled.run(name, "Failed", error=ERROR) for name in ("calm-otter", "quiet-otter")]
    filled.close()
    terminal = Terminal(cli, "runs", columns=80)
    assert terminal.end() == 0
    newest, oldest = terminal.screen.text.splitlines()[1:3]
    for row, run in ((newest, made[1]), (oldest, made[0])):
        assert "ValueError: bad" in row
        (short,) = re.findall(r"\b[0-9a-f]{10,19}\b", row)
        assert cli.json("show", short)["id"] == run


def test_the_tree_takes_little_of_a_processor(cli: Cli, filled: Filled) -> None:
    run = filled.run("wide", "Running")
    filled.tasks(run, "score", {"Completed": 9_000, "Running": 16, "Pending": 984}, group="g")
    filled.settle()
    terminal = Terminal(cli, "watch", "wide")
    terminal.wait_for("score ×10,000")
    before = used_s(terminal.process.pid)
    time.sleep(3)
    share = (used_s(terminal.process.pid) - before) / 3
    terminal.press("\x03")
    terminal.end()
    filled.close()
    assert share < 0.06, f"{share:.1%}"  # 3 % for the tree, the rest for noise of a busy machine


def used_s(pid: int) -> float:
    """Give the CPU seconds of a process."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
