"""The doors of our own processes (workers, flow processes, command line): msgpack in, msgpack out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core import events as e
from ostinato.core import tracking as t
from ostinato.core.commands import AnyCommand, Join, Leave, Poll
from ostinato.core.datasets import DatasetSeen, DatasetUsed
from ostinato.core.errors import DoorNotFound, RequestInvalid
from ostinato.core.logged_models import LoggedModelLinked, LoggedModelMade
from ostinato.core.paths import artifact_path
from ostinato.core.reads import READS
from ostinato.core.rights import ACTIONS, OF_READS
from ostinato.core.states import TERMINAL
from ostinato.server import memory
from ostinato.server.polls import Polls
from ostinato.store.append import Appended, Entry, Writer, append
from ostinato.store.commands.handlers import RELAXED, carry_out

if TYPE_CHECKING:
    from ostinato.core.access import Identity
    from ostinato.core.commands import Command
    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office
    from ostinato.store.transaction import Tx

PREFIX: Final = "/api/rpc/"
MOST_ROWS: Final = 10_000
"""Rows in one answer."""
MOST_TERMS: Final = 500
"""SQLite takes no longer chain of conditions than 1,000."""
SHIPPED: Final = frozenset(
    {
        e.RunCreated,
        e.RunMoved,
        e.TaskStarted,
        e.TaskMoved,
        e.Logged,
        e.LogsDropped,
        e.ArtifactMade,
        e.CheckpointSaved,
        e.CacheStored,
        e.VariableSet,
        e.RunAsked,
        e.InputAsked,
        DatasetSeen,
        DatasetUsed,
        t.TrackingBegun,
        t.TrackingChanged,
        t.ParamsLogged,
        t.TagsLogged,
        t.MetricsLogged,
        t.FileLogged,
        t.InputLogged,
        LoggedModelMade,
        LoggedModelLinked,
    }
)
"""What flow processes record; everything else only commands may cause."""

_command: Final = msgspec.msgpack.Decoder(AnyCommand).decode
_shipment: Final = msgspec.msgpack.Decoder(tuple[Writer, list[bytes]]).decode
_block: Final = msgspec.msgpack.Decoder(e.Block).decode
_pack: Final = msgspec.msgpack.Encoder().encode


class Rpc:
    """Answers `POST /api/rpc/...`."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.polls = Polls(office)

    async def serve(self, exchange: Exchange, identity: Identity) -> None:
        """Answer one request."""
        door, _, method = exchange.path.removeprefix(PREFIX).partition("/")
        try:
            if door == "append" and not method:
                await self._append(exchange, identity)
            elif door == "do" and not method:
                await self._do(exchange, identity)
            elif door == "read" and method in READS:
                await self._read(exchange, identity, method)
            elif door == "memory" and method in memory.DOORS:
                identity.check(memory.DOORS[method].action)
                await exchange.give(await memory.serve(self.office, method, await exchange.body()))
            else:
                raise DoorNotFound(method=exchange.method, path=exchange.path)
        except msgspec.MsgspecError as error:
            raise RequestInvalid(reason=str(error)) from error

    async def _do(self, exchange: Exchange, identity: Identity) -> None:
        command: Command[Any] = _command(await exchange.body())
        identity.check(ACTIONS[type(command)])
        if isinstance(command, Poll):
            exchange.waits = True
            self.office.n_polls += 1
            try:
                await exchange.give(await exchange.until_gone(self.polls.poll(command, identity.actor)))
            finally:
                self.office.n_polls -= 1
            return
        if isinstance(command, Join | Leave):
            self.polls.forget(command.worker.id if isinstance(command, Join) else command.worker_id)
        relaxed = type(command) in RELAXED
        answer = await self.office.write(lambda tx: carry_out(tx, command), identity.actor, relaxed=relaxed)
        await exchange.give(answer)

    async def _read(self, exchange: Exchange, identity: Identity, method: str) -> None:
        identity.check(OF_READS.get(method, "read"))
        args = READS[method].arguments(await exchange.body())
        if "limit" in args:
            args["limit"] = max(0, min(args["limit"], MOST_ROWS))
        if "query" in args and sum(1 + len(term.values) for term in args["query"].terms) > MOST_TERMS:
            raise RequestInvalid(reason=f"a query has at most {MOST_TERMS} terms and values")
        await exchange.answer(await self.office.read(lambda shelf: _pack(getattr(shelf.reader, method)(**args))))

    async def _append(self, exchange: Exchange, identity: Identity) -> None:
        identity.check("record")
        writer, blocks = _shipment(await exchange.body())
        own = self.office.ledger.stream
        answer = await self.office.write(lambda tx: ship(tx, own, writer, blocks), identity.actor)
        self.office.n_blocks += len(blocks)
        self.office.n_bytes += sum(map(len, blocks))
        await exchange.give(answer)


def ship(tx: Tx, own: str, writer: Writer, blocks: list[bytes]) -> Appended:
    """Write the blocks that a flow process sends."""
    entries = []
    for payload in blocks:
        block = _block(payload)
        kinds = set(map(type, block.events))
        if block.stream != writer.stream or block.stream == own or not kinds <= SHIPPED or not kinds:
            raise RequestInvalid(reason="a block is not one that its writer may send")
        if t.FileLogged in kinds and any(artifact_path(one.path) != one.path for one in _files(block)):
            raise RequestInvalid(reason="a path of a file is not in its one form")
        last = block.first_seq + len(block.events) - 1
        entries.append(Entry(block.first_seq, last, payload, block.events))
        if e.RunMoved in kinds and any(isinstance(one, e.RunMoved) and one.state in TERMINAL for one in block.events):
            tx.wakes = True
    if not entries:
        raise RequestInvalid(reason="there is no block in it")
    return append(tx.db, writer, entries, tx.now)


def _files(block: e.Block) -> list[t.FileLogged]:
    return [one for one in block.events if isinstance(one, t.FileLogged)]
