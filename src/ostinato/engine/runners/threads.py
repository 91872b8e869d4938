"""Threads (the default runner), and one call after another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.engine.runners.pool import Pool

if TYPE_CHECKING:
    from contextvars import Context

    from ostinato.engine.calls import Call
    from ostinato.engine.futures import Future


class ThreadRunner(msgspec.Struct, frozen=True):
    """Runs submitted tasks in threads; the default. `max_workers` defaults to 4 for each core, at least 16."""

    max_workers: int | None = None

    def open(self) -> Pool:
        """Give the pool for one flow run."""
        return Pool(self.max_workers or max(16, 4 * (os.cpu_count() or 1)))


class SequentialTaskRunner(msgspec.Struct, frozen=True):
    """Runs each submitted task at once in the calling thread, so that all resources go to one at a time."""

    def open(self) -> Pool:
        """Give the pool for one flow run."""
        return _InlinePool(1)


class _InlinePool(Pool):
    _last: Future[Any] | None = None
    """The async call before: the next one waits for it, whatever its outcome."""

    def _start_async(self, future: Future[Any], call: Call, context: Context) -> None:
        if self._last is not None:
            call.waits = [*call.waits, self._last]
            call.tolerated = [*call.tolerated, self._last]
        self._last = future
        super()._start_async(future, call, context)
        if future.loop is None:
            future.wait()

    def _enqueue(self, future: Future[Any]) -> None:
        future.run_here()


ConcurrentTaskRunner = ThreadRunner
