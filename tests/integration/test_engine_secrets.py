"""Secrets in runs: flows get their values, and what is recorded and written has masks in their place."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ostinato import Secret, session
from ostinato.core.errors import BadOption, SecretMissing
from ostinato.core.query import Query

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunPython

VALUE = "p@ss/w'ord\u00e9 12"
SPELLINGS = (VALUE, repr(VALUE)[1:-1], "p%40ss", "p@ss/w", "\\u00e9 12")

SET = f"""
from ostinato import Secret
Secret.set("db", {VALUE!r})
Secret.set("login", '{{"user": "ann", "password": "horse-battery"}}')
Secret.set("pem", "-----BEGIN KEY-----\\nMIIEvQIBADANBg\\nkqhkiG9w0BAQEF\\n-----END KEY-----\\n")
Secret.set("pin", "123")
"""


def set_secrets(run_python: RunPython) -> None:
    """Set them in a process of its own: this one shall know no value."""
    run_python(SET)


def readable(home: Path) -> str:
    """Give what the home shows of its runs; the exact arguments, which a resume needs, are not among it."""
    reader = session.reader(str(home))
    runs, _ = reader.runs(Query())
    found: list[object] = [line.text for line in reader.logs([run.id for run in runs])]
    for run in runs:
        found += [run.message, run.parameters.decode(), run.error]
        found += [(task.name, task.message, task.error) for task in reader.task_runs(run.id)]
        found += [change.message for change in reader.history(run.id)]
    reader.close()
    return "\n".join(map(str, found))


def test_a_flow_gets_what_was_set(run_python: RunPython) -> None:
    set_secrets(run_python)
    ended = run_python(f"""
        from ostinato import Secret, flow, task

        @task
        def right() -> bool:
            return Secret.get("db") == {VALUE!r} and Secret.get("nothing", default=7) == 7

        @flow
        def check() -> bool:
            return right() and right.submit().result()

        assert check()
        Secret.unset("db")
        assert Secret.get("db", None) is None
    """)
    assert VALUE not in ended.stderr


def test_a_secret_that_is_not_set_says_how_to_set_it(home: Path) -> None:
    with pytest.raises(SecretMissing, match="ostinato secrets set db"):
        Secret.get("db")
    assert Secret.get("db", default="") == ""
    with pytest.raises(SecretMissing):
        Secret.unset("db")
    with pytest.raises(BadOption, match=r"json\.dumps"):
        Secret.set("db", {"a": 1})  # type: ignore[arg-type]


def test_neither_records_nor_output_hold_a_value_that_was_read(run_python: RunPython, home: Path) -> None:
    set_secrets(run_python)
    ended = run_python(
        """
        import json, logging, sys, urllib.parse
        from ostinato import Secret, flow, get_run_logger, task

        class Login:
            def __init__(self, value): self.value = value
            def __repr__(self): return f"Login({self.value!r})"

        @task(log_prints=True)
        def connect(login, text, data):
            print("logged", text, ['"' + text])
            raise ConnectionError(f"postgres://ann:{urllib.parse.quote(text, safe='')}@db: {json.dumps(text)}")

        @flow
        def below(text):
            return None

        @flow(log_prints=False)
        def main():
            value = Secret.get("db")
            get_run_logger().warning("told %s", value)
            print("printed", value)
            sys.stdout.write(f"written {value}\\n")
            logging.getLogger("other").error("to stderr %r", value)
            below(value)
            connect(Login(value), value, value.encode())

        main()
        """,
        code=1,
    )
    shown = ended.stdout + ended.stderr
    for spelling in SPELLINGS:
        assert spelling not in shown
    for word in ("told ********", "printed ********", "written ********", 'to stderr "********"', "ann:********@db"):
        assert word in shown, shown
    kept = readable(home)
    for spelling in SPELLINGS:
        assert spelling not in kept
    for word in (
        "told ********",
        """logged ******** ['"********']""",
        "ann:********@db",
        'Login("********")',
        '{"text":"********"}',
    ):
        assert word in kept, kept


def test_values_are_covered_in_worker_processes_and_what_they_read_is_covered_here(
    run_python: RunPython, home: Path
) -> None:
    set_secrets(run_python)
    ended = run_python(
        """
        from ostinato import ProcessRunner, Secret, flow, task

        @task(log_prints=True)
        def here(value):
            print("passed", value)

        @task
        def there():
            return Secret.get("login")

        @flow(task_runner=ProcessRunner(1), log_prints=True)
        def main():
            here.submit(Secret.get("pem").splitlines()[1]).result()
            print("back", there.submit().result())

        if __name__ == "__main__":
            main()
        """
    )
    shown = ended.stdout + ended.stderr
    assert "passed ********" in shown
    assert "back ********" in shown
    assert "MIIEvQIBADANBg" not in shown
    assert "passed ********" in readable(home)
    assert "MIIEvQIBADANBg" not in readable(home)


def test_parts_of_values_are_covered_where_they_are_telling(run_python: RunPython) -> None:
    set_secrets(run_python)
    ended = run_python("""
        import json
        from ostinato import Secret, flow

        @flow(log_prints=True)
        def main():
            login = json.loads(Secret.get("login"))
            print("user", login["user"], "password", login["password"])
            for number, line in enumerate(Secret.get("pem").splitlines()):
                print(number, line)
            print("pin", Secret.get("pin"))

        main()
    """)
    assert "user ann password ********" in ended.stderr
    assert "1 ********" in ended.stderr
    assert "2 ********" in ended.stderr
    assert "pin 123" in ended.stderr  # too short to be told from other text


def test_a_long_value_is_not_shown_in_part_where_text_is_cut(run_python: RunPython, home: Path) -> None:
    value = "s3cr3t-" * 40
    ended = run_python(
        f"""
        from ostinato import Secret, flow, task
        Secret.set("long", {value!r})

        @task
        def fail(text, data):
            raise ValueError("no")

        @flow
        def main():
            fail("x" * 100 + Secret.get("long"), ("x" * 100 + Secret.get("long")).encode())

        main()
        """,
        code=1,
    )
    assert "s3cr3t" not in ended.stdout + ended.stderr
    assert "s3cr3t" not in readable(home)
    assert "x********" in readable(home)


def test_importing_and_running_without_secrets_loads_no_cipher(home: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from ostinato import flow; flow(lambda: None, name='f')(); "
        "print(sorted({'cryptography', 'ostinato.core.seal', 'ostinato.core.access'} & set(sys.modules)), "
        "type(sys.stdout).__name__)"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=50)
    assert ended.stdout == "[] TextIOWrapper\n"
