"""`concurrency`: blocks of code share the slots of a limit, over threads, event loops, processes and deaths."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.integration.engine_record import Record

from ostinato import concurrency, flow, session, task
from ostinato.core.commands import GiveSlots, SetLimit, TakeSlots
from ostinato.core.deployments import Limit
from ostinato.core.errors import BadOption, LimitNotFound, SlotsTimedOut
from ostinato.engine import concurrency as engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _fresh_keeper(home: Path) -> Iterator[None]:
    """Let this process open the home of the test, and let go of it."""
    engine._keepers.clear()
    yield
    for keeper in engine._keepers.values():
        keeper._commands.close()
    engine._keepers.clear()


def limit(slots: int, name: str = "db") -> None:
    commands = session.commands()
    commands.do(SetLimit(limit=Limit(name=name, slots=slots)))
    commands.close()


def n_taken() -> int:
    reader = session.reader()
    (found,) = reader.limits()
    reader.close()
    return found.n_taken


class Crowd:
    """Counts who is inside at once."""

    def __init__(self) -> None:
        self.n = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.n += 1
            self.most = max(self.most, self.n)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.n -= 1


def test_threads_and_event_loops_share_the_slots_and_waste_no_time(home: Path) -> None:
    limit(2)
    db, crowd = concurrency("db"), Crowd()

    @task
    def query(_: int) -> None:
        with db, crowd:
            time.sleep(0.05)

    @task
    async def query_async(_: int) -> None:
        async with db:
            with crowd:
                await asyncio.sleep(0.05)

    @flow
    def main() -> None:
        query.map(range(10))
        query_async.map(range(10))

    begin = time.monotonic()
    main()
    assert crowd.most == 2
    assert time.monotonic() - begin < 5  # 0.5 s, with the pauses of a poll alone a quarter of a minute
    assert n_taken() == 0
    told = [text for text in Record().texts() if "Waits for 1 of the slots of limit 'db'" in text]
    assert 0 < len(told) <= 20


def test_a_block_may_occupy_several_slots_and_stand_in_another(home: Path) -> None:
    limit(3)
    with concurrency("db", 2):
        assert n_taken() == 2
        with concurrency("db"):
            assert n_taken() == 3
            with pytest.raises(SlotsTimedOut), concurrency("db", timeout_seconds=0.1):
                pass
        assert n_taken() == 2
    assert n_taken() == 0


def test_an_exception_gives_the_slots_back(home: Path) -> None:
    limit(1)
    with pytest.raises(KeyError), concurrency("db"):
        raise KeyError
    assert n_taken() == 0


def test_without_a_limit_nobody_waits_unless_that_is_asked_for(home: Path) -> None:
    with concurrency("db"), concurrency("db", 99):
        pass
    with pytest.raises(LimitNotFound), concurrency("db", strict=True):
        pass
    with pytest.raises(BadOption):
        concurrency("db", 0)


def test_who_is_cancelled_while_it_waits_takes_nothing(home: Path) -> None:
    limit(1)

    async def wait() -> None:
        async with concurrency("db"):
            raise AssertionError

    async def main() -> None:
        waiting = [asyncio.create_task(wait()) for _ in range(5)]
        await asyncio.sleep(0.1)
        for one in waiting:
            one.cancel()
        assert all(
            isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*waiting, return_exceptions=True)
        )

    with concurrency("db"):
        asyncio.run(main())
    assert n_taken() == 0


def test_a_lease_is_renewed_while_the_block_lasts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(1)
    monkeypatch.setattr(engine, "LEASE_S", 0.6)
    monkeypatch.setattr(engine, "RENEW_S", 0.1)
    commands = session.commands()
    with concurrency("db"):
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert not commands.do(TakeSlots(name="db", holder="other"))
            time.sleep(0.05)
    assert commands.do(TakeSlots(name="db", holder="other"))
    commands.do(GiveSlots(name="db", holder="other"))
    commands.close()


def test_slots_of_a_killed_process_are_free_after_its_lease(home: Path, tmp_path: Path) -> None:
    limit(1)
    program = """
        import time
        from ostinato import concurrency
        from ostinato.engine import concurrency as engine
        engine.LEASE_S = 1.5
        with concurrency("db"):
            print("inside", flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], cwd=tmp_path, stdout=subprocess.PIPE,
        env={**os.environ, "OSTINATO_HOME": str(home)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"inside\n"
    process.kill()
    process.communicate()
    with pytest.raises(SlotsTimedOut), concurrency("db", timeout_seconds=0):
        pass
    begin = time.monotonic()
    with concurrency("db", timeout_seconds=20):
        assert time.monotonic() - begin < 5


def test_processes_share_the_slots(home: Path, tmp_path: Path) -> None:
    limit(2)
    program = """
        import os, time
        from ostinato import concurrency
        for _ in range(5):
            with concurrency("db"):
                open(f"in-{os.getpid()}", "w").close()
                assert len([name for name in os.listdir() if name.startswith("in-")]) <= 2
                time.sleep(0.02)
                os.unlink(f"in-{os.getpid()}")
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], cwd=tmp_path, stderr=subprocess.PIPE,
            env={**os.environ, "OSTINATO_HOME": str(home)},
        )
        for _ in range(4)
    ]  # fmt: skip
    said = [process.communicate(timeout=50)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], said
