"""Changed code, lost results, ordinals, zombies and refusals: what a resume takes over and what not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.integration.killed_program import Killed


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    """Give a flow that is to be killed."""
    return Killed(tmp_path)


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
            f"# {'x' * n}: of another length, so that bytecode of the same second is not taken for it\n"
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
