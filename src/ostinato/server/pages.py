"""How browsers are let in: the one-time link, and keys that begin a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from ostinato.core.access import LOCAL, Identity
from ostinato.core.errors import MethodRefused, NotAuthenticated, RequestInvalid
from ostinato.server.auth import cookie_of
from ostinato.server.sessions import COOKIE, SESSION_S

if TYPE_CHECKING:
    from ostinato.server.auth import Guard
    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office

HTML: Final = b"text/html; charset=utf-8"
JSON: Final = b"application/json"
KEY_BYTES: Final = 4096
"""Longest body that is taken from somebody who is not known yet."""
SAFE_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a login."""

    key: str


class Pages:
    """Answers `/login` and `/api/session`."""

    def __init__(self, office: Office, guard: Guard) -> None:
        self.office = office
        self.guard = guard

    async def login(self, exchange: Exchange) -> None:
        """Begin a session by a link, and go to the first page."""
        if exchange.method != "GET":
            raise MethodRefused(path=exchange.path, method=exchange.method)
        query: bytes = exchange.scope["query_string"]
        link = parse_qs(query.decode("latin-1")).get("link", [""])[0]
        cookie = self.office.sessions.follow(link, LOCAL)
        if cookie is None:
            raise NotAuthenticated(reason="the link was used already, or is too old")
        await _send(exchange, b"", HTML, status=303, more=[(b"location", b"./"), _cookie(exchange, cookie, SESSION_S)])

    async def session(self, exchange: Exchange) -> None:
        """Tell of a session (GET), begin one by a key (POST), end it (DELETE)."""
        if exchange.method == "GET":
            await _send(exchange, _told(await self.guard.identify(exchange)), JSON)
        elif exchange.method == "POST":
            try:
                body = msgspec.json.decode(await exchange.body(KEY_BYTES), type=Key)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise RequestInvalid(reason=str(error)) from error
            identity = await self.guard.of_token(body.key)
            cookie = self.office.sessions.begin(identity)
            await _send(exchange, _told(identity), JSON, more=[_cookie(exchange, cookie, SESSION_S)])
        elif exchange.method == "DELETE":
            self.office.sessions.end(cookie_of(exchange))
            await _send(exchange, b"", JSON, status=204, more=[_cookie(exchange, "", 0)])
        else:
            raise MethodRefused(path=exchange.path, method=exchange.method)

    async def new_link(self, exchange: Exchange) -> None:
        """Make a link for a browser, for who holds the local token."""
        if exchange.method != "POST":
            raise MethodRefused(path=exchange.path, method=exchange.method)
        (await self.guard.identify(exchange)).check("manage-home")
        await _send(exchange, msgspec.json.encode({"path": f"/login?link={self.office.sessions.new_link()}"}), JSON)


def _told(identity: Identity) -> bytes:
    return msgspec.json.encode(
        {"actor": identity.actor, "user": identity.user or None, "role": identity.role, "scopes": identity.scopes}
    )


def _cookie(exchange: Exchange, value: str, age_s: float) -> tuple[bytes, bytes]:
    text = f"{COOKIE}={value}; Path={exchange.prefix}/; Max-Age={int(age_s)}; HttpOnly; SameSite=Strict"
    return b"set-cookie", text.encode()


async def _send(
    exchange: Exchange, body: bytes, kind: bytes, *, status: int = 200, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    length = [] if status == 204 else [(b"content-length", b"%d" % len(body))]
    await exchange.begin(status, [(b"content-type", kind), *length, *SAFE_HEADERS, *(more or [])])
    await exchange.more(b"" if exchange.method == "HEAD" else body, last=True)
