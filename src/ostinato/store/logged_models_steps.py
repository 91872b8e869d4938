"""The projection of logged models: what each of their events changes, as statements and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core import logged_models as m
from ostinato.store.tracking_fold import columns

if TYPE_CHECKING:
    from collections.abc import Callable

Step = tuple[str, tuple[Any, ...]]

_json: Final = msgspec.json.Encoder().encode


def _made(event: m.LoggedModelMade) -> list[Step]:
    requirements = _json(event.requirements).decode()
    row = (
        *(event.id, event.experiment_id, event.run_id, event.name, event.status, event.actor, event.model_type),
        *(event.flavor, event.signature, requirements, event.size, event.at),
    )
    return [
        ("put_model", row),
        *(("add_param", (event.id, key, value)) for key, value in event.params.items()),
        *(("put_tag", (event.id, key, value)) for key, value in event.tags.items()),
    ]


def _tagged(event: m.LoggedModelTagged) -> list[Step]:
    return [
        *(
            ("delete_tag", (event.id, key)) if value is None else ("put_tag", (event.id, key, value))
            for key, value in event.tags.items()
        ),
        ("touch_model", (event.at, event.id)),
    ]


def _params(event: m.LoggedModelParams) -> list[Step]:
    rows = [("add_param", (event.id, key, value)) for key, value in event.params.items()]
    return [*rows, ("touch_model", (event.at, event.id))]


def _metrics(event: m.LoggedModelMetrics) -> list[Step]:
    return [
        (
            "put_metric",
            (event.id, one.key, event.run_id, event.digest, event.dataset, *columns(one.value), one.step, one.at),
        )
        for one in event.points
    ]


STEPS: Final[dict[type, Callable[[Any], list[Step]]]] = {
    m.LoggedModelMade: _made,
    m.LoggedModelChanged: lambda e: [("change_model", (e.status, e.state, e.at, e.id))],
    m.LoggedModelTagged: _tagged,
    m.LoggedModelDescribed: lambda e: [
        ("describe_model", (e.flavor, e.signature, _json(e.requirements).decode(), e.size, e.at, e.id))
    ],
    m.LoggedModelParams: _params,
    m.LoggedModelMetrics: _metrics,
    m.LoggedModelLinked: lambda e: [("put_link", (e.run_id, e.role, e.id, e.step, e.at))],
}
"""Event -> named queries of `logged_models` and their values."""
