"""The configured home, opened for reading."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ostinato.core.ports import READER, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.ports import Reader


@contextmanager
def open_reader() -> Iterator[Reader]:
    """Give a Reader of the configured home for the time of a `with` block."""
    reader: Reader = resolve(READER)()
    try:
        yield reader
    finally:
        reader.close()
