"""The roster of a server: it tells of workers that join, are silent, and are gone."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from ostinato.core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ostinato.core.workers import Worker
    from ostinato.server.office import Office

LOOK_S: Final = 1.0
"""How often it is looked who is there."""


async def tell_workers(office: Office, tell: Callable[[str], None]) -> NoReturn:
    """Tell of each worker that comes, falls silent or goes from now on, in one line."""
    roster = Roster()
    while True:
        with suppress(StorageError):  # the database has a bad moment; it is asked again
            workers = await office.read(lambda shelf: shelf.reader.workers())
            for line in roster.changes(workers, time.time_ns() // 1000):
                tell(line)
        await asyncio.sleep(LOOK_S)


class Roster:
    """Who was there at the last look."""

    def __init__(self) -> None:
        self._here: dict[str, bool] = {}
        """Worker -> whether it was silent."""
        self._looked = False

    def changes(self, workers: Iterable[Worker], now: int) -> Iterator[str]:
        """Give what has changed since the last look; at the first one who is there is no news."""
        for one in workers:
            name, was_silent = f"worker {one.info.name}", self._here.get(one.info.id)
            if one.left_at is not None:
                if self._here.pop(one.info.id, None) is not None:
                    yield one.message if name in one.message else f"{name} is gone: {one.message}"
                continue
            is_silent = self._here[one.info.id] = one.is_silent(now)
            if was_silent is None and self._looked:
                yield f"{name} joined, {one.info.slots} runs at once"
            if is_silent and not was_silent:
                yield f"{name} is silent"
            elif was_silent and not is_silent:
                yield f"{name} is back"
        self._looked = True
