"""Clients that speak slowly, or not as HTTP clients do."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.integration.served import Served, problem, served

from ostinato.core.errors import RequestInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def connected(server: Served) -> socket.socket:
    place = urlsplit(server.card.url)
    return socket.create_connection((place.hostname, place.port), 40)


def ask(line: socket.socket) -> bytes:
    """Ask a connection that stays; give the first line of the answer."""
    line.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    answer = b""
    while not answer.endswith(b"}"):
        answer += line.recv(4096)
    return answer.partition(b"\r\n")[0]


@pytest.mark.parametrize("target", ["*", "/api/runs/%00", "//", "http://elsewhere/api/none"])
def test_an_unusual_address_is_answered_in_order(server: Served, target: str) -> None:
    with connected(server) as line:
        head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.card.token}\r\n\r\n"
        line.sendall(head.encode())
        assert line.recv(4096).startswith(b"HTTP/1.1 404 ")
    assert server.http.get("/metrics").status_code == 200


def test_a_connection_on_which_no_request_comes_is_closed(server: Served) -> None:
    with connected(server) as silent, connected(server) as slow, connected(server) as used:
        assert ask(used) == b"HTTP/1.1 200 OK"
        slow.sendall(b"GET /hea")
        began = time.monotonic()
        assert (silent.recv(1), slow.recv(1)) == (b"", b"")
        assert 15 < time.monotonic() - began < 35
        assert ask(used) == b"HTTP/1.1 200 OK"
    assert server.http.get("/health").status_code == 200


def test_who_is_not_known_yet_may_not_send_much(server: Served) -> None:
    answer = server.client("").post("/api/session", content=b'{"key":"' + b"x" * 5000 + b'"}')
    assert problem(answer) == (413, "body-too-large")


def test_a_number_that_cannot_be_kept_is_refused_with_and_without_a_server(server: Served) -> None:
    deployment = server.fleet.deploy(server.fleet.write("x = 1"), "work")
    for served_now in (True, False):
        with pytest.raises(RequestInvalid, match="cannot be kept"):
            server.fleet.run(deployment, parameters={"n": 10**30})
        if served_now:
            assert server.program.end() == 0
            server.fleet.let_go()
