"""Sessions of browsers: begun by a one-time link or an API key, kept in a cookie."""

from __future__ import annotations

import secrets
import time
from typing import Final

import msgspec
from msgspec.structs import replace

from ostinato.core.access import Identity

COOKIE: Final = "ostinato_session"
LINK_S: Final = 900.0
"""A link that nobody followed for so long is worth nothing."""
SESSION_S: Final = 12 * 3600.0
MOST: Final = 1_000
"""Sessions at once; the oldest goes first."""


class Session(msgspec.Struct, frozen=True):
    """Who a browser speaks for, and until when."""

    identity: Identity
    until: float
    key_id: str = ""
    """The key that began it: the session holds only while the key does."""


class Sessions:
    """All links and sessions of a server; they end with it."""

    def __init__(self) -> None:
        self._links: dict[str, float] = {}
        self._sessions: dict[str, Session] = {}

    def new_link(self) -> str:
        """Give the secret of a link that works once."""
        now = time.monotonic()
        self._links = {link: until for link, until in self._links.items() if until > now}
        link = secrets.token_urlsafe(32)
        self._links[link] = now + LINK_S
        return link

    def follow(self, link: str, identity: Identity) -> str | None:
        """Use up a link; give the cookie of a new session, None when the link is worth nothing."""
        until = self._links.pop(link, 0.0)
        return self.begin(identity) if until > time.monotonic() else None

    def begin(self, identity: Identity) -> str:
        """Give the cookie of a new session."""
        while len(self._sessions) >= MOST:
            del self._sessions[next(iter(self._sessions))]
        cookie = secrets.token_urlsafe(32)
        as_session = replace(identity, kind="session", key_id="")
        self._sessions[cookie] = Session(as_session, time.monotonic() + SESSION_S, identity.key_id)
        return cookie

    def find(self, cookie: str) -> Session | None:
        """Give the session of a cookie, if it goes on."""
        found = self._sessions.get(cookie)
        if found is not None and found.until <= time.monotonic():
            self.end(cookie)
            return None
        return found

    def end(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(cookie, None)
