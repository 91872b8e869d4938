"""The application: finds the door of a request, lets in who may enter, and tells every error in one form."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato import __version__
from ostinato.core.errors import DoorNotFound, MethodRefused, OstinatoError, told
from ostinato.server import assets, blobs, rpc
from ostinato.server.assets import Assets
from ostinato.server.auth import Guard
from ostinato.server.exchange import MSGPACK, Exchange, Gone
from ostinato.server.feed import Feed
from ostinato.server.metrics import Metrics
from ostinato.server.mlflow import door as mlflow
from ostinato.server.pages import JSON, Pages
from ostinato.server.problems import Problem, problem_of
from ostinato.server.rest import Rest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from ostinato.server.exchange import Receive, Send
    from ostinato.server.office import Office

PROBLEM: Final = b"application/problem+json"
_log: Final = logging.getLogger("ostinato.server")


class App:
    """The ASGI application of one office."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.guard = Guard(office)
        self.rpc = rpc.Rpc(office)
        self.rest = Rest(office)
        self.metrics = Metrics(office)
        self.feed = Feed(office)
        self.mlflow = mlflow.Mlflow(office, self.guard)
        self.assets = Assets()
        pages = Pages(office, self.guard)
        self._doors: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            "/health": self._health,
            "/metrics": self._metrics,
            "/api/feed": self._feed,
            "/api/openapi.json": self._description,
            "/login": pages.login,
            "/api/session": pages.session,
            "/api/login-links": pages.new_link,
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send)
        try:
            with self.metrics.timed(exchange):
                await self._serve(exchange)
        except Gone:
            return
        except Exception as cause:
            error = told(cause)
            if not isinstance(error, OstinatoError):
                _log.exception("%s %s failed", exchange.method, exchange.path)
            if exchange.answered:
                raise
            await refuse(exchange, problem_of(error))

    async def _serve(self, exchange: Exchange) -> None:
        self.guard.check_names(exchange)
        path = exchange.path
        door = self._doors.get(path)
        if door is not None:
            await door(exchange)
        elif path.startswith(rpc.PREFIX):
            if exchange.method != "POST":
                raise MethodRefused(path=path, method=exchange.method)
            await self.rpc.serve(exchange, await self.guard.identify(exchange))
        elif path.startswith(blobs.PREFIX):
            await blobs.serve(self.office, exchange, await self.guard.identify(exchange))
        elif path.startswith(mlflow.ALL):
            await self.mlflow.serve(exchange)
        elif path.startswith(assets.PREFIX):
            await self.assets.serve(exchange)
        elif assets.is_page(path):
            await self.assets.show(exchange)
        elif path.startswith("/api/"):
            await self.rest.serve(exchange, await self.guard.identify(exchange))
        else:
            raise DoorNotFound(method=exchange.method, path=path)

    async def _health(self, exchange: Exchange) -> None:
        trouble = self.office.trouble
        health = {"id": self.office.id, "status": "no-database" if trouble else "ok", "version": __version__}
        if trouble:
            health["reason"] = trouble
        await exchange.answer(msgspec.json.encode(health), JSON)

    async def _description(self, exchange: Exchange) -> None:
        await exchange.answer(self.rest.description, JSON)

    async def _metrics(self, exchange: Exchange) -> None:
        (await self.guard.identify(exchange)).check("read")
        await exchange.answer(await self.metrics.text(), b"text/plain; version=0.0.4; charset=utf-8")

    async def _feed(self, exchange: Exchange) -> None:
        await self.feed.serve(exchange, lambda: self.guard.identify(exchange))


async def refuse(exchange: Exchange, problem: Problem) -> None:
    """Tell an error."""
    if exchange.path.startswith(rpc.PREFIX):
        await exchange.answer(msgspec.msgpack.encode(problem), MSGPACK, problem.status)
    else:
        await exchange.answer(msgspec.json.encode(problem), PROBLEM, problem.status)
