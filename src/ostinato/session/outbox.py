"""The outbox: what is meant for a server far away and has not arrived, in the home of this machine.

It has the layout of a home: journals of its own, and values that were to be stored at the server.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import BlobMissing
from ostinato.core.events import Block
from ostinato.session.home import Home
from ostinato.session.orphans import deliver
from ostinato.session.shipping import lose, put, ship
from ostinato.store.blobs import UNFINISHED, Blobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.client import Client
    from ostinato.store.append import Writer
    from ostinato.store.journal import Frame

EVERY_S: Final = 5.0
"""How often a process looks for what others have left."""

_check: Final = msgspec.msgpack.Decoder(Block).decode


class Outbox:
    """What is on its way to one server. Any process of the home may send it."""

    def __init__(self, folder: str, client: Client) -> None:
        name = blake2b(client.address.url.encode(), digest_size=8).hexdigest()
        self.home = Home(os.path.join(folder, "outbox", name), database_url="")
        self.blobs = Blobs(self.home.blobs)
        self._client = client
        self._is_urgent = True
        self._sent_s = 0.0

    def put(self, data: bytes | memoryview, digest: bytes) -> str:
        """Keep a value until it can be sent; give the hex digest."""
        blob = self.blobs.put(data, digest)
        self._is_urgent = True
        return blob

    def send_in_time(self) -> None:
        """Send what this process has put here, at once, and what others have left, now and then.

        Raises:
            OstinatoError: the server does not take a value.
        """
        if not self._is_urgent and time.monotonic() - self._sent_s < EVERY_S:
            return
        self._is_urgent = False  # before it looks: what is put here meanwhile is sent next time
        try:
            self.send()
        except BaseException:
            self._is_urgent = True
            raise
        self._sent_s = time.monotonic()

    def send(self) -> list[str]:
        """Send stored values, and journals of processes that are gone; give a sentence for each of these.

        Raises:
            OstinatoError: the server does not take a value. Journals that it does not take are left.
        """
        if not os.path.isdir(self.home.folder):
            return []
        self._send_blobs()
        return deliver(self.home, ServerKeeper(self._client))

    def _send_blobs(self) -> None:
        for folder, _, names in os.walk(self.home.blobs):
            for blob in names:
                path = os.path.join(folder, blob)
                if path != self.blobs.path(blob) or blob.endswith(UNFINISHED):
                    continue
                with suppress(FileNotFoundError):  # another process has sent it
                    with suppress(BlobMissing):  # damaged: nobody can use it
                        put(self._client, blob, self.blobs.get(blob))
                    os.unlink(path)


class ServerKeeper:
    """A server to which orphans are delivered."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def append(self, writer: Writer, frames: Sequence[Frame]) -> int:
        for frame in frames:
            _check(frame.payload)
        done = ship(self._client, writer, [frame.payload for frame in frames])
        return sum(frame.last_seq <= done.acked_seq for frame in frames)

    def crash(self, stream: str, message: str) -> int:
        return lose(self._client, stream, message, killed=True)
