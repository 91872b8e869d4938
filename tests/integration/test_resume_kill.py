"""Flows killed with SIGKILL at chosen points go on where they were: nothing acknowledged runs or is recorded twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.integration.killed_program import Killed

if TYPE_CHECKING:
    from pathlib import Path


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
