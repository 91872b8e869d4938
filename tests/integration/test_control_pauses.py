"""`pause` and `suspend`: a flow waits for a person, in its process or without one, and gets what it asked for."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.integration.engine_record import Record

from ostinato import flow, pause, pause_async, session, suspend, task
from ostinato.core.commands import ResumeRun
from ostinato.core.errors import ControlRefused, InputMisfit, KeyTaken, NoContext, PauseMisplaced, PauseTimedOut
from ostinato.engine.resume import resume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunPython

    from ostinato.core.records import RunInput

PROGRAM = """
    import asyncio, sys, time
    import msgspec
    from ostinato import flow, pause, pause_async, suspend, suspend_async, task

    class Approval(msgspec.Struct):
        approved: bool
        note: str = "none"

    @task
    def count():
        with open("counted", "a") as file:
            file.write("x")

    @task
    def later():
        time.sleep(0.3)
        return "late"

    @flow
    def asks():
        count()
        approval = pause(Approval, key="approval")
        print(approval.approved, approval.note)

    @flow
    def suspends():
        count()
        future = later.submit()
        approval = suspend(Approval)
        print(approval.approved, future.result())

    @flow
    async def suspends_async():
        count()
        print(await suspend_async(int))

    @flow
    def child():
        return suspend(str, key="word")

    @flow
    def nested():
        count()
        print(child(), child())

    if __name__ == "__main__":
        found = globals()[sys.argv[1]]
        asyncio.run(found()) if found.is_async else found()
"""


@contextmanager
def running(home: Path, folder: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """Give the process of a flow that waits at its pause."""
    file = folder / "program.py"
    file.write_text(textwrap.dedent(PROGRAM))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(file), name], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "OSTINATO_HOME": str(home)},
    )  # fmt: skip
    try:
        end = time.monotonic() + 20
        while not asked():
            assert time.monotonic() < end
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


def asked() -> list[RunInput]:
    reader = session.reader()
    try:
        found = [run for run in [reader.find_run("last")] if run.state == "Paused"]
        return [one for run in found for one in reader.inputs(run.id)]
    except Exception:  # noqa: BLE001 - there is no run yet
        return []
    finally:
        reader.close()


def give(value: Any) -> None:
    commands = session.commands()
    try:
        commands.do(ResumeRun(run="last", input=value))
    finally:
        commands.close()


def states() -> list[str]:
    return [change.state for change in Record().history]


def test_a_waiting_process_gets_the_value_that_was_checked(home: Path, tmp_path: Path) -> None:
    with running(home, tmp_path, "asks") as process:
        (one,) = asked()
        assert one.key == "approval"
        assert one.until - one.asked_at == 3600 * 1_000_000
        assert msgspec.json.decode(one.schema)["$defs"]["Approval"]["required"] == ["approved"]
        with pytest.raises(ControlRefused, match="approved"):
            give({"note": "x"})
        give({"approved": True})
        out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == ("True none\n", 0), err
    assert states() == ["Pending", "Running", "Paused", "Running", "Completed"]
    assert Record().run.epoch == 1


def test_a_run_that_was_killed_while_it_waited_has_crashed(home: Path, tmp_path: Path) -> None:
    with running(home, tmp_path, "asks") as process:
        process.kill()
        process.communicate()
    assert Record().state == "Crashed"
    with pytest.raises(ControlRefused, match="it is Crashed"):
        give({"approved": True})


@pytest.mark.parametrize(("name", "value", "said"), [
    ("suspends", {"approved": True}, "True late\n"),
    ("suspends_async", 3, "3\n"),
])  # fmt: skip
def test_a_suspended_run_ends_its_process_and_goes_on_in_another(
    name: str, value: Any, said: str, run_python: RunPython, tmp_path: Path
) -> None:
    file = tmp_path / "flows.py"
    file.write_text(textwrap.dedent(PROGRAM))
    assert run_python(file, name).stdout == ""
    record = Record()
    assert (record.state, record.run.suspended) == ("Paused", True)
    assert {one.state for one in record.tasks} == {"Completed"}
    give(value)
    again = (
        "import sys\nfrom ostinato.cli.main import main\nsys.argv = ['ostinato', 'resume', 'last', '--plain']\nmain()"
    )
    assert run_python(again).stdout == said
    assert states() == ["Pending", "Running", "Paused", "Pending", "Running", "Completed"]
    assert (tmp_path / "counted").read_text() == "x"


def test_each_pause_of_each_call_of_a_subflow_has_an_answer_of_its_own(run_python: RunPython, tmp_path: Path) -> None:
    file = tmp_path / "flows.py"
    file.write_text(textwrap.dedent(PROGRAM))
    run_python(file, "nested")
    again = (
        "import sys\nfrom ostinato.cli.main import main\nsys.argv = ['ostinato', 'resume', 'last', '--plain']\nmain()"
    )
    assert Record().subflows[0].state == "Paused"
    give("one")
    assert run_python(again).stdout == ""
    give("two")
    assert run_python(again).stdout == "one two\n"
    reader = session.reader()
    found = reader.inputs(reader.find_run("last").id)
    reader.close()
    assert [one.value for one in found] == [b'"one"', b'"two"']
    assert len({one.key for one in found}) == 2


def test_a_pause_that_nobody_ends_fails_the_run(home: Path) -> None:
    @flow
    def waits() -> None:
        pause(timeout_seconds=0.2)

    state = waits(return_state=True)
    assert state.name == "Failed"
    with pytest.raises(PauseTimedOut, match=r"waited 0\.2 s at its pause 'pause-1'"):
        state.result()
    assert states() == ["Pending", "Running", "Paused", "Running", "Failed"]


def test_a_flow_may_go_on_after_a_pause_that_nobody_ended(home: Path) -> None:
    @flow
    def waits() -> str:
        try:
            return str(pause(int, timeout_seconds=0.1))
        except PauseTimedOut:
            return "nobody"

    assert waits() == "nobody"


def test_a_flow_with_a_timeout_times_out_in_its_pause(home: Path) -> None:
    @flow(timeout_seconds=0.3)
    def waits() -> None:
        pause()

    assert waits(return_state=True).name == "TimedOut"
    assert Record().state == "TimedOut"


def test_an_attempt_after_the_answer_does_not_ask_again(home: Path) -> None:
    attempts: list[int] = []

    @flow(retries=1)
    def waits() -> int:
        if attempts:
            found = pause(int, timeout_seconds=0)
            return found + 1
        attempts.append(1)
        give_later(41)
        pause(int)
        raise ValueError

    assert waits() == 42


def test_an_async_flow_goes_on_with_its_other_tasks_while_it_waits(home: Path) -> None:
    @task
    async def beside() -> str:
        await asyncio.sleep(0.05)
        return "done"

    @flow
    async def waits() -> tuple[int, str]:
        future = beside.submit()
        give_later(1)
        found = await pause_async(int)
        assert future.done()
        return found, await future

    assert asyncio.run(waits()) == (1, "done")


def give_later(value: Any) -> None:
    """Answer from another thread as soon as it is asked."""

    def answer() -> None:
        while not asked():
            time.sleep(0.02)
        give(value)

    threading.Thread(target=answer, daemon=True).start()


def test_a_value_that_passes_the_schema_and_not_the_type_fails_the_run(home: Path) -> None:
    pydantic = pytest.importorskip("pydantic")

    class Even(pydantic.BaseModel):  # type: ignore[misc,name-defined]
        n: int

        @pydantic.field_validator("n")  # type: ignore[untyped-decorator]
        @classmethod
        def even(cls, n: int) -> int:
            if n % 2:
                message = "odd"
                raise ValueError(message)
            return n

    @flow
    def waits() -> int:
        give_later({"n": 3})
        return int(pause(Even).n)

    with pytest.raises(InputMisfit, match="does not fit `Even`: Value error, odd"):
        waits()


def test_where_nobody_can_wait_it_is_refused(home: Path) -> None:
    @task
    def inside() -> None:
        pause()

    @flow
    def calls() -> None:
        inside()

    @flow
    async def blocks() -> None:
        pause()

    @flow
    def below() -> None:
        suspend()

    @task
    def between() -> None:
        below()

    @flow
    def above() -> None:
        between()

    @flow
    def twice() -> None:
        for _ in range(2):
            with pytest.raises(PauseTimedOut):
                pause(key="a", timeout_seconds=0)

    with pytest.raises(NoContext):
        pause()
    with pytest.raises(PauseMisplaced, match="a task runs to its end"):
        calls()
    with pytest.raises(PauseMisplaced, match="hold up the event loop"):
        asyncio.run(blocks())
    with pytest.raises(PauseMisplaced, match="a task called this flow"):
        above()
    with pytest.raises(KeyTaken):
        twice()


def test_a_suspended_run_is_resumed_by_the_function_too(run_python: RunPython, tmp_path: Path) -> None:
    file = tmp_path / "flows.py"
    file.write_text(textwrap.dedent(PROGRAM))
    run_python(file, "suspends")
    give({"approved": False})
    assert resume(Record().run).name == "Completed"
