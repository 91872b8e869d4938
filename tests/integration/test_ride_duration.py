"""The main job on real data: two months of New York's green taxi rides, as `ostinato demo` runs them.

The expected numbers were computed apart from this code, with the same libraries on the same files.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ostinato.core.ports import READER, resolve
from ostinato.core.query import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun, TaskRun

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "ride_duration"
FLOW = f"{EXAMPLE}/src/ride_duration/flows.py:train_ride_duration"
JANUARY, FEBRUARY = (EXAMPLE / "data" / f"green_tripdata_2021-{month}.parquet" for month in ("01", "02"))
MORE_MONTHS = Path(os.environ.get("OSTINATO_DATA", ROOT.parent / "shared" / "data"))
OSTINATO = Path(sys.executable).parent / "ostinato"
RIDE = {"PULocationID": 130, "DOLocationID": 205, "trip_distance": 3.66}

pytestmark = pytest.mark.timeout(300)


# ------------------------------------------------------------------------------------------- what the code computes


@pytest.fixture(scope="module")
def ride_duration() -> Iterator[Any]:
    """Give the example's modules, imported from the source tree."""
    sys.path.insert(0, str(EXAMPLE / "src"))
    try:
        from ride_duration import data, features, health, train

        yield type("Example", (), {"data": data, "features": features, "health": health, "train": train})
    finally:
        sys.path.remove(str(EXAMPLE / "src"))


@pytest.fixture(scope="module")
def rides(ride_duration: Any) -> tuple[Any, Any]:
    january, february = (ride_duration.data.read_trips(month) for month in (JANUARY, FEBRUARY))
    return ride_duration.data.select_rides(january), ride_duration.data.select_rides(february)


@pytest.fixture(scope="module")
def dataset(ride_duration: Any, rides: tuple[Any, Any]) -> Any:
    features = ride_duration.features
    return features.make_dataset(features.fit_vectorizer(rides[0]), *rides)


def test_two_months_give_the_known_rows_and_features(dataset: Any) -> None:
    assert dataset.train.shape == (73_908, 13_221)
    assert dataset.valid.shape == (61_921, 13_221)


def test_a_forest_has_the_known_error_and_predicts_the_known_ride(ride_duration: Any, dataset: Any) -> None:
    forest = ride_duration.train.fit_forest(dataset)

    assert 6.70 <= forest.score.rmse_valid <= 6.72
    assert 18.1 <= forest.predict([RIDE])[0] <= 18.4
    first = forest.regressor.predict(dataset.valid[:5])
    assert first == pytest.approx([18.253, 7.000, 21.375, 24.579, 10.786], abs=0.3)


def test_one_ride_is_predicted_as_in_training(ride_duration: Any, rides: tuple[Any, Any], dataset: Any) -> None:
    linear = ride_duration.train.fit_linear(dataset)
    columns = list(RIDE)

    alone = [linear.predict([ride])[0] for ride in rides[1][columns].head(20).to_dict(orient="records")]

    assert alone == pytest.approx(linear.regressor.predict(dataset.valid[:20]))


def test_the_same_seed_proposes_the_same_trials(ride_duration: Any) -> None:
    def proposals(seed: int) -> list[dict[str, Any]]:
        study, found = ride_duration.train.start_search(seed), []
        for answer in (7.0, 6.5, 6.8):
            trial, params = ride_duration.train.propose(study)
            study.tell(trial, answer)
            found.append(params)
        return found

    assert proposals(42) == proposals(42)
    assert proposals(42) != proposals(43)
    assert all(4 <= params["max_depth"] <= 100 for params in proposals(42))


def test_each_month_has_its_known_flaws(ride_duration: Any, rides: tuple[Any, Any]) -> None:
    health, data = ride_duration.health, ride_duration.data

    january, february = (health.check_trips(data.read_trips(month)) for month in (JANUARY, FEBRUARY))

    assert (january.n_absurd, february.n_absurd) == (62, 26)
    assert january.longest_miles == pytest.approx(244_152.01)
    assert (round(january.missing_passengers, 3), round(february.missing_passengers, 3)) == (0.471, 0.451)
    assert (january.n_other_month, february.n_other_month) == (3, 2)
    assert health.unseen_routes(*rides) == pytest.approx(0.085, abs=0.0005)
    absurd = health.absurd_rides(rides[0])
    assert len(absurd) == 62
    assert absurd["miles"].min() >= 100


@pytest.mark.skipif(not MORE_MONTHS.is_dir(), reason="the raw months are elsewhere; OSTINATO_DATA names their folder")
def test_any_other_month_is_read_with_its_own_column_types(ride_duration: Any) -> None:
    kept = {"2022-01": 59_603, "2023-02": 62_574, "2025-01": 46_307}

    for month, n_rides in kept.items():
        trips = ride_duration.data.read_trips(MORE_MONTHS / f"green_tripdata_{month}.parquet")
        assert ride_duration.data.month_of(trips) == month
        assert len(ride_duration.data.select_rides(trips)) == n_rides


@pytest.mark.skipif(not MORE_MONTHS.is_dir(), reason="the raw months are elsewhere; OSTINATO_DATA names their folder")
def test_the_reduced_months_equal_the_raw_ones(ride_duration: Any) -> None:
    for reduced in (JANUARY, FEBRUARY):
        raw = ride_duration.data.read_trips(MORE_MONTHS / reduced.name)
        assert ride_duration.data.read_trips(reduced).equals(raw)


# ------------------------------------------------------------------------------------------- what a run records


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Give the home and the output of one `ostinato demo` in a fresh home, from a folder of no meaning."""
    folder = tmp_path_factory.mktemp("demo")
    home = folder / "home"
    return home, ostinato("demo", home=home, cwd=folder)


def test_the_demo_prints_the_models_and_where_to_look_next(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    printed = demo[1].stdout

    assert error_of("linear", printed) == pytest.approx(7.76, abs=0.01)
    assert error_of("xgboost", printed) == pytest.approx(6.64, abs=0.03)
    assert "xgboost, trial 2" in printed
    for text in ("73,908 rides", "61,921 of 2021-02", "13,221 features", "62 rides of 2021-01", "244,152"):
        assert text in printed
    for command in (
        "ostinato runs",
        "ostinato logs ",
        "ostinato models lineage ride-duration 1",
        "ostinato resume last",
    ):
        assert command in printed


def test_the_demo_has_the_best_model_in_staging_and_each_model_is_a_tracking_run(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    with reading(demo[0]) as reader:
        version = reader.find_version("ride-duration", "@staging")
        origin = reader.version_origin("ride-duration", version.version)
        runs, _ = reader.search_tracking_runs([origin.experiment], order_by=["metrics.rmse_valid ASC"])

    assert [run.status for run in runs] == ["finished"] * 4
    errors = {run.name: metric.value for run in runs for metric in run.metrics if metric.key == "rmse_valid"}
    assert errors["linear"] == pytest.approx(7.7587, abs=0.01)
    assert errors["xgboost"] == pytest.approx(6.6443, abs=0.03)
    assert origin.run_id == runs[0].id
    assert sorted(use.context for use in origin.data) == ["training", "validation"]
    assert (
        f"{runs[0].name} is version 1 of ride-duration and in staging: models:/ride-duration@staging" in demo[1].stdout
    )


def test_the_demo_records_every_task_and_what_it_was_made_from(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    with reading(demo[0]) as reader:
        run = the_training(reader)
        (preprocess,) = reader.subflow_runs(run.id)
        tasks = {task.task: task for task in reader.task_runs(run.id)}
        inner = {task.task: task for task in reader.task_runs(preprocess.id)}

    assert (run.state, preprocess.state) == ("Completed", "Completed")
    assert {task.state for task in (*tasks.values(), *inner.values())} == {"Completed"}
    for name in ("fit_linear", "fit_xgboost", "fit_trial"):
        assert tasks[name].upstream == (preprocess.key,)
    assert set(inner["make_dataset"].upstream) >= {inner["fit_vectorizer"].key}
    assert {tasks["fit_linear"].key, tasks["fit_xgboost"].key} <= set(tasks["compare_models"].upstream)


def test_the_demo_names_each_absurd_ride_and_warns(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    with reading(demo[0]) as reader:
        run = the_training(reader)
        artifacts = {artifact.key: artifact for artifact in reader.artifacts(run.id)}
        everything = [run.id, *(subflow.id for subflow in reader.subflow_runs(run.id))]
        warnings = [line.text for line in reader.logs(everything, level=30)]
        pictures = [reader.blob(artifacts[key].blob) for key in ("predicted-against-actual", "residuals")]

    january = msgspec.json.decode(artifacts["absurd-distances-2021-01"].data)
    assert len(january["rows"]) == 62
    assert dict(zip(january["columns"], january["rows"][0], strict=True))["miles"] == pytest.approx(244_152.01)
    assert len(msgspec.json.decode(artifacts["absurd-distances-2021-02"].data)["rows"]) == 26
    assert any("62 of 73,908 rides claim" in text for text in warnings)
    assert any("8.5 %" in text for text in warnings)
    assert msgspec.json.decode(artifacts["models"].data)["columns"][:3] == ["model", "rmse_train", "rmse_valid"]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_a_killed_training_goes_on_from_its_last_completed_task(home: Path, tmp_path: Path) -> None:
    words = ["run", FLOW, f"train={JANUARY}", f"valid={FEBRUARY}", "n_trials=1", "max_depth=4"]
    process = subprocess.Popen([OSTINATO, *words], cwd=tmp_path, env=environment(home), stdout=-3, stderr=-3)
    try:
        until(lambda: "fit_linear" in completed(home) and "fit_xgboost" in task_runs(home))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = completed(home)
    with reading(home) as reader:
        assert the_run(reader).state == "Crashed"

    plan = ostinato("resume", "last", "--plan", home=home, cwd=tmp_path)
    resumed = ostinato("resume", "last", home=home, cwd=tmp_path)

    assert f"reuse {len(before) + 9}, re-run 1 because `fit_xgboost` crashed" in plan.stdout
    assert "xgboost: RMSE 6.64" in resumed.stdout + resumed.stderr
    after = completed(home)
    with reading(home) as reader:
        run = the_run(reader)
    assert (run.state, run.epoch) == ("Completed", 2)
    assert run.n_reused >= len(before)
    assert {name: after[name].ended_at for name in before} == {name: before[name].ended_at for name in before}
    assert {"fit_xgboost", "fit_trial", "compare_models", "plot_model"} <= set(after)


def test_a_missing_month_fails_the_run_and_names_the_file(home: Path, tmp_path: Path) -> None:
    ended = ostinato("run", FLOW, "train=no.parquet", f"valid={FEBRUARY}", home=home, cwd=tmp_path, code=1)

    assert "no.parquet" in ended.stderr
    with reading(home) as reader:
        run = the_run(reader)
    assert run.state == "Failed"
    assert "load_trips" in run.message


def test_without_its_packages_the_demo_says_what_to_install(home: Path, tmp_path: Path) -> None:
    program = "import sys; sys.modules['optuna'] = None; from ostinato.cli.main import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "demo"],
        cwd=tmp_path,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "error[extra-missing]" in ended.stderr
    assert 'pip install "ostinato[demo]"' in ended.stderr


def test_the_wheel_carries_the_example_and_two_months_in_less_than_2_mb(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )

    (wheel,) = tmp_path.glob("*.whl")
    sizes = {info.filename: info.file_size for info in zipfile.ZipFile(wheel).infolist()}
    months = {name: size for name, size in sizes.items() if name.endswith(".parquet")}
    assert set(months) == {f"ostinato/demo/ride_duration/data/{month.name}" for month in (JANUARY, FEBRUARY)}
    assert sum(months.values()) < 2_000_000
    assert "ostinato/demo/ride_duration/src/ride_duration/flows.py" in sizes
    assert not any(name.startswith("data/") or name.endswith(".csv") for name in sizes)


# ------------------------------------------------------------------------------------------- processes and homes


def environment(home: Path) -> dict[str, str]:
    """Give the environment of a process on that home; one thread for XGBoost, which spins where cores are shared."""
    return {**os.environ, "OSTINATO_HOME": str(home), "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"}


def ostinato(*words: str, home: Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line; give what it printed."""
    ended = subprocess.run(
        [OSTINATO, *words], cwd=cwd, env=environment(home), capture_output=True, text=True, check=False, timeout=280
    )
    assert ended.returncode == code, f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended


def error_of(model: str, printed: str) -> float:
    """Give the validation error in a line of the demo's table."""
    found = re.search(rf"^  {model} +[\d.]+ +([\d.]+) ", printed, re.MULTILINE)
    assert found is not None, printed
    return float(found[1])


@contextmanager
def reading(home: Path) -> Iterator[Reader]:
    """Give a reader of a home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSTINATO_HOME", str(home))
        reader: Reader = resolve(READER)()
    try:
        yield reader
    finally:
        reader.close()


def the_run(reader: Reader) -> FlowRun:
    """Give the one root run of a home."""
    (run,) = (run for run in reader.runs(Query())[0] if run.id == run.root_id)
    return run


def the_training(reader: Reader) -> FlowRun:
    """Give the training in the one root run of a home."""
    (run,) = (run for run in reader.subflow_runs(the_run(reader).id) if run.flow == "train-ride-duration")
    return run


def task_runs(home: Path) -> dict[str, TaskRun]:
    """Give the newest run of each task of the one root run, by task."""
    with reading(home) as reader:
        roots = [run for run in reader.runs(Query())[0] if run.id == run.root_id]
        return {task.task: task for run in roots for task in reader.task_runs(run.id)}


def completed(home: Path) -> dict[str, TaskRun]:
    """Give those that completed."""
    return {name: task for name, task in task_runs(home).items() if task.state == "Completed"}


def until(holds: Callable[[], bool], patience_s: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, f"not within {patience_s} s"
        time.sleep(0.05)
