"""Signals: wake coroutines when something has happened."""

from __future__ import annotations

import asyncio


class Signal:
    """Wakes all who wait for the next time that it is sent. Belongs to one event loop."""

    def __init__(self) -> None:
        self.count = 0
        """How often it was sent; who has seen this many waits for the next."""
        self._waiters: set[asyncio.Future[None]] = set()

    def send(self) -> None:
        """Wake everybody."""
        self.count += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seen: int, timeout_s: float) -> None:
        """Wait until it was sent more than `seen` times, or until time runs out."""
        if self.count != seen or timeout_s <= 0:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)
