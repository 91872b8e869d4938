"""The web interface below a path, as a proxy shows it that takes the path away."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from tests.e2e.browser import Visitor, deployed

from ostinato.client import Address, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.served import Served

PREFIX = "/ml/ostinato"


class Proxy(socketserver.ThreadingTCPServer):
    """Hands requests below PREFIX on to a server, a connection for each, bytes as they come."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: str, *, tells: bool) -> None:
        super().__init__(("127.0.0.1", 0), Hand)
        parts = urlsplit(target)
        self.target = (parts.hostname or "", parts.port or 80)
        self.tells = tells
        """Whether it says so by a header."""
        self.lost: list[str] = []
        """Paths that were asked for and are not below PREFIX."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{PREFIX}"


class Hand(socketserver.StreamRequestHandler):
    """One request and its answer."""

    server: Proxy

    def handle(self) -> None:
        method, _, rest = self.rfile.readline().decode().partition(" ")
        path = rest.partition(" ")[0]
        headers: dict[str, str] = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if not method:
            return
        if not path.startswith(f"{PREFIX}/"):
            self.server.lost.append(path)
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        headers["connection"] = "close"
        if self.server.tells:
            headers["x-forwarded-prefix"] = PREFIX
        body = self.rfile.read(int(headers.get("content-length", 0)))
        with socket.create_connection(self.server.target) as further, contextlib.suppress(OSError):
            head = f"{method} {path.removeprefix(PREFIX)} HTTP/1.1\r\n"
            told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            further.sendall(f"{head}{told}\r\n".encode() + body)
            while part := further.recv(65536):
                self.wfile.write(part)


@contextlib.contextmanager
def proxied(server: Served, *, tells: bool) -> Iterator[Proxy]:
    with Proxy(server.card.url, tells=tells) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize("tells", [False, True], ids=["says nothing", "says the path"])
def test_everything_works_below_a_path(visitor: Visitor, server: Served, *, tells: bool) -> None:
    deployment = deployed(server)
    (server.fleet.folder / "mended").touch()
    first = server.fleet.run(deployment, name="first one")
    server.fleet.wait(first)
    server.http.post("/api/experiments", json={"name": "rides/2026"})
    link = server.http.post("/api/login-links").json()["path"]
    page = visitor.page
    with proxied(server, tells=tells) as proxy:
        page.goto(f"{proxy.url}{link}")
        expect(page.get_by_role("heading", name="Home")).to_be_visible()
        assert page.url == f"{proxy.url}/"
        assert {one["path"] for one in visitor.context.cookies()} == {f"{PREFIX}/" if tells else "/"}
        visitor.press(page.get_by_role("link", name="Runs", exact=True))
        expect(page).to_have_url(f"{proxy.url}/runs")
        second = server.fleet.run(deployment, name="second one")
        expect(page.get_by_role("link", name="second one")).to_be_visible()  # the stream told it
        visitor.press(page.get_by_role("link", name="second one"))
        expect(page).to_have_url(f"{proxy.url}/runs/{second.id}")
        expect(page.locator(".title .state")).to_have_text(re.compile("Completed"))
        for path in (f"/runs/{first.id}?tab=logs", "/experiments/rides%2F2026", "/models"):
            page.goto(f"{proxy.url}{path}")  # a deep link, loaded anew
            page.wait_for_selector("h1")
            expect(page.locator('[data-link="live"]')).to_be_visible()
        page.keyboard.press("g")
        page.keyboard.press("r")
        expect(page.get_by_role("link", name="first one")).to_be_visible()
        assert proxy.lost == []
        held = page.evaluate("navigator.locks.query().then((found) => found.held.map((one) => one.name))")
        assert held == [f"ostinato.feed {PREFIX}/"]  # another server below another path has a stream of its own
        with contextlib.closing(Client(Address(url=proxy.url, token=server.card.token))) as client:
            assert b'"first one"' in client.call(f"/api/runs/{first.id}", method="GET")
        page.goto("about:blank")


def test_a_path_that_a_proxy_says_is_none_of_another_server(server: Served) -> None:
    stranger = server.client("")
    for told, base in (
        ("", "../"),
        ("/ml/ostinato/", "/ml/ostinato/"),
        ("//evil.example.org", "../"),
        ("https://evil.example.org/", "../"),
        ('/"><script>', "../"),
    ):
        text = stranger.get("/runs/a%2Fb", headers={"x-forwarded-prefix": told} if told else {}).text
        assert f'<base href="{base}">' in text
