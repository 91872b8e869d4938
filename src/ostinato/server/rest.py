"""The public API: all its handlers as one Litestar application, and its description."""

from __future__ import annotations

import http
import logging
import re
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.params import QueryParameter
from litestar.plugins.core import MsgspecDIPlugin

from ostinato import __version__
from ostinato.core.errors import BodyTooLarge, DoorNotFound, MethodRefused, OstinatoError, RequestInvalid, told
from ostinato.server import (
    artifacts,
    backfills,
    datasets,
    deployments,
    events,
    experiments,
    models,
    overviews,
    people,
    promotions,
    queues,
    runs,
    screens,
)
from ostinato.server.doors import IDENTITY, OFFICE, Ask, as_part
from ostinato.server.exchange import MOST_BYTES
from ostinato.server.problems import problem_of

if TYPE_CHECKING:
    from litestar.handlers import BaseRouteHandler
    from litestar.plugins import PluginProtocol

    from ostinato.core.access import Identity
    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office

HANDLERS: Final = (
    *runs.HANDLERS,
    *deployments.HANDLERS,
    *backfills.HANDLERS,
    *queues.HANDLERS,
    *people.HANDLERS,
    *overviews.HANDLERS,
    *experiments.HANDLERS,
    *datasets.HANDLERS,
    *models.HANDLERS,
    *promotions.HANDLERS,
    *artifacts.HANDLERS,
    *events.HANDLERS,
    *screens.HANDLERS,
)
ABOUT: Final = """What runs, when and where. Send `Authorization: Bearer KEY`. Errors are problem+json with a `code`,
a `detail` and a `hint`. Lists give `next`; send it as `after` for the page that follows. The feed of all that
happens is at `/api/feed` (server-sent events)."""

_DEPLOYMENTS: Final = "/api/deployments/"
_ACTS: Final = ("backfill", "pause", "runs", "upcoming")
_TITLE: Final = re.compile(rf"{_DEPLOYMENTS}(?P<flow>[^/]+)/(?P<name>[^/]+)(?P<act>/(?:{'|'.join(_ACTS)}))?")
"""An address of a deployment by flow and name; a name that is an act has to be given by its id."""

_NAMED: Final = re.compile(r"(?P<place>/api/(?:variables|secrets)/)(?P<name>.+)", re.DOTALL)
"""An address of what has a name of any signs."""

_log: Final = logging.getLogger("ostinato.server")


class _Application(Litestar):
    """Litestar without what it loads for packages that users may have: 100 ms and 15 MB for pydantic."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


class Rest:
    """Answers everything below `/api` that has no door of its own."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._app = application()

    @cached_property
    def description(self) -> bytes:
        """Give the OpenAPI description of the API, as JSON."""
        return msgspec.json.encode(self._app.openapi_schema.to_schema())

    async def serve(self, exchange: Exchange, identity: Identity) -> None:
        """Answer one request."""
        exchange.scope[OFFICE] = self.office
        exchange.scope[IDENTITY] = identity
        named = _NAMED.fullmatch(exchange.path)
        if named is not None:
            exchange.scope["path"] = named["place"] + as_part(named["name"])
        await self._resolve_title(exchange, identity)
        await exchange.hand_over(self._app)

    async def _resolve_title(self, exchange: Exchange, identity: Identity) -> None:
        """Put the id of a deployment where an address names it by flow and name."""
        found = _TITLE.fullmatch(exchange.path)
        if found is None or (found["name"] in _ACTS and not found["act"]):
            return
        identity.check("read")
        title = f"{found['flow']}/{found['name']}"
        one = await self.office.read(lambda shelf: shelf.reader.find_deployment(title))
        exchange.scope["path"] = f"{_DEPLOYMENTS}{one.id}{found['act'] or ''}"


def application() -> Litestar:
    """Give the application."""
    return _Application(
        HANDLERS,
        request_class=Ask,
        before_request=_check_names,
        exception_handlers={Exception: _refuse, OstinatoError: _refuse, HTTPException: _refuse},
        openapi_config=OpenAPIConfig(
            title="Ostinato",
            version=__version__,
            description=ABOUT,
            path="/pages-of-litestar",  # never asked: it would answer errors below its path with pages
            use_handler_docstrings=True,
        ),
        request_max_body_size=MOST_BYTES,
        logging_config=None,
    )


def _check_names(request: Request[Any, Any, Any]) -> None:
    """Refuse names in the query of an address that mean nothing there."""
    known = _query_names(request.route_handler)
    for name in request.query_params:
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else "there are none here"
            raise RequestInvalid(reason=f"there is no parameter {name!r}; {there}")


@cache
def _query_names(handler: BaseRouteHandler) -> tuple[str, ...]:
    declared = {name: one.kwarg_definition for name, one in handler.parsed_fn_signature.parameters.items()}
    return tuple(one.name or name for name, one in declared.items() if isinstance(one, QueryParameter))


def _refuse(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    ours = _ours(request, told(error))
    if not isinstance(ours, OstinatoError):
        _log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    problem = problem_of(ours)
    return Response(problem, status_code=problem.status, media_type="application/problem+json")


def _ours(request: Request[Any, Any, Any], error: Exception) -> Exception:
    """Give our error for one of the framework."""
    if not isinstance(error, HTTPException):
        return error
    path, method = request.scope["path"], request.scope["method"]
    match error.status_code:
        case http.HTTPStatus.NOT_FOUND:
            return DoorNotFound(method=method, path=path)
        case http.HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodRefused(path=path, method=method)
        case http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BodyTooLarge(size_bytes=MOST_BYTES, most_bytes=MOST_BYTES)
        case status if status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
            return RequestInvalid(reason=_told(error))
    return error


def _told(error: HTTPException) -> str:
    """Give what is wrong with a request, in one line."""
    extra = error.extra if isinstance(error.extra, list) else []
    found = [f"{one.get('key', 'body')}: {one.get('message', '')}" for one in extra if isinstance(one, dict)]
    return "; ".join(found) or error.detail
