"""What flow processes ask while they run: recall, claims, cache, variables, secrets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.access import Action
from ostinato.core.errors import EpochTaken, RunNotFound
from ostinato.core.runtokens import run_token
from ostinato.core.seal import unseal
from ostinato.store import access, cache, claims, variables, work
from ostinato.store.keyfile import find_key, find_or_make_key

if TYPE_CHECKING:
    from ostinato.core.results import Result
    from ostinato.server.office import Office, Shelf
    from ostinato.store.transaction import Tx


class Door(msgspec.Struct, frozen=True):
    """One question: the array of its arguments, what it needs, and who answers it."""

    arguments: Any
    answer: Callable[..., Any]
    """Called with the transaction or the shelf, then the arguments."""
    writes: bool = False
    relaxed: bool = False
    action: Action = "record"


def _claim(tx: Tx, run_id: str, epoch: int, stream: str) -> int:
    other = claims.claim(tx, run_id, epoch, stream)
    if other == -1:
        raise RunNotFound(run=run_id, home=tx.home)
    if other is not None:
        raise EpochTaken(run=run_id, epoch=other)
    return epoch + 1


def _lose(tx: Tx, stream: str, message: str, killed: bool) -> int:  # noqa: FBT001 - as it comes
    return len(claims.crash_stream(tx, stream, message, killed=killed))


def _find_cached(shelf: Shelf, cache_key: str, now: int) -> tuple[bool, Result | None]:
    return cache.find(shelf.db, cache_key, now or time.time_ns() // 1000)


def _find_secret(shelf: Shelf, name: str) -> bytes | None:
    sealed = access.sealed(shelf.db, name)
    return None if sealed is None else unseal(find_key(shelf.reader.home.folder), name, sealed)


DOORS: Final[dict[str, Door]] = {
    "recall": Door(tuple[str], lambda shelf, root_id: shelf.reader.recall(root_id)),
    "claim": Door(tuple[str, int, str], _claim, writes=True),
    "lose": Door(tuple[str, str, bool], _lose, writes=True),
    "find_cached": Door(tuple[str, int], _find_cached),
    "claim_cached": Door(
        tuple[str, float, str],
        lambda tx, cache_key, lease_s, stream: cache.claim(tx.db, cache_key, stream, lease_s),
        writes=True,
        relaxed=True,
    ),
    "release_cached": Door(
        tuple[str, str],
        lambda tx, cache_key, stream: cache.release(tx.db, cache_key, stream),
        writes=True,
        relaxed=True,
    ),
    "find_input": Door(tuple[str, str], lambda shelf, run_id, key: work.find_input(shelf.db, run_id, key)),
    "find_variable": Door(tuple[str], lambda shelf, name: variables.variable(shelf.db, name)),
    "run_token": Door(
        tuple[str], lambda shelf, run_id: run_token(find_or_make_key(shelf.reader.home.folder), run_id), action="track"
    ),
    "find_secret": Door(tuple[str], _find_secret, action="open-secret"),
}
"""The methods of `Recorder` that a home answers, each with the array of its arguments."""


async def serve(office: Office, method: str, body: bytes) -> Any:
    """Give the answer to a question."""
    door = DOORS[method]
    values = msgspec.msgpack.decode(body, type=door.arguments)
    if door.writes:
        return await office.write(lambda tx: door.answer(tx, *values), "", relaxed=door.relaxed)
    return await office.read(lambda shelf: door.answer(shelf, *values))
