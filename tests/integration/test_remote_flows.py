"""What users do with flows, done on a machine that works with a server elsewhere: nothing is different."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import OSTINATO, Fleet, fleet_on

from ostinato.core.query import Query
from ostinato.session.discovery import read_card
from ostinato.session.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.conftest import RunPython

    Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_on(home, tmp_path) as one:
        one.server()
        yield one


@pytest.fixture
def env(fleet: Fleet, home: Path, tmp_path: Path) -> Mapping[str, str]:
    """Environment of a machine far away."""
    card = read_card(Home(str(home)))
    assert card is not None
    return {
        "OSTINATO_HOME": str(tmp_path / "far"),
        "OSTINATO_API_URL": card.url,
        "OSTINATO_API_KEY": card.token,
        "OSTINATO_CONSOLE": "false",
    }


@pytest.fixture
def cli(fleet: Fleet, env: Mapping[str, str]) -> Run:
    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [*OSTINATO, *words],
            cwd=fleet.folder,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended

    return run


def test_a_failed_flow_is_resumed_with_what_it_completed(fleet: Fleet, env: Mapping[str, str], cli: Run) -> None:
    fleet.write(
        """
        from pathlib import Path
        from ostinato import flow, task

        @task
        def large() -> bytes:
            with Path("calls").open("a") as file:
                file.write("large\\n")
            return b"x" * 100_000

        @task
        def shaky(data: bytes) -> int:
            if not Path("mended").exists():
                raise ValueError("not yet")
            return len(data)

        @flow
        def both() -> int:
            return shaky(large())
        """,
        "both.py",
    )
    cli("run", "both.py", code=1)
    assert "Failed" in cli("runs").stdout
    (fleet.folder / "mended").touch()
    assert "Completed" in cli("retry", "last").stderr
    assert (fleet.folder / "calls").read_text() == "large\n"
    (run,) = fleet.reader.runs(Query())[0]
    assert (run.state, run.epoch, run.n_reused) == ("Completed", 2, 1)
    assert not (fleet.folder / "far" / "ostinato.db").exists()


def test_lists_are_those_of_the_server(fleet: Fleet, cli: Run) -> None:
    fleet.write(
        """
        from ostinato import flow, get_run_logger

        @flow
        def talk() -> None:
            get_run_logger().info("here I am")
        """,
        "talk.py",
    )
    cli("run", "talk.py", "--name", "first")
    assert "first" in cli("runs", "flow:talk").stdout
    assert "here I am" in cli("logs", "first").stdout
    assert "Completed" in cli("show", "first").stdout
    assert "default" in cli("queue", "ls").stdout
    assert "error[run-not-found]" in cli("show", "second", code=2).stderr


@pytest.mark.parametrize("durability", ["relaxed", "disk", "database"])
@pytest.mark.parametrize("where", ["on the home", "far away"])
def test_each_durability_holds(
    fleet: Fleet, env: Mapping[str, str], run_python: RunPython, durability: str, where: str
) -> None:
    program = """
    from ostinato import flow, task

    @task
    def one(i):
        return i

    @flow
    def twenty():
        return sum(one(i) for i in range(20))

    print(twenty())
    """
    more = env if where == "far away" else {}
    ended = run_python(program, env={**more, "OSTINATO_CONSOLE": "false", "OSTINATO_DURABILITY": durability})
    assert (ended.stdout, ended.stderr) == ("190\n", "")
    (run,) = fleet.reader.runs(Query())[0]
    assert [(one.state, one.n) for one in fleet.reader.counts(run.id)] == [("Completed", 20)]


@pytest.mark.parametrize("where", ["on the home", "far away"])
def test_a_forked_child_records_a_stream_of_its_own(
    fleet: Fleet, env: Mapping[str, str], run_python: RunPython, where: str
) -> None:
    program = """
    import os
    from ostinato import flow, task

    @task
    def one(i):
        return i

    @flow
    def some(name, n):
        for i in range(n):
            one(i)

    def fork():
        pid = os.fork()
        if pid == 0:
            from ostinato import session
            some.with_options(flow_run_name="child")("child", 300)
            session.close()
            os._exit(0)
        return pid

    some.with_options(flow_run_name="before")("before", 5)
    for _ in range(3):
        pid = fork()
        some.with_options(flow_run_name="parent")("other", 300)
        assert os.waitpid(pid, 0)[1] == 0
    """
    more = env if where == "far away" else {}
    ended = run_python(program, env={**more, "OSTINATO_CONSOLE": "false"})
    assert ended.stderr == ""
    runs = fleet.reader.runs(Query())[0]
    assert sorted((run.name, run.state) for run in runs) == sorted(
        [("before", "Completed"), *3 * [("child", "Completed")], *3 * [("parent", "Completed")]]
    )
    assert len({run.stream for run in runs}) == 4
    for run in runs:
        assert sum(one.n for one in fleet.reader.counts(run.id)) == (5 if run.name == "before" else 300)


def test_caches_and_variables_are_shared_between_machines(
    fleet: Fleet, env: Mapping[str, str], run_python: RunPython, tmp_path: Path
) -> None:
    program = """
    import sys
    from ostinato import flow, task, Variable, INPUTS

    @task(cache_policy=INPUTS)
    def costly(n: int) -> bytes:
        print("computed")
        return bytes(n)

    @flow
    def use() -> int:
        Variable.set("seen", (Variable.get("seen", default=0)) + 1)
        return len(costly(50_000)) + Variable.get("seen")

    print(use())
    """
    (tmp_path / "use.py").write_text(textwrap.dedent(program))
    first = run_python(tmp_path / "use.py", env=env)
    second = run_python(tmp_path / "use.py", env={**env, "OSTINATO_HOME": str(tmp_path / "farther")})
    third = run_python(tmp_path / "use.py", env={"OSTINATO_CONSOLE": "false"})
    assert [one.stdout for one in (first, second, third)] == ["computed\n50001\n", "50002\n", "50003\n"]


def test_ctrl_c_ends_a_flow_in_order(fleet: Fleet, env: Mapping[str, str], tmp_path: Path) -> None:
    file = fleet.write(
        """
        import os, signal, threading, time
        from ostinato import flow, task

        @task
        def one(i):
            return i

        @flow
        def many():
            for i in range(10 ** 9):
                one(i)
                if i == 2000:
                    os.kill(os.getpid(), signal.SIGINT)

        many()
        """,
        "many.py",
    )
    ended = subprocess.run(
        [sys.executable, str(file)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode != 0
    (run,) = fleet.reader.runs(Query())[0]
    assert run.state == "Cancelled"
    assert sum(one.n for one in fleet.reader.counts(run.id)) >= 2000
