"""Reading logged models. Lists have the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.errors import LoggedModelNotFound
from ostinato.core.logged_models import LoggedModel, ModelLink, ModelMetric
from ostinato.store import sql
from ostinato.store.database import named
from ostinato.store.tracking_fold import value_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.store.database import Connection

_encode: Final = msgspec.json.Encoder().encode
_requirements: Final = msgspec.json.Decoder(tuple[str, ...]).decode


def logged_models(db: Connection, ids: Sequence[str]) -> list[LoggedModel]:
    """Give logged models in the order of their ids; those that do not exist are left out."""
    if not ids:
        return []
    wanted = _encode(list(ids)).decode()
    rows = {row["id"]: row for row in named(db.execute(sql.load("logged_models")["models"], (wanted,)))}
    params, tags, metrics = _texts(db, "params", wanted), _texts(db, "tags", wanted), _metrics(db, wanted)
    return [
        LoggedModel(
            **{**rows[one], "requirements": _requirements(rows[one]["requirements"])},
            params=params.get(one, {}),
            tags=tags.get(one, {}),
            metrics=tuple(metrics.get(one, ())),
        )
        for one in ids
        if one in rows
    ]


def logged_model(db: Connection, model_id: str) -> LoggedModel:
    """Give a logged model, deleted or not.

    Raises:
        LoggedModelNotFound: (logged-model-not-found).
    """
    found = logged_models(db, [model_id])
    if not found:
        raise LoggedModelNotFound(model=model_id, reason="there is no logged model of this id")
    return found[0]


def models_of_run(db: Connection, run_id: str, *, name: str = "", limit: int = 1000) -> list[LoggedModel]:
    """Give the logged models of a tracking run that are not deleted; those of a name when it is given."""
    rows = db.execute(sql.load("logged_models")["models_of_run"], (run_id, name, name, limit))
    return logged_models(db, [row[0] for row in rows])


def links_of_run(db: Connection, run_id: str) -> list[ModelLink]:
    """Give the logged models that a tracking run is known to have used and made, by their steps."""
    rows = db.execute(sql.load("logged_models")["links_of_run"], (run_id,))
    return [ModelLink(id=model_id, role=role, step=step) for model_id, role, step in rows]


def _texts(db: Connection, query: str, ids: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for model_id, key, value in db.execute(sql.load("logged_models")[query], (ids,)):
        found.setdefault(model_id, {})[key] = value
    return found


def _metrics(db: Connection, ids: str) -> dict[str, list[ModelMetric]]:
    found: dict[str, list[ModelMetric]] = {}
    rows: Any = db.execute(sql.load("logged_models")["metrics"], (ids,))
    for model_id, key, value, special, step, at, run_id, dataset, digest in rows:
        one = ModelMetric(
            key=key, value=value_of(value, special), step=step, at=at, run_id=run_id, dataset=dataset, digest=digest
        )
        found.setdefault(model_id, []).append(one)
    return found
