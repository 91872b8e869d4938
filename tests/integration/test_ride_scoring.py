"""Batch scoring of real months: a deployment, a backfill over months in a row, and what lies in the partitions.

The expected errors were computed apart from this code, with the same libraries on the same files.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from tests.integration.fleet import OSTINATO, Fleet, fleet_on

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "ride_duration"
SCORING = EXAMPLE / "src" / "ride_duration" / "scoring.py"
SAMPLES = ROOT / "data" / "rides"
"""Every 40th trip of four months."""
ALL_MONTHS = Path(os.environ.get("OSTINATO_DATA", ROOT.parent / "shared" / "data"))
COLUMNS = [
    "ride_id", "lpep_pickup_datetime", "PULocationID", "DOLocationID", "trip_distance", "actual_duration",
    "predicted_duration", "diff", "model_version",
]  # fmt: skip
KNOWN = {
    "2023-01": (65_946, 6.403), "2023-02": (62_574, 6.452), "2023-03": (69_392, 6.665), "2023-04": (62_979, 6.720),
    "2023-05": (66_313, 7.079), "2023-06": (62_784, 7.163), "2023-07": (58_722, 6.779), "2023-08": (57_767, 6.782),
    "2023-09": (62_040, 7.773), "2023-10": (63_119, 7.366), "2023-11": (61_105, 7.293), "2023-12": (61_119, 7.147),
    "2024-01": (54_373, 6.376), "2024-02": (51_497, 6.363),
}  # fmt: skip
"""Rides of 1 to 60 minutes, and the RMSE of least squares fitted on 2021-01."""


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    """Give a server and a worker, and a folder with the trained model."""
    with fleet_on(home, tmp_path) as one:
        january = EXAMPLE / "data" / "green_tripdata_2021-01.parquet"
        call(one, "run", f"{SCORING}:train_model", f"train={january}", "--plain")
        one.server()
        one.worker(env={"OMP_NUM_THREADS": "1"})
        yield one


def call(fleet: Fleet, *words: str, code: int = 0, cwd: Path | None = None) -> str:
    """Give what a command prints to stdout."""
    ended = subprocess.run(
        [*OSTINATO, *words],
        cwd=cwd or fleet.folder,
        env={**os.environ, "OSTINATO_HOME": str(fleet.home), "PYTHONWARNINGS": "error"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == code, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def deploy(fleet: Fleet, data: Path) -> None:
    call(
        fleet, "deploy", f"{SCORING}:score_month", "--name", "monthly", "--cron", "0 3 2 * *", "-p", f"data={data}"
    )  # fmt: skip


def backfill(fleet: Fleet, begin: str, end: str, *words: str, code: int = 0) -> list[dict[str, Any]]:
    said = call(fleet, "backfill", "score-month/monthly", "--from", begin, "--to", end, "--json", *words, code=code)
    cells: list[dict[str, Any]] = json.loads(said)
    return cells


def partitions(fleet: Fleet) -> dict[str, Path]:
    """Give the written files by the month that their path names; there is nothing else."""
    found = {}
    for file in (fleet.folder / "scored").rglob("*"):
        if file.is_file():
            named = re.fullmatch(
                r"scored/taxi_type=green/year=(\d{4})/month=(\d\d)/part-0\.parquet",
                file.relative_to(fleet.folder).as_posix(),
            )
            assert named is not None, file
            found[f"{named[1]}-{named[2]}"] = file
    return found


def check_months(fleet: Fleet, months: list[str], least_within: float) -> dict[str, pd.DataFrame]:
    """Compare the month of each path with the pickups inside; give the scored months."""
    files = partitions(fleet)
    assert sorted(files) == months
    scored = {month: pd.read_parquet(file, partitioning=None) for month, file in files.items()}
    for month, rides in scored.items():
        within = (rides["lpep_pickup_datetime"].dt.strftime("%Y-%m") == month).mean()
        assert within >= least_within, f"{month}: {within}"
        assert list(rides.columns) == COLUMNS
        assert rides["ride_id"].is_unique
        assert len(set(rides["model_version"])) == 1
    return scored


def processes_that_read_the_model(fleet: Fleet, cells: list[dict[str, Any]]) -> set[str]:
    """Give the processes that read the model file for these runs, by what the runs logged."""
    logs = fleet.reader.logs([cell["run"]["id"] for cell in cells])
    found = [re.search(r"read by process (\d+)", line.text) for line in logs]
    assert len([one for one in found if one is not None]) == len(cells)
    return {one[1] for one in found if one is not None}


def test_four_months_in_a_row_are_scored_each_into_its_own_partition(fleet: Fleet) -> None:
    deploy(fleet, SAMPLES)
    cells = backfill(fleet, "2023-02", "2023-05")
    assert [cell["run"]["state"] for cell in cells] == ["Completed"] * 4
    assert [cell["instant"][:16] for cell in cells] == [f"2023-0{month}-02T03:00" for month in (2, 3, 4, 5)]

    scored = check_months(fleet, ["2023-01", "2023-02", "2023-03", "2023-04"], 0.999)
    for month, rides in scored.items():
        assert 1500 < len(rides) < 1800
        rmse = (rides["diff"] ** 2).mean() ** 0.5
        assert rmse == pytest.approx(KNOWN[month][1], rel=0.15)
        assert rides["diff"].equals(rides["actual_duration"] - rides["predicted_duration"])
    assert len(processes_that_read_the_model(fleet, cells)) == 1


def test_a_second_backfill_of_what_is_missing_touches_nothing(fleet: Fleet) -> None:
    deploy(fleet, SAMPLES)
    first = backfill(fleet, "2023-02", "2023-05")
    written = {month: file.stat().st_mtime_ns for month, file in partitions(fleet).items()}
    second = backfill(fleet, "2023-02", "2023-05", "--only-missing")
    assert [cell["run"]["id"] for cell in second] == [cell["run"]["id"] for cell in first]
    assert {month: file.stat().st_mtime_ns for month, file in partitions(fleet).items()} == written
    assert len(json.loads(call(fleet, "runs", "tag:backfill", "--json"))) == 4


def test_scoring_a_month_twice_gives_the_same_file(fleet: Fleet) -> None:
    deploy(fleet, SAMPLES)
    backfill(fleet, "2023-02", "2023-02")
    first = partitions(fleet)["2023-01"].read_bytes()
    backfill(fleet, "2023-02", "2023-02", "--again")
    assert partitions(fleet)["2023-01"].read_bytes() == first


def test_a_missing_month_fails_its_run_alone_and_names_the_file(fleet: Fleet) -> None:
    deploy(fleet, SAMPLES)
    cells = backfill(fleet, "2023-01", "2023-03", code=1)
    assert [cell["run"]["state"] for cell in cells] == ["Failed", "Completed", "Completed"]
    missing = SAMPLES / "green_tripdata_2022-12.parquet"
    assert cells[0]["why"] == f"FileNotFoundError: There are no trips of 2022-12: {missing} is missing."
    assert sorted(partitions(fleet)) == ["2023-01", "2023-02"]


@pytest.mark.skipif(not ALL_MONTHS.is_dir(), reason="the raw months are elsewhere; OSTINATO_DATA names their folder")
def test_fourteen_whole_months_have_the_known_rides_and_errors(fleet: Fleet) -> None:
    deploy(fleet, ALL_MONTHS)
    cells = backfill(fleet, "2023-02", "2024-03", "--parallel", "2")
    assert [cell["run"]["state"] for cell in cells] == ["Completed"] * 14
    scored = check_months(fleet, list(KNOWN), 0.999)
    found = {month: (len(rides), (rides["diff"] ** 2).mean() ** 0.5) for month, rides in scored.items()}
    assert found == {month: (n, pytest.approx(rmse, abs=0.01)) for month, (n, rmse) in KNOWN.items()}
    assert len(processes_that_read_the_model(fleet, cells)) == 1
    assert [cell["todo"] for cell in backfill(fleet, "2023-02", "2024-03", "--only-missing")] == ["keep"] * 14


def test_the_month_before_is_found_across_the_turn_of_the_year() -> None:
    program = """if True:
        from datetime import datetime
        from ride_duration.scoring import month_before
        for day in ("2024-01-02", "2024-03-31", "2024-02-29T03:00+00:00"):
            print(month_before(datetime.fromisoformat(day)))
    """
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(EXAMPLE / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == ["2023-12", "2024-02", "2024-01"]


def test_the_manifest_of_the_example_deploys_scoring_on_the_second_of_each_month(home: Path, tmp_path: Path) -> None:
    with fleet_on(home, tmp_path) as fleet:
        call(fleet, "deploy", cwd=EXAMPLE)
        (found,) = json.loads(call(fleet, "schedule", "ls", "score-month/monthly", "--json"))
    assert found["words"] == "at 03:00 on day 2 of each month, UTC"
    assert all(at[8:16] == "02T03:00" for at in found["next"])


@pytest.mark.skipif(not ALL_MONTHS.is_dir(), reason="the raw months are elsewhere; OSTINATO_DATA names their folder")
def test_the_samples_are_every_fortieth_trip_of_the_raw_months() -> None:
    for sample in sorted(SAMPLES.glob("*.parquet")):
        kept = pd.read_parquet(sample)
        raw = pd.read_parquet(ALL_MONTHS / sample.name, columns=list(kept.columns))
        assert kept.equals(raw[::40].reset_index(drop=True)), sample.name
