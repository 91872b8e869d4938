"""Help, version, explain, completion, db, doctor: what every command shares, and the small ones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click
import pytest
from tests import homes
from tests.e2e.conftest import COMMAND

from ostinato.cli.command import Command
from ostinato.cli.exits import EXITS
from ostinato.cli.main import COMMANDS
from ostinato.cli.main import cli as root
from ostinato.cli.offers import flows_in
from ostinato.cli.reasons import REASONS
from ostinato.core.errors import all_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Cli
    from tests.e2e.filled import Filled


def all_commands(
    group: click.Group = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_listed_with_its_own_words(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    assert command.name == name
    said = command.short_help or command.get_short_help_str(100)
    assert said.rstrip(".") == COMMANDS[name].rstrip(".")


def test_every_command_has_examples_that_it_would_accept() -> None:
    for path, command in all_commands():
        assert isinstance(command, Command), path
        assert command.examples, path
        assert command.help, path
        assert all("ostinato" in line for line in command.examples), path


def test_every_command_that_prints_facts_has_json() -> None:
    without = {path[-1] for path, command in all_commands() if not any(p.name == "as_json" for p in command.params)}
    assert without == {"completion", "worker"}


def test_the_help_has_sections_and_exit_codes(cli: Cli) -> None:
    text = cli("--help").stdout
    for word in ("Run:", "Look:", "Keep:", "Exit codes:", *COMMANDS, *EXITS.values()):
        assert word in text
    assert cli().stdout == text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["rnus"], "Did you mean"),
        (["runs", "--lmit", "3"], "--limit"),
        (["runs", "--limit", "none"], "--limit"),
        (["show"], "RUN"),
        (["db", "chek"], "chek"),
        (["resume", "last", "--changed", "perhaps"], "rerun"),
        (["completion", "powershell"], "bash"),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_hint(cli: Cli, args: list[str], said: str) -> None:
    text = cli(*args, code=2).stderr
    assert text.startswith("error[usage] ")
    assert said in text
    assert "--help" in text
    assert json.loads(cli(*args, "--json", code=2).stderr)["error"]["code"] == "usage"


@pytest.mark.only_sqlite(reason="no store has a part in it")
def test_the_version_comes_fast_and_without_the_rest(cli: Cli) -> None:
    assert re.fullmatch(r"ostinato \d+\.\d+\.\d+\n", cli("version").stdout)
    assert set(cli.json("version")) == {"ostinato", "python", "platform"}
    program = "import sys; from ostinato.cli.main import main; sys.argv = ['ostinato', 'version']\ntry: main()\n"
    program += "except SystemExit: print(sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    for heavy in ("rich", "sqlite3", "asyncio", "msgspec", "httpx"):
        assert f"'{heavy}'" not in loaded
    walls = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([COMMAND, "version"], env=cli.env, capture_output=True, check=True)
        walls.append(time.perf_counter() - start)
    assert min(walls) < 0.2


@pytest.mark.parametrize("code", all_errors())
def test_every_error_code_has_a_reason(code: str) -> None:
    assert REASONS[code].endswith(".")


def test_explain_tells_message_reason_and_what_to_do(cli: Cli) -> None:
    text = cli("explain", "run-ambiguous").stdout
    assert "error[run-ambiguous] <run> fits <n> runs: <found>." in text
    assert REASONS["run-ambiguous"] in text
    assert "exit  2" in text
    assert set(cli.json("explain", "disk-full")) == {"code", "message", "why", "hint", "exit_code"}
    assert {one["code"] for one in cli.json("explain")} == set(all_errors())
    text = cli("explain", "run-ambigous", code=2).stderr
    assert "error[code-unknown]" in text
    assert "run-ambiguous" in text


# --- completion


def complete(cli: Cli, *words: str, shell: str = "bash") -> list[str]:
    env = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1), "_OSTINATO_COMPLETE": f"{shell}_complete"}
    rows = cli(env=env).stdout.splitlines()
    return [row.partition(",")[2] for row in rows if row] if shell == "bash" else rows


def test_completion_knows_commands_options_codes_and_runs(cli: Cli, filled: Filled) -> None:
    filled.run("quiet-otter")
    filled.run("quiet-owl", "Failed", flow="my flow", tags=("gpu",))
    filled.close()
    assert complete(cli, "ostinato", "r") == ["run", "resume", "retry", "runs"]
    assert complete(cli, "ostinato", "logs", "last", "--le") == ["--level"]
    assert complete(cli, "ostinato", "explain", "run-a") == ["run-ambiguous"]
    assert complete(cli, "ostinato", "show", "qui") == ["quiet-owl", "quiet-otter"]
    assert complete(cli, "ostinato", "retry", "quiet-ow") == ["quiet-owl"]
    assert complete(cli, "ostinato", "logs", "la") == ["last"]
    assert complete(cli, "ostinato", "runs", "fl") == ["flow:"]
    # Bash cuts words at the colon.
    assert complete(cli, "ostinato", "runs", "state", ":", "fa") == ["failed"]
    assert complete(cli, "ostinato", "runs", "flow", ":", "my") == ['"my flow"']
    assert complete(cli, "ostinato", "runs", "tag", ":", "") == ["gpu"]


def test_completion_knows_flows_without_importing_them(cli: Cli) -> None:
    (cli.folder / "flow.py").write_text(
        "import ostinato\nfrom ostinato import flow\nraise SystemExit('imported')\n"
        "@flow\ndef train(): ...\n@ostinato.flow(retries=1)\nasync def test(): ...\ndef tool(): ...\n"
    )
    (cli.folder / "broken.py").write_text("def (")
    (cli.folder / "folder").mkdir()
    assert complete(cli, "ostinato", "run", "f") == ["flow.py:train", "flow.py:test", "folder/"]
    assert complete(cli, "ostinato", "run", "flow.py", ":", "tr") == ["train"]
    assert complete(cli, "ostinato", "run", "b") == []
    assert flows_in(cli.folder / "flow.py") == ["train", "test"]


@pytest.mark.only_sqlite(reason="the file of the database is hurt")
def test_an_unreadable_home_offers_nothing(cli: Cli) -> None:
    cli.home.mkdir()
    (cli.home / "ostinato.db").write_bytes(b"no database" * 1000)
    assert complete(cli, "ostinato", "show", "x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(cli: Cli, shell: str) -> None:
    script = cli("completion", shell).stdout
    assert "_OSTINATO_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


# --- db and doctor


@pytest.mark.only_sqlite(reason="an archive of a home holds the file of SQLite")
def test_the_home_is_backed_up_and_restored(cli: Cli, filled: Filled, tmp_path: Path) -> None:
    filled.run("quiet-otter")
    filled.close()
    archive = tmp_path / "monday.tar"
    assert cli.json("db", "backup", str(archive))["target"] == str(archive)
    assert "error[option-invalid]" in cli("db", "backup", str(archive), code=2).stderr
    assert "error[option-invalid]" in cli("db", "restore", str(archive), code=2).stderr
    other = {"OSTINATO_HOME": str(tmp_path / "other")}
    assert "Restored" in cli("db", "restore", str(archive), env=other).stdout
    assert "quiet-otter" in cli("runs", env=other).stdout


def test_check_finds_nothing_in_a_good_home_and_damage_in_a_bad_one(cli: Cli, filled: Filled) -> None:
    run = filled.run("quiet-otter")
    filled.tasks(run, "fit", {"Completed": 3})
    filled.close()
    assert "Nothing is wrong" in cli("db", "check").stdout
    assert cli.json("db", "check") == []
    homes.change(cli.home, "UPDATE task_counts SET n = 7")
    assert "✕ counters" in cli("db", "check", code=5).stdout
    assert cli.json("db", "check", code=5)


def test_vacuum_says_what_it_would_remove(cli: Cli, filled: Filled) -> None:
    filled.run("quiet-otter")
    filled.close()
    assert "Would remove" in cli("db", "vacuum", "--dry-run").stdout
    assert cli.json("db", "vacuum")["dry_run"] is False
    assert "nothing to do" in cli("db", "migrate").stdout


def test_doctor_tells_versions_home_processes_and_settings(cli: Cli, filled: Filled) -> None:
    filled.run("quiet-otter", "Running")
    filled.settle()
    found = cli.json("doctor")
    assert set(found) == {"versions", "home", "settings", "problems", "hints"}
    assert found["home"]["n_flow_runs"] == 1
    assert [one["alive"] for one in found["home"]["journals"]] == [True]
    assert found["settings"]["home"]["origin"] == "OSTINATO_HOME"
    assert found["problems"] == []
    text = cli("doctor").stdout
    for part in ("Versions", "Home", "Processes", "✓ alive", "OSTINATO_DURABILITY", "All is well"):
        assert part in text
    filled.close()


def test_doctor_works_in_an_empty_home_and_changes_nothing(cli: Cli) -> None:
    assert "none yet" in cli("doctor").stdout
    assert not (cli.home / "ostinato.db").exists()


@pytest.mark.only_sqlite(reason="the file of the database is hurt")
def test_doctor_names_what_is_wrong(cli: Cli) -> None:
    cli.home.mkdir()
    (cli.home / "ostinato.db").write_bytes(b"no database" * 1000)
    assert "cannot be read" in cli("doctor", code=5).stdout
    text = cli("runs", code=5).stderr
    assert "error[database-corrupt]" in text


def test_a_wrong_setting_names_its_origin(cli: Cli) -> None:
    text = cli("runs", code=2, env={"OSTINATO_DURABILITY": "eternal"}).stderr
    assert "error[setting-invalid]" in text
    assert "OSTINATO_DURABILITY" in text
