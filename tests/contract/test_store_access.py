"""What every store keeps of users, keys, secrets and the audit: who is let in, who not, and what is never kept."""

from __future__ import annotations

import concurrent.futures
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from ostinato import session
from ostinato.core import seal
from ostinato.core.access import split_key
from ostinato.core.commands import (
    CreateKey,
    CreateUser,
    DisableUser,
    RevokeKey,
    SetRole,
    SetSecret,
    UnsetSecret,
)
from ostinato.core.errors import (
    BadOption,
    KeyNotFound,
    KeyRefused,
    NameInvalid,
    RoleExceeded,
    SecretDamaged,
    SecretKeyInvalid,
    SecretKeyMismatch,
    SecretMissing,
    UserExists,
    UserNotFound,
)
from ostinato.session.backups import backup, restore
from ostinato.session.home import Home
from ostinato.store import access, keyfile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.access import Identity, MadeKey
    from ostinato.core.ports import Commands, Reader, Recorder
    from ostinato.store.database import Database

MINUTE_US = 60_000_000


class Doors(NamedTuple):
    """One home as three ends see it, and its database."""

    commands: Commands
    reader: Reader
    recorder: Recorder
    database: Database

    def key(self, user: str = "ann", **options: object) -> MadeKey:
        return self.commands.do(msgspec.convert({"user": user, **options}, CreateKey))

    def enter(self, text: str, now: int | None = None) -> Identity:
        return access.authenticate(self.database.db, text, time.time_ns() // 1000 if now is None else now)


@pytest.fixture
def doors(home: Path) -> Iterator[Doors]:
    commands, reader = session.commands(), session.reader()
    database = Home(str(home)).open()
    yield Doors(commands, reader, session.recorder(), database)
    commands.close()
    reader.close()
    database.close()


# --- users and keys


def test_a_key_lets_its_user_in_until_it_is_revoked(doors: Doors) -> None:
    doors.commands.do(CreateUser(name="ann", role="operator"))
    made = doors.key(role="editor", name="ci")
    assert (doors.enter(made.text).user, doors.enter(made.text).role) == ("ann", "editor")
    assert doors.commands.do(RevokeKey(id=made.key.id)).revoked
    with pytest.raises(KeyRefused, match="revoked"):
        doors.enter(made.text)
    assert doors.commands.do(RevokeKey(id=made.key.id)).revoked  # again: nothing happens


def test_the_text_of_a_key_is_kept_nowhere(doors: Doors, home: Path) -> None:
    doors.commands.do(CreateUser(name="ann", role="operator"))
    made = doors.key()
    _, secret = split_key(made.text)
    for path in [path for path in home.rglob("*") if path.is_file()]:
        assert secret.encode() not in path.read_bytes()
    assert made.text not in repr(doors.reader.api_keys())
    assert all(made.text not in line.detail for line in doors.reader.audit())


def test_a_key_expires(doors: Doors) -> None:
    doors.commands.do(CreateUser(name="ann", role="operator"))
    end = time.time_ns() // 1000 + MINUTE_US
    made = doors.key(expires_at=end)
    assert doors.enter(made.text, end - 1).user == "ann"
    with pytest.raises(KeyRefused, match="expired"):
        doors.enter(made.text, end)
    with pytest.raises(BadOption, match="over"):
        doors.key(expires_at=1)


def test_what_a_key_may_follows_its_user(doors: Doors) -> None:
    doors.commands.do(CreateUser(name="ann", role="admin"))
    made = doors.key()
    doors.commands.do(SetRole(name="ann", role="viewer"))
    assert doors.enter(made.text).role == "viewer"
    doors.commands.do(DisableUser(name="ann"))
    with pytest.raises(KeyRefused, match="disabled"):
        doors.enter(made.text)
    doors.commands.do(DisableUser(name="ann", disabled=False))
    assert doors.enter(made.text).user == "ann"


def test_a_key_has_the_scopes_that_it_was_made_with(doors: Doors) -> None:
    doors.commands.do(CreateUser(name="fleet", role="operator"))
    made = doors.key("fleet", scopes=["worker", "worker"])
    assert doors.enter(made.text).scopes == made.key.scopes == ("worker",)
    assert doors.enter(made.text).may("work")
    assert not doors.enter(made.text).may("run")


def test_keys_of_nobody_and_keys_above_their_user_are_refused(doors: Doors) -> None:
    with pytest.raises(UserNotFound, match="users create ann"):
        doors.key()
    doors.commands.do(CreateUser(name="ann", role="editor"))
    with pytest.raises(RoleExceeded):
        doors.key(role="operator")
    with pytest.raises(KeyNotFound):
        doors.commands.do(RevokeKey(id="nothing0"))
    with pytest.raises(KeyRefused, match="not known"):
        doors.enter("ost_nothing0_" + "x" * 43)
    assert doors.reader.api_keys() == []


def test_users_are_made_once_and_named_well(doors: Doors) -> None:
    doors.commands.do(CreateUser(name="ann", role="editor"))
    with pytest.raises(UserExists):
        doors.commands.do(CreateUser(name="ann", role="admin"))
    with pytest.raises(NameInvalid):
        doors.commands.do(CreateUser(name="an n", role="admin"))
    with pytest.raises(UserNotFound):
        doors.commands.do(SetRole(name="bob", role="admin"))
    assert [(user.name, user.role) for user in doors.reader.users()] == [("ann", "editor")]


def test_lists_go_on_after_what_a_page_ended_with(doors: Doors) -> None:
    for name in ("ann", "bob", "cid"):
        doors.commands.do(CreateUser(name=name, role="admin"))
        doors.key(name)
        doors.commands.do(SetSecret(name=name, value="hunter2"))
    users = doors.reader.users(limit=2)
    assert [user.name for user in [*users, *doors.reader.users(after=users[-1].name)]] == ["ann", "bob", "cid"]
    keys = doors.reader.api_keys(limit=2)
    assert len({key.id for key in [*keys, *doors.reader.api_keys(after=keys[-1].id)]}) == 3
    assert [key.user for key in doors.reader.api_keys(user="bob")] == ["bob"]
    assert [one.name for one in doors.reader.secrets(after="ann", limit=1)] == ["bob"]
    newest = doors.reader.audit(limit=4)
    rest = doors.reader.audit(before=newest[-1].id)
    assert [line.id for line in [*newest, *rest]] == list(range(9, 0, -1))


def test_the_last_use_is_noted_once_a_minute(doors: Doors) -> None:
    doors.commands.do(CreateUser(name="ann", role="admin"))
    key_id, now = doors.key().key.id, 1_800_000_000_000_000
    noted = []
    for at in (now, now + 1, now + MINUTE_US - 1, now + MINUTE_US, now + MINUTE_US + 1):
        with doors.database.writing() as db:
            noted.append(access.note_use(db, key_id, at))
    assert noted == [True, False, False, True, False]
    assert doors.reader.api_keys()[0].last_used_at == now + MINUTE_US


def test_a_home_has_a_way_in_while_some_key_holds(doors: Doors) -> None:
    now = time.time_ns() // 1000
    assert not access.any_key(doors.database.db, now)
    doors.commands.do(CreateUser(name="ann", role="admin"))
    made = doors.key(expires_at=now + MINUTE_US)
    assert access.any_key(doors.database.db, now)
    assert not access.any_key(doors.database.db, now + MINUTE_US)
    doors.commands.do(RevokeKey(id=made.key.id))
    assert not access.any_key(doors.database.db, now)


def test_the_audit_says_who_did_what(doors: Doors) -> None:
    doors.commands.do(CreateUser(name="ann", role="admin"))
    key_id = doors.key(role="editor", name="ci", scopes=["read"]).key.id
    doors.commands.do(SetSecret(name="db", value="hunter2"))
    doors.commands.do(RevokeKey(id=key_id))
    doors.commands.do(RevokeKey(id=key_id))
    doors.commands.do(UnsetSecret(name="db"))
    found = [(line.actor, line.action, line.subject, line.detail) for line in doors.reader.audit()]
    assert found == [
        ("local", "unset-secret", "db", ""),
        ("local", "revoke-key", key_id, "user=ann name=ci"),
        ("local", "set-secret", "db", ""),
        ("local", "create-key", key_id, "user=ann role=editor scopes=read name=ci"),
        ("local", "create-user", "ann", "role=admin"),
    ]


# --- secrets


def test_a_secret_is_what_was_set_last(doors: Doors) -> None:
    assert doors.recorder.find_secret("db") is None
    for value in ("hunter2", "", "ä\n\0€" * 1000):
        doors.commands.do(SetSecret(name="db", value=value))
        assert doors.recorder.find_secret("db") == value.encode()
    doors.commands.do(UnsetSecret(name="db"))
    assert doors.recorder.find_secret("db") is None
    assert doors.reader.secrets() == []
    with pytest.raises(SecretMissing):
        doors.commands.do(UnsetSecret(name="db"))
    with pytest.raises(NameInvalid):
        doors.commands.do(SetSecret(name="a/b", value="x"))


def test_no_file_of_the_home_holds_a_value(doors: Doors, home: Path) -> None:
    doors.commands.do(SetSecret(name="db", value="correct horse battery"))
    for path in [path for path in home.rglob("*") if path.is_file()]:
        assert b"correct horse" not in path.read_bytes()


def test_the_key_file_is_for_its_owner_only_and_made_once(doors: Doors, home: Path) -> None:
    doors.commands.do(SetSecret(name="db", value="hunter2"))
    path = home / keyfile.NAME
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    doors.commands.do(SetSecret(name="other", value="hunter2"))
    assert path.read_bytes() == before
    assert [file.name for file in home.iterdir() if file.name.startswith(keyfile.NAME)] == [keyfile.NAME]


def test_many_that_need_the_key_first_get_the_same_one(tmp_path: Path) -> None:
    with concurrent.futures.ProcessPoolExecutor(4) as pool:
        keys = set(pool.map(keyfile.find_or_make_key, [str(tmp_path)] * 16))
    assert len(keys) == 1


def test_reading_a_secret_makes_no_key(doors: Doors, home: Path) -> None:
    doors.commands.do(SetSecret(name="db", value="hunter2"))
    (home / keyfile.NAME).unlink()
    with pytest.raises(SecretKeyMismatch, match="is none"):
        doors.recorder.find_secret("db")
    assert not (home / keyfile.NAME).exists()


def test_the_environment_may_hold_the_key(doors: Doors, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_SECRET_KEY", seal.key_text(seal.new_key()))
    doors.commands.do(SetSecret(name="db", value="hunter2"))
    assert doors.recorder.find_secret("db") == b"hunter2"
    assert not (home / keyfile.NAME).exists()
    monkeypatch.setenv("OSTINATO_SECRET_KEY", seal.key_text(seal.new_key()))
    with pytest.raises(SecretKeyMismatch):
        doors.recorder.find_secret("db")
    monkeypatch.setenv("OSTINATO_SECRET_KEY", "hunter2")
    with pytest.raises(SecretKeyInvalid, match="OSTINATO_SECRET_KEY") as caught:
        doors.recorder.find_secret("db")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_that_others_may_read_is_refused(doors: Doors, home: Path, mode: int) -> None:
    doors.commands.do(SetSecret(name="db", value="hunter2"))
    (home / keyfile.NAME).chmod(mode)
    with pytest.raises(SecretKeyInvalid, match="chmod 600"):
        doors.recorder.find_secret("db")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"short\n"])
def test_a_key_file_without_a_key_is_refused(doors: Doors, home: Path, content: bytes) -> None:
    doors.commands.do(SetSecret(name="db", value="hunter2"))
    (home / keyfile.NAME).write_bytes(content)
    with pytest.raises(SecretKeyInvalid, match=keyfile.NAME):
        doors.recorder.find_secret("db")


def test_a_sealed_value_that_was_moved_in_the_database_does_not_open(doors: Doors) -> None:
    doors.commands.do(SetSecret(name="mine", value="hunter2"))
    doors.commands.do(SetSecret(name="yours", value="hunter3"))
    with doors.database.writing() as db:
        db.execute("UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'yours') WHERE name = 'mine'")
    with pytest.raises(SecretDamaged, match="'mine'"):
        doors.recorder.find_secret("mine")


@pytest.mark.only_sqlite(reason="an archive of a home holds the file of SQLite")
def test_a_backup_leaves_the_key_behind(doors: Doors, home: Path, tmp_path: Path) -> None:
    doors.commands.do(SetSecret(name="db", value="hunter2"))
    archive, other = tmp_path / "home.tar", tmp_path / "other"
    backup(str(archive), str(home))
    content = archive.read_bytes()
    assert keyfile.NAME.encode() not in content
    assert (home / keyfile.NAME).read_bytes().strip() not in content
    restore(str(archive), str(other))
    database = Home(str(other)).open()
    sealed = access.sealed(database.db, "db")
    database.close()
    assert sealed is not None
    with pytest.raises(SecretKeyMismatch):
        seal.unseal(keyfile.find_key(str(other)), "db", sealed)
    (other / keyfile.NAME).write_bytes((home / keyfile.NAME).read_bytes())
    (other / keyfile.NAME).chmod(0o600)
    assert seal.unseal(keyfile.find_key(str(other)), "db", sealed) == b"hunter2"
