"""Commands over users, API keys and secrets; each is kept in the audit with who asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ostinato.core import access as rules
from ostinato.core import seal
from ostinato.core.access import MadeKey, User
from ostinato.core.errors import BadOption, KeyNotFound, SecretMissing, UserExists, UserNotFound
from ostinato.core.events import Audited, KeySet, SecretSet, UserSet
from ostinato.store import access, keyfile, sql

if TYPE_CHECKING:
    from ostinato.core.access import ApiKey
    from ostinato.core.commands import (
        CreateKey,
        CreateUser,
        DisableUser,
        RevokeKey,
        SetRole,
        SetSecret,
        UnsetSecret,
    )
    from ostinato.store.transaction import Tx


def create_user(tx: Tx, command: CreateUser) -> User:
    """Make a user, unless there is one of this name."""
    rules.check_name(command.name, "user")
    if access.user(tx.db, command.name) is not None:
        raise UserExists(name=command.name)
    made = User(name=command.name, role=command.role, disabled=False, created_at=tx.now, updated_at=tx.now)
    return _set_user(tx, "create-user", made)


def set_role(tx: Tx, command: SetRole) -> User:
    """Give a user another role."""
    found = _user(tx, command.name)
    return found if found.role == command.role else _set_user(tx, "set-role", replace(found, role=command.role))


def disable_user(tx: Tx, command: DisableUser) -> User:
    """Refuse the keys of a user, or let them hold again."""
    found = _user(tx, command.name)
    if found.disabled == command.disabled:
        return found
    action = "disable-user" if command.disabled else "enable-user"
    return _set_user(tx, action, replace(found, disabled=command.disabled))


def create_key(tx: Tx, command: CreateKey) -> MadeKey:
    """Make a key that may no more than its user; only the hash of its secret is kept."""
    owner = _user(tx, command.user)
    role = command.role or owner.role
    rules.check_key_role(owner, role)
    if command.expires_at and command.expires_at <= tx.now:
        fix = "Name a time to come, such as 90d."
        raise BadOption(option="expires", value=command.expires_at, where="an API key", reason="it is over", fix=fix)
    key = rules.new_key()
    while access.key(tx.db, key.id) is not None:
        key = rules.new_key()
    scopes = rules.ordered(command.scopes)
    told = _told(user=owner.name, role=role, scopes=",".join(scopes), name=command.name)
    tx.append(
        KeySet(key.id, tx.now, tx.actor, owner.name, command.name, role, scopes, key.hash, command.expires_at),
        Audited(tx.now, tx.actor, "create-key", key.id, told),
    )
    return MadeKey(text=key.text, key=_key(tx, key.id))


def revoke_key(tx: Tx, command: RevokeKey) -> ApiKey:
    """Let a key hold no longer."""
    one = _key(tx, command.id)
    if one.revoked:
        return one
    digest: bytes = tx.db.execute(sql.load("access")["hash_of_key"], (one.id,)).fetchone()[0]
    tx.append(
        KeySet(
            one.id, tx.now, tx.actor, one.user, one.name, one.role, one.scopes, digest, one.expires_at, revoked=True
        ),
        Audited(tx.now, tx.actor, "revoke-key", one.id, _told(user=one.user, name=one.name)),
    )
    return _key(tx, one.id)


def set_secret(tx: Tx, command: SetSecret) -> None:
    """Seal a value with the key of the home, and keep it."""
    rules.check_name(command.name, "secret")
    sealed = seal.seal(keyfile.find_or_make_key(tx.home), command.name, command.value.encode())
    tx.append(SecretSet(command.name, tx.now, tx.actor, sealed), Audited(tx.now, tx.actor, "set-secret", command.name))


def unset_secret(tx: Tx, command: UnsetSecret) -> None:
    """Forget a secret."""
    if access.sealed(tx.db, command.name) is None:
        raise SecretMissing(name=command.name)
    tx.append(SecretSet(command.name, tx.now, tx.actor, None), Audited(tx.now, tx.actor, "unset-secret", command.name))


def _set_user(tx: Tx, action: str, user: User) -> User:
    tx.append(
        UserSet(user.name, tx.now, tx.actor, user.role, user.disabled),
        Audited(tx.now, tx.actor, action, user.name, _told(role=user.role)),
    )
    return replace(user, updated_at=tx.now)


def _user(tx: Tx, name: str) -> User:
    found = access.user(tx.db, name)
    if found is None:
        raise UserNotFound(name=name)
    return found


def _key(tx: Tx, key_id: str) -> ApiKey:
    found = access.key(tx.db, key_id)
    if found is None:
        raise KeyNotFound(id=key_id)
    return found


def _told(**facts: str) -> str:
    return " ".join(f"{name}={value}" for name, value in facts.items() if value)
