"""Where the servers of one database keep stored values: all in one place, or values could not be found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostinato.core.errors import BlobsElsewhere
from ostinato.store import sql

if TYPE_CHECKING:
    from ostinato.store.transaction import Tx

SILENT_US: Final = 30_000_000
"""A server that has said nothing for so long is gone."""


def hold_place(tx: Tx, server: str, place: str) -> None:
    """Note that a server is alive, and where it keeps stored values.

    Raises:
        BlobsElsewhere: (blobs-elsewhere) another one that lives keeps them elsewhere.
    """
    queries = sql.load("places")
    for name, seen_at in tx.db.execute(queries["held_places"]).fetchall():
        _, other, where = name.split(" ", 2)
        if tx.now - seen_at > SILENT_US:
            tx.db.execute(queries["let_go_of_place"], (name,))
        elif other != server and where != place:
            raise BlobsElsewhere(other=where, own=place)
    tx.db.execute(sql.load("work")["put_fact"], (_name(server, place), tx.now))


def let_go_of_place(tx: Tx, server: str, place: str) -> None:
    """Note that a server has ended."""
    tx.db.execute(sql.load("places")["let_go_of_place"], (_name(server, place),))


def _name(server: str, place: str) -> str:
    return f"blobs {server} {place}"
