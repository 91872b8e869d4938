"""Searching tracking runs from Python: as a list of values, or as a data frame."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

from ostinato import session
from ostinato.core.errors import BadOption, ExtraMissing
from ostinato.core.ports import READER, resolve
from ostinato.core.settings import load
from ostinato.core.tracking_views import TrackingRunView, tracking_run_view
from ostinato.tracking.collector import collector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.core.ports import Reader

PAGE = 1000


@overload
def search_runs(
    filter: str = "",
    *,
    experiments: Sequence[str] | str = (),
    order_by: Sequence[str] | str = (),
    max_results: int = 1000,
    output: Literal["list"] = "list",
) -> list[TrackingRunView]: ...


@overload
def search_runs(
    filter: str = "",
    *,
    experiments: Sequence[str] | str = (),
    order_by: Sequence[str] | str = (),
    max_results: int = 1000,
    output: Literal["pandas"],
) -> Any: ...


def search_runs(
    filter: str = "",  # noqa: A002 - the name that users of MLflow know
    *,
    experiments: Sequence[str] | str = (),
    order_by: Sequence[str] | str = (),
    max_results: int = 1000,
    output: Literal["list", "pandas"] = "list",
) -> Any:
    """Give tracking runs that match a filter such as `metrics.rmse < 6.5 and params.kind = 'linear'`.

    What this process has logged is among them. The newest come first, or those by `order_by`, such as
    `metrics.rmse ASC`. Without `experiments` (names or ids) all are searched.

    Raises:
        FilterInvalid: (filter-invalid) filter or order cannot be read; it says where.
        ExperimentNotFound: (experiment-not-found).
        ExtraMissing: (extra-missing) `output="pandas"` needs pandas.
    """
    if output not in ("list", "pandas"):
        fix = "Pass 'list' or 'pandas'."
        raise BadOption(option="output", value=output, where="search_runs", reason="there is no such form", fix=fix)
    pandas = _pandas() if output == "pandas" else None
    among = [experiments] if isinstance(experiments, str) else list(experiments)
    orders = [order_by] if isinstance(order_by, str) else list(order_by)
    _settle()
    reader: Reader = resolve(READER)()
    found: list[TrackingRunView] = []
    following = ""
    try:
        while len(found) < max_results:
            page, following = reader.search_tracking_runs(
                among, text=filter, order_by=orders, limit=min(PAGE, max_results - len(found)), after=following
            )
            found += map(tracking_run_view, page)
            if not following:
                break
    finally:
        reader.close()
    return found if pandas is None else pandas.DataFrame(_columns(found))


def _settle() -> None:
    """Have what this process has logged among what is found, as far as it can be delivered in time."""
    collector.flush()
    session.settle(load().exit_wait_s)


def _pandas() -> Any:
    try:
        return import_module("pandas")
    except ModuleNotFoundError as error:
        raise ExtraMissing(what="search_runs(output='pandas')", package="pandas", extra="demo") from error


def _columns(found: Sequence[TrackingRunView]) -> dict[str, list[Any]]:
    """Give the columns of a data frame: facts, then `params.`, `metrics.` and `tags.` by name."""
    facts = ("id", "name", "experiment_id", "status", "started_at", "ended_at", "flow_run_id", "task_run_id")
    columns: dict[str, list[Any]] = {name: [getattr(run, name) for run in found] for name in facts}
    for group in ("params", "metrics", "tags"):
        for key in sorted({key for run in found for key in getattr(run, group)}):
            columns[f"{group}.{key}"] = [getattr(run, group).get(key) for run in found]
    return columns
