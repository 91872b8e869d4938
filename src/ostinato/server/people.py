"""Users, API keys, secrets and the audit over the public API."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import unquote

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from ostinato.core.access import Role, Scope
from ostinato.core.commands import (
    CreateKey,
    CreateUser,
    DisableUser,
    RevokeKey,
    SetRole,
    SetSecret,
    UnsetSecret,
)
from ostinato.core.views import (
    AuditView,
    KeyView,
    SecretView,
    UserView,
    audit_view,
    key_view,
    microseconds,
    secret_view,
    user_view,
)
from ostinato.server.doors import (
    MOST_INT,
    After,
    Ask,
    Limit,
    Page,
    Part,
    Ref,
    make_at,
    page,
    read_at,
    remove_at,
    set_at,
)
from ostinato.server.runs import Instant


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user that is wanted."""

    name: str
    role: Role


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user is to be."""

    role: Role
    disabled: bool = False


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that is wanted."""

    user: str
    role: Role | None = None
    scopes: tuple[Scope, ...] = ()
    expires_at: Instant | None = None
    name: str = ""


class MadeKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is told once."""

    text: str
    """The key itself; it is kept nowhere."""
    key: KeyView


class SecretBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of a secret; nobody is told it again."""

    value: Annotated[str, Meta(min_length=1)]


@read_at("/api/users")
async def list_users(request: Ask, limit: Limit = 100, after: After = "") -> Page[UserView]:
    """List users by name."""
    found = await request.look(lambda shelf: shelf.reader.users(after=after, limit=limit + 1), "manage-access")
    return page([user_view(one) for one in found], limit, lambda one: one.name)


@make_at("/api/users")
async def create_user(request: Ask, data: JSONBody[NewUser]) -> UserView:
    """Make a user."""
    return user_view(await request.do(CreateUser(name=data.name, role=data.role)))


@set_at("/api/users/{name:str}")
async def change_user(request: Ask, name: Ref, data: JSONBody[UserChange]) -> UserView:
    """Give a user a role; refuse its keys, or let them hold again."""
    await request.do(SetRole(name=name, role=data.role))
    return user_view(await request.do(DisableUser(name=name, disabled=data.disabled)))


@read_at("/api/keys")
async def list_keys(
    request: Ask,
    user: Annotated[str, QueryParameter(max_length=100, description="Those of this user.")] = "",
    limit: Limit = 100,
    after: After = "",
) -> Page[KeyView]:
    """List API keys by id, without their secrets."""
    found = await request.look(
        lambda shelf: shelf.reader.api_keys(user=user, after=after, limit=limit + 1), "manage-access"
    )
    return page([key_view(one) for one in found], limit, lambda one: one.id)


@make_at("/api/keys")
async def create_key(request: Ask, data: JSONBody[NewKey]) -> MadeKeyView:
    """Make an API key; the answer is the only place where its text stands."""
    made = await request.do(
        CreateKey(
            user=data.user,
            role=data.role,
            scopes=data.scopes,
            expires_at=microseconds(data.expires_at),
            name=data.name,
        )
    )
    return MadeKeyView(text=made.text, key=key_view(made.key))


@remove_at("/api/keys/{key_id:str}")
async def revoke_key(request: Ask, key_id: Ref) -> None:
    """Let an API key hold no longer."""
    await request.do(RevokeKey(id=key_id))


@read_at("/api/secrets")
async def list_secrets(request: Ask, limit: Limit = 100, after: After = "") -> Page[SecretView]:
    """List the names of secrets, when they were set and by whom."""
    found = await request.look(lambda shelf: shelf.reader.secrets(after=after, limit=limit + 1))
    return page([secret_view(one) for one in found], limit, lambda one: one.name)


@set_at("/api/secrets/{name:str}")
async def set_secret(request: Ask, name: Part, data: JSONBody[SecretBody]) -> None:
    """Keep a secret; it is sealed before it is written."""
    await request.do(SetSecret(name=unquote(name), value=data.value))


@remove_at("/api/secrets/{name:str}")
async def unset_secret(request: Ask, name: Part) -> None:
    """Forget a secret."""
    await request.do(UnsetSecret(name=unquote(name)))


Before = Annotated[int, QueryParameter(ge=1, le=MOST_INT, description="`next` of the page before.")]


@read_at("/api/audit")
async def list_audit(request: Ask, limit: Limit = 100, after: Before = MOST_INT) -> Page[AuditView]:
    """List who did what, the newest first."""
    found = await request.look(lambda shelf: shelf.reader.audit(before=after, limit=limit + 1), "read-audit")
    return page([audit_view(one) for one in found], limit, lambda one: one.id)


HANDLERS: Final = (
    list_users,
    create_user,
    change_user,
    list_keys,
    create_key,
    revoke_key,
    list_secrets,
    set_secret,
    unset_secret,
    list_audit,
)
