"""The pages of variables and secrets, of users and keys, and of the server itself with what it keeps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar.params import QueryParameter

from ostinato.core.access import NEEDS, ROLES, Action, Role
from ostinato.core.settings import describe, load, without_password
from ostinato.core.views import (
    KeyView,
    SecretView,
    UserView,
    VariableView,
    key_view,
    secret_view,
    user_view,
    variable_view,
)
from ostinato.server.doors import Ask, Page, page, read_at
from ostinato.server.overviews import ServerView, server_view
from ostinato.store import access, variables

if TYPE_CHECKING:
    from ostinato.server.office import Office, Shelf

N_ITEMS: Final = 100
AfterName = Annotated[str, QueryParameter(max_length=500, description="`next` of the page before.")]


class VariablesScreen(msgspec.Struct, frozen=True, kw_only=True):
    """Variables with their values, secrets without."""

    items: list[VariableView]
    next: str | None
    """Give it as `after` for the variables that follow."""
    secrets: Page[SecretView]
    may: tuple[Action, ...]
    """What who asks may do."""


class StorageView(msgspec.Struct, frozen=True, kw_only=True):
    """Where the home keeps what it knows."""

    kind: str
    """`SQLite` or `PostgreSQL`."""
    place: str
    schema: int
    """Version of the schema of the database."""
    size_bytes: int
    values_place: str
    """Where stored values are."""


class SettingView(msgspec.Struct, frozen=True, kw_only=True):
    """One setting."""

    name: str
    value: Any
    doc: str
    origin: str


class SettingsScreen(msgspec.Struct, frozen=True, kw_only=True):
    """The server, its storage, and how long it keeps what."""

    server: ServerView
    trouble: str
    """Why the database cannot be asked now; empty while it can."""
    storage: StorageView
    retention: list[SettingView]
    may: tuple[Action, ...]
    """What who asks may do."""


class AccessScreen(msgspec.Struct, frozen=True, kw_only=True):
    """Users, their keys, and what each role may do."""

    users: Page[UserView]
    keys: Page[KeyView]
    roles: dict[Role, list[Action]]
    """What each role may do beyond those before it."""
    may: tuple[Action, ...]
    """What who asks may do."""


@read_at("/api/ui/variables")
async def variables_screen(request: Ask, after: AfterName = "") -> VariablesScreen:
    """Give the page of variables and secrets: a hundred variables, and the first hundred secrets."""

    def ask(shelf: Shelf) -> VariablesScreen:
        found = variables.variables_after(shelf.db, after, N_ITEMS + 1)
        shown = page([variable_view(one) for one in found], N_ITEMS, lambda one: one.name)
        hidden = access.secrets(shelf.db, limit=N_ITEMS + 1)
        return VariablesScreen(
            items=shown.items,
            next=shown.next,
            secrets=page([secret_view(one) for one in hidden], N_ITEMS, lambda one: one.name),
            may=request.identity.actions,
        )

    return await request.look(ask)


@read_at("/api/ui/settings")
async def settings_screen(request: Ask) -> SettingsScreen:
    """Give the page of the server: who asks, where it keeps what, and for how long."""
    office = request.office
    return await request.look(
        lambda _: SettingsScreen(
            server=server_view(request),
            trouble=office.trouble,
            storage=_storage(office),
            retention=_retention(office),
            may=request.identity.actions,
        )
    )


@read_at("/api/ui/access")
async def access_screen(request: Ask) -> AccessScreen:
    """Give the page of users and API keys, the first hundred of each."""

    def ask(shelf: Shelf) -> AccessScreen:
        users = access.users(shelf.db, limit=N_ITEMS + 1)
        keys = access.keys(shelf.db, limit=N_ITEMS + 1)
        return AccessScreen(
            users=page([user_view(one) for one in users], N_ITEMS, lambda one: one.name),
            keys=page([key_view(one) for one in keys], N_ITEMS, lambda one: one.id),
            roles={role: [action for action, needed in NEEDS.items() if needed == role] for role in ROLES},
            may=request.identity.actions,
        )

    return await request.look(ask, "manage-access")


def _storage(office: Office) -> StorageView:
    home = office.home
    with home.peeking() as (_, schema, n_bytes):
        return StorageView(
            kind="PostgreSQL" if home.database_url else "SQLite",
            place=without_password(home.database_url) or home.database,
            schema=schema,
            size_bytes=n_bytes,
            values_place=home.blobs_place,
        )


def _retention(office: Office) -> list[SettingView]:
    settings = load({**os.environ, "OSTINATO_HOME": office.home.folder})
    return [
        SettingView(name=one.name, value=one.value, doc=one.doc, origin=one.origin)
        for one in describe(settings)
        if one.name.startswith("keep_")
    ]


HANDLERS: Final = (variables_screen, settings_screen, access_screen)
