"""Sessions of browsers: begun by a one-time link or an API key, kept in a cookie and in a file of the home.

The file has hashes of the cookies only. A session outlives a restart of the server, but not its twelve hours.
"""

from __future__ import annotations

import hashlib
import os
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
    """Who a browser speaks for, and until when (seconds of the wall clock)."""

    identity: Identity
    until: float
    key_id: str = ""
    """The key that began it: the session holds only while the key does."""


_sessions: Final = msgspec.json.Decoder(dict[str, Session]).decode


class Sessions:
    """All links and sessions of the servers of a home; links end with a server."""

    def __init__(self, path: str) -> None:
        """Go on with the sessions that a file has, if it is there and can be read."""
        self._path = path
        self._links: dict[str, float] = {}
        self._sessions = _read(path)

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
        self._sessions[_hash(cookie)] = Session(as_session, time.time() + SESSION_S, identity.key_id)
        self._write()
        return cookie

    def find(self, cookie: str) -> Session | None:
        """Give the session of a cookie, if it goes on."""
        found = self._sessions.get(_hash(cookie))
        if found is not None and found.until <= time.time():
            self.end(cookie)
            return None
        return found

    def end(self, cookie: str) -> None:
        """End a session."""
        if self._sessions.pop(_hash(cookie), None) is not None:
            self._write()

    def _write(self) -> None:
        """Keep all sessions; a disk that is full costs a sign-in after the next restart, and nothing now."""
        hidden = f"{self._path}.new"
        try:
            fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(msgspec.json.encode(self._sessions))
            os.rename(hidden, self._path)
        except OSError:
            return


def _read(path: str) -> dict[str, Session]:
    try:
        with open(path, "rb") as file:
            found = _sessions(file.read())
    except (OSError, msgspec.MsgspecError):
        return {}
    return {cookie: session for cookie, session in found.items() if session.until > time.time()}


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
