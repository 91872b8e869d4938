"""MLflow's histories of metrics: all values of one run, or some values of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from ostinato.core.errors import PageTokenInvalid
from ostinato.core.tracking import sampled
from ostinato.server.mlflow.faults import Fault, missing, not_found
from ostinato.server.mlflow.frame import Asked, Door, Doors
from ostinato.server.mlflow.wire import Metric, point_message
from ostinato.store import tracking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.tracking import Point
    from ostinato.store.database import Connection

MOST_POINTS: Final = 25_000
"""Values in one answer, unless fewer are asked for."""
MOST_RUNS: Final = 100
"""Runs of one question about many."""
MOST_SAMPLED: Final = 2_500
INVALID: Final = "INVALID_PARAMETER_VALUE"

_LAST: Final = (1 << 63) - 1


class History(msgspec.Struct, frozen=True):
    """Which metric of which run."""

    metric_key: str
    run_id: str = ""
    run_uuid: str = ""
    page_token: str = ""
    max_results: Annotated[int, Meta(ge=1)] = MOST_POINTS


class Interval(msgspec.Struct, frozen=True):
    """Which metric of which runs, from one step to another."""

    metric_key: str = ""
    run_ids: tuple[str, ...] = ()
    start_step: int | None = None
    end_step: int | None = None
    max_results: int = MOST_SAMPLED


class Many(msgspec.Struct, frozen=True):
    """Which metric of which runs."""

    metric_key: str = ""
    run_id: tuple[str, ...] = ()
    max_results: Annotated[int, Meta(ge=1)] = MOST_POINTS


async def _history(asked: Asked, wanted: History) -> Any:
    run_id = wanted.run_id or wanted.run_uuid
    if not run_id:
        raise missing("run_id")
    after, limit = _place(wanted.page_token), min(wanted.max_results, MOST_POINTS)

    def question(db: Connection) -> list[Point]:
        if tracking.tracking_run(db, run_id) is None:
            raise not_found("Run", run_id)
        return list(tracking.metric_history(db, run_id, wanted.metric_key, after=after, limit=limit + 1))

    found = await asked.read(lambda shelf: question(shelf.db))
    answer: dict[str, Any] = {"metrics": [point_message(one) for one in found[:limit]]}
    if len(found) > limit:
        answer["next_page_token"] = f"{found[limit - 1].step}.{found[limit - 1].at}"
    return answer


def _place(token: str) -> tuple[int, int]:
    """Give the step and instant that a page follows."""
    if not token:
        return tracking.FIRST
    step, _, at = token.partition(".")
    try:
        return int(step), int(at)
    except ValueError as error:
        raise PageTokenInvalid(token=token[:60]) from error


async def _interval(asked: Asked, wanted: Interval) -> Any:
    start, end = wanted.start_step, wanted.end_step
    if not wanted.run_ids or not wanted.metric_key:
        raise missing("metric_key" if wanted.run_ids else "run_ids")
    if len(wanted.run_ids) > MOST_RUNS:
        raise Fault(INVALID, f"GetMetricHistoryBulkInterval request must specify at most {MOST_RUNS} run_ids.")
    if not 1 <= wanted.max_results <= MOST_SAMPLED:
        raise Fault(INVALID, f"max_results must be between 1 and {MOST_SAMPLED}.")
    if (start is None) != (end is None):
        raise Fault(INVALID, "If either start step or end step are specified, both must be specified.")
    if start is not None and end is not None and start > end:
        raise Fault(INVALID, "end_step must be greater than start_step. ")

    def question(db: Connection) -> list[Metric]:
        found: list[Metric] = []
        for run_id in wanted.run_ids:
            points = sampled(list(_between(db, run_id, wanted)), max(wanted.max_results, 4))
            found += [point_message(one, run_id) for one in points]
        return found

    return {"metrics": await asked.read(lambda shelf: question(shelf.db))}


def _between(db: Connection, run_id: str, wanted: Interval) -> Iterator[Point]:
    after = tracking.FIRST if wanted.start_step is None else (wanted.start_step - 1, _LAST)
    for point in tracking.metric_history(db, run_id, wanted.metric_key, after=after):
        if wanted.end_step is not None and point.step > wanted.end_step:
            return
        yield point


async def _many(asked: Asked, wanted: Many) -> Any:
    if not wanted.run_id:
        raise Fault(INVALID, "GetMetricHistoryBulk request must specify at least one run_id.")
    if len(wanted.run_id) > MOST_RUNS:
        raise Fault(INVALID, f"GetMetricHistoryBulk request cannot specify more than {MOST_RUNS} run_ids.")
    if not wanted.metric_key:
        raise Fault(INVALID, "GetMetricHistoryBulk request must specify a metric_key.")
    limit = min(wanted.max_results, MOST_POINTS)

    def question(db: Connection) -> list[Metric]:
        found: list[Metric] = []
        for run_id in wanted.run_id:
            points = tracking.metric_history(db, run_id, wanted.metric_key, limit=limit - len(found))
            found += [point_message(one, run_id) for one in points]
        return found

    return {"metrics": await asked.read(lambda shelf: question(shelf.db))}


DOORS: Final[Doors] = {
    ("GET", "metrics/get-history"): Door(History, _history),
    ("GET", "metrics/get-history-bulk"): Door(Many, _many),
    ("GET", "metrics/get-history-bulk-interval"): Door(Interval, _interval),
}
