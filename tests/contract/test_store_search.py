"""What a search with MLflow's filter grammar finds, and in which order, on both databases."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest

from ostinato.core.commands import ChangeTracking, CreateExperiment, LogBatch, LogInput, StartTracking
from ostinato.core.errors import FilterInvalid, PageTokenInvalid
from ostinato.core.tracking import Point
from ostinato.session.home import Home
from ostinato.session.ledger import Ledger
from ostinato.store import tracking_search
from ostinato.store.commands.handlers import carry_out
from ostinato.store.tracking_search import EXPERIMENTS, search, search_tracking_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.commands import Command
    from ostinato.store.database import Connection

AT = 1_790_000_000_000_000
LONG = "é" * 200
"""Longer than what an index has of it."""
VALUES = {"low": 1.0, "mid": 2.5, "high": 9.0, "nan": math.nan, "inf": math.inf, "less": -math.inf}


class Searched:
    """Some runs, and what is found of them."""

    def __init__(self, ledger: Ledger, db: Connection) -> None:
        self.ledger = ledger
        self.db = db
        self.experiment = self.do(CreateExperiment(name="rides", tags={"team": "A"})).id
        self.do(CreateExperiment(name="Other rides"))
        for number, (name, value) in enumerate(VALUES.items()):
            started_at = AT + number * 1_000_000
            run = self.do(StartTracking(experiment="rides", name=name, started_at=started_at)).id
            params = {"depth": str(number), "max depth": "x" if number % 2 else "y", "path": f"a[{number}]\\b%c"}
            params["long"] = f"{LONG}{number % 2}"
            tags: dict[str, str | None] = {"Case": "ABC def"} if number < 3 else {}
            metrics = [
                Point("loss", value, 0, AT),
                Point("same", 3.0, 0, AT),
                *([Point("other", float(number % 4), 0, AT)] if number % 2 else []),
            ]
            self.do(LogBatch(run=run, params=params, tags=tags, metrics=tuple(metrics)))
            if name == "low":
                self.do(LogInput(run=run, digest="d1", name="jan", context="training"))
                self.do(ChangeTracking(run=run, status="finished", ended_at=started_at + 5_000_000))
        self.do(StartTracking(experiment="rides", name="bare", started_at=AT - 1_000_000))

    def do(self, command: Command[Any]) -> Any:
        return self.ledger.do(lambda tx: carry_out(tx, command))

    def names(self, text: str = "", *order: str, **words: Any) -> list[str]:
        found, token = search_tracking_runs(
            self.db, experiments=[self.experiment], filter=text, order_by=order, **words
        )
        assert not token
        return [run.name for run in found]


@pytest.fixture
def searched(home: Path) -> Iterator[Searched]:
    place = Home(str(home))
    ledger = Ledger(place)
    database = place.open_to_read()
    yield Searched(ledger, database.db)
    database.close()
    ledger.close()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("metrics.loss < 2.5", {"low", "less"}),
        ("metrics.loss <= 2.5", {"low", "mid", "less"}),
        ("metrics.loss > 2.5", {"high", "inf"}),
        ("metrics.loss = 9", {"high"}),
        ("metrics.loss != 9", {"low", "mid", "nan", "inf", "less"}),
        ("params.depth = '2'", {"high"}),
        ("params.`max depth` != 'x'", {"low", "high", "inf"}),
        ("params.path LIKE 'a[2]\\b%c'", {"high"}),
        ("params.path ILIKE 'A[2]\\B%C'", {"high"}),
        ("params.path LIKE 'A%'", set()),
        ("params.path NOT LIKE '%[1]%' and params.depth IS NOT NULL", {"low", "high", "nan", "inf", "less"}),
        ("params.path LIKE '_[4]_b_c'", {"inf"}),
        ("tags.Case LIKE 'ABC%'", {"low", "mid", "high"}),
        ("tags.Case LIKE '%abc%'", set()),
        ("tags.Case ILIKE '%abc%'", {"low", "mid", "high"}),
        ("tags.Case IS NULL", {"nan", "inf", "less", "bare"}),
        ("params.depth IS NULL", {"bare"}),
        ("tags.mlflow.runName LIKE 'l%'", {"low", "less"}),
        ("attributes.run_name IN ('low', 'mid', 'none')", {"low", "mid"}),
        ("run_name NOT IN ('low', 'mid')", {"high", "nan", "inf", "less", "bare"}),
        ("status = 'FINISHED'", {"low"}),
        ("status != 'FINISHED' and params.depth = '1'", {"mid"}),
        ("start_time >= 1790000004000", {"inf", "less"}),
        ("end_time = 1790000005000", {"low"}),
        ("artifact_uri ILIKE 'mlflow-artifacts:/%/artifacts' and params.depth = '0'", {"low"}),
        ("user_id = 'system' and params.depth = '0'", {"low"}),
        ("datasets.digest = 'd1' and dataset.context = 'training'", {"low"}),
        ("datasets.name LIKE 'feb%'", set()),
        ("metrics.loss < 6.5 and params.depth != '1' and tags.Case = 'ABC def'", {"low"}),
    ],
)
def test_a_filter_finds(searched: Searched, text: str, names: set[str]) -> None:
    assert set(searched.names(text)) == names


def test_the_newest_come_first_and_other_orders_are_kept(searched: Searched) -> None:
    assert searched.names() == ["less", "inf", "nan", "high", "mid", "low", "bare"]
    assert searched.names("", "metrics.loss ASC") == ["less", "low", "mid", "high", "inf", "nan", "bare"]
    assert searched.names("", "metrics.loss DESC") == ["inf", "high", "mid", "low", "less", "nan", "bare"]
    by_two = searched.names("", "params.`max depth`", "start_time")
    assert by_two == ["mid", "nan", "less", "low", "high", "inf", "bare"]
    assert searched.names("", "end_time")[0] == "low"
    assert searched.names("", "tags.mlflow.runName") == sorted([*VALUES, "bare"])
    with pytest.raises(FilterInvalid, match="any number of datasets"):
        searched.names("", "datasets.name DESC")


@pytest.mark.parametrize("order", [(), ("metrics.loss DESC",), ("params.`max depth` DESC", "metrics.loss")])
def test_pages_together_are_the_whole_list(searched: Searched, order: tuple[str, ...]) -> None:
    found: list[str] = []
    token = ""
    for _ in range(10):
        page, token = search_tracking_runs(
            searched.db, experiments=[searched.experiment], order_by=order, limit=2, after=token
        )
        found += [run.name for run in page]
        if not token:
            break
    assert found == searched.names("", *order)


ORDERS = (
    "metrics.loss",
    "metrics.loss DESC",
    "metrics.other DESC",
    "metrics.none",
    "metrics.same",
    "metrics.same DESC",
    "start_time",
    "start_time DESC",
    "end_time DESC",
    "run_name",
    "params.`max depth`",
)


@pytest.mark.parametrize(
    "bound",
    [
        "",
        "metrics.loss < 9",
        "metrics.loss <= 9",
        "metrics.loss > 1",
        "metrics.loss >= -1e300",
        "metrics.loss = 2.5",
        "metrics.loss != 9",
        "metrics.loss < 1e308 and metrics.loss > 1",
        "metrics.loss > 0 and metrics.other < 2",
        "params.`max depth` = 'x'",
        "params.`max depth` = 'x' and metrics.loss < 9",
        "tags.Case = 'ABC def' and params.`max depth` = 'y'",
        f"params.long = '{LONG}1'",
        "tags.mlflow.runName = 'low'",
    ],
)
def test_along_an_index_of_values_the_same_is_found(
    searched: Searched, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    text = (f"{bound} and " if bound else "") + "params.depth != '3'"
    expected = {order: searched.names(text, order) for order in ORDERS}
    for (few, many), order in itertools.product(((1, 1), (2, 99), (4, 4)), ORDERS):
        monkeypatch.setattr(tracking_search, "LONG", few)
        monkeypatch.setattr(tracking_search, "MANY", many)
        monkeypatch.setattr(tracking_search, "NEWEST", few)
        assert searched.names(text, order) == expected[order]
        found: list[str] = []
        token = ""
        for _ in range(10):
            page, token = search_tracking_runs(
                searched.db, experiments=[searched.experiment], filter=text, order_by=[order], limit=1, after=token
            )
            found += [run.name for run in page]
            if not token:
                break
        assert (order, found) == (order, expected[order])


def test_deleted_runs_are_found_when_they_are_asked_for(searched: Searched) -> None:
    low = search_tracking_runs(searched.db, experiments=[searched.experiment], filter="run_name = 'low'")[0][0]
    searched.do(ChangeTracking(run=low.id, state="deleted"))
    assert "low" not in searched.names()
    assert searched.names(states=("deleted",)) == ["low"]
    assert len(searched.names(states=("active", "deleted"))) == 7


def test_experiments_are_found_by_name_and_tag(searched: Searched) -> None:
    def found(text: str, *order: str) -> list[str]:
        ids, _ = search(searched.db, EXPERIMENTS, text=text, order_by=order, limit=10)
        return [
            row[0] for one in ids for row in searched.db.execute("SELECT name FROM experiments WHERE id = ?", (one,))
        ]

    assert found("name ILIKE '%rides'", "name ASC") == ["Other rides", "rides"]
    assert found("tags.team = 'A'") == ["rides"]
    assert found("creation_time > 1000 and name = 'rides'") == ["rides"]


def test_what_is_no_filter_and_no_token_is_refused(searched: Searched) -> None:
    with pytest.raises(FilterInvalid):
        searched.names("metrics.loss <")
    for token in ("x", "////", "WzFd"):
        with pytest.raises(PageTokenInvalid):
            searched.names(after=token)
