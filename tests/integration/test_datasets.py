"""`ostinato.dataset` in flows: what is recorded, what is recognised, and what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.engine_record import Record
from tests.integration.served import Served, problem, served
from tests.s3 import BUCKET, S3, s3

from ostinato import dataset, flow, log_metric, session, start_run, task
from ostinato.core.errors import BadOption, DatasetUnreadable
from ostinato.tracking import profiles
from ostinato.tracking.datasets import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.datasets import DataLink, DataVersion

ROOT = Path(__file__).parents[2]
JANUARY, FEBRUARY = (ROOT / f"examples/ride_duration/data/green_tripdata_2021-0{month}.parquet" for month in (1, 2))


def versions(name: str = "") -> list[DataVersion]:
    session.recorder().settle("database")
    reader = session.reader()
    try:
        return reader.datasets(name=name)
    finally:
        reader.close()


def links(digest: str) -> list[DataLink]:
    session.recorder().settle("database")
    reader = session.reader()
    try:
        return reader.dataset_links(digest)
    finally:
        reader.close()


@task
def read(source: Any, context: str = "") -> Dataset:
    return dataset(source, name="rides", context=context)


@task
def fit(rides: Dataset) -> int:
    with start_run("linear"):
        dataset(rides.data, name="rides", context="training")
        log_metric("rmse", 7.76)
    return len(rides.frame())


@flow
def train(source: Any) -> tuple[str, int]:
    rides = read(source)
    return rides.digest, fit(rides)


def test_a_file_is_linked_to_the_flow_run_its_task_runs_and_the_tracking_run(home: Path) -> None:
    digest, n_rows = train(JANUARY)
    record = Record()
    assert n_rows == 76_518
    (version,) = versions()
    assert (version.digest, version.name, version.source) == (digest, "rides", str(JANUARY))
    assert (version.n_rows, version.n_bytes) == (76_518, 717_804)
    assert {(link.kind, link.context) for link in links(digest)} == {
        ("flow-run", ""),
        ("task-run", ""),
        ("flow-run", "training"),
        ("task-run", "training"),
        ("tracking-run", "training"),
    }
    assert {link.ref for link in links(digest) if link.kind == "task-run"} == {
        f"{record.run.id}/1",
        f"{record.run.id}/2",
    }


def test_data_that_a_subflow_run_read_is_data_of_the_outermost_run(home: Path) -> None:
    @flow
    def outer() -> str:
        return train({"x": [1.0, 2.0]})[0]

    digest = outer()
    run = Record().run
    reader = session.reader()
    assert {link.digest for link in reader.datasets_of_run(run.id)} == {digest}
    reader.close()


def test_unchanged_data_is_recognised_by_another_process_and_not_counted_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dataset(JANUARY, name="rides")
    session.close()

    def refuse(*_: object) -> None:
        raise AssertionError("it was profiled again")

    monkeypatch.setattr(profiles, "profile_parts", refuse)
    again = dataset(shutil.copy(JANUARY, tmp_path / "copy.parquet"))
    assert (again.digest, again.profile, again.name) == (first.digest, first.profile, "copy")
    (version,) = versions()
    assert version.name == "rides"
    assert versions("copy") == [version]


def test_a_changed_file_is_another_version(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "month.parquet"
    shutil.copy(JANUARY, file)
    before = dataset(file, name="month")
    shutil.copy(FEBRUARY, file)
    after = dataset(file, name="month")
    assert before.digest != after.digest
    assert [one.digest for one in versions("month")] == [after.digest, before.digest]


def test_a_frame_is_the_same_data_whichever_library_holds_it(home: Path) -> None:
    frame = pd.read_parquet(JANUARY)
    plain = dataset(frame, name="rides")
    assert plain.frame() is frame
    assert dataset(frame[::1].copy()).digest == plain.digest
    assert dataset(pl.from_pandas(frame)).digest == plain.digest
    assert dataset(pa.Table.from_pandas(frame)).digest == plain.digest
    assert dataset(frame.drop(index=0)).digest != plain.digest
    assert len(versions()) == 2


def test_data_comes_as_a_frame_of_the_library_that_is_wanted(home: Path) -> None:
    rides = dataset(JANUARY)
    pd.testing.assert_frame_equal(rides.frame(), pd.read_parquet(JANUARY))
    assert rides.frame("polars").equals(pl.read_parquet(JANUARY))
    assert dataset(pd.DataFrame({"x": [1, 2]})).frame("polars").equals(pl.DataFrame({"x": [1, 2]}))
    assert repr(rides) == f"Dataset('green_tripdata_2021-01', {rides.digest[:12]}, 76,518 rows)"


def test_row_labels_count_when_they_have_a_name(home: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    assert dataset(frame.set_axis([7, 9])).digest == dataset(frame).digest
    named = dataset(frame.set_axis(pd.Index([7, 9], name="day")))
    assert [field.name for field in named.schema] == ["x", "day"]


def test_a_folder_is_one_table_with_types_that_fit_all_its_files(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "months"
    folder.mkdir()
    pq.write_table(pa.table({"zone": pa.array([1, 2], "int32")}), folder / "a.parquet")
    pq.write_table(pa.table({"zone": [3, 1 << 40], "fee": [0.5, None]}), folder / "b.parquet")
    (folder / "README").write_text("words")
    months = dataset(folder, name="months")
    assert [(field.name, field.type) for field in months.schema] == [("zone", "int64"), ("fee", "double")]
    assert months.n_rows == 4
    assert months.frame("pyarrow")["zone"].to_pylist() == [1, 2, 3, 1 << 40]
    (folder / "README").write_text("other words")
    assert dataset(folder).digest != months.digest
    (folder / "README").write_text("words")
    assert dataset(folder).digest == months.digest


@pytest.fixture
def bucket() -> Iterator[S3]:
    with s3() as one:
        yield one


def test_a_bucket_is_read_as_a_folder_is(
    home: Path, bucket: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "rides"
    folder.mkdir()
    for file in (JANUARY, FEBRUARY):
        shutil.copy(file, folder)
        bucket.client().upload_file(str(file), BUCKET, f"rides/{file.name}")
    month = dataset(f"s3://{BUCKET}/rides/{JANUARY.name}", name="rides")
    assert (month.digest, month.n_bytes) == (dataset(JANUARY).digest, 717_804)
    pd.testing.assert_frame_equal(month.frame(), pd.read_parquet(JANUARY))
    both = dataset(f"s3://{BUCKET}/rides")
    assert (both.digest, both.n_rows) == (dataset(folder).digest, 76_518 + 64_572)
    assert versions("rides")[0].source == f"s3://{BUCKET}/rides"


def test_csv_is_a_table_and_any_other_file_is_only_hashed(home: Path, tmp_path: Path) -> None:
    reviews = dataset(ROOT / "data/yelp.csv", name="reviews")
    assert (reviews.n_rows, len(reviews.schema)) == (750, 2)
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"\x89PNG")
    other = dataset(photo)
    assert (other.n_rows, other.schema, other.profile, other.name) == (None, (), None, "photo")
    with pytest.raises(DatasetUnreadable, match="it is no table"):
        other.frame()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("nothing.parquet", "there is no such file or folder"),
        ("memory://nothing.parquet", "there is no such file or folder"),
        ("nothing://month.parquet", "nothing"),
        ("empty", "the folder has no file"),
        ("broken.parquet", "(?i)parquet"),
        ("uneven.csv", "(?i)csv|columns"),
        (17, "neither a path nor a frame"),
        ([1, 2], "neither a path nor a frame"),
        (pd.DataFrame({"x": [1, "a", 2.5]}), "column x"),
    ],
)
def test_what_is_no_data_is_refused_with_the_reason(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("broken.parquet").write_bytes(b"PAR1 and no more")
    Path("uneven.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(DatasetUnreadable, match=reason):
        dataset(source)
    assert versions() == []


def test_a_path_that_is_no_text_is_hashed_and_told_with_its_bytes_escaped(home: Path, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"m\xff.png")
    file.write_bytes(b"\x89PNG")
    assert dataset(file).digest == dataset(str(file)).digest
    (version,) = versions()
    assert version.source == f"{tmp_path}/m\\xff.png"
    table = file.with_suffix(".parquet")
    shutil.copy(JANUARY, table)
    with pytest.raises(DatasetUnreadable, match="utf-8"):  # pyarrow has no way to open it
        dataset(table)


@pytest.mark.parametrize("name", ["x" * 201, "a\nb", "a\x00"])
def test_a_name_that_cannot_be_kept_is_refused(home: Path, name: str) -> None:
    with pytest.raises(BadOption):
        dataset({"x": [1]}, name=name)


def test_columns_of_all_types_are_hashed_and_counted(home: Path) -> None:
    table = pa.table(
        {
            "flag": pa.array([True, None, False]),
            "half": pa.array([1.0, 2.0, None], pa.float16()),
            "money": pa.array(["1.10", "2.20", None]).cast(pa.decimal128(10, 2)),
            "day": pa.array([1, 2, None], pa.date32()),
            "zoned": pa.array([1, 2, None], pa.timestamp("ns", "Europe/Berlin")),
            "clock": pa.array([1, 2, None], pa.time64("ns")),
            "kind": pa.array(["a", "b", None]).dictionary_encode(),
            "bytes": pa.array([b"\x00", b"\xff", None]),
            "list": pa.array([[1], [], None]),
            "struct": pa.array([{"a": 1}, {"a": None}, None]),
            "nothing": pa.nulls(3),
            "größe 日本": pa.array(["ä\x00", "\U0001f600", ""]),
        }
    )
    found = dataset(table)
    assert found.profile is not None
    assert {column.name: column.n_missing for column in found.profile.columns} == {
        **dict.fromkeys(table.column_names, 1),
        "nothing": 3,
        "größe 日本": 0,
    }
    session.recorder().settle("database")
    reader = session.reader()
    assert reader.find_dataset(found.digest).profile == found.profile
    reader.close()


def test_a_table_without_rows_or_columns_is_data_too(home: Path) -> None:
    assert dataset(pd.DataFrame()).n_rows == 0
    assert dataset({"x": pa.array([], "int64")}).digest != dataset(pd.DataFrame()).digest


# --- over HTTP


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def test_versions_are_listed_shown_compared_and_traced_over_http(server: Served) -> None:
    old, _ = train(JANUARY)
    dataset(FEBRUARY, name="later")
    new = dataset(FEBRUARY).digest
    run = Record().run
    session.recorder().settle("database")
    page = server.http.get("/api/datasets", params={"limit": 1}).json()
    assert [one["digest"] for one in page["items"]] == [new]
    page = server.http.get("/api/datasets", params={"limit": 1, "after": page["next"]}).json()
    assert ([one["digest"] for one in page["items"]], page["next"]) == ([old], None)
    shown = server.http.get("/api/datasets/rides").json()
    assert shown["schema"][4] == {"name": "trip_distance", "type": "double"}
    assert sum(shown["columns"][4]["counts"]) == 76_518
    difference = server.http.get(f"/api/datasets/{old}/diff/later").json()
    assert (difference["n_rows_before"], difference["n_rows_after"]) == (76_518, 64_572)
    assert difference["columns"][4]["psi"] < 0.01
    kinds = [one["kind"] for one in server.http.get(f"/api/datasets/{old[:8]}/links").json()]
    assert sorted(set(kinds)) == ["flow-run", "task-run", "tracking-run"]
    assert {one["digest"] for one in server.http.get(f"/api/runs/{run.id}/datasets").json()} == {old}
    assert problem(server.http.get("/api/datasets/nothing")) == (404, "dataset-not-found")
    assert problem(server.http.get("/api/datasets", params={"after": "x"})) == (400, "request-invalid")
