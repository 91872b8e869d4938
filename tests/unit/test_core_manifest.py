"""What is wanted of deployments: the manifest, schedules as users write them, parameters as JSON has them."""

from __future__ import annotations

import dataclasses
import enum
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostinato.core.deployments import Timetable
from ostinato.core.errors import ManifestInvalid, NotLiteral, ScheduleInvalid, SettingInvalid
from ostinato.core.literals import literals
from ostinato.core.manifest import Entry, read_manifest
from ostinato.core.schedules import Cron, Interval, RRule
from ostinato.core.settings import load
from ostinato.core.timetables import timetables

WHOLE = """
color = "never"

[[deployments]]
flow = "flow.py:train"
name = "nightly"
schedules = [{ cron = "0 3 * * *", timezone = "Europe/Berlin", slug = "night", parameters = { n = 1 } }, "@hourly"]
parameters = { n = 3, model = "forest" }
tags = ["ml"]
queue = "gpu"
concurrency = 2
overlap = "skip"
skip_if_late = "10m"
env = { LEVEL = "${LEVEL}", HOME = "$${HOME}" }
resources = { gpu = 1 }

[[deployments]]
flow = "flow.py:score"
"""


def read(text: str, **environ: str) -> list[Entry]:
    return read_manifest(text, "ostinato.toml", environ)


def test_a_manifest_holds_several_deployments_with_the_options_of_a_call() -> None:
    nightly, score = read(WHOLE, LEVEL="high")
    assert (nightly.flow, nightly.name) == ("flow.py:train", "nightly")
    assert (score.flow, score.name, score.options) == ("flow.py:score", "default", {})
    assert nightly.options == {
        "schedules": [
            {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "slug": "night", "parameters": {"n": 1}},
            "@hourly",
        ],
        "parameters": {"n": 3, "model": "forest"},
        "tags": ("ml",),
        "queue": "gpu",
        "concurrency": 2,
        "overlap": "skip",
        "skip_if_late": "10m",
        "env": {"LEVEL": "high", "HOME": "${HOME}"},
        "resources": {"gpu": 1.0},
    }


@pytest.mark.parametrize(
    ("written", "environ", "meant"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("a-${A}-${B}", {"A": "1", "B": "2"}, "a-1-2"),
        ("${A:-else}", {}, "else"),
        ("${A:-else}", {"A": ""}, "else"),
        ("${A:-}", {}, ""),
        ("$A costs 5$", {"A": "x"}, "$A costs 5$"),
        ("$${A}", {"A": "x"}, "${A}"),
    ],
)
def test_texts_are_filled_from_the_environment(written: str, environ: dict[str, str], meant: str) -> None:
    (entry,) = read(f'[[deployments]]\nflow = "f.py"\ndescription = "{written}"\n', **environ)
    assert entry.description == meant


def test_a_number_may_come_from_the_environment() -> None:
    (entry,) = read('[[deployments]]\nflow = "f.py"\nconcurrency = "${N}"\npaused = "${P}"\n', N="4", P="true")
    assert (entry.concurrency, entry.paused) == (4, True)


@pytest.mark.parametrize(
    ("lines", "place", "reason", "hint"),
    [
        ('name = "x"', "deployment 1 (x)", "flow", "Mend"),
        ('flow = "f.py"\nname = "x"\nconcurency = 1', "deployment 1 (x)", "concurency", "Did you mean concurrency?"),
        ('flow = "f.py"\nzzz = 1', "deployment 1 (default)", "zzz", "There are: schedules, cron"),
        ('flow = "f.py"\nconcurrency = 0', "deployment 1 (default), concurrency", ">= 1", "Mend"),
        ('flow = "f.py"\noverlap = "never"', "deployment 1 (default), overlap", "never", "Mend"),
        ('flow = "f.py"\nenv = { A = 1 }', "deployment 1 (default), env[...]", "str", "Mend"),
        ('flow = "f.py"\nname = ""', "deployment 1 (), name", "length", "Mend"),
        ('flow = "${FILE}"', "deployment 1 (default)", "no FILE", "${FILE:-text}"),
        ('flow = "f.py"\n[[deployments]]\nflow = "f.py"', "deployment 2 (default)", "two of this name", "name of"),
    ],
)
def test_a_wrong_manifest_names_file_table_and_key(lines: str, place: str, reason: str, hint: str) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        read(f"[[deployments]]\n{lines}\n")
    assert f"ostinato.toml, {place}: " in caught.value.message
    assert reason in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["", "deployments = 1", "[deployments]\nflow = 1", "[[deployments]\n"])
def test_a_file_without_deployments_is_refused(text: str) -> None:
    with pytest.raises(ManifestInvalid):
        read(text)


def test_settings_and_deployments_share_one_file(tmp_path: Path) -> None:
    (tmp_path / "ostinato.toml").write_text(WHOLE, encoding="utf-8")
    assert load({}, str(tmp_path)).color == "never"
    (tmp_path / "ostinato.toml").write_text("deployment = 1", encoding="utf-8")
    with pytest.raises(SettingInvalid):
        load({}, str(tmp_path))


# --- schedules as users write them


def test_all_ways_to_write_a_schedule_mean_the_same() -> None:
    night = Cron("0 3 * * *", timezone="Europe/Berlin")
    for written in (
        {"schedules": night},
        {"schedules": [night]},
        {"schedules": {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}},
        {"schedules": {"schedule": night}},
        {"schedules": {"schedule": "0 3 * * *"}, "timezone": "Europe/Berlin"},
        {"schedules": "0 3 * * *", "timezone": "Europe/Berlin"},
        {"cron": "0 3 * * *", "timezone": "Europe/Berlin"},
        {"cron": ["0 3 * * *"], "timezone": "Europe/Berlin"},
    ):
        assert timetables(**written) == (Timetable(slug="cron-1", schedule=night),), written


def test_intervals_are_seconds_timedeltas_or_texts() -> None:
    for written in (5400, 5400.0, timedelta(minutes=90), "90m", "1h30m"):
        (one,) = timetables(interval=written)
        assert one == Timetable(slug="interval-1", schedule=Interval(5400))
    anchored = timetables({"interval": "1h", "anchor": datetime(2026, 1, 1, tzinfo=UTC)})
    assert anchored[0].schedule == Interval(3600, anchor=datetime(2026, 1, 1, tzinfo=UTC))


def test_schedules_get_slugs_by_their_kind_and_keep_their_own() -> None:
    found = timetables(
        ["@daily", {"cron": "@hourly", "slug": "often", "parameters": {"n": 1}, "active": False}, "@weekly"],
        interval=60,
        rrule="FREQ=DAILY",
    )
    assert [one.slug for one in found] == ["cron-1", "often", "cron-3", "interval-1", "rrule-1"]
    assert (found[1].parameters, found[1].active) == ({"n": 1}, False)
    assert found[4].schedule == RRule("FREQ=DAILY")
    assert timetables() == ()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"cron": "* * *"}, "3 fields"),
        ({"interval": "soon"}, "no length of time"),
        ({"interval": -1}, "too short"),
        ({"cron": "@daily", "timezone": "Mars/Base"}, "Mars/Base"),
        ({"schedules": [{"slug": "x"}]}, "kind"),
        ({"schedules": [{"cron": "@daily", "slag": "x"}]}, "slag"),
        ({"schedules": [{"cron": "@daily", "slug": 3}]}, "slug"),
        ({"schedules": [{"schedule": "@daily", "interval": 3}]}, "stands beside it"),
        ({"schedules": object()}, "no schedule"),
    ],
)
def test_what_is_no_schedule_is_refused(written: dict[str, Any], reason: str) -> None:
    with pytest.raises(ScheduleInvalid, match=reason):
        timetables(**written)


# --- parameters as JSON has them


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Model:
    depth: int
    since: date


def test_parameters_become_what_json_can_say() -> None:
    assert literals(
        {
            "day": date(2023, 1, 2),
            "at": datetime(2023, 1, 2, 3, tzinfo=UTC),
            "path": Path("/data/x.parquet"),
            "colour": Colour.RED,
            "model": Model(3, date(2023, 1, 2)),
            "years": (2022, 2023),
            "share": np.float64(0.5),
            "none": None,
        }
    ) == {
        "day": "2023-01-02",
        "at": "2023-01-02T03:00:00Z",
        "path": "/data/x.parquet",
        "colour": "red",
        "model": {"depth": 3, "since": "2023-01-02"},
        "years": [2022, 2023],
        "share": 0.5,
        "none": None,
    }


@pytest.mark.parametrize("value", [object(), np.zeros(3), {"deep": [object()]}, lambda: None])
def test_a_value_that_cannot_travel_is_refused(value: object) -> None:
    with pytest.raises(NotLiteral, match="'data'"):
        literals({"data": value})
