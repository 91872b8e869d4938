"""A server for tests, as a real process, with HTTP clients of all kinds of people."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
from tests.integration.fleet import Fleet, Program, fleet_on

from ostinato.session.discovery import read_card
from ostinato.session.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.commands import Command

STRICT = {"PYTHONWARNINGS": "error"}
DEPLOYMENT = {"flow": "train", "name": "nightly", "code": {"kind": "local", "file": "/flows.py", "function": "train"}}


class Served:
    """One home with its server."""

    def __init__(self, fleet: Fleet, *words: str) -> None:
        self.fleet = fleet
        self.words = words
        self.program: Program = fleet.server(*words, env=STRICT)
        self._stack = contextlib.ExitStack()
        self.http = self.client()

    @property
    def card(self) -> Any:
        card = read_card(Home(str(self.fleet.home)))
        assert card is not None
        return card

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """Give a client with a token: the local one when none is named, none when it is empty."""
        token = self.card.token if token is None else token
        if token:
            headers["authorization"] = f"Bearer {token}"
        return self._stack.enter_context(httpx.Client(base_url=self.card.url, headers=headers, timeout=30))

    def key(self, user: str, role: str, *scopes: str) -> httpx.Client:
        """Give a client with a new key of a new user."""
        assert self.http.post("/api/users", json={"name": user, "role": role}).status_code == 201
        made = self.http.post("/api/keys", json={"user": user, "scopes": scopes})
        assert made.status_code == 201, made.text
        return self.client(made.json()["text"])

    def rpc(self, door: str, body: object, client: httpx.Client | None = None) -> httpx.Response:
        """Call a door of our own processes."""
        return (client or self.http).post(f"/api/rpc/{door}", content=msgspec.msgpack.encode(body))

    def do(self, command: Command[Any], client: httpx.Client | None = None) -> Any:
        """Give the answer of a command, as plain values."""
        answer = self.rpc("do", command, client)
        assert answer.status_code == 200, msgspec.msgpack.decode(answer.content)
        return msgspec.msgpack.decode(answer.content)

    def restart(self, *, kill: bool = False) -> None:
        """End the server, or kill it, and start another one."""
        if kill:
            self.program.kill()
        else:
            assert self.program.end() == 0, self.program.said
        self.program = self.fleet.server(*self.words, env=STRICT)
        self.http = self.client()

    def close(self) -> None:
        self._stack.close()


@contextlib.contextmanager
def served(home: Path, folder: Path, *words: str) -> Iterator[Served]:
    """Give a server; it has ended afterwards, and said nothing of faults."""
    with fleet_on(home, folder) as fleet:
        one = Served(fleet, *words)
        try:
            yield one
        finally:
            one.close()
        for program in fleet.programs:
            assert "Traceback" not in program.said, program.said


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Give status and code of a refusal, which has all fields of one."""
    kind = answer.headers["content-type"]
    body = msgspec.msgpack.decode(answer.content) if kind == "application/msgpack" else answer.json()
    assert kind in ("application/msgpack", "application/problem+json"), kind
    assert set(body) == {"type", "title", "status", "code", "detail", "hint", "values"}
    assert body["status"] == answer.status_code
    assert body["detail"]
    assert body["hint"]
    return answer.status_code, body["code"]
