"""Reading users, API keys, secrets and the audit. Lists go on after (`audit`: before) what a page ended with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.access import (
    USE_NOTED_EVERY_US,
    ApiKey,
    AuditLine,
    KnownKey,
    Scope,
    SecretInfo,
    User,
    identify,
    split_key,
)
from ostinato.store import sql

if TYPE_CHECKING:
    from ostinato.core.access import Identity
    from ostinato.store.database import Connection

_scopes = msgspec.json.Decoder(tuple[Scope, ...]).decode


def user(db: Connection, name: str) -> User | None:
    """Give a user, None when there is none."""
    row = db.execute(sql.load("access")["user"], (name,)).fetchone()
    return None if row is None else _user(row)


def users(db: Connection, *, after: str = "", limit: int = 1000) -> list[User]:
    """Give users by name."""
    return [_user(row) for row in db.execute(sql.load("access")["users"], (after, limit))]


def key(db: Connection, key_id: str) -> ApiKey | None:
    """Give an API key, None when there is none."""
    row = db.execute(sql.load("access")["key"], (key_id,)).fetchone()
    return None if row is None else _key(row)


def keys(db: Connection, *, user: str = "", after: str = "", limit: int = 1000) -> list[ApiKey]:
    """Give API keys by id, those of one user when it is named."""
    queries = sql.load("access")
    if user:
        return [_key(row) for row in db.execute(queries["keys_of_user"], (user, after, limit))]
    return [_key(row) for row in db.execute(queries["keys"], (after, limit))]


def any_key(db: Connection, now: int) -> bool:
    """Tell whether some key holds at an instant: without one nobody could ask from elsewhere."""
    return bool(db.execute(sql.load("access")["any_key"], (now,)).fetchone()[0])


def authenticate(db: Connection, text: str, now: int) -> Identity:
    """Give who holds the key with this text, at instant `now`.

    Raises:
        KeyRefused: (key-refused) it is no key, or does not hold.
    """
    key_id, secret = split_key(text)
    row = db.execute(sql.load("access")["known_key"], (key_id,)).fetchone()
    return identify(None if row is None else _known(row), key_id, secret, now)


def ended_at(db: Connection, run_id: str) -> int | None:
    """Give when a flow run ended, None when it has not, or is not known."""
    row = db.execute(sql.load("access")["run_ended_at"], (run_id,)).fetchone()
    return None if row is None else row[0]


def note_use(db: Connection, key_id: str, now: int) -> bool:
    """Note that a key is used, at most once a minute; tell whether it was written."""
    least = now - USE_NOTED_EVERY_US
    return db.execute(sql.load("access")["note_use"], (now, key_id, least)).rowcount == 1


def sealed(db: Connection, name: str) -> bytes | None:
    """Give the sealed value of a secret, None when it is not set."""
    row = db.execute(sql.load("access")["sealed"], (name,)).fetchone()
    return None if row is None else bytes(row[0])


def secrets(db: Connection, *, after: str = "", limit: int = 1000) -> list[SecretInfo]:
    """Give what is told of secrets, by name."""
    rows = db.execute(sql.load("access")["secrets"], (after, limit))
    return [SecretInfo(name=name, updated_at=at, updated_by=actor) for name, at, actor in rows]


def audit(db: Connection, *, before: int = 1 << 62, limit: int = 1000) -> list[AuditLine]:
    """Give who did what, newest first."""
    rows = db.execute(sql.load("access")["audit"], (before, limit))
    return [
        AuditLine(id=number, at=at, actor=actor, action=action, subject=subject, detail=detail)
        for number, at, actor, action, subject, detail in rows
    ]


def _user(row: tuple[Any, ...]) -> User:
    name, role, disabled, created_at, updated_at = row
    return User(name=name, role=role, disabled=bool(disabled), created_at=created_at, updated_at=updated_at)


def _key(row: tuple[Any, ...]) -> ApiKey:
    key_id, user, name, role, scopes, created_at, expires_at, last_used_at, revoked = row
    return ApiKey(
        id=key_id,
        user=user,
        name=name,
        role=role,
        scopes=_scopes(scopes),
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        revoked=bool(revoked),
    )


def _known(row: tuple[Any, ...]) -> KnownKey:
    key_id, user, role, scopes, digest, expires_at, revoked, user_role, user_disabled = row
    return KnownKey(
        id=key_id,
        user=user,
        role=role,
        scopes=_scopes(scopes),
        hash=digest,
        expires_at=expires_at,
        revoked=bool(revoked),
        user_role=user_role,
        user_disabled=bool(user_disabled),
    )
