"""A bell that wakes one waiting thread."""

from __future__ import annotations

import threading


class Bell:
    """Remembers one ring until the waiter hears it.

    Unlike `threading.Event` it may be rung by a signal handler that interrupts a ring: there is no
    lock in it that could be held.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake the waiter, now or when it comes."""
        if self._lock.locked():
            try:
                self._lock.release()
            except RuntimeError:  # somebody else rang meanwhile
                return

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for a ring; False when time ran out."""
        return self._lock.acquire(timeout=-1 if timeout_s is None else timeout_s)
