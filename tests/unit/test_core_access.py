"""Roles, scopes, API keys and sealed values: who may do what, what opens and what does not."""

from __future__ import annotations

import base64
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core import access, commands, seal
from ostinato.core.access import LOCAL, NEEDS, ROLES, SCOPES, Action, Identity, KnownKey, User, identify, includes
from ostinato.core.errors import (
    AccessRefused,
    KeyRefused,
    NameInvalid,
    RoleExceeded,
    SecretDamaged,
    SecretKeyInvalid,
    SecretKeyMismatch,
)
from ostinato.core.rights import ACTIONS

NOW = 1_800_000_000_000_000
ALL_ACTIONS = list(NEEDS)


def known(made: access.NewKey, **changes: object) -> KnownKey:
    plain = KnownKey(
        id=made.id, user="ann", role="operator", scopes=(), hash=made.hash, expires_at=0, revoked=False,
        user_role="admin", user_disabled=False,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


# --- roles and scopes


def test_every_action_needs_a_role() -> None:
    assert set(NEEDS) == set(get_args(Action))
    assert set(NEEDS.values()) == set(ROLES)


@pytest.mark.parametrize("action", ALL_ACTIONS)
def test_a_higher_role_may_do_all_that_a_lower_one_may(action: Action) -> None:
    allowed = [Identity(role=role, kind="key").may(action) for role in ROLES]
    assert allowed == sorted(allowed)
    assert allowed[-1]


def test_the_roles_may_what_their_names_say() -> None:
    may = {role: {action for action in ALL_ACTIONS if Identity(role=role, kind="key").may(action)} for role in ROLES}
    assert may["viewer"] == {"read"}
    assert {"run", "deploy", "set-secret"} <= may["editor"]
    assert "open-secret" not in may["editor"]
    assert {"work", "open-secret", "set-limits"} <= may["operator"]
    assert "manage-access" not in may["operator"]
    assert may["admin"] == set(ALL_ACTIONS)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", ROLES)
def test_a_scope_takes_away_and_never_adds(role: access.Role, scope: access.Scope) -> None:
    whole, narrowed = Identity(role=role, kind="key"), Identity(role=role, kind="key", scopes=(scope,))
    for action in ALL_ACTIONS:
        assert narrowed.may(action) == (whole.may(action) and action in SCOPES[scope])


def test_two_scopes_add_up() -> None:
    both = Identity(role="admin", kind="key", scopes=("read", "worker"))
    assert {action for action in ALL_ACTIONS if both.may(action)} == SCOPES["read"] | SCOPES["worker"]


def test_a_refusal_names_who_what_and_the_role() -> None:
    with pytest.raises(AccessRefused) as caught:
        Identity(role="operator", kind="key", user="ann", key_id="k3x81mpa", scopes=("read",)).check("work")
    assert caught.value.message == (
        "key:ann/k3x81mpa (operator, scopes read) may not work; it needs the role operator."
    )
    Identity(role="operator", kind="key").check("work")


def test_actors_are_told_apart() -> None:
    assert LOCAL.actor == "local"
    assert Identity(role="viewer", kind="session", user="ann").actor == "user:ann"
    assert Identity(role="viewer", kind="key", user="ann", key_id="k3x81mpa").actor == "key:ann/k3x81mpa"


@given(st.sampled_from(ROLES), st.sampled_from(ROLES))
def test_the_lesser_role_is_included_in_both(one: access.Role, other: access.Role) -> None:
    least = access.lesser(one, other)
    assert least in (one, other)
    assert includes(one, least)
    assert includes(other, least)


def test_a_key_cannot_have_more_than_its_user() -> None:
    ann = User(name="ann", role="editor", disabled=False, created_at=0, updated_at=0)
    access.check_key_role(ann, "viewer")
    access.check_key_role(ann, "editor")
    with pytest.raises(RoleExceeded, match="set-role ann operator"):
        access.check_key_role(ann, "operator")


# --- keys


def test_keys_have_their_form_and_are_never_alike() -> None:
    made = [access.new_key() for _ in range(200)]
    assert len({key.id for key in made}) == len({key.text for key in made}) == 200
    for key in made:
        key_id, secret = access.split_key(key.text)
        assert (key_id, access.hash_of(secret)) == (key.id, key.hash)
        assert len(key.text) == len("ost_") + 8 + 1 + 43
        assert secret.encode() not in key.hash


@pytest.mark.parametrize(
    "text",
    ["", "ost_", "ost_abcdefgh_short", "OST_abcdefgh_" + "x" * 43, "ost_abcdefgh_" + "x" * 44, "ost_a_" + "x" * 43],
)
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(KeyRefused) as caught:
        access.split_key(text)
    assert not text or text not in str(caught.value).replace("ost_ID_SECRET", "")


def test_a_key_gives_its_user_and_role() -> None:
    made = access.new_key()
    key_id, secret = access.split_key(made.text)
    found = identify(known(made, scopes=("worker",), expires_at=NOW + 1), key_id, secret, NOW)
    assert found == Identity(role="operator", kind="key", user="ann", key_id=made.id, scopes=("worker",))


def test_a_key_has_no_more_than_its_user_has_now() -> None:
    made = access.new_key()
    key_id, secret = access.split_key(made.text)
    assert identify(known(made, user_role="viewer"), key_id, secret, NOW).role == "viewer"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"revoked": True}, "revoked"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": 1}, "expired"),
        ({"user_disabled": True}, "disabled"),
        ({"hash": bytes(32)}, "not known"),
    ],
)
def test_a_key_that_does_not_hold_is_refused(changes: dict[str, object], reason: str) -> None:
    made = access.new_key()
    key_id, secret = access.split_key(made.text)
    with pytest.raises(KeyRefused, match=reason):
        identify(known(made, **changes), key_id, secret, NOW)


def test_a_wrong_secret_hears_nothing_of_the_key() -> None:
    made, other = access.new_key(), access.new_key()
    _, wrong = access.split_key(other.text)
    answers = set()
    for row in (None, known(made), known(made, revoked=True), known(made, user_disabled=True)):
        with pytest.raises(KeyRefused) as caught:
            identify(row, made.id, wrong, NOW)
        answers.add(str(caught.value))
    assert len(answers) == 1


@pytest.mark.parametrize("name", ["a", "ann", "Ann.B-c_d", "ci@example.org", "0", "x" * 64])
def test_usual_names_pass(name: str) -> None:
    access.check_name(name, "user")


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "ä", "a\n", "x" * 65])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(NameInvalid, match="name of a secret"):
        access.check_name(name, "secret")


# --- sealed values


@given(st.binary(max_size=500), st.text(min_size=1, max_size=20))
def test_what_is_sealed_opens_with_key_and_name(value: bytes, name: str) -> None:
    key = seal.new_key()
    sealed = seal.seal(key, name, value)
    assert seal.unseal(key, name, sealed) == value
    assert len(value) < 8 or value not in sealed


def test_one_value_is_never_sealed_alike() -> None:
    key = seal.new_key()
    assert len({seal.seal(key, "db", b"hunter2") for _ in range(100)}) == 100


def test_another_key_is_named_as_such() -> None:
    key, other = seal.new_key(), seal.new_key()
    sealed = seal.seal(key, "db", b"hunter2")
    with pytest.raises(SecretKeyMismatch) as caught:
        seal.unseal(other, "db", sealed)
    assert seal.key_id(key).hex() in str(caught.value)
    assert seal.key_id(other).hex() in str(caught.value)
    with pytest.raises(SecretKeyMismatch, match="is none"):
        seal.unseal(None, "db", sealed)


def test_a_value_that_is_moved_to_another_name_does_not_open() -> None:
    key = seal.new_key()
    with pytest.raises(SecretDamaged, match="'admin'"):
        seal.unseal(key, "admin", seal.seal(key, "db", b"hunter2"))


@given(st.data())
def test_a_value_that_was_changed_does_not_open(data: st.DataObject) -> None:
    key = seal.new_key()
    sealed = bytearray(seal.seal(key, "db", b"hunter2"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((SecretDamaged, SecretKeyMismatch)):
        seal.unseal(key, "db", bytes(sealed))


@given(st.integers(0, 43))
def test_a_value_that_was_cut_does_not_open(length: int) -> None:
    key = seal.new_key()
    sealed = seal.seal(key, "db", b"hunter2")
    assert len(sealed) == 44
    with pytest.raises(SecretDamaged):
        seal.unseal(key, "db", sealed[:length])


def test_a_key_survives_as_text() -> None:
    key = seal.new_key()
    assert seal.read_key(seal.key_text(key) + "\n", "secret.key") == key


@pytest.mark.parametrize("text", ["", "hunter2", "?" * 44, base64.b64encode(b"x" * 31).decode()])
def test_what_is_no_key_is_refused_without_telling_it(text: str) -> None:
    with pytest.raises(SecretKeyInvalid, match="OSTINATO_SECRET_KEY") as caught:
        seal.read_key(text, "OSTINATO_SECRET_KEY")
    assert not text or text not in str(caught.value)


def test_values_that_travel_are_not_spelled_out() -> None:
    assert "hunter2" not in repr(commands.SetSecret(name="db", value="hunter2"))
    key = access.ApiKey(
        id="k3x81mpa", user="ann", name="", role="viewer", scopes=(), created_at=0, expires_at=0, last_used_at=0,
        revoked=False,
    )  # fmt: skip
    assert "hunter2" not in repr(access.MadeKey(text="hunter2", key=key))


def test_every_command_is_an_action() -> None:
    assert set(ACTIONS) == set(commands.ALL)
    assert set(ACTIONS.values()) <= set(NEEDS)
