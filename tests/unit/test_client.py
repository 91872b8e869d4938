"""The client: what it sends, what it makes of answers, and how it bears servers that are slow or gone."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import msgspec
import pytest

from ostinato.client import Address, Client
from ostinato.core.errors import (
    KeyRefused,
    OstinatoError,
    RunNotFound,
    ServerAnswered,
    ServerUnreachable,
    SettingInvalid,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Word = Literal["hear", "drip", "meet", "hang up"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """What answers: one script for each connection, of bytes to answer a request with, or of words."""

    def __init__(self, *scripts: list[bytes | Word]) -> None:
        self.requests: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address(url=f"http://127.0.0.1:{self.listener.getsockname()[1]}", token="secret")
        self.over = threading.Event()
        self.meeting = threading.Barrier(2)
        self.threads: list[threading.Thread] = []
        self.door = threading.Thread(target=self.open, args=(scripts,))
        self.door.start()

    def open(self, scripts: tuple[list[bytes | Word], ...]) -> None:
        for script in scripts:
            connection, _ = self.listener.accept()
            self.threads.append(threading.Thread(target=self.serve, args=(script, connection)))
            self.threads[-1].start()

    def serve(self, script: list[bytes | Word], connection: socket.socket) -> None:
        with connection:
            for step in script:
                if step == "hang up":
                    return
                if step == "meet":
                    self.meeting.wait(10)
                    continue
                if step == "drip":
                    while not self.over.wait(0.02):
                        connection.sendall(b"x")
                    return
                self.requests.append(request(connection))
                if isinstance(step, bytes):
                    connection.sendall(step)
            self.over.wait(10)


def request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(1 << 20)
    return head + b"\r\n\r\n" + body


@contextmanager
def peer(*scripts: list[bytes | Word]) -> Iterator[tuple[Peer, Client]]:
    one = Peer(*scripts)
    client = Client(one.address)
    try:
        yield one, client
    finally:
        client.close()
        one.over.set()
        for thread in (one.door, *one.threads):
            thread.join(10)
        one.listener.close()


def problem(status: int, kind: str, encode: Callable[[object], bytes], **fields: object) -> bytes:
    body = encode({"type": "about:blank", "title": "no", "status": status, **fields})
    head = f"HTTP/1.1 {status} No\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_call_shows_its_key_and_gives_the_body() -> None:
    with peer([OK, OK]) as (one, client):
        assert client.call("/api/rpc/do", b"abc") == b"ok"
        assert client.call("/health", method="GET") == b"ok"  # by the same connection
    first, second = one.requests
    assert first.startswith(b"POST /api/rpc/do HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nAuthorization: Bearer secret\r\n" in first
    assert first.endswith(b"\r\nContent-Length: 3\r\n\r\nabc")
    assert second.startswith(b"GET /health HTTP/1.1\r\n")


def test_a_large_body_goes_out_whole() -> None:
    data = memoryview(os.urandom(3_000_000))
    with peer([OK]) as (one, client):
        assert client.call("/api/blobs/x", data, method="PUT") == b"ok"
    assert one.requests[0].endswith(bytes(data[-1000:]))
    assert len(one.requests[0]) > len(data)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200\r\nContent-Length:2\r\n\r\nok",
    ],
)
def test_an_answer_is_read_in_each_of_its_forms(answer: bytes) -> None:
    with peer([answer, OK]) as (_, client):
        assert client.call("/a") == b"ok"
        assert client.call("/b") == b"ok"


def test_an_answer_may_end_with_its_connection() -> None:
    with peer([b"HTTP/1.0 200 OK\r\n\r\nwhatever", "hang up"], [OK]) as (_, client):
        assert client.call("/a") == b"whatever"
        assert client.call("/b") == b"ok"


@pytest.mark.parametrize(
    ("kind", "encode"),
    [
        ("application/msgpack", msgspec.msgpack.encode),
        ("application/problem+json", msgspec.json.encode),
    ],
)
def test_a_refusal_is_the_error_that_the_server_raised(kind: str, encode: Callable[[object], bytes]) -> None:
    values = {"run": "01ab", "home": "/there"}
    answer = problem(404, kind, encode, code="run-not-found", detail="x", hint="y", values=values)
    with peer([answer]) as (_, client), pytest.raises(RunNotFound) as caught:
        client.call("/api/rpc/read/find_run")
    assert str(caught.value) == str(RunNotFound(**values))


def test_an_error_of_a_newer_server_keeps_its_code_and_words() -> None:
    answer = problem(
        409, "application/msgpack", msgspec.msgpack.encode, code="new-thing", detail="No.", hint="Do this."
    )
    with peer([answer]) as (one, client), pytest.raises(ServerAnswered) as caught:
        client.call("/a")
    assert caught.value.message == f"The server at {one.address.url} answered 409: No. [new-thing]"
    assert caught.value.hint == "Do this."
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 7\r\n\r\ntry me!",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: application/msgpack\r\ncontent-length: 1\r\n\r\n\xc1",
        b"HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\x01\x02" * 500,
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_makes_no_sense_is_told_and_the_connection_let_go(answer: bytes) -> None:
    with peer([answer], [OK]) as (_, client):
        with pytest.raises(ServerAnswered):
            client.call("/a")
        client.close()
        assert client.call("/b") == b"ok"


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ServerUnreachable, match=r"http://127.0.0.1:\d+ cannot be reached: Connection refused"):
        Client(Address(url=f"http://127.0.0.1:{port}")).call("/a")


def test_a_name_that_nobody_has_is_unreachable() -> None:
    with pytest.raises(ServerUnreachable):
        Client(Address(url="http://no-such-name.invalid:4200")).call("/a")


@pytest.mark.parametrize("script", [["hear"], [b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", "drip"]])
def test_a_server_that_is_silent_or_only_drips_is_given_up_in_time(script: list[bytes | Word]) -> None:
    begin = time.monotonic()
    with peer(script) as (_, client), pytest.raises(ServerUnreachable, match=r"no answer within 0.2 s"):
        client.call("/a", repeatable=True, timeout_s=0.2)
    assert time.monotonic() - begin < 5


def test_a_connection_that_was_closed_while_idle_is_replaced() -> None:
    with peer([OK, "hang up"], [OK]) as (one, client):
        client.call("/a")
        one.threads[0].join()
        assert client.call("/b") == b"ok"
    assert len(one.requests) == 2


def test_only_a_repeatable_call_is_made_again_when_a_kept_connection_dies() -> None:
    with peer([OK, "hear", "hang up"], [OK, "hear", "hang up"], [OK]) as (one, client):
        client.call("/a")
        assert client.call("/b", repeatable=True) == b"ok"
        with pytest.raises(ServerUnreachable, match="it hung up"):
            client.call("/c")
        assert client.call("/d") == b"ok"
    assert [text.partition(b" HTTP")[0] for text in one.requests] == [
        b"POST /" + name for name in (b"a", b"b", b"b", b"c", b"d")
    ]


def test_a_new_connection_that_hangs_up_is_not_tried_again() -> None:
    with peer(["hear", "hang up"]) as (one, client), pytest.raises(ServerUnreachable, match="it hung up"):
        client.call("/a", repeatable=True)
    assert len(one.requests) == 1


def test_threads_call_at_the_same_time() -> None:
    with peer(["meet", OK], ["meet", OK]) as (_, client):
        found: list[bytes] = []
        threads = [threading.Thread(target=lambda: found.append(client.call("/a"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [b"ok", b"ok"]


def test_a_forked_child_opens_its_own_connection() -> None:
    with peer([OK, OK], [OK]) as (one, client):
        client.call("/parent")
        pid = os.fork()
        if pid == 0:
            os._exit(0 if client.call("/child") == b"ok" else 1)
        client.call("/parent")
        assert os.waitpid(pid, 0)[1] == 0
    assert sorted(text.partition(b" HTTP")[0] for text in one.requests) == [
        b"POST /child",
        b"POST /parent",
        b"POST /parent",
    ]


def test_there_is_something_at_a_door_or_not() -> None:
    none = b"HTTP/1.1 404 Not Found\r\ncontent-length: 100\r\n\r\n"
    bad = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\n"
    with peer([b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n", none, bad]) as (_, client):
        assert client.has("/api/blobs/x")
        assert not client.has("/api/blobs/y")
        with pytest.raises(OstinatoError):
            client.has("/api/blobs/z")


@pytest.mark.parametrize("url", ["", "localhost:4200", "ftp://a", "http://", "http://a:port", "http://a:99999"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingInvalid):
        Client(Address(url=url))


@pytest.mark.parametrize("token", ["ö" * 3, "a\r\nHost: b", "\x00"])
def test_what_cannot_be_a_key_is_refused_and_not_told(token: str) -> None:
    with pytest.raises(KeyRefused) as caught:
        Client(Address(url="http://a", token=token))
    assert token not in str(caught.value)


def test_while_a_server_is_away_the_next_one_is_asked() -> None:
    with peer([OK, "hang up"]) as (first, alone), peer([OK, OK]) as (second, _):
        alone.close()
        client = Client(Address(url=f"http://127.0.0.1:1, {first.address.url},{second.address.url}"))
        assert client.call("/a") == b"ok"  # nobody is at the first address
        with pytest.raises(ServerUnreachable):
            client.call("/b")  # it may have done it
        assert client.call("/c") == b"ok"
        assert client.call("/d") == b"ok"
        client.close()
    assert [one.split()[1] for one in first.requests] == [b"/a"]
    assert [one.split()[1] for one in second.requests] == [b"/c", b"/d"]
    assert f"Host: {second.address.url.removeprefix('http://')}".encode() in second.requests[0]


def test_a_repeatable_call_goes_to_the_next_server_when_its_own_is_gone() -> None:
    with peer([OK, "hang up"]) as (first, alone), peer([OK]) as (second, _):
        alone.close()
        client = Client(Address(url=f"{first.address.url},{second.address.url}"))
        assert client.call("/a") == b"ok"
        first.listener.close()
        assert client.call("/b", repeatable=True) == b"ok"
        client.close()
    assert [one.split()[1] for one in second.requests] == [b"/b"]


def test_an_address_may_have_a_path_before_the_doors() -> None:
    with peer([OK]) as (one, _):
        client = Client(Address(url=f"{one.address.url}/ostinato/"))
        assert client.call("/health") == b"ok"
        client.close()
    assert one.requests[0].startswith(b"POST /ostinato/health HTTP/1.1")
