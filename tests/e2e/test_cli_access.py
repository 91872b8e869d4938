"""`users`, `keys` and `secrets` as a person uses them; and what no command ever prints."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.e2e.conftest import COMMAND
from tests.e2e.terminal import Terminal

from ostinato.core import seal

if TYPE_CHECKING:
    from tests.e2e.conftest import Cli

KEY = re.compile(r"ost_([a-z0-9]{8})_[A-Za-z0-9_-]{43}\n")


def piped(cli: Cli, *args: str, value: bytes, code: int = 0) -> str:
    """Give what a command printed that reads `value` from its standard input."""
    ended = subprocess.run(
        [COMMAND, *args], cwd=cli.folder, env=cli.env, input=value, capture_output=True, timeout=50, check=False
    )
    assert ended.returncode == code, ended.stderr
    return (ended.stdout + ended.stderr).decode()


def test_a_user_gets_a_key_that_is_printed_once_listed_and_revoked(cli: Cli) -> None:
    assert "No users yet" in cli("users", "ls").stderr
    assert "No keys yet" in cli("keys", "ls").stderr
    assert cli("users", "create", "ann", "--role", "operator").stdout == "ann: operator.\n"
    made = cli("keys", "create", "--user", "ann", "--role", "editor", "--expires", "90d", "--name", "ci")
    found = KEY.fullmatch(made.stdout)
    assert found
    assert "It is not shown again" in made.stderr
    assert made.stdout.strip() not in made.stderr
    listed = cli("keys", "ls").stdout
    assert re.search(rf"{found[1]} +ann +editor +ci +\S+ ago +never +in 90d00h|in 89d23h", listed)
    assert made.stdout.strip() not in listed
    assert "is revoked" in cli("keys", "revoke", found[1]).stdout
    assert "revoked" in cli("keys", "ls", "--user", "ann").stdout
    assert cli("keys", "ls", "--user", "bob").stdout == ""


def test_lists_as_json_hold_all_but_the_secret_parts(cli: Cli) -> None:
    assert cli.json("users", "create", "fleet", "--role", "operator")["role"] == "operator"
    made = cli.json("keys", "create", "--user", "fleet", "--scope", "worker", "--expires", "2100-01-31")
    assert KEY.fullmatch(made.pop("text") + "\n")
    assert made["expires_at"] == "2100-01-31T00:00:00Z"
    assert cli.json("keys", "ls") == [made]
    assert (made["role"], made["scopes"], made["last_used_at"], made["revoked"]) == (
        "operator",
        ["worker"],
        None,
        False,
    )
    cli("secrets", "set", "db", "hunter2")
    (secret,) = cli.json("secrets", "ls")
    assert set(secret) == {"name", "updated_at", "updated_by"}
    assert (secret["name"], secret["updated_by"]) == ("db", "local")


def test_users_change_and_are_shut_out(cli: Cli) -> None:
    cli("users", "create", "ann", "--role", "viewer")
    assert cli("users", "set-role", "ann", "admin").stdout == "ann: admin.\n"
    assert cli("users", "disable", "ann").stdout == "ann: admin, disabled.\n"
    assert "disabled" in cli("users", "ls").stdout
    assert cli.json("users", "enable", "ann")["disabled"] is False
    assert [user["name"] for user in cli.json("users", "ls")] == ["ann"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["keys", "create", "--user", "bob"], 2, "ostinato users create bob"),
        (["keys", "create", "--user", "ann", "--role", "admin"], 4, "role-exceeded"),
        (["keys", "create", "--user", "ann", "--expires", "soon"], 2, "write 90d"),
        (["keys", "create", "--user", "ann", "--expires", "0d"], 2, "write 90d"),
        (["keys", "create", "--user", "ann", "--expires", "2001-01-01"], 2, "it is over"),
        (["keys", "create", "--user", "ann", "--scope", "all"], 2, "'read', 'worker'"),
        (["keys", "revoke", "zzzzzzzz"], 2, "ostinato keys ls"),
        (["users", "create", "ann", "--role", "admin"], 4, "user-exists"),
        (["users", "create", "an n", "--role", "admin"], 2, "name-invalid"),
        (["users", "create", "bob"], 2, "--role"),
        (["users", "set-role", "bob", "admin"], 2, "user-not-found"),
        (["secrets", "set", "a/b", "x"], 2, "name-invalid"),
        (["secrets", "unset", "nothing"], 2, "secret-not-found"),
        (["secrets", "set", "db"], 2, "it is empty"),
    ],
)
def test_what_cannot_be_done_says_what_to_write(cli: Cli, args: list[str], code: int, said: str) -> None:
    cli("users", "create", "ann", "--role", "editor")
    assert said in cli(*args, code=code).stderr


def test_a_flow_reads_a_secret_that_no_command_prints(cli: Cli) -> None:
    assert "Secret db is set" in piped(cli, "secrets", "set", "db", value=b"correct horse\n")
    (cli.folder / "flow.py").write_text(
        "from ostinato import Secret, flow\n\n\n"
        "@flow(log_prints=True)\ndef connect() -> int:\n"
        "    value = Secret.get('db')\n    print('using', value)\n    return len(value)\n"
    )
    ran = cli("run", "flow.py:connect")
    assert "using ********" in ran.stdout + ran.stderr
    assert cli.json("show", "last")["result"]["value"] == len("correct horse")
    shown = [cli(*args) for args in (["show", "last"], ["logs", "last"], ["secrets", "ls"], ["doctor"])]
    assert not any("correct horse" in one.stdout + one.stderr for one in [ran, *shown])
    assert "Secret db is forgotten" in cli("secrets", "unset", "db").stdout
    assert "secret-not-found" in cli("run", "flow.py:connect", code=1).stderr


def test_a_secret_is_piped_byte_for_byte_but_its_last_line_break(cli: Cli) -> None:
    (cli.folder / "flow.py").write_text(
        "from ostinato import Secret, flow\n\n\n@flow\ndef tell() -> str:\n    return Secret.get('db').encode().hex()\n"
    )
    for value, kept in ((b"a\nb\n", b"a\nb"), (b" a \r\n", b" a "), ("é".encode(), "é".encode()), (b"\n\n", b"\n")):
        piped(cli, "secrets", "set", "db", value=value)
        cli("run", "flow.py:tell")
        assert bytes.fromhex(cli.json("show", "last")["result"]["value"]) == kept
    assert "it is not UTF-8" in piped(cli, "secrets", "set", "db", value=b"\xff\xfe", code=2)
    assert "it is empty" in piped(cli, "secrets", "set", "db", value=b"\n", code=2)


def test_a_secret_is_typed_twice_and_not_shown(cli: Cli) -> None:
    terminal = Terminal(cli, "secrets", "set", "db")
    terminal.wait_for("Value of db:")
    time.sleep(0.2)  # the echo is switched off after the question is there
    terminal.press("hunter2\n")
    terminal.wait_for("Repeat")
    time.sleep(0.2)
    terminal.press("hunter2\n")
    assert terminal.end() == 0
    assert "Secret db is set." in terminal.screen.text
    assert "hunter2" not in terminal.raw


def test_the_key_for_secrets_is_shown_by_nothing(cli: Cli) -> None:
    key = seal.key_text(seal.new_key())
    env = {"OSTINATO_SECRET_KEY": key}
    cli("secrets", "set", "db", "hunter2", env=env)
    assert not (cli.home / "secret.key").exists()
    text = cli("doctor", env=env).stdout + cli("doctor", "--json", env=env).stdout
    assert key not in text
    assert "OSTINATO_SECRET_KEY" in text
    assert "********" in text
    wrong = cli("secrets", "set", "db", "hunter2", code=5, env={"OSTINATO_SECRET_KEY": key[:-8]}).stderr
    assert "error[secret-key-invalid]" in wrong
    assert key[:-8] not in wrong
