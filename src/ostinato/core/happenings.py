"""Happenings: events as the feed tells them, in words, aware instants and plain values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from ostinato.core import events as e
from ostinato.core.deployments import Deployment
from ostinato.core.results import Result
from ostinato.core.tracking import MetricsLogged
from ostinato.core.views import deployment_view, instant, json_or_text, maybe, result_view

if TYPE_CHECKING:
    from ostinato.core.access import Action

_BORDER: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")

KINDS: Final[dict[type, str]] = {kind: _BORDER.sub("-", kind.__name__).lower() for kind in get_args(e.Event)}
"""Class of each event -> its kind, such as `run-moved`."""

NEEDS: Final[dict[type, Action]] = {
    e.Audited: "read-audit",
    e.UserSet: "manage-access",
    e.KeySet: "manage-access",
}
"""Events that are told to few; all others need the right to read."""

MOST_VALUES: Final = 100
"""Values of metrics that are told of one event."""
MOST_BYTES: Final = 65_536
"""What an artifact of more bytes holds is not told; who wants it asks for the artifact."""
_UNTOLD: Final = frozenset({"arguments", "details", "hash", "sealed"})
"""Exact arguments, what a client says of data at length, hashes of keys, sealed values."""
_JSON: Final = frozenset({"parameters", "value", "schema", "data", "signature"})
_INSTANTS: Final = frozenset({"at", "until"})


def told(event: e.Event) -> dict[str, Any]:
    """Give an event as it is told.

    Example:
        >>> told(e.RunReleased("01a2", 1, 0))["epoch"]
        1
    """
    if isinstance(event, MetricsLogged):  # of the many values the newest: who wants all asks for the history
        newest = {point.key: point.value for point in event.points[-MOST_VALUES:]}
        facts = {"run_id": event.run_id, "at": instant(event.at), "epoch": event.epoch}
        return {**facts, "n_points": len(event.points), "newest": newest}
    if isinstance(event, e.ArtifactMade) and len(event.data) > MOST_BYTES:
        return {**_fields(msgspec.structs.replace(event, data=b"")), "size_bytes": len(event.data)}
    return _fields(event)


def _fields(value: msgspec.Struct) -> dict[str, Any]:
    names = (name for name in value.__struct_fields__ if name not in _UNTOLD)
    return {name: _plain(name, getattr(value, name)) for name in names}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, int) and (name in _INSTANTS or name.endswith("_at")):
        return instant(value) if name == "at" else maybe(value)
    if isinstance(value, bytes):
        return json_or_text(value) if name in _JSON else value.hex()
    if isinstance(value, Result):
        return result_view(value)
    if isinstance(value, Deployment):
        return deployment_view(value)
    if isinstance(value, msgspec.Struct):
        return _fields(value)
    if isinstance(value, tuple):
        return [_plain("", one) for one in value]
    return value
