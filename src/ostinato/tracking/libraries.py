"""Libraries that data needs and Ostinato itself does without: loaded when used, their refusals told as ours."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ostinato.core.errors import DatasetUnreadable, ExtraMissing, OstinatoError

if TYPE_CHECKING:
    from collections.abc import Iterator


def load(module: str, extra: str = "data") -> Any:
    """Give a module.

    Raises:
        ExtraMissing: (extra-missing) it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise ExtraMissing(what="ostinato.dataset", package=package, extra=extra) from error


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Tell what is refused in a block, by pyarrow or by where files lie, as an error of ours."""
    try:
        yield
    except OstinatoError:
        raise
    except Exception as error:  # there is no end of places, and each has errors of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        fix = "Mend the file, or read it yourself and pass the frame."
        raise DatasetUnreadable(what=repr(what), reason=lines[0].rstrip("."), fix=fix) from error
