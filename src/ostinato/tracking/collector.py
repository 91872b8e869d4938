"""The collector: flushes tracking runs a moment after the first of their values of metrics came.

So a loop that logs many values makes few events, and the last ones wait no longer than the others.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import Final, Protocol

from ostinato.session.bell import Bell

DELAY_S: Final = 0.5
"""How long values wait for others."""


class Flushable(Protocol):
    """A run with values that wait."""

    def flush(self) -> None:
        """Record them."""


class Collector:
    """Its one thread sleeps while nothing is logged."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.mark = object()
        """Another one in each process."""
        self._waiting: deque[Flushable] = deque()
        self._bell = Bell()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, run: Flushable) -> None:
        """Take a run that has values."""
        self._waiting.append(run)
        if self._thread is None and self._starting.acquire(blocking=False):
            self._thread = threading.Thread(target=self._run, name="ostinato-collector", daemon=True)
            self._thread.start()
        self._bell.ring()

    def flush(self) -> None:
        """Flush all runs that wait."""
        while self._waiting:
            try:
                run = self._waiting.popleft()
            except IndexError:  # another thread took it
                return
            run.flush()

    def _run(self) -> None:
        while True:
            self._bell.wait(None)
            time.sleep(DELAY_S)
            self.flush()

    def start_afresh(self) -> None:
        """Begin anew in a forked child: the parent flushes what waits."""
        self._begin()


collector: Final = Collector()
os.register_at_fork(after_in_child=collector.start_afresh)
