"""`ostinato datasets`: versions of data as a user sees them in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ostinato import dataset, flow, session

if TYPE_CHECKING:
    from tests.e2e.conftest import Cli

ROOT = Path(__file__).parents[2]
JANUARY = ROOT / "examples/ride_duration/data/green_tripdata_2021-01.parquet"
LATER = ROOT / "data/rides/green_tripdata_2023-01.parquet"


@flow
def read_months() -> list[str]:
    return [
        dataset(month, name=name, context="training").digest for month, name in ((JANUARY, "2021"), (LATER, "2023"))
    ]


@pytest.fixture
def digests(cli: Cli) -> list[str]:
    """Give the digests of two months that a flow has read."""
    found = read_months()
    session.close()
    return found


def test_versions_are_listed_the_newest_first(cli: Cli, digests: list[str]) -> None:
    lines = cli("datasets", "ls").stdout.splitlines()
    assert lines[0].split() == ["DIGEST", "NAME", "ROWS", "COLUMNS", "SIZE", "FIRST", "READ", "FROM"]
    assert lines[2].split()[:5] == [digests[0][:12], "2021", "76,518", "6", "717.8"]
    assert [one["digest"] for one in cli.json("datasets", "ls")] == digests[::-1]
    assert [one["name"] for one in cli.json("datasets", "ls", "--name", "2021")] == ["2021"]
    assert "more: only the newest 1" in cli("datasets", "ls", "--limit", "1").stderr


def test_a_version_is_shown_with_its_columns_and_who_used_it(cli: Cli, digests: list[str]) -> None:
    shown = cli("datasets", "show", digests[0][:6]).stdout
    assert f"digest      {digests[0]}" in shown
    assert "passenger_count        double           47.1%  0 to 8, half of them up to 1" in shown
    assert "flow run  " in shown
    assert "training" in shown
    found = cli.json("datasets", "show", "2021")
    assert (found["digest"], found["columns"][4]["n"]) == (digests[0], 76_518)
    assert [(link["kind"], link["context"]) for link in found["links"]] == [("flow-run", "training")]


def test_two_versions_are_compared(cli: Cli, digests: list[str]) -> None:
    said = cli("datasets", "diff", "2021", "2023").stdout
    assert "rows     76,518 -> 1,706" in said
    assert said.index("PULocationID") < said.index("passenger_count")
    changes = {one["name"]: one for one in cli.json("datasets", "diff", *digests)["columns"]}
    assert changes["trip_distance"]["psi"] > 0.25
    assert changes["passenger_count"]["missing_before"] == pytest.approx(0.471, abs=0.001)
    assert cli("datasets", "diff", "2021", digests[0]).stdout == f"Both are {digests[0]}.\n"


def test_without_versions_it_says_what_makes_one(cli: Cli) -> None:
    assert "ostinato.dataset" in cli("datasets", "ls").stderr
    assert "error[dataset-not-found]" in cli("datasets", "show", "nothing", code=2).stderr
