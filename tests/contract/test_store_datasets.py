"""What every store keeps of versions of data, whoever writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.happenings import created, ended, moved, now_us, started

from ostinato import session
from ostinato.core.commands import DeleteRun
from ostinato.core.datasets import Categories, DatasetSeen, DatasetUsed, Field, Numbers, Profile
from ostinato.core.errors import DatasetAmbiguous, DatasetNotFound, RequestInvalid
from ostinato.core.tracking import InputLogged, TrackingBegun

if TYPE_CHECKING:
    from tests.contract.conftest import Store

    from ostinato.core.events import Event

RIDES, ZONES, REVIEWS = "ab12" + "0" * 28, "ab34" + "0" * 28, "cd56" + "0" * 28
RUN, CHILD, TRACKED = (letter * 32 for letter in "123")
SCHEMA = (Field("miles", "double"), Field("größe\x00", "string"))
PROFILE = Profile(
    3,
    (
        Numbers("miles", 3, 1, (1.0, float(1 << 60)), (0, 1, 0, 1, 0), 2, 0.5, 0.25, 1.0, 2.0),
        Categories("größe\x00", 3, 0, ("a\x00", "b"), (1, 1), 1),
    ),
)


def record(store: Store, *events: Event) -> None:
    for event in events:
        store.recorder.record(event)
    assert store.recorder.settle("database", 20)


def seen(digest: str, name: str, *, profile: Profile | None = PROFILE, at: int = 0) -> DatasetSeen:
    return DatasetSeen(digest, at or now_us(), name, f"/data/{name}.parquet", SCHEMA, 3, 99, profile)


def used(digest: str, run: str = RUN, no: int = 0, *, root: str = RUN, context: str = "", at: int = 0) -> DatasetUsed:
    return DatasetUsed(digest, at or now_us(), "rides", run, root, no, context)


def test_a_version_is_read_as_it_was_written(store: Store) -> None:
    record(store, seen(RIDES, "rides", at=17))
    found = store.reader.find_dataset(RIDES)
    assert (found.digest, found.name, found.source) == (RIDES, "rides", "/data/rides.parquet")
    assert (found.schema, found.n_rows, found.n_bytes, found.created_at) == (SCHEMA, 3, 99, 17)
    assert found.profile == PROFILE


def test_a_version_that_is_no_table_has_neither_rows_nor_profile(store: Store) -> None:
    record(store, DatasetSeen(REVIEWS, 17, "photo", "/data/photo.png", (), None, 7, None))
    found = store.reader.find_dataset("photo")
    assert (found.n_rows, found.schema, found.profile) == (None, (), None)


def test_the_same_data_seen_twice_is_one_version(store: Store) -> None:
    record(store, seen(RIDES, "rides", at=1))
    record(store, seen(RIDES, "trips", profile=None, at=2))
    (found,) = store.reader.datasets()
    assert (found.name, found.created_at) == ("rides", 1)


def test_a_name_is_that_of_the_version_last_called_so_by_whomever(store: Store) -> None:
    record(store, seen(RIDES, "rides", at=1), seen(ZONES, "zones", at=2), used(ZONES, at=3))
    assert store.reader.find_dataset("rides").digest == ZONES
    assert [one.digest for one in store.reader.datasets(name="rides")] == [ZONES, RIDES]
    record(store, used(RIDES, at=4), used(ZONES, at=2))
    assert store.reader.find_dataset("rides").digest == RIDES
    assert store.reader.find_dataset("zones").name == "zones"


def test_versions_are_found_by_digest_its_beginning_and_the_newest_of_a_name(store: Store) -> None:
    record(store, seen(RIDES, "rides", at=1), seen(ZONES, "rides", at=2), seen(REVIEWS, "ab12", at=3))
    assert store.reader.find_dataset("rides").digest == ZONES
    assert store.reader.find_dataset("ab34").digest == ZONES
    assert store.reader.find_dataset("ab12").digest == RIDES
    record(store, seen("ab12" + "1" * 28, "more"))
    with pytest.raises(DatasetAmbiguous, match="fits several"):
        store.reader.find_dataset("ab12")
    for ref in ("ab1", "nothing", "", "ffff", "%", "ab12%", "a\x00b", "日本"):
        with pytest.raises(DatasetNotFound):
            store.reader.find_dataset(ref)


def test_versions_are_listed_newest_first_page_by_page(store: Store) -> None:
    digests = [f"{number:032x}" for number in range(5)]
    record(store, *(seen(digest, "odd" if number % 2 else "even", at=5) for number, digest in enumerate(digests)))
    found: list[str] = []
    after = ""
    while page := store.reader.datasets(after=after, limit=2):
        assert all(one.profile is None for one in page)
        found += [one.digest for one in page]
        after = page[-1].place
    assert found == digests[::-1]
    assert [one.digest for one in store.reader.datasets(name="odd")] == [digests[3], digests[1]]
    for place in ("x", "-1/a", "1" * 30 + "/a"):
        with pytest.raises(RequestInvalid):
            store.reader.datasets(after=place)


def test_a_version_knows_the_flow_runs_task_runs_and_tracking_runs_that_used_it(store: Store) -> None:
    record(
        store,
        created(RUN),
        moved(RUN, "Running", "Pending"),
        seen(RIDES, "rides"),
        used(RIDES, no=2, context="training", at=10),
        used(RIDES, no=2, context="training", at=11),
        used(RIDES, CHILD, 1, at=12),
        TrackingBegun(TRACKED, 13, "rides", "trial", "ann"),
        InputLogged(TRACKED, 14, RIDES, "rides", "validation"),
    )
    links = [(link.kind, link.ref, link.context, link.at) for link in store.reader.dataset_links(RIDES)]
    assert links == [
        ("tracking-run", TRACKED, "validation", 14),
        ("flow-run", RUN, "", 12),
        ("flow-run", CHILD, "", 12),
        ("task-run", f"{CHILD}/1", "", 12),
        ("flow-run", RUN, "training", 10),
        ("task-run", f"{RUN}/2", "training", 10),
    ]
    assert len(store.reader.dataset_links(RIDES, limit=2)) == 2
    assert store.reader.dataset_links(ZONES) == []


def test_the_outermost_run_has_what_its_subflow_runs_read(store: Store) -> None:
    record(store, seen(RIDES, "rides"), used(RIDES, CHILD, 1, at=1), used(ZONES, context="zones", at=2))
    assert [(link.digest, link.context) for link in store.reader.datasets_of_run(RUN)] == [
        (RIDES, ""),
        (ZONES, "zones"),
    ]
    assert [link.digest for link in store.reader.datasets_of_run(CHILD)] == [RIDES]


def test_a_run_that_is_forgotten_is_no_user_any_more(store: Store) -> None:
    record(store, created(RUN), moved(RUN, "Running", "Pending"), started(RUN, 1), seen(RIDES, "rides"))
    record(store, used(RIDES, no=1), ended(RUN, 1), moved(RUN, "Completed"))
    assert len(store.reader.dataset_links(RIDES)) == 2
    commands = session.commands()
    commands.do(DeleteRun(run=RUN))
    commands.close()
    assert store.reader.dataset_links(RIDES) == []
    assert store.reader.find_dataset(RIDES).name == "rides"
