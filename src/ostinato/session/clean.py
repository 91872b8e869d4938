"""Events that cannot be encoded, made encodable: a broken character must not stop a stream."""

from __future__ import annotations

from typing import Any

import msgspec

from ostinato.core.events import Event, Logged

_pack = msgspec.msgpack.Encoder().encode


def clean(event: Event) -> Event:
    """Give an event that can be encoded: lone surrogates are escaped; what cannot be mended becomes a log line."""
    try:
        _pack(event)
        return event
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError):
        mended: Event = _mend(event)
    try:
        _pack(mended)
        return mended
    except (OverflowError, TypeError, ValueError) as error:
        kind = type(event).__name__
        run_id, no = str(getattr(event, "run_id", "")), getattr(event, "no", 0)
        text = f"a {kind} could not be recorded: {error}"
        return Logged(run_id, no if isinstance(no, int) else 0, event.at, 40, "ostinato", text)


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, tuple):
        return tuple(_mend(item) for item in value)
    if isinstance(value, msgspec.Struct):
        return type(value)(*(_mend(getattr(value, name)) for name in value.__struct_fields__))
    return value
