"""The other servers of the same database: all must keep stored values in one place."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from ostinato.core.errors import OstinatoError
from ostinato.store.commands.places import hold_place, let_go_of_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ostinato.server.office import Office

EVERY_S: Final = 10.0
END_S: Final = 2.0
"""Longest that the end of a server waits for the database."""

_log: Final = logging.getLogger("ostinato.server")


@asynccontextmanager
async def beside_others(office: Office) -> AsyncIterator[None]:
    """Be one of the servers of a database; a home with a database of its own has one only.

    Raises:
        BlobsElsewhere: (blobs-elsewhere) another one keeps stored values elsewhere.
        StorageError: stored values cannot be kept where they are to be.
    """
    await asyncio.to_thread(office.blobs.check)
    if not office.home.database_url:
        yield
        return
    place = office.home.blobs_place
    await office.write(lambda tx: hold_place(tx, office.id, place), "")
    task = asyncio.create_task(_stay(office, place))
    try:
        yield
    finally:
        task.cancel()
        try:
            async with asyncio.timeout(END_S):
                await office.write(lambda tx: let_go_of_place(tx, office.id, place), "")
        except (OstinatoError, TimeoutError) as error:  # it is seen to be gone a little later
            _log.warning("the other servers could not be told of the end: %s", error)


async def _stay(office: Office, place: str) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await office.write(lambda tx: hold_place(tx, office.id, place), "", relaxed=True)
        except OstinatoError as error:
            _log.warning("the other servers could not be told that this one lives: %s", error)
