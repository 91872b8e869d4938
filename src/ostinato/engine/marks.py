"""Marks around arguments and calls: `unmapped`, `allow_failure`, `quote`, `tags`."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class Unmapped(msgspec.Struct, frozen=True):
    """An argument of `.map` that goes whole to every call."""

    value: Any


class AllowFailure(msgspec.Struct, frozen=True):
    """A future whose failure is handed over as the exception."""

    value: Any


class Quote(msgspec.Struct, frozen=True):
    """An argument that is not searched for futures and named by its type alone."""

    value: Any


def unmapped(value: T) -> T:
    """Mark an argument of `.map` that goes whole to every call."""
    return cast("T", Unmapped(value))


def allow_failure(value: T) -> T:
    """Mark a future that may fail: the task runs all the same and gets the exception in place of the value."""
    return cast("T", AllowFailure(value))


def quote(value: T) -> T:
    """Mark a large argument that holds no futures: it is handed over unseen, and named by its type alone."""
    return cast("T", Quote(value))


context_tags: ContextVar[tuple[str, ...]] = ContextVar("ostinato_tags", default=())


@contextmanager
def tags(*names: str) -> Iterator[None]:
    """Tag all runs that start inside the `with` block."""
    token = context_tags.set((*context_tags.get(), *names))
    try:
        yield
    finally:
        context_tags.reset(token)
