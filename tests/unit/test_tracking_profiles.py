"""Profiles and fingerprints of real data, against what numpy and pandas say."""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ostinato.core.datasets import Categories, Numbers, Profile, merged, stability_index
from ostinato.tracking import files as data_files
from ostinato.tracking import fingerprints, profiles, tables
from ostinato.tracking.files import Files

ROOT = Path(__file__).parents[2]
MORE = Path(os.environ.get("OSTINATO_DATA", ROOT.parent / "shared" / "data"))
JANUARY, FEBRUARY = (ROOT / f"examples/ride_duration/data/green_tripdata_2021-0{month}.parquet" for month in (1, 2))


@pytest.fixture(scope="module")
def trips() -> pd.DataFrame:
    return pd.read_parquet(JANUARY)


def numbers_of(values: Any, like: Profile | None = None) -> Numbers:
    (column,) = profiles.profile(tables.of_frame({"x": values}), like).columns
    assert isinstance(column, Numbers)
    return column


def words_of(values: Any, like: Profile | None = None) -> Categories:
    (column,) = profiles.profile(tables.of_frame({"x": values}), like).columns
    assert isinstance(column, Categories)
    return column


# --- numbers


def test_edges_are_quantiles_and_cells_hold_what_lies_in_them(trips: pd.DataFrame) -> None:
    miles = trips["trip_distance"]
    column = numbers_of(miles)
    quantiles = np.percentile(miles, np.linspace(0, 100, 129), method="nearest")
    assert set(column.edges) == set(quantiles)
    at = miles.value_counts()
    assert column.counts[1::2] == tuple(at[edge] for edge in column.edges)
    between = pd.cut(miles[~miles.isin(column.edges)], list(column.edges)).value_counts(sort=False)
    assert column.counts[2:-1:2] == tuple(between)
    assert (column.counts[0], column.counts[-1], sum(column.counts)) == (0, 0, len(trips))


def test_moments_are_those_of_numpy(trips: pd.DataFrame) -> None:
    miles = trips["trip_distance"]
    column = numbers_of(miles)
    assert column.mean == pytest.approx(miles.mean())
    assert column.deviation == pytest.approx(np.std(miles))
    assert (column.least, column.most) == (miles.min(), miles.max())


def test_few_values_are_each_counted_and_missing_ones_apart(trips: pd.DataFrame) -> None:
    passengers = trips["passenger_count"]
    column = numbers_of(passengers)
    counted = passengers.value_counts().sort_index()
    assert column.edges == tuple(counted.index)
    assert column.counts[1::2] == tuple(counted)
    assert sum(column.counts[::2]) == 0
    assert (column.n, column.n_missing) == (len(trips), passengers.isna().sum())


def test_infinities_lie_beyond_all_edges_and_are_not_in_the_moments() -> None:
    column = numbers_of([-np.inf, 1.0, 2.0, np.inf, np.inf, np.nan, None])
    assert (column.edges, column.counts) == ((1.0, 2.0), (1, 1, 0, 1, 2))
    assert (column.n, column.n_missing, column.n_finite, column.mean) == (7, 2, 2, 1.5)


@pytest.mark.parametrize("values", [[], [None, None], [np.nan]])
def test_a_column_without_values_has_no_edges(values: list[Any]) -> None:
    column = numbers_of(pa.array(values, pa.float64()))
    assert (column.edges, column.counts, column.n_missing) == ((), (0,), len(values))


def test_instants_count_in_utc_microseconds() -> None:
    instants: Any = pd.Series(["2021-01-01", "1969-12-31T23:59:59", None]).astype("datetime64[ns]")
    assert numbers_of(instants).edges == (-1_000_000, 1_609_459_200_000_000)
    for values, first in (([1], pa.date32()), 86_400_000_000), (([2_500], pa.time32("ms")), 2_500_000):
        assert numbers_of(pa.array(*values)).edges == (first,)
    assert numbers_of(pa.array([3], pa.duration("s"))).edges == (3_000_000,)


def test_the_largest_doubles_do_no_harm() -> None:
    assert numbers_of([1.7e308, 1.7e308, -1.7e308]).n_finite == 3


# --- words


def test_the_most_frequent_words_are_counted_apart() -> None:
    reviews = pd.read_csv(ROOT / "data/yelp.csv")
    first = reviews.iloc[:, 0].astype(str).str.split().str[0].str.lower()
    column = words_of(first)
    frequent = sorted(Counter(first).items(), key=lambda pair: (-pair[1], pair[0]))[:128]
    assert list(zip(column.values, column.counts, strict=True)) == frequent
    assert column.n_other == len(first) - sum(count for _, count in frequent)


def test_categories_flags_and_texts_are_words() -> None:
    assert words_of(pd.Categorical(["b", "a", "b", None])) == Categories("x", 4, 1, ("b", "a"), (2, 1), 0)
    assert words_of([True, False, True]) == Categories("x", 3, 0, ("true", "false"), (2, 1), 0)
    assert words_of(["short", "long" * 100]) == Categories("x", 2, 0, ("short",), (1,), 1)
    assert words_of([[1], [2], None]) == Categories("x", 3, 1, (), (), 2)


# --- parts


def test_parts_over_given_cells_add_up_to_the_whole(trips: pd.DataFrame) -> None:
    frame = trips.assign(zone=trips["PULocationID"].astype(str))
    table = tables.of_frame(frame)
    whole = profiles.profile(table)
    cut = random.Random(3).randrange(len(frame))
    parts = merged(profiles.profile(table.slice(0, cut), whole), profiles.profile(table.slice(cut), whole))
    for one, two in zip(whole.columns, parts.columns, strict=True):
        assert one.counts == two.counts
        assert (one.n, one.n_missing) == (two.n, two.n_missing)
        if isinstance(one, Numbers) and isinstance(two, Numbers):
            assert two.mean == pytest.approx(one.mean)
            assert two.squares == pytest.approx(one.squares)


def test_a_long_table_is_counted_in_parts_over_cells_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MOST_SAMPLED", 1000)
    files = Files(str(JANUARY))
    monkeypatch.setattr(data_files, "PART_ROWS", 7000)
    found = profiles.profile_parts(lambda: files.parts(files.open()), 76_518)
    exact = profiles.profile(files.table())
    assert found.n_rows == 76_518
    for one, two in zip(found.columns, exact.columns, strict=True):
        assert (one.n, one.n_missing) == (two.n, two.n_missing)
        assert isinstance(one, Numbers)
        assert isinstance(two, Numbers)
        assert one.mean == pytest.approx(two.mean)
        index = stability_index(one, two)
        assert index is not None
        assert index < 0.01


# --- the stability index on real months


def _published_index(reference: pd.Series[float], other: pd.Series[float]) -> float:
    """Give the index over ten quantile bins of the reference, least share 1e-4, from the rows themselves."""
    edges = [-np.inf, *np.unique(np.quantile(reference, np.arange(1, 10) / 10)), np.inf]
    shares = [np.histogram(values, edges)[0] / len(values) for values in (reference, other)]
    p, q = (np.maximum(share, 1e-4) for share in shares)
    return float(((q - p) * np.log(q / p)).sum())


def test_the_index_of_two_profiles_is_near_that_of_the_rows(trips: pd.DataFrame) -> None:
    february = pd.read_parquet(FEBRUARY)
    for name in ("trip_distance", "PULocationID", "DOLocationID"):
        one, two = (profiles.profile(tables.of_frame(month[[name]])).columns[0] for month in (trips, february))
        index = stability_index(one, two)
        assert index == pytest.approx(_published_index(trips[name], february[name]), abs=0.002)


def test_january_and_a_month_of_2023_have_drifted_apart(trips: pd.DataFrame) -> None:
    later = pd.read_parquet(ROOT / "data/rides/green_tripdata_2023-01.parquet")
    one, two = (profiles.profile(tables.of_frame(month[["trip_distance"]])).columns[0] for month in (trips, later))
    expected = _published_index(trips["trip_distance"], later["trip_distance"])
    assert expected > 0.25
    # Of 1,706 rows each of its 128 bins has 13: where in them a bound of the reference lies is a guess.
    assert stability_index(one, two) == pytest.approx(expected, rel=0.1)


@pytest.mark.skipif(not MORE.is_dir(), reason="the raw months are elsewhere; OSTINATO_DATA names their folder")
@pytest.mark.parametrize(
    ("month", "miles", "minutes"),
    [("2021-02", 0.002, 0.006), ("2022-01", 0.175, 0.083), ("2023-01", 0.238, 0.118), ("2025-01", 0.289, 0.148)],
)
def test_the_drift_of_later_months_is_the_known_one(month: str, miles: float, minutes: float) -> None:
    """The expected indices were computed apart from this code, from the rows."""
    reference, later = (_rides(MORE / f"green_tripdata_{one}.parquet") for one in ("2021-01", month))
    columns = [profiles.profile(tables.of_frame(rides)).columns for rides in (reference, later)]
    found = {one.name: stability_index(one, two) for one, two in zip(*columns, strict=True)}
    assert found["miles"] == pytest.approx(miles, abs=0.004)
    assert found["minutes"] == pytest.approx(minutes, abs=0.004)


def _rides(month: Path) -> pd.DataFrame:
    """Give miles and minutes of the trips of 1 to 60 minutes."""
    trips = pd.read_parquet(month)
    minutes = (trips["lpep_dropoff_datetime"] - trips["lpep_pickup_datetime"]).dt.total_seconds() / 60
    return pd.DataFrame({"miles": trips["trip_distance"], "minutes": minutes})[minutes.between(1, 60)]


@pytest.mark.skipif(not MORE.is_dir(), reason="the customers are elsewhere; OSTINATO_DATA names their folder")
def test_customers_are_counted_as_pandas_counts_them() -> None:
    file = MORE / "WA_Fn-UseC_-Telco-Customer-Churn.csv"
    frame = pd.read_csv(file)
    for column in profiles.profile(Files(str(file)).table()).columns:
        values = frame[column.name]
        assert (column.n, column.n_missing) == (7_043, values.isna().sum())
        if isinstance(column, Numbers):
            assert column.mean == pytest.approx(values.mean())
            at = values.value_counts()
            assert column.counts[1::2] == tuple(at[edge] for edge in column.edges)
        else:
            counted = values.value_counts()
            frequent = sorted(counted.items(), key=lambda pair: (-pair[1], str(pair[0])))[:128]
            assert list(zip(column.values, column.counts, strict=True)) == frequent
            assert sum(column.counts) + column.n_other == 7_043


# --- fingerprints


def test_a_file_is_hashed_by_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc" * 1_000_000)
    assert fingerprints.of_file(str(file)) == hashlib.blake2b(b"abc" * 1_000_000, digest_size=16).hexdigest()


def test_a_folder_is_hashed_by_names_and_content_of_its_files(tmp_path: Path) -> None:
    def digest(*files: tuple[str, bytes]) -> str:
        folder = tmp_path / random.randbytes(8).hex()
        for name, content in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return Files(str(folder)).fingerprint()

    assert digest(("a/x", b"1"), ("y", b"2")) == digest(("y", b"2"), ("a/x", b"1"))
    assert digest(("a/x", b"1")) != digest(("a/y", b"1"))
    assert digest(("a/x", b"1")) != digest(("a/x", b"2"))
    assert digest(("a/x", b"1")) == digest(("a/x", b"1"), (".hidden", b"2"), ("_logs/x", b"3"))


def test_the_library_that_holds_a_frame_does_not_matter(trips: pd.DataFrame) -> None:
    frame = trips.assign(zone=trips["PULocationID"].astype(str), long=trips["trip_distance"] > 10)
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    chunked = pa.concat_tables([arrow.slice(0, 1000), arrow.slice(1000)])
    shuffled_labels = frame.set_axis(frame.index[::-1])
    found = {
        fingerprints.of_table(tables.of_frame(one))
        for one in (frame, arrow, chunked, pl.from_arrow(arrow), shuffled_labels, frame.copy())
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"x": [1, 2, 4]},
        {"x": [1.0, 2.0, 3.0]},
        {"y": [1, 2, 3]},
        {"x": [1, 2, None]},
        {"x": [1, 2]},
        {"x": [1, 2, 3], "y": ["", "", ""]},
        {"x": ["1", "2", "3"]},
        {"x": [3, 2, 1]},
    ],
)
def test_another_value_type_name_or_order_is_another_fingerprint(change: dict[str, Any]) -> None:
    assert fingerprints.of_table(pa.table(change)) != fingerprints.of_table(pa.table({"x": [1, 2, 3]}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["", None], [None, ""]),
        ([0, None], [None, 0]),
        ([[1], [2, 3]], [[1, 2], [3]]),
        ([True, None], [None, True]),
    ],
)
def test_where_values_end_and_are_missing_counts(one: list[Any], other: list[Any]) -> None:
    assert fingerprints.of_table(pa.table({"x": one})) != fingerprints.of_table(pa.table({"x": other}))


def test_all_ways_to_be_no_number_are_one() -> None:
    signalling = np.array([1.0, np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf0\xff", "f8")[0]])
    ways = (pa.array([1.0, None]), pa.array([1.0, float("nan")]), signalling)
    assert len({fingerprints.of_table(pa.table({"x": pa.array(way)})) for way in ways}) == 1


def test_slices_count_by_what_they_show() -> None:
    words = pa.table({"x": ["a", "b", None, "dd", "e"], "n": [1, None, 3, 4, 5], "b": [True, False, None, True, True]})
    whole = pa.table({"x": ["b", None, "dd"], "n": [None, 3, 4], "b": [False, None, True]})
    assert fingerprints.of_table(words.slice(1, 3)) == fingerprints.of_table(whole)
