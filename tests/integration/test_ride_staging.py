"""The staging flow on real rides: what goes to staging, what is refused, and how each of it is told.

It trains on every 40th ride of two months, so that a run takes seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.integration.fleet import fleet_on

from ostinato import load_model, session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.ports import Reader

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "ride_duration"
FLOW = f"{EXAMPLE}/src/ride_duration/staging.py:stage_ride_duration"
JANUARY, FEBRUARY = (ROOT / "data" / "rides" / f"green_tripdata_2023-0{month}.parquet" for month in (1, 2))
WORDS = (f"train={JANUARY}", f"valid={FEBRUARY}", "n_trials=1", "max_depth=4", "max_inference_time=0.01")
OSTINATO = str(Path(sys.executable).with_name("ostinato"))
pytestmark = pytest.mark.timeout(180)

GATE = """
aliases = ["staging"]

[checks.error]
kind = "metric"
metric = "rmse_valid"
max = 1.0
"""


def call(home: Path, *words: str, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Give an ended command, its exit code compared."""
    ended = subprocess.run(
        [OSTINATO, *words],
        cwd=cwd,
        env={**os.environ, "OSTINATO_HOME": str(home), "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert ended.returncode == code, f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended


@pytest.fixture
def reader(home: Path) -> Iterator[Reader]:
    """Give a reader of the home, to be used after the runs."""
    yield (one := session.reader())
    one.close()


def test_the_best_candidate_goes_to_staging_with_its_whole_lineage(home: Path, reader: Reader) -> None:
    call(home, "run", FLOW, *WORDS, "max_rmse=50")

    run = reader.find_run("last")
    version = reader.find_version("ride-duration", "@staging")
    origin = reader.version_origin("ride-duration", version.version)
    runs, _ = reader.search_tracking_runs([origin.experiment], order_by=["metrics.rmse_valid ASC"])
    assert (run.flow, run.state, version.version, version.stage) == ("stage-ride-duration", "Completed", 1, "Staging")
    assert {one.name for one in runs} == {"linear", "xgboost", "xgboost, trial 1"}
    assert origin.run_id == runs[0].id
    due = datetime.fromtimestamp(run.expected_at / 1e6, UTC)
    assert origin.experiment == f"ride-duration {due:%Y-%m-%d %H:%M:%S}"
    assert version.description.startswith(f"{runs[0].name} of experiment {origin.experiment}: RMSE ")
    assert run.name in version.description

    (training,) = (one for one in reader.subflow_runs(run.id) if one.flow == "train-ride-duration")
    task = next(one for one in reader.task_runs(training.id) if one.no == origin.task_no)
    assert (origin.flow_run_id, origin.root_run_id) == (training.id, run.id)
    assert (origin.task_run, origin.task_version, origin.code_version) == (task.name, task.version, training.version)
    months = {reader.find_dataset(use.digest).source: use.context for use in origin.data}
    assert months == {str(JANUARY): "training", str(FEBRUARY): "validation"}
    for use in origin.data:
        assert [(one.name, one.version) for one in reader.models_from_data(use.digest)] == [("ride-duration", 1)]

    (minutes,) = load_model("models:/ride-duration@staging").predict([{"PU_DO": "130_205", "trip_distance": 3.66}])
    assert 5 < minutes < 60


def test_without_a_candidate_the_run_fails_and_says_how_good_each_model_is(home: Path, reader: Reader) -> None:
    ended = call(home, "run", FLOW, *WORDS, "max_rmse=1", code=1)

    run = reader.find_run("last")
    assert run.state == "Failed"
    assert run.error is not None
    assert run.error.type.endswith("NoCandidateError")
    for model in ("linear", "xgboost", "xgboost, trial 1"):
        assert f"{model:20}  rmse_valid " in run.error.message
    assert "has metrics.rmse_valid < 1" in ended.stderr
    (table,) = (one for one in reader.artifacts(run.id) if one.key == "candidates")
    rows = msgspec.json.decode(table.data)["rows"]
    assert [row[-1] for row in rows] == ["no", "no", "no"]
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)
    assert reader.models() == []


def test_a_model_that_does_not_pass_the_gate_is_registered_and_not_in_staging(
    home: Path, tmp_path: Path, reader: Reader
) -> None:
    gate = tmp_path / "gate.toml"
    gate.write_text(GATE)
    call(home, "run", FLOW, *WORDS, "max_rmse=50")
    call(home, "models", "policy", "ride-duration", str(gate))

    ended = call(home, "run", FLOW, *WORDS, "max_rmse=50", code=1)

    assert "error" in ended.stderr
    run = reader.find_run("last")
    assert run.error is not None
    assert "rmse_valid" in run.error.message
    assert reader.find_version("ride-duration", "@staging").version == 1
    assert reader.find_version("ride-duration", "latest").version == 2


def test_the_manifest_deploys_it_for_each_monday_and_its_experiment_is_named_by_the_instant(
    home: Path, tmp_path: Path
) -> None:
    with fleet_on(home, tmp_path) as fleet:
        fleet.server()
        fleet.worker(env={"OMP_NUM_THREADS": "1"})
        call(home, "deploy", cwd=EXAMPLE)
        found: list[Any] = json.loads(call(home, "schedule", "ls", "stage-ride-duration/weekly", "--json").stdout)
        assert [one["words"] for one in found] == ["at 04:00 on Monday, UTC"]

        words = [word for pair in (*WORDS, "max_rmse=50") for word in ("-p", pair)]
        call(home, "backfill", "stage-ride-duration/weekly", "--from", "2023-03-01", "--to", "2023-03-10", *words)

        version = fleet.reader.find_version("ride-duration", "@staging")
        assert "due at 2023-03-06 04:00 UTC" in version.description
        assert fleet.reader.version_origin("ride-duration", 1).experiment == "ride-duration 2023-03-06 04:00:00"
        assert {one.name for one in fleet.reader.datasets()} == {"green trips 2023-01", "green trips 2023-02"}
