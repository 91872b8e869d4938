"""Search for registered models and their versions with MLflow's filter grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostinato.core.mlfilter import Grammar
from ostinato.store import registry
from ostinato.store.tracking_search import Shape, Side, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.core.registry import Model, ModelVersion
    from ostinato.store.database import Connection

_PROMPT: Final = "mlflow.prompt.is_prompt"


def _is_prompt(version: str) -> dict[str, str]:
    """Give the tag by which MLflow's clients leave prompts out: what does not have it is none."""
    tag = f"SELECT t.value FROM model_tags AS t WHERE t.name = r.name AND t.version = {version} AND t.key = '{_PROMPT}'"  # noqa: S608  (our own words)
    return {_PROMPT: f"coalesce(({tag}), 'false')"}


MODELS: Final = Shape(
    grammar=Grammar(
        attributes={"name": "text", "creation_timestamp": "number", "last_updated_timestamp": "number"},
        aliases={"timestamp": "last_updated_timestamp"},
        kinds=("tag",),
    ),
    source="models AS r",
    id=("r.name",),
    columns={
        "name": "r.name",
        "creation_timestamp": "(r.created_at / 1000)",
        "last_updated_timestamp": "(r.updated_at / 1000)",
    },
    sides={"tag": Side(table="model_tags", owner="name", also=" AND {}.version = 0")},
    tag_columns=_is_prompt("0"),
)
VERSIONS: Final = Shape(
    grammar=Grammar(
        attributes={
            "name": "text",
            "version_number": "number",
            "run_id": "text",
            "source_path": "text",
            "creation_timestamp": "number",
            "last_updated_timestamp": "number",
        },
        aliases={"version": "version_number", "source": "source_path"},
        kinds=("tag",),
    ),
    source="model_versions AS r",
    id=("r.name", "r.version"),
    columns={
        "name": "r.name",
        "version_number": "r.version",
        "run_id": "r.run_id",
        "source_path": "r.source",
        "creation_timestamp": "(r.created_at / 1000)",
        "last_updated_timestamp": "(r.updated_at / 1000)",
    },
    sides={"tag": Side(table="model_tags", owner="name", also=" AND {}.version = r.version")},
    tag_columns=_is_prompt("r.version"),
    order=(("r.name", False), ("r.version", True)),
)


def search_models(
    db: Connection, *, text: str = "", order_by: Sequence[str] = (), limit: int, token: str = ""
) -> tuple[list[Model], str]:
    """Give a page of models, and the token of the next one, "" when this is the last.

    Raises:
        FilterInvalid: (filter-invalid), PageTokenInvalid: (page-token-invalid).
    """
    names, following = search(db, MODELS, text=text, order_by=order_by, limit=limit, token=token)
    return registry.some_models(db, names), following


def search_versions(
    db: Connection, *, text: str = "", order_by: Sequence[str] = (), limit: int, token: str = ""
) -> tuple[list[ModelVersion], str]:
    """Give a page of versions of all models, and the token of the next one, "" when this is the last.

    Without an order those that changed last come first.

    Raises:
        FilterInvalid: (filter-invalid), PageTokenInvalid: (page-token-invalid).
    """
    orders = order_by or ("last_updated_timestamp DESC",)
    found, following = search(db, VERSIONS, text=text, order_by=orders, limit=limit, token=token)
    return registry.some_versions(db, found), following
