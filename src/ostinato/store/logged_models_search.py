"""Searching logged models with MLflow's filter grammar: where what a filter names stands, and on which data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core import mlfilter
from ostinato.core.mlfilter import Grammar
from ostinato.store.tracking_search import Shape, Side, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.store.database import Connection
    from ostinato.store.tracking_search import Statement

_METRICS: Final = "SELECT m.model_id, m.key, m.value, m.special FROM logged_model_metrics AS m WHERE "
_NEWEST: Final = (
    "NOT EXISTS (SELECT 1 FROM logged_model_metrics AS n WHERE n.model_id = m.model_id AND n.key = m.key"
    " AND {} AND (n.at, n.run_id, n.digest) > (m.at, m.run_id, m.digest))"
)
"""The condition that a value is the newest of its metric, whichever run it is of, among those on some data."""

MODELS: Final = Shape(
    grammar=Grammar(
        attributes={
            "model_id": "text",
            "name": "text",
            "model_type": "text",
            "source_run_id": "text",
            "status": "text",
            "creation_timestamp_ms": "number",
            "last_updated_timestamp_ms": "number",
        },
        aliases={
            "creation_time": "creation_timestamp_ms",
            "creation_timestamp": "creation_timestamp_ms",
            "last_updated_timestamp": "last_updated_timestamp_ms",
        },
        kinds=("metric", "param", "tag"),
    ),
    source="logged_models AS r",
    id=("r.id",),
    columns={
        "model_id": "r.id",
        "name": "r.name",
        "model_type": "r.model_type",
        "source_run_id": "r.run_id",
        "status": "r.status",
        "creation_timestamp_ms": "(r.created_at / 1000)",
        "last_updated_timestamp_ms": "(r.updated_at / 1000)",
    },
    sides={
        "metric": Side(table=f"({_METRICS}{_NEWEST.format('true')})", owner="model_id", doubles=True),
        "param": Side(table="logged_model_params", owner="model_id"),
        "tag": Side(table="logged_model_tags", owner="model_id"),
    },
    order=(("r.created_at", True),),
    lowered=frozenset({"status"}),
)


class OnData(msgspec.Struct, frozen=True):
    """Data on which metrics were measured: all versions of a name, or one of them."""

    name: str
    digest: str = ""


class ModelOrder(msgspec.Struct, frozen=True):
    """What models are sorted by, such as `metrics.rmse DESC`: as it was measured on some data when they are named."""

    text: str
    data: OnData | None = None


def search_models(
    db: Connection,
    among: Statement,
    *,
    text: str = "",
    data: Sequence[OnData] = (),
    orders: Sequence[ModelOrder] = (),
    limit: int,
    token: str = "",
) -> tuple[list[str], str]:
    """Give the ids of a page of logged models, and the token of the next one.

    Of metrics those count that were measured on one of the `data`; a filter that names none finds the models that
    were measured on it at all.

    Raises:
        FilterInvalid: (filter-invalid), PageTokenInvalid: (page-token-invalid).
    """
    kinds = [mlfilter.parse_order(one.text, MODELS.grammar).kind for one in orders]
    sides = [_newest_on(one.data) if kind == "metric" else None for one, kind in zip(orders, kinds, strict=True)]
    shape = msgspec.structs.replace(MODELS, order_sides=tuple(sides))
    if data:
        on_data, values = _measured_on(data, "m")
        side = Side(table=f"({_METRICS}{on_data})", owner="model_id", doubles=True, values=tuple(values))
        shape = msgspec.structs.replace(shape, sides={**MODELS.sides, "metric": side})
        if not any(one.kind == "metric" for one in mlfilter.parse(text, MODELS.grammar)):
            measured = f"EXISTS (SELECT 1 FROM logged_model_metrics AS m WHERE m.model_id = r.id AND {on_data})"  # noqa: S608  (our own words)
            among = (f"{among[0]} AND {measured}", [*among[1], *values])
    return search(
        db,
        shape,
        text=text,
        order_by=[one.text for one in orders],
        limit=limit,
        token=token,
        among=among,
    )


def _newest_on(data: OnData | None) -> Side:
    """Give where the newest values of metrics stand that were measured on some data; one row for each model and key."""
    if data is None:
        return MODELS.sides["metric"]
    ours, values = _measured_on([data], "m")
    others, _ = _measured_on([data], "n")
    table = f"({_METRICS}{ours} AND {_NEWEST.format(others)})"
    return Side(table=table, owner="model_id", doubles=True, values=(*values, *values))


def _measured_on(data: Sequence[OnData], name: str) -> tuple[str, list[Any]]:
    """Give the condition that a row of metrics, called `name`, was measured on one of some data."""
    parts: list[str] = []
    values: list[Any] = []
    for one in data:
        parts.append(f"({name}.dataset = ?{f' AND {name}.digest = ?' if one.digest else ''})")
        values += [one.name, one.digest] if one.digest else [one.name]
    return f"({' OR '.join(parts)})", values
