"""Who asks, and whether they ask us: tokens, keys, cookies, and the names in Host and Origin."""

from __future__ import annotations

import hmac
import ipaddress
import time
from base64 import b64decode
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from ostinato.core import runtokens
from ostinato.core.access import LOCAL, USE_NOTED_EVERY_US, Identity, lesser, of_run
from ostinato.core.errors import HostRefused, KeyRefused, NotAuthenticated, OriginRefused
from ostinato.server.sessions import COOKIE
from ostinato.store import access
from ostinato.store.keyfile import find_key

if TYPE_CHECKING:
    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office
    from ostinato.server.sessions import Session

BEARER: Final = "bearer "
BASIC: Final = "basic "
"""As clients send a name and a password; the password is a key, whatever the name."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Lets requests in."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._token = office.token.encode()
        self._home_key: bytes | None = None
        """Read when the first token of a flow run comes."""
        self._noted: dict[str, int] = {}
        """When the use of each key was last noted."""

    def check_names(self, exchange: Exchange) -> None:
        """Let a request pass that is meant for us: a page elsewhere must not use a browser as its hand.

        Raises:
            HostRefused: (host-refused), OriginRefused: (origin-refused).
        """
        host = exchange.header(b"host")
        if not self._is_ours(_name_of(host)):
            known = ", ".join(sorted(LOOPBACK | self.office.names))
            raise HostRefused(host=host, known=known)
        origin = exchange.header(b"origin")
        if exchange.method not in SAFE and origin:
            try:
                place = urlsplit(origin).netloc
            except ValueError:
                place = ""
            if not place or place.lower() != host.lower():
                raise OriginRefused(origin=origin)

    def _is_ours(self, name: str) -> bool:
        if name in LOOPBACK or name in self.office.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        # A page that makes its own name mean us still sends its name; an address it cannot send.
        return not self.office.names <= LOOPBACK

    async def identify(self, exchange: Exchange) -> Identity:
        """Give who asks.

        Raises:
            NotAuthenticated: (not-authenticated) the request carries no token.
            KeyRefused: (key-refused) what it carries is neither the local token nor a key that holds.
        """
        header = exchange.header(b"authorization")
        if header[: len(BEARER)].lower() == BEARER:
            return await self.of_token(header[len(BEARER) :].strip())
        if header[: len(BASIC)].lower() == BASIC:
            return await self.of_token(_password(header[len(BASIC) :].strip()))
        session = self.office.sessions.find(cookie_of(exchange))
        if session is None:
            raise NotAuthenticated(reason="it carries no key")
        return await self._of_session(session) if session.key_id else session.identity

    async def of_token(self, text: str) -> Identity:
        """Give who holds the local token, or an API key."""
        if hmac.compare_digest(text.encode(), self._token):
            return LOCAL
        now = time.time_ns() // 1000
        if text.startswith(runtokens.PREFIX):
            return await self._of_run(text, now)
        found = await self.office.look(lambda db: access.authenticate(db, text, now))
        if now - self._noted.get(found.key_id, 0) > USE_NOTED_EVERY_US:
            self._noted[found.key_id] = now
            self.office.ledger.submit(lambda tx: access.note_use(tx.db, found.key_id, tx.now), relaxed=True)
        return found

    async def _of_run(self, text: str, now: int) -> Identity:
        """Give the process of a flow run that has not ended; one that nobody has heard of yet is about to begin."""
        if self._home_key is None:
            self._home_key = find_key(self.office.home.folder)
        run_id = runtokens.run_of_token(self._home_key, text)
        ended_at = await self.office.look(lambda db: access.ended_at(db, run_id))
        if ended_at is not None and ended_at + runtokens.GRACE_US < now:
            raise KeyRefused(key=f"of the flow run {run_id}", reason="the run has ended")
        return of_run(run_id)

    async def _of_session(self, session: Session) -> Identity:
        """Give who a session speaks for, as long as the key that began it holds."""
        key, user = await self.office.look(
            lambda db: (access.key(db, session.key_id), access.user(db, session.identity.user))
        )
        now = time.time_ns() // 1000
        if key is None or user is None or key.revoked or user.disabled or 0 < key.expires_at <= now:
            raise KeyRefused(key=session.key_id, reason="it does not hold any more")
        return replace(session.identity, role=lesser(key.role, user.role))


def cookie_of(exchange: Exchange) -> str:
    """Give the session cookie of a request, "" when there is none."""
    try:
        found = SimpleCookie(exchange.header(b"cookie")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _password(text: str) -> str:
    """Give the password of a name and password, "" when it is none.

    Example:
        >>> _password("YW5uOm9zdF9rZXk=")
        'ost_key'
    """
    try:
        return b64decode(text, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """Give a Host header without its port, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
