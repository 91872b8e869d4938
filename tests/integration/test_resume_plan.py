"""The plan of a resume and the resume itself agree, for flows made at random.

The tasks give new objects: one that hands an input on has two names, of which a resume sees one (lineage
goes by identity), so that calls after it may run again.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.integration.engine_record import Record, all_runs

from ostinato.engine.loading import load_flow
from ostinato.engine.resume import plan, resume

if TYPE_CHECKING:
    from pathlib import Path

N_TASKS = 5

HEAD = """
import os
from ostinato import flow, task, SequentialTaskRunner

def note(name):
    with open(os.path.join(os.path.dirname(__file__), "ran.txt"), "a") as file:
        file.write(name + "\\n")

def stop(at):
    if os.path.exists(os.path.join(os.path.dirname(__file__), f"stop-{at}")):
        raise ValueError(f"stopped at {at}")

"""


class Program:
    """A flow made at random: tasks that call tasks, subflows, maps, equal calls, lost results."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.constants = [0] * N_TASKS
        self.lost = {i for i in range(N_TASKS) if self.random.random() < 0.15}
        self.inner = {i: self.random.randrange(i) for i in range(2, N_TASKS) if self.random.random() < 0.4}
        self.child = self.statements(3, "c")
        self.main = self.statements(self.random.randrange(4, 9), "m", subflows=True)
        self.n_stops = self.main.count("stop(")

    def statements(self, n: int, prefix: str, *, subflows: bool = False) -> str:
        """Give the body of a flow."""
        lines, names = [], ["x"]
        for i in range(n):
            one, other = self.random.choice(names), self.random.choice([*names, "1", "'a'"])
            task = f"t{self.random.randrange(N_TASKS)}"
            kind = self.random.randrange(6 if subflows else 4)
            call = {
                0: f"{task}({one}, {other})",
                1: f"{task}.submit({one}, {other}).result()",
                2: f"{task}.map([{one}, {other}], 3).result()",
                3: f"{task}(2)",
                4: f"child({one})",
                5: f"{task}({task}(3), {one})",
            }[kind]
            lines.append(f"    {prefix}{i} = {call}")
            names.append(f"{prefix}{i}")
            if subflows:
                lines.append(f"    stop({i})")
        return "\n".join([*lines, f"    return [{', '.join(names[1:])}]"])

    def source(self) -> str:
        """Give the file."""
        parts = [HEAD]
        for i, constant in enumerate(self.constants):
            persist = "@task(persist_result=False)" if i in self.lost else "@task"
            inner = f"t{self.inner[i]}(x)" if i in self.inner else "None"
            parts.append(
                f"{persist}\ndef t{i}(x, y=0):\n    note('t{i}')\n    return [repr(x)[-99:], {inner}, {constant}]\n\n"
            )
        parts.append(f"@flow\ndef child(x):\n    note('child')\n{self.child}\n\n")
        parts.append(f"@flow(task_runner=SequentialTaskRunner())\ndef main(x=0):\n{self.main}\n")
        return "".join(parts)


@pytest.mark.parametrize("round_no", range(40))
def test_the_plan_counts_what_the_resume_reuses(round_no: int, seed: int, home: Path, tmp_path: Path) -> None:
    program = Program(seed + round_no)
    choose = random.Random(seed)
    name = f"planned_{abs(seed)}_{round_no}"
    file = tmp_path / f"{name}.py"

    def load() -> None:
        file.write_text(program.source())
        sys.modules.pop(name, None)

    def ran() -> Counter[str]:
        noted = tmp_path / "ran.txt"
        counts = Counter(noted.read_text().split()) if noted.exists() else Counter()
        noted.unlink(missing_ok=True)
        return counts

    load()
    stop = tmp_path / f"stop-{choose.randrange(program.n_stops)}"
    stop.touch()
    with pytest.raises(ValueError, match="stopped at"):
        load_flow(f"{file}:main")()
    ran()
    stop.unlink()
    if choose.random() < 0.5:
        program.constants[choose.randrange(N_TASKS)] = 7
    load()
    run = Record(next(run.id for run in all_runs() if run.root_id == run.id)).run
    decisions = plan(run)
    reused = {(one.run_id, one.no) for one in decisions if one.reuse and not one.subflow_id}
    state = resume(run)
    assert state.name == "Completed", state
    again = ran()
    after = Record(run.id)
    for record in (Record(one.id) for one in all_runs()):
        assert record.counters() == record.counted()
        assert len({row.key for row in record.tasks}) == len(record.tasks)
        for row in record.tasks:
            assert (row.epoch == 1) == ((row.run_id, row.no) in reused), (row.name, program.source())
            assert row.state == "Completed"
    assert after.run.n_reused == len(reused), program.source()
    n_now = sum(row.epoch == 2 for one in all_runs() for row in Record(one.id).tasks)
    assert sum(n for task, n in again.items() if task != "child") == n_now


def test_the_result_of_a_resumed_run_is_that_of_a_whole_one(seed: int, home: Path, tmp_path: Path) -> None:
    for round_no in range(10):
        program = Program(seed + 1000 + round_no)
        name = f"whole_{abs(seed)}_{round_no}"
        (tmp_path / f"{name}.py").write_text(program.source())
        flow = load_flow(f"{tmp_path}/{name}.py:main")
        whole = flow(1)
        for stop_no in range(program.n_stops):
            stop = tmp_path / f"stop-{stop_no}"
            stop.touch()
            with pytest.raises(ValueError, match="stopped at"):
                flow(1)
            stop.unlink()
            failed = next(run for run in all_runs() if run.state == "Failed" and run.root_id == run.id)
            assert resume(failed).result() == whole
