"""The application: finds the door of a request, lets in who may enter, and tells every error in one form."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato import __version__
from ostinato.core.errors import DoorNotFound, MethodRefused, OstinatoError
from ostinato.server import blobs, rpc
from ostinato.server.auth import Guard
from ostinato.server.exchange import MSGPACK, Exchange, Gone
from ostinato.server.problems import problem_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from ostinato.server.exchange import Receive, Send
    from ostinato.server.office import Office

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"

_log: Final = logging.getLogger("ostinato.server")


class App:
    """The ASGI application of one office."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.guard = Guard(office)
        self.rpc = rpc.Rpc(office)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._serve(exchange)
        except Gone:
            return
        except Exception as error:
            if not isinstance(error, OstinatoError):
                _log.exception("%s %s failed", exchange.method, exchange.path)
            if exchange.answered:
                raise
            await _refuse(exchange, error)

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.path == "/health":
            health = {"id": self.office.id, "status": "ok", "version": __version__}
            await exchange.answer(msgspec.json.encode(health), JSON)
        elif exchange.path.startswith(rpc.PREFIX):
            if exchange.method != "POST":
                raise MethodRefused(path=exchange.path, method=exchange.method)
            await self.rpc.serve(exchange, self.guard.identify(exchange))
        elif exchange.path.startswith(blobs.PREFIX):
            await blobs.serve(self.office, exchange, self.guard.identify(exchange))
        else:
            raise DoorNotFound(method=exchange.method, path=exchange.path)


async def _refuse(exchange: Exchange, error: Exception) -> None:
    problem = problem_of(error)
    if exchange.path.startswith(rpc.PREFIX):
        await exchange.answer(msgspec.msgpack.encode(problem), MSGPACK, problem.status)
    else:
        await exchange.answer(msgspec.json.encode(problem), PROBLEM, problem.status)
