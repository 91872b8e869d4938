"""Searching logged models with MLflow's filter grammar: where what a filter names stands."""

from __future__ import annotations

from typing import Final

from ostinato.core.mlfilter import Grammar
from ostinato.store.tracking_search import Shape, Side

_NEWEST: Final = (
    "(SELECT m.model_id, m.key, m.value, m.special FROM logged_model_metrics AS m WHERE NOT EXISTS ("
    "SELECT 1 FROM logged_model_metrics AS n WHERE n.model_id = m.model_id AND n.key = m.key"
    " AND (n.at, n.run_id, n.digest) > (m.at, m.run_id, m.digest)))"
)
"""Of each metric of a model the newest value, whichever run and data it is of."""

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
        "metric": Side(table=_NEWEST, owner="model_id", doubles=True),
        "param": Side(table="logged_model_params", owner="model_id"),
        "tag": Side(table="logged_model_tags", owner="model_id"),
    },
    order=(("r.created_at", True),),
    lowered=frozenset({"status"}),
)
