"""The value that a run gave, in one line."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Final, NoReturn

from ostinato.cli.lines import clip, one_line
from ostinato.cli.sizes import size
from ostinato.core.codec import decode
from ostinato.core.display import shorten
from ostinato.core.errors import BlobMissing

if TYPE_CHECKING:
    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun

_LONGEST: Final = 200
_READ: Final = 1 << 20
"""Larger values are told by their size."""
_KINDS: Final = {"m": "plain", "p": "pickle", "a": "table"}


def value_said(reader: Reader, run: FlowRun) -> str:
    """Give the value of a run in one line; nothing for None, `not kept` for a lost one.

    A value of a class is told by class and size: to read it would run code of that class.
    """
    result = run.result
    if result is None:
        return ""
    if result.lost:
        return f"not kept ({one_line(result.note or result.lost)})"
    kind = _KINDS[result.codec]
    if result.codec != "a" and result.size <= _READ and not result.storage:
        try:
            data = reader.blob(result.blob) if result.data is None else result.data
            value = decode(result, data) if result.codec == "m" else _Plain(io.BytesIO(data)).load()
        except BlobMissing:
            return "not kept (its stored bytes are gone)"
        except _OfClass as error:
            kind = str(error)
        else:
            return clip(one_line(shorten(value, _LONGEST)), _LONGEST)
    return f"{one_line(kind)}, {size(result.size)}"


class _OfClass(pickle.UnpicklingError):
    """The value holds one of this class."""


class _Plain(pickle.Unpickler):
    """Reads numbers, texts and their containers; runs no code of anybody."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _OfClass(name if module == "builtins" else f"{module}.{name}")
