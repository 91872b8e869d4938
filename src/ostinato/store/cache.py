"""Reading the cache, and the right to fill it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostinato.core.results import Result
from ostinato.store import sql

if TYPE_CHECKING:
    from ostinato.store.database import Connection

_result = msgspec.msgpack.Decoder(Result).decode


def find(db: Connection, cache_key: str, now: int) -> tuple[bool, Result | None]:
    """Give (True, result) when there is an entry that is fresh at instant `now`, else (False, None)."""
    row = db.execute(sql.load("cache")["cached"], (cache_key, now)).fetchone()
    if row is None:
        return False, None
    return True, None if row[0] is None else _result(row[0])


def claim(db: Connection, cache_key: str, stream: str, lease_s: float) -> bool:
    """Take the right to compute an entry; False while another stream holds it. The transaction has begun."""
    return db.execute(sql.load("cache")["claim_cached"], (cache_key, stream, int(lease_s * 1000))).rowcount == 1


def release(db: Connection, cache_key: str, stream: str) -> None:
    """Give that right back. The transaction has begun."""
    db.execute(sql.load("append")["end_cache_claim"], (cache_key, stream))
