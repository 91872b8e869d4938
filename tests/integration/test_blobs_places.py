"""Stored values in a folder and in a bucket: the same promises, and what a bucket says when it cannot be used."""

from __future__ import annotations

import multiprocessing
import os
import time
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest
from tests.postgres import free_port
from tests.s3 import BUCKET, S3, s3

from ostinato.core.errors import (
    BlobMissing,
    ExtraMissing,
    StorageForbidden,
    StorageMissing,
    StorageUnknown,
    StorageUnreachable,
)
from ostinato.core.settings import without_password
from ostinato.store import buckets
from ostinato.store.places import Place, place_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DATA = os.urandom(1 << 20)
DIGEST = blake2b(DATA, digest_size=16).digest()
ABSENT = "0" * 32
LATER_S = 5.0


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3]:
    with s3() as one:
        yield one


@pytest.fixture(params=["folder", "file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "s3":
        one: S3 = request.getfixturevalue("bucket")
        for name, value in one.environ.items():
            monkeypatch.setenv(name, value)
        return place_at(f"s3://{BUCKET}/{tmp_path.name}")
    return place_at(f"file://{tmp_path}/a%20folder" if request.param == "file" else str(tmp_path / "values"))


def test_what_is_stored_is_given_whole_and_in_parts(place: Place) -> None:
    place.check()
    assert list(place.files()) == []
    assert not place.has(DIGEST.hex())
    blob = place.put(DATA, DIGEST)
    assert place.put(memoryview(DATA), DIGEST) == blob == DIGEST.hex()
    assert place.has(blob)
    assert place.get(blob) == DATA
    file, n_bytes = place.open(blob)
    with file:
        assert n_bytes == len(DATA)
        assert file.read(100) == DATA[:100]
        assert b"".join(iter(lambda: file.read(1 << 16), b"")) == DATA[100:]
    ((name, stored),) = place.files()
    assert (name, stored.n_bytes) == (blob, len(DATA))
    assert abs(stored.at_s - time.time()) < 10


def test_what_is_absent_is_refused_with_the_place(place: Place) -> None:
    place.put(DATA, DIGEST)
    for ask in (place.get, place.open):
        with pytest.raises(BlobMissing) as caught:
            ask(ABSENT)
        assert caught.value.values["how"] == "missing"
    assert not place.has(ABSENT)


def test_a_value_that_comes_in_parts_is_there_when_it_is_whole(place: Place) -> None:
    blob = DIGEST.hex()
    for parts, keeps in (([DATA[:1000]], False), ([DATA[:1000], DATA[1000:]], True)):
        arriving = place.arriving(blob)
        for part in parts:
            arriving.add(part)
        assert not place.has(blob)
        assert arriving.finish() is keeps
        arriving.close()
        assert place.has(blob) is keeps
    assert place.get(blob) == DATA


def test_deletion_spares_what_is_young(place: Place) -> None:
    blob = place.put(DATA, DIGEST)
    assert place.delete([blob, ABSENT], time.time() - 60) == []
    assert place.get(blob) == DATA
    gone = [*place.delete([blob], time.time() + LATER_S), *place.delete([blob], time.time() + LATER_S)]
    assert gone == [blob]
    assert not place.has(blob)
    assert list(place.files()) == []


def test_a_bucket_gives_back_what_was_moved_aside(bucket: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    place = place_at(f"s3://{BUCKET}/aside")
    blob = place.put(DATA, DIGEST)
    assert place.delete([blob], time.time() + LATER_S) == []
    assert [name for name in bucket.objects() if name.startswith("aside/")] == [f"aside/unused/{blob}"]
    file, n_bytes = place.open(blob)
    file.close()
    assert n_bytes == len(DATA)
    assert place.get(blob) == DATA
    assert f"aside/{blob[:2]}/{blob}" in bucket.objects()


def test_damage_in_a_bucket_is_found_when_it_is_read_and_mended_when_it_is_stored_again(
    bucket: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    place = place_at(f"s3://{BUCKET}/damaged")
    blob = place.put(DATA, DIGEST)
    bucket.client().put_object(Bucket=BUCKET, Key=f"damaged/{blob[:2]}/{blob}", Body=b"other")
    with pytest.raises(BlobMissing) as caught:
        place.get(blob)
    assert caught.value.values == {"digest": blob, "how": "damaged", "path": f"s3://{BUCKET}/damaged"}
    place.put(DATA, DIGEST)
    assert place.get(blob) == DATA


def _store_and_read(place: Place) -> None:
    place.put(DATA, DIGEST)
    os._exit(0 if place.get(DIGEST.hex()) == DATA else 1)


def test_a_forked_process_goes_on_with_the_same_bucket(bucket: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    place = place_at(f"s3://{BUCKET}/forked")
    assert not place.has(DIGEST.hex())
    child = multiprocessing.get_context("fork").Process(target=_store_and_read, args=(place,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert place.get(DIGEST.hex()) == DATA


# --- what a bucket says when it cannot be used


def test_a_bucket_that_is_not_there_is_named(bucket: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    place = place_at("s3://no-such-bucket/x")
    asked: tuple[Callable[[], object], ...] = (place.check, lambda: place.put(DATA, DIGEST))
    for ask in asked:
        with pytest.raises(StorageMissing) as caught:
            ask()
        assert caught.value.values["url"] == "s3://no-such-bucket/x"
        assert "Make the bucket" in str(caught.value.hint)


def test_a_server_that_does_not_answer_is_told(bucket: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(buckets, "PATIENCE_S", 0.0)
    with pytest.raises(StorageUnreachable):
        place_at(f"s3://{BUCKET}/x").put(DATA, DIGEST)


def test_a_value_that_is_to_be_stored_waits_for_a_storage_that_is_away_for_a_moment(
    bucket: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    for name, value in {**bucket.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}.items():
        monkeypatch.setenv(name, value)
    with bucket.answering_at(port, after_s=4.0):
        place = place_at(f"s3://{BUCKET}/waits")
        assert place.put(DATA, DIGEST) == DIGEST.hex()
    assert f"waits/{DIGEST.hex()[:2]}/{DIGEST.hex()}" in bucket.objects()


def test_a_storage_that_goes_away_while_a_value_is_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3() as one:
        for name, value in one.environ.items():
            monkeypatch.setenv(name, value)
        place = place_at(f"s3://{BUCKET}/x")
        large = DATA * 8
        blob = place.put(large, blake2b(large, digest_size=16).digest())
        file, _ = place.open(blob)
        with file:
            assert file.read(1000) == DATA[:1000]
            one.stop()
            with pytest.raises(StorageUnreachable):
                file.read()


def test_without_credentials_it_is_said_which_are_needed(
    bucket: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in bucket.environ:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StorageForbidden) as caught:
        place_at(f"s3://{BUCKET}/without").check()
    assert "AWS_ACCESS_KEY_ID" in str(caught.value.hint)


def test_a_protocol_that_nobody_knows_and_a_package_that_is_missing_are_told() -> None:
    with pytest.raises(StorageUnknown):
        place_at("nowhere://x/y").has(ABSENT)
    with pytest.raises(StorageUnknown) as caught:
        place_at("gs://x/y").has(ABSENT)
    assert "gcsfs" in str(caught.value)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(ExtraMissing) as caught:
        place_at("s3://x/y").has(ABSENT)
    assert 'pip install "ostinato[storage]"' in str(caught.value.hint)


def test_the_password_in_an_address_is_never_shown() -> None:
    for url in (
        "sftp://me:hidden@host/values", "postgresql://me:hid:hidden@host:5432/x?sslmode=require",
        "postgresql://host/x?user=me&password=hidden&sslmode=require", "host=a password='hi hidden' user=me",
        "host=a password=hidden", "postgresql://:hidden@/x",
    ):  # fmt: skip
        assert "hid" not in without_password(url)
        assert "hidden" not in without_password(url)
    assert without_password("sftp://me:hidden@host/values") == "sftp://me:********@host/values"
    assert without_password("postgresql://me@host:5432/x") == "postgresql://me@host:5432/x"
    assert without_password("s3://bucket/a:b@c") == "s3://bucket/a:b@c"
    assert "hidden" not in place_at("sftp://me:hidden@host/values").where
