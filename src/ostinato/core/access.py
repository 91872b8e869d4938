"""Who may do what: roles, scopes, users, API keys, and the identity behind a command.

An API key is the text `ost_<id>_<secret>`. The id (8 characters) is its public name; the secret has 256 random
bits, so its SHA-256 is kept and no slow hash: nobody can try out secrets of that size, and every request pays for
the check.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec

from ostinato.core.errors import AccessRefused, KeyRefused, NameInvalid, RoleExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable

Role: TypeAlias = Literal["viewer", "editor", "operator", "admin"]
"""From the least to the most; each may do what those before it may."""

Scope: TypeAlias = Literal["read", "worker", "tracking"]
"""What a key may be narrowed to."""

Action: TypeAlias = Literal[
    "read",
    "run",
    "record",
    "track",
    "manage-models",
    "deploy",
    "set-variable",
    "set-secret",
    "delete-runs",
    "set-limits",
    "work",
    "open-secret",
    "manage-access",
    "read-audit",
    "manage-home",
]

NEEDS: Final[dict[Action, Role]] = {
    "read": "viewer",
    # Who deploys code decides what runs; to run, cancel, pause, resume and retry it is the lesser right.
    "run": "editor",
    "record": "editor",
    "track": "editor",
    "deploy": "editor",
    "set-variable": "editor",
    "set-secret": "editor",
    # What hits the work of everybody.
    "delete-runs": "operator",
    "set-limits": "operator",
    "manage-models": "operator",
    "work": "operator",
    "open-secret": "operator",
    "manage-access": "admin",
    "read-audit": "admin",
    "manage-home": "admin",
}
"""The role that each action needs. `record` is what a flow process elsewhere does, `work` what a worker does,
`track` what changes experiments and tracking runs."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[dict[Scope, frozenset[Action]]] = {
    "read": frozenset({"read"}),
    "worker": frozenset({"read", "record", "track", "work", "open-secret"}),
    "tracking": frozenset({"read", "track"}),
}
"""The actions that each scope leaves over; a scope never adds to what the role allows."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
KEY_TEXT: Final = re.compile(r"ost_([a-z0-9]{8})_([A-Za-z0-9_-]{43})")
USE_NOTED_EVERY_US: Final = 60_000_000
"""The last use of a key is written at most once in this time."""

_ID_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: what the check of a request gives, and what commands get."""

    role: Role
    kind: Literal["local", "key", "session", "run"]
    """`local`: the owner of the home; `key`: an API key; `session`: a browser that followed a one-time link;
    `run`: the process of a flow run."""
    user: str = ""
    key_id: str = ""
    scopes: tuple[Scope, ...] = ()
    run_id: str = ""

    @property
    def actor(self) -> str:
        """Who did it, as events keep it: `local`, `user:ann`, `key:ann/k3x81mpa`, or `run:ID`."""
        if self.kind == "run":
            return f"run:{self.run_id}"
        if self.kind == "key":
            return f"key:{self.user}/{self.key_id}"
        return f"user:{self.user}" if self.user else "local"

    @property
    def actions(self) -> tuple[Action, ...]:
        """All that it may do."""
        return tuple(action for action in NEEDS if self.may(action))

    def may(self, action: Action) -> bool:
        """Tell whether role and scopes allow an action."""
        in_scope = not self.scopes or any(action in SCOPES[scope] for scope in self.scopes)
        return in_scope and includes(self.role, NEEDS[action])

    def check(self, action: Action) -> None:
        """Let an allowed action pass.

        Raises:
            AccessRefused: (access-refused) names the role that it needs.
        """
        if not self.may(action):
            has = f"{self.role}, scopes {', '.join(self.scopes)}" if self.scopes else self.role
            raise AccessRefused(actor=self.actor, action=action, has=has, needs=NEEDS[action])


LOCAL: Final = Identity(role="admin", kind="local")
"""Whoever may read the files of the home; a server cannot withhold from them what the database holds."""


def of_run(run_id: str) -> Identity:
    """Give the identity of the process of a flow run: it may read, and track."""
    return Identity(role="editor", kind="run", scopes=("tracking",), run_id=run_id)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person or a machine that has keys."""

    name: str
    role: Role
    disabled: bool
    created_at: int
    updated_at: int


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as lists show it: all but its secret."""

    id: str
    user: str
    name: str
    role: Role
    scopes: tuple[Scope, ...]
    created_at: int
    expires_at: int
    """0 = never."""
    last_used_at: int
    """0 = not yet; exact to a minute."""
    revoked: bool


class KnownKey(msgspec.Struct, frozen=True, kw_only=True):
    """What the check of a key needs to know of it and its user."""

    id: str
    user: str
    role: Role
    scopes: tuple[Scope, ...]
    hash: bytes
    expires_at: int
    revoked: bool
    user_role: Role
    user_disabled: bool


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key when it is made, the only moment at which its text exists."""

    id: str
    text: str
    hash: bytes


class MadeKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is told once to who made it."""

    text: str
    key: ApiKey

    def __repr__(self) -> str:
        return f"MadeKey(text='********', key={self.key!r})"


class SecretInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a secret: never its value."""

    name: str
    updated_at: int
    updated_by: str


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One act that the audit keeps; `id` grows in commit order."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    detail: str


def includes(role: Role, needed: Role) -> bool:
    """Tell whether a role may do what another may.

    Example:
        >>> includes("operator", "editor"), includes("viewer", "editor")
        (True, False)
    """
    return ROLES.index(role) >= ROLES.index(needed)


def lesser(one: Role, other: Role) -> Role:
    """Give the role of the two that may do less."""
    return other if includes(one, other) else one


def check_name(name: str, what: str) -> None:
    """Let a name of a user or a secret pass.

    Raises:
        NameInvalid: (name-invalid).
    """
    if not NAME.fullmatch(name):
        raise NameInvalid(name=name, what=what)


def check_key_role(user: User, role: Role) -> None:
    """Let a key have a role that its user has.

    Raises:
        RoleExceeded: (role-exceeded).
    """
    if not includes(user.role, role):
        raise RoleExceeded(user=user.name, has=user.role, role=role)


def new_key() -> NewKey:
    """Give a new key."""
    random = import_module("secrets")  # only who makes keys needs it
    key_id = "".join(random.choice(_ID_LETTERS) for _ in range(8))
    secret = random.token_urlsafe(32)
    return NewKey(id=key_id, text=f"ost_{key_id}_{secret}", hash=hash_of(secret))


def hash_of(secret: str) -> bytes:
    """Give what is kept of a key's secret."""
    return hashlib.sha256(secret.encode()).digest()


def split_key(text: str) -> tuple[str, str]:
    """Give id and secret of a key's text.

    Raises:
        KeyRefused: (key-refused) it is no key.
    """
    found = KEY_TEXT.fullmatch(text)
    if found is None:
        raise KeyRefused(key="that was given", reason="it does not look like ost_ID_SECRET")
    return found[1], found[2]


def identify(known: KnownKey | None, key_id: str, secret: str, now: int) -> Identity:
    """Give who holds a key, at instant `now`; comparing takes equally long for every wrong secret.

    Why a key is refused is told only to who knows its secret.

    Raises:
        KeyRefused: (key-refused) unknown, wrong, revoked, expired, or its user is disabled.
    """
    expected = known.hash if known is not None else bytes(32)
    if not hmac.compare_digest(hash_of(secret), expected) or known is None:
        raise KeyRefused(key=key_id, reason="it is not known here")
    if known.revoked:
        raise KeyRefused(key=key_id, reason="it was revoked")
    if 0 < known.expires_at <= now:
        raise KeyRefused(key=key_id, reason="it has expired")
    if known.user_disabled:
        raise KeyRefused(key=key_id, reason=f"user {known.user!r} is disabled")
    role = lesser(known.role, known.user_role)
    return Identity(role=role, kind="key", user=known.user, key_id=known.id, scopes=known.scopes)


def ordered(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Give scopes once each, in the order of the table."""
    asked = set(scopes)
    return tuple(scope for scope in SCOPES if scope in asked)
