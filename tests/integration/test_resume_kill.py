"""Flows killed with SIGKILL at chosen points go on where they were: nothing acknowledged runs or is recorded twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.engine_record import Record, all_runs

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = """
import asyncio, os, sys, time
from dataclasses import dataclass
from ostinato import ProcessRunner, SequentialTaskRunner, ThreadRunner, flow, get_run_context, task

def ran(name):
    with open("ran.txt", "a") as file:
        file.write(f"{name}\\n")

def hold(name):
    '''Stop here in the first epoch, so that the test can kill the process.'''
    if get_run_context().flow_run.epoch == 1 and os.path.exists("hold"):
        open("held", "w").close()
        time.sleep(60)

@task
def load(n):
    ran(f"load {n}")
    return list(range(n))

@task
def square(x):
    ran(f"square {x}")
    return x * x

@task
def held(x):
    hold("held")
    ran(f"held {x}")
    return x

@task
def total(xs):
    ran("total")
    return sum(xs)
"""


class Killed:
    """A flow file on a home of its own, run, killed and resumed in processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.file = folder / "killed_flow.py"
        self.env = {**os.environ, "OSTINATO_HOME": str(self.home), "PYTHONWARNINGS": "error"}

    def write(self, body: str) -> None:
        """Make or change the file."""
        self.file.write_text(HEAD + textwrap.dedent(body) + '\n\nif __name__ == "__main__":\n    main()\n')

    def start(self) -> subprocess.Popen[str]:
        """Run the file until it holds."""
        (self.folder / "hold").touch()
        process = subprocess.Popen(
            [sys.executable, str(self.file)], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        end = time.monotonic() + 30
        while not (self.folder / "held").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "it did not come to its hold"
            time.sleep(0.01)
        return process

    def kill(self, *, ready: Callable[[Record], bool] | None = None) -> None:
        """Run the file until it holds and what is before is committed; kill it."""
        process = self.start()
        end = time.monotonic() + 20
        while ready is not None and not ready(Record(home=self.home)):
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
        (self.folder / "hold").unlink()
        (self.folder / "held").unlink()

    def run(self, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the file to its end."""
        return self._call([sys.executable, str(self.file)], code)

    def cli(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Call the command."""
        return self._call([str(Path(sys.executable).with_name("ostinato")), *words], code)

    def _call(self, command: list[str], code: int | None) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=50, check=False
        )
        assert code is None or ended.returncode == code, f"{ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended

    def ran(self) -> Counter[str]:
        """Count what user code noted."""
        file = self.folder / "ran.txt"
        return Counter(file.read_text().split("\n")[:-1]) if file.exists() else Counter()

    def record(self, ref: str = "last") -> Record:
        """Give the record of a run."""
        return Record(ref, home=self.home)

    def root(self) -> Record:
        """Give the record of the only root run."""
        (run,) = [run for run in all_runs(self.home) if run.root_id == run.id]
        return self.record(run.id)

    def check_whole(self) -> Record:
        """Check that counters are exact and that no call is recorded twice; give the root run."""
        root = self.root()
        for run in all_runs(self.home):
            record = self.record(run.id)
            assert record.counters() == record.counted()
            keys = [row.key for row in record.tasks]
            assert len(keys) == len(set(keys))
            assert len({row.no for row in record.tasks}) == len(keys)
        return root


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    """Give a flow that is to be killed."""
    return Killed(tmp_path)


MAINS: dict[str, tuple[str, dict[str, int]]] = {
    "inline": (
        """
        @flow
        def main():
            xs = load(4)
            squares = [square(x) for x in xs]
            held(1)
            result = total(squares)
            assert result == 14, result
            return result
        """,
        {"load 4": 1, "square 0": 1, "square 3": 1, "held 1": 1, "total": 1},
    ),
    "threads and a map": (
        """
        @flow(task_runner=ThreadRunner(max_workers=2))
        def main():
            squares = square.map(load.submit(20).result())
            squares.wait()
            held.map([1, 2, 3])
            result = total.submit(squares).result()
            assert result == 2470
            return result
        """,
        {"load 20": 1, "square 0": 1, "square 19": 1, "held 1": 1, "held 3": 1, "total": 1},
    ),
    "processes": (
        """
        @flow(task_runner=ProcessRunner(max_workers=2))
        def main():
            squares = square.map([1, 2, 3]).result()
            held.submit(1).result()
            return total(squares)
        """,
        {"square 1": 1, "square 3": 1, "held 1": 1, "total": 1},
    ),
    "nested tasks": (
        """
        @task
        def outer(x):
            ran(f"outer {x}")
            first = square(x)
            held(x)
            return first + square(x + 1)

        @flow
        def main():
            result = outer(1) + outer(5)
            assert result == 5 + 61
            return result
        """,
        {"outer 1": 2, "square 1": 1, "held 1": 1, "square 2": 1, "outer 5": 1, "square 5": 1},
    ),
    "a subflow": (
        """
        @flow
        def prepare(n):
            ran(f"prepare {n}")
            return [square(x) for x in load(n)]

        @flow
        def train(xs):
            ran("train")
            result = total(xs)
            held(1)
            return result + square(7)

        @flow
        def main():
            xs = prepare(3)
            result = train(xs)
            assert result == 54
            return result
        """,
        {"prepare 3": 1, "load 3": 1, "square 2": 1, "train": 2, "total": 1, "held 1": 1, "square 7": 1},
    ),
    "async gather": (
        """
        @task
        async def later(x):
            ran(f"later {x}")
            return x

        @flow
        async def work():
            values = await asyncio.gather(*(later(x) for x in range(5)))
            held(1)
            return sum(values) + await later(9)

        def main():
            assert asyncio.run(work()) == 19
        """,
        {"later 0": 1, "later 4": 1, "held 1": 1, "later 9": 1},
    ),
    "inputs of the user's own classes": (
        """
        @dataclass
        class Config:
            depth: int
            names: frozenset = frozenset(("a", "b", "c"))

        @task
        def fit(config, xs):
            ran(f"fit {config.depth}")
            return {"depth": config.depth, "config": config}

        @flow
        def main():
            config = Config(3)
            models = [fit(config, load(2)), fit(Config(4), {"x", "y", "z"})]
            held(1)
            assert [model["depth"] for model in models] == [3, 4]
            return models[1]["config"].depth
        """,
        {"fit 3": 1, "fit 4": 1, "load 2": 1, "held 1": 1},
    ),
    "sets in the code": (
        """
        @task
        def pick(x):
            ran(f"pick {x}")
            return x in {"alpha", "beta", "gamma", "delta"}

        @flow
        def main():
            assert pick("beta")
            held(1)
        """,
        {"pick beta": 1, "held 1": 1},
    ),
}


@pytest.mark.parametrize("name", MAINS)
def test_what_was_completed_before_a_kill_does_not_run_again(name: str, killed: Killed) -> None:
    body, expected = MAINS[name]
    killed.write(body)
    killed.kill()
    before = killed.ran()
    assert "held 1" not in before
    killed.cli("resume", "last")
    ran = killed.ran()
    assert {key: ran[key] for key in expected} == expected
    root = killed.check_whole()
    assert root.state == "Completed"
    assert root.run.epoch == 2


@pytest.mark.parametrize("name", ["inline", "nested tasks", "a subflow", "threads and a map"])
def test_the_plan_says_what_the_resume_then_does(name: str, killed: Killed) -> None:
    killed.write(MAINS[name][0])
    killed.kill()
    plan = json.loads(killed.cli("resume", "last", "--plan", "--json").stdout)
    reused = [one for one in plan if one["reuse"] and not one["subflow_id"]]
    ended = json.loads(killed.cli("resume", "last", "--json").stdout)
    root = killed.check_whole()
    assert root.run.n_reused == len(reused)
    assert ended is not None


def test_a_kill_during_a_retry_wait_leaves_the_rest(killed: Killed) -> None:
    killed.write(
        """
        @task(retries=3, retry_delay_seconds=0.0)
        def flaky():
            ran("flaky")
            hold("flaky")
            return 1

        @task(retries=1, retry_delay_seconds=30)
        def waits():
            ran("waits")
            if get_run_context().flow_run.epoch == 1:
                open("held", "w").close()
                raise ValueError("first")
            return 2

        @flow
        def main():
            load(2)
            assert waits() == 2
        """
    )
    killed.kill()
    states = killed.root().states()
    assert states == {"load": "Completed", "waits": "Crashed"}
    killed.cli("resume", "last")
    assert killed.ran() == {"load 2": 1, "waits": 2}
    assert killed.check_whole().state == "Completed"


def test_kills_may_follow_one_another(killed: Killed) -> None:
    body = """
        from ostinato.session import recorder

        @task
        def step(i):
            ran(f"step {i}")
            if os.path.exists(f"stop-{i}"):
                os.remove(f"stop-{i}")
                recorder().settle("database")
                os.kill(os.getpid(), 9)
            return i

        @task
        def nested(i):
            return step(i) + square(i)

        @flow(task_runner=PLACE)
        def main():
            result = sum(nested.submit(i).result() for i in range(4))
            assert result == 20, result
    """
    killed.write(body.replace("PLACE", "ThreadRunner(max_workers=2)"))
    for i in (1, 2, 3):
        (killed.folder / f"stop-{i}").touch()
    killed.run(code=-9)
    for _ in (2, 3):
        killed.cli("resume", "last", code=-9)
    killed.cli("resume", "last")
    assert killed.ran() == {
        "step 0": 1, "step 1": 2, "step 2": 2, "step 3": 2, "square 0": 1, "square 1": 1, "square 2": 1, "square 3": 1,
    }  # fmt: skip
    root = killed.check_whole()
    assert (root.state, root.run.epoch) == ("Completed", 4)


def test_a_failed_run_is_retried_from_the_failed_task(killed: Killed) -> None:
    killed.write(
        """
        @task
        def fit(xs):
            ran("fit")
            if not os.path.exists("mended"):
                raise ValueError("no")
            return sum(xs)

        @flow
        def main():
            found = load(3)
            return total([fit(found), fit.submit(found).result()])
        """
    )
    killed.run(code=1)
    (killed.folder / "mended").touch()
    killed.cli("retry", "last")
    assert killed.ran() == {"load 3": 1, "fit": 3, "total": 1}
    assert killed.check_whole().state == "Completed"
    refused = killed.cli("resume", "last", code=4)
    assert "resume-refused" in refused.stderr


CHANGING = """
def helper(x):
    return x + PLUS

@task
def other(x):
    ran("other")
    return x

@task
def fit(x):
    ran("fit")
    return helper(x)

@task
def score(model):
    ran("score")
    return [model]

@task
def last(found):
    ran("last")
    return found[0]

@flow
def main():
    a = other([1])
    model = fit(5)
    found = score(model)
    value = last(found)
    held(1)
    return value
"""


@pytest.mark.parametrize("changed", ["rerun", "reuse", "refuse"])
def test_a_changed_helper_counts_as_changed_code(changed: str, killed: Killed) -> None:
    killed.write(CHANGING.replace("PLUS", "1").replace("fit(5)", "fit([5])").replace("x + 1", "[v + 1 for v in x]"))
    killed.kill()
    killed.write(CHANGING.replace("PLUS", "2").replace("fit(5)", "fit([5])").replace("x + 2", "[v + 2 for v in x]"))
    ended = killed.cli("resume", "last", "--changed", changed, code=4 if changed == "refuse" else 0)
    again = 2 if changed == "rerun" else 1
    ran = killed.ran()
    assert {name: ran[name] for name in ("other", "fit", "score", "last")} == {
        "other": 1, "fit": again, "score": again, "last": again,
    }  # fmt: skip
    if changed == "refuse":
        assert "plan-refused" in ended.stderr
        assert "fit" in ended.stderr
        assert killed.root().run.epoch == 1
    else:
        assert killed.check_whole().state == "Completed"


def test_a_changed_task_in_another_file_makes_its_callers_run_again(killed: Killed) -> None:
    def parts(n: int) -> None:
        (killed.folder / "parts.py").write_text(
            "from ostinato import flow, task\n"
            "def note(name):\n    open('ran.txt', 'a').write(name + '\\n')\n"
            f"@task\ndef inner(x):\n    note('inner')\n    return x + {n}\n"
            "@flow\ndef child(x):\n    note('child')\n    return inner(x)\n"
        )

    killed.write(
        """
        import parts

        @task
        def outer(x):
            ran("outer")
            return parts.inner(x)

        @flow
        def main():
            a = outer(1)
            b = parts.child(2)
            square(3)
            held(1)
            open("value", "w").write(f"{a} {b}")
        """
    )
    parts(1)
    killed.kill()
    parts(2)
    killed.cli("resume", "last")
    ran = killed.ran()
    assert (ran["outer"], ran["inner"], ran["child"], ran["square 3"]) == (2, 4, 2, 1)
    assert (killed.folder / "value").read_text() == "3 4"
    killed.check_whole()


def test_calls_told_apart_by_ordinal_alone_are_reused_in_order(killed: Killed) -> None:
    killed.write(
        """
        @task
        def draw():
            ran("draw")
            return os.urandom(4).hex()

        @flow
        def main():
            drawn = [draw() for _ in range(3)]
            open("drawn.txt", "a").write(" ".join(drawn) + "\\n")
            held(1)
            drawn.append(draw())
            return drawn
        """
    )
    killed.kill()
    killed.cli("resume", "last")
    first, second = (killed.folder / "drawn.txt").read_text().splitlines()
    assert first == second
    assert killed.ran()["draw"] == 4
    killed.check_whole()


def test_two_equal_calls_at_the_same_time_run_again_unless_they_have_keys(killed: Killed) -> None:
    killed.write(
        """
        @task
        async def same(x):
            ran("same")
            await asyncio.sleep(0.01)
            return x

        @task(key="k-{i}")
        async def keyed(x, i):
            ran("keyed")
            await asyncio.sleep(0.01)
            return x

        @flow
        async def work():
            await asyncio.gather(same(1), same(1))
            await asyncio.gather(keyed(1, i=0), keyed(1, i=1))
            held(1)

        def main():
            asyncio.run(work())
        """
    )
    killed.kill()
    killed.cli("resume", "last")
    ran = killed.ran()
    assert (ran["same"], ran["keyed"]) == (4, 2)
    killed.check_whole()


def test_a_lost_result_runs_again_with_what_depends_on_it(killed: Killed) -> None:
    killed.write(
        """
        @task(persist_result=False)
        def draw():
            ran("draw")
            return [1]

        @task
        def use(xs):
            ran("use")
            return xs

        @flow
        def main():
            use(draw())
            square(2)
            held(1)
        """
    )
    killed.kill()
    killed.cli("resume", "last")
    assert killed.ran() == {"draw": 2, "use": 2, "square 2": 1, "held 1": 1}
    killed.check_whole()


def test_a_stored_value_that_is_gone_is_made_again(killed: Killed) -> None:
    killed.write(
        """
        @task
        def large(n):
            ran("large")
            return [b"x" * n]

        @flow
        def main():
            found = large(200_000)
            square(2)
            held(1)
            assert len(found[0]) == 200_000
        """
    )
    killed.kill()
    for file in (killed.home / "blobs").rglob("*"):
        if file.is_file():
            file.unlink()
    killed.cli("resume", "last")
    assert killed.ran() == {"large": 2, "square 2": 1, "held 1": 1}


def test_checkpoints_go_on_in_the_next_epoch(killed: Killed) -> None:
    killed.write(
        """
        @task
        def train():
            context = get_run_context()
            begin = context.restore(0)
            for step in range(begin, 6):
                ran(f"step {step}")
                context.checkpoint(step + 1)
                if step == 3:
                    hold("train")
            return 6

        @flow
        def main():
            assert train() == 6
        """
    )
    killed.kill()
    killed.cli("resume", "last")
    assert killed.ran() == {f"step {i}": 1 for i in range(6)}


def test_of_two_resumes_at_once_one_is_refused(killed: Killed) -> None:
    killed.write(
        """
        @flow
        def main():
            held(1)
            time.sleep(1.0)
        """
    )
    killed.kill()
    command = [str(Path(sys.executable).with_name("ostinato")), "resume", "last"]
    both: list[Any] = [
        subprocess.Popen(command, cwd=killed.folder, env=killed.env, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = sorted((process.wait(40), process.communicate()[1]) for process in both)
    assert [code for code, _ in ends] == [0, 4], ends
    assert "epoch-taken" in ends[1][1] or "resume-refused" in ends[1][1]
    assert killed.ran() == {"held 1": 1}


def test_a_zombie_of_an_old_epoch_changes_nothing(killed: Killed) -> None:
    """A process that lost its run stops at its next task and writes nothing into the newer epoch."""
    killed.write(
        """
        @task
        def step(i):
            ran(f"step {i} of {os.getpid()}")
            return i

        @flow
        def main():
            step(0)
            if get_run_context().flow_run.epoch == 1:
                from ostinato.session import recorder
                recorder().settle("database")
                open("held", "w").close()
                while not os.path.exists("go"):
                    time.sleep(0.01)
            for i in range(1, 4):
                step(i)
                time.sleep(0.3)
            return "end"
        """
    )
    process = killed.start()
    code = """
        import os, sys
        from ostinato.engine.resume import resume
        from ostinato.session import reader
        looking = reader()
        run = looking.find_run("last")
        looking.close()
        state = resume(run)
        print(state.name)
    """
    # the zombie is stopped, so that it looks as one whose machine hangs; its lock is still held
    os.kill(process.pid, signal.SIGSTOP)
    import sqlite3

    with sqlite3.connect(killed.home / "ostinato.db") as db:
        db.execute("UPDATE flow_runs SET state = 'Crashed'")
    file = killed.folder / "takes_over.py"
    file.write_text(textwrap.dedent(code))
    ended = subprocess.run(
        [sys.executable, str(file)], cwd=killed.folder, env=killed.env, capture_output=True, text=True, timeout=40,
        check=False,
    )  # fmt: skip
    assert ended.stdout.strip().endswith("Completed"), ended.stderr
    before = killed.record()
    (killed.folder / "go").touch()
    os.kill(process.pid, signal.SIGCONT)
    _, said = process.communicate(timeout=40)
    assert "epoch-stale" in said
    after = killed.record()
    assert (after.run, after.tasks) == (before.run, before.tasks)
    assert after.state == "Completed"


def test_a_run_whose_file_is_gone_is_refused_with_a_hint(killed: Killed) -> None:
    killed.write("""
        @flow
        def main():
            held(1)
    """)
    killed.kill()
    killed.file.rename(killed.folder / "elsewhere.py")
    ended = killed.cli("resume", "last", code=None)
    assert ended.returncode in (2, 4)
    assert "killed_flow.py" in ended.stderr


def test_a_flow_that_exists_only_in_a_function_is_refused_with_a_hint(killed: Killed) -> None:
    killed.write("""
        def main():
            @flow
            def inner():
                held(1)
            inner()
    """)
    killed.kill()
    ended = killed.cli("resume", "last", code=4)
    assert "resume-refused" in ended.stderr
    assert "top level" in ended.stderr


def test_a_completed_result_survives_a_cancelled_resume(killed: Killed) -> None:
    """A resume that is stopped before it comes to a completed call leaves its record as it was."""
    killed.write(
        """
        @task
        def part(x):
            ran(f"part {x}")
            return x

        @flow(task_runner=ThreadRunner(max_workers=2))
        def main():
            parts = part.map([1, 2, 3])
            parts.wait()
            held(1)
            if os.path.exists("stop"):
                os.remove("stop")
                raise KeyboardInterrupt
            return sum(parts.result())
        """
    )
    killed.kill()
    body = killed.file.read_text()
    killed.file.write_text(body.replace("parts = part", "interrupted = stop_early(); parts = part").replace(
        "@flow(task", "def stop_early():\n    if os.path.exists('early'):\n        os.remove('early')\n"
        "        futures = part.map([1, 2, 3])\n        raise KeyboardInterrupt\n\n@flow(task"))  # fmt: skip
    (killed.folder / "early").touch()
    killed.cli("resume", "last", code=3)
    killed.cli("resume", "last")
    ran = killed.ran()
    assert {name: ran[name] for name in ("part 1", "part 2", "part 3")} == {"part 1": 1, "part 2": 1, "part 3": 1}
