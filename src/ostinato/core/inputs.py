"""Who may answer what a paused run asks: it stands in the JSON schema of the answer."""

from __future__ import annotations

from typing import Final

import msgspec

ANSWERED_BY: Final = "x-answered-by"
"""Word of the schema: names of the users who may answer. Without it all may who may resume the run."""

_schema: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_names: Final = msgspec.json.Decoder(tuple[str, ...]).decode


def answerers(schema: bytes) -> tuple[str, ...]:
    """Give the users who alone may answer; none when a schema names none.

    Example:
        >>> answerers(b'{"type": "boolean", "x-answered-by": ["ann"]}')
        ('ann',)
    """
    named = _schema(schema).get(ANSWERED_BY) if schema else None
    return () if named is None else _names(named)


def user_of(actor: str) -> str:
    """Give the name of the user by whose key something was done; what has no user as it is.

    Example:
        >>> user_of("key:ann/3f2a"), user_of("local")
        ('ann', 'local')
    """
    return actor.partition(":")[2].partition("/")[0] or actor
