"""The MLflow door: finds who answers a request, and tells every error in MLflow's form."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import OstinatoError, told
from ostinato.server.exchange import Gone
from ostinato.server.mlflow import artifacts, experiments, logged_models, metrics, registry, runs
from ostinato.server.mlflow.faults import Fault, fault_of
from ostinato.server.mlflow.frame import Asked, Plan, from_body, from_query
from ostinato.server.pages import JSON

if TYPE_CHECKING:
    from ostinato.core.access import Identity
    from ostinato.server.auth import Guard
    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office

PREFIXES: Final = ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/")
FILES: Final = ("/api/2.0/mlflow-artifacts/", "/ajax-api/2.0/mlflow-artifacts/")
INFO: Final = ("/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info")
VERSION: Final = "/version"
SPOKEN: Final = b"3.0.0"
"""Of MLflow's server, what the door speaks."""
ALL: Final = ("/api/2.0/mlflow", "/ajax-api/", "/api/3.0/mlflow", VERSION)
"""How the addresses of the door begin."""
ABOUT: Final = msgspec.json.encode(
    {
        "store_type": "SqlStore",
        "workspaces_enabled": False,
        "trace_archival_enabled": False,
        "multipart_uploads_enabled": True,
        "multipart_downloads_enabled": False,
    }
)

_log: Final = logging.getLogger("ostinato.server")


class Mlflow:
    """Answers the addresses of MLflow's protocol."""

    def __init__(self, office: Office, guard: Guard) -> None:
        self.office = office
        self.guard = guard
        self._plan = Plan(
            experiments.DOORS, runs.DOORS, metrics.DOORS, artifacts.DOORS, logged_models.DOORS, registry.DOORS
        )
        self._ready = asyncio.Event()

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request, errors too."""
        try:
            await self._answer(exchange)
        except Gone:
            raise
        except Exception as cause:
            error = told(cause)
            if not isinstance(error, (OstinatoError, Fault, msgspec.MsgspecError)):
                _log.exception("%s %s failed", exchange.method, exchange.path)
            if exchange.answered:
                raise
            fault = fault_of(error)
            await exchange.answer(fault.body, JSON, fault.status)

    async def _answer(self, exchange: Exchange) -> None:
        path = exchange.path
        if path == VERSION:
            await exchange.answer(SPOKEN, b"text/plain; charset=utf-8")
            return
        identity = await self.guard.identify(exchange)
        if not self._ready.is_set():
            await self.office.write(experiments.make_default, "")
            self._ready.set()
        for prefix in PREFIXES:
            if path.startswith(prefix):
                await self._call(exchange, identity, path.removeprefix(prefix))
                return
        for prefix in FILES:
            if path.startswith(prefix):
                await artifacts.serve(Asked(self.office, exchange, identity, {}), path.removeprefix(prefix))
                return
        if path in INFO and exchange.method == "GET":
            await exchange.answer(ABOUT, JSON)
            return
        raise Fault("ENDPOINT_NOT_FOUND", f"There is no {exchange.method} {path} here.")

    async def _call(self, exchange: Exchange, identity: Identity, path: str) -> None:
        door, parts = self._plan.find(exchange.method, path)
        body = await exchange.body()
        if exchange.method == "GET" or (not body and exchange.scope["query_string"]):
            request = from_query(exchange.scope["query_string"], door.kind)
        else:
            request = from_body(body, door.kind)
        answer = await door.answer(Asked(self.office, exchange, identity, parts), request)
        if not exchange.answered:  # no file was sent
            await exchange.answer(msgspec.json.encode(answer), JSON)
