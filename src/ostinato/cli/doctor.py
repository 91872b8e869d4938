"""`ostinato doctor`: is this installation well, and its home?"""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ostinato.cli import exits
from ostinato.cli.command import Command, json_option
from ostinato.cli.lines import Line, columns_of, one_line
from ostinato.cli.screen import screen_of
from ostinato.cli.shapes import dumps
from ostinato.cli.sizes import size
from ostinato.cli.times import ago, iso, now_us
from ostinato.core.settings import describe, load
from ostinato.session.home import NETWORK_KINDS
from ostinato.session.maintenance import facts

if TYPE_CHECKING:
    from ostinato.core.settings import Description
    from ostinato.session.maintenance import HomeFacts, JournalFacts

_PACKAGES = ("ostinato", "msgspec", "click", "cloudpickle", "numpy", "pandas", "scikit-learn", "xgboost")
_LITTLE_ROOM = 1_000_000_000
_MUCH_WAITING = 100_000


@click.command(
    cls=Command,
    short_help="Check this installation and its home.",
    examples={
        "ostinato doctor": "versions, home, processes, settings and what to do",
        "ostinato doctor --json": "the same as one JSON object, for a bug report",
    },
)
@json_option
def doctor(*, as_json: bool) -> int:
    """Tell versions, the home and its sizes, living processes, settings with their origin, and hints.

    Nothing is changed. The exit code is 5 when the home cannot be used.
    """
    settings = load()
    home = facts(settings.home)
    versions = {"python": platform.python_version(), **_versions()}
    known = describe(settings)
    problems, hints = _problems(home), _hints(home)
    if as_json:
        click.echo(dumps(_shape(home, versions, known, problems, hints)))
    else:
        screen = screen_of(sys.stdout)
        tables = {
            "Versions": [[(f"  {name}", ""), (text, "dim")] for name, text in versions.items()],
            "Home": _home_rows(home),
            "Processes": [_journal_row(journal) for journal in home.journals],
            "Settings": [_setting_row(one) for one in known],
        }
        for title, rows in tables.items():
            if rows:
                screen.print([[(title, "bold")], *columns_of(rows, screen.table_columns), []])
        verdict: list[Line] = [[("✕ ", "red"), (text, "")] for text in problems]
        verdict += [[("! ", "yellow"), (text, "")] for text in hints]
        screen.print(verdict or [[("✓ ", "green"), ("All is well.", "")]], whole=True)
    return exits.UNREACHABLE if problems else exits.OK


def _versions() -> dict[str, str]:
    found = {"platform": platform.platform(), "interpreter": sys.executable}
    for name in _PACKAGES:
        try:
            found[name] = version_of(name)
        except PackageNotFoundError:
            continue
    return found


def _home_rows(home: HomeFacts) -> list[Line]:
    schema = {-1: "cannot be read", 0: "none yet"}.get(home.schema_version, f"schema {home.schema_version}")
    rows = {
        "folder": f"{home.home}   {home.file_system}, {size(home.free_bytes)} free",
        "database": f"{home.database}   {size(home.database_bytes)}, {schema}",
        "holds": f"{home.n_flow_runs:,} flow runs, {home.n_task_runs:,} task runs, {home.n_blocks:,} raw blocks",
        "stored values": f"{home.n_blobs:,}   {size(home.blob_bytes)}"
        if home.n_blobs >= 0
        else f"in {home.blobs_place}",
    }
    return [[(f"  {name}", ""), (text, "dim")] for name, text in rows.items()]


def _journal_row(journal: JournalFacts) -> Line:
    state = ("✓ alive", "green") if journal.alive else ("⚡ gone", "magenta")
    waiting = f"{journal.n_waiting:,} events not in the database" if journal.n_waiting else "nothing waits"
    return [
        (f"  {state[0]}", state[1]),
        (f"pid {journal.pid}", ""),
        (journal.host, "dim"),
        (f"since {ago(journal.started_at, now_us())}", "dim"),
        (f"{waiting}, journal {size(journal.n_bytes)}", "dim"),
    ]


def _setting_row(one: Description) -> Line:
    own = one.origin != "default"
    return [(f"  {one.variable}", ""), (one_line(str(one.value)), "bold" if own else "dim"), (one.origin, "dim")]


def _problems(home: HomeFacts) -> list[str]:
    found = []
    if home.database_error:
        found.append(f"The database cannot be read: {home.database_error}")
    if home.blobs_error:
        found.append(home.blobs_error)
    folder = home.home
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    if not os.access(folder, os.W_OK):
        found.append(f"{folder} cannot be written. Set OSTINATO_HOME to a folder that you can write.")
    if home.file_system in NETWORK_KINDS:
        found.append(f"The home is on a network file system ({home.file_system}). Set OSTINATO_HOME to a local disk.")
    return found


def _hints(home: HomeFacts) -> list[str]:
    found = []
    gone = [journal for journal in home.journals if not journal.alive]
    if gone:
        found.append(f"{len(gone)} processes ended without a word; `ostinato runs` delivers what they recorded.")
    behind = max((journal.n_waiting for journal in home.journals if journal.alive), default=0)
    if behind > _MUCH_WAITING:
        found.append(f"A living process is {behind:,} events ahead of the database.")
    if home.schema_version > home.known_version:
        found.append(
            f"The database has schema {home.schema_version}, newer than this Ostinato, which can use it still."
        )
    if 0 < home.schema_version < home.known_version:
        found.append(f"The database has schema {home.schema_version}; `ostinato db migrate` brings it up to date.")
    if home.free_bytes < _LITTLE_ROOM:
        found.append(
            f"Only {size(home.free_bytes)} free on the disk; `ostinato db vacuum` drops what retention allows."
        )
    found += [f"A damaged part of a journal was moved aside: {path}" for path in home.damaged]
    found += [journal.damage for journal in home.journals if journal.damage]
    return found


def _shape(
    home: HomeFacts, versions: dict[str, str], known: list[Description], problems: list[str], hints: list[str]
) -> dict[str, Any]:
    journals = [{**msgspec.structs.asdict(one), "started_at": iso(one.started_at)} for one in home.journals]
    settings = {one.name: {"value": one.value, "origin": one.origin, "variable": one.variable} for one in known}
    return {
        "versions": versions,
        "home": {**msgspec.structs.asdict(home), "journals": journals},
        "settings": settings,
        "problems": problems,
        "hints": hints,
    }
