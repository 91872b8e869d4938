"""The remote Recorder: a server takes the events of this process, and remembers for it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.client import Address, Client
from ostinato.core.errors import BlobMissing, DatabaseUnreachable, RequestInvalid, ServerUnreachable, StorageError
from ostinato.core.records import Recall, RunInput, Variable
from ostinato.core.results import Result
from ostinato.session.outbox import Outbox
from ostinato.session.shipping import lose, put, ship
from ostinato.session.sinks import ServerSink
from ostinato.session.stream import Stream
from ostinato.store.blobs import name_of
from ostinato.store.places import Places

if TYPE_CHECKING:
    from ostinato.core.settings import Settings

PAUSE_S: Final = 0.5
"""Between two tries to have a question answered."""
INTRODUCTION_S: Final = 5.0
"""Longest wait for the first word of the server."""

_pack: Final = msgspec.msgpack.Encoder().encode
_AWAY: Final = (ServerUnreachable, DatabaseUnreachable)
"""The second: it answers that its database does not."""


class RemoteRecorder(Stream):
    """A stream of events with the memory of a server. What the server does not take waits in the outbox.

    While the server is away the process goes on: values are kept here, nothing is found in the
    cache, and questions that need an answer wait for it as long as the end of a flow would.
    """

    def __init__(self, settings: Settings, *, watched: bool = False) -> None:
        self.client = Client(Address(url=settings.api_url, token=settings.api_key))
        self._outbox = Outbox(settings.home, self.client)
        sink = ServerSink(self.client, prepare=self._outbox.send_in_time)
        super().__init__(settings, self._outbox.home, sink, watched=watched)
        self._places = Places(RemotePlace(self.client, self._outbox, sink))
        if not watched:
            self._introduce()

    def _introduce(self) -> None:
        """Have a wrong key refused before a run begins; a server that is away may come back."""
        try:
            ship(self.client, self._writer, [], INTRODUCTION_S)
        except (RequestInvalid, StorageError):  # it says that there is no block, and thus that it would take one
            return

    @property
    def place(self) -> str:
        """Where what it records goes, in words."""
        return f"the server at {self.client.address.url}"

    # --- stored values

    def put_blob(self, data: bytes | memoryview, digest: bytes, storage: str = "") -> str:
        """Store bytes by their BLAKE2b-128 digest, synced before it returns; give the hex digest."""
        return self._places.at(storage).put(data, digest)

    def has_blob(self, blob: str, storage: str = "") -> bool:
        """Say whether these bytes are stored (and not whether they are undamaged)."""
        return self._places.at(storage).has(blob)

    def get_blob(self, blob: str, storage: str = "") -> bytes:
        """Give stored bytes, checked against their digest."""
        return self._places.at(storage).get(blob)

    # --- memory

    def recall(self, root_id: str) -> Recall:
        """Give what is recorded of a root run and its subflows (settles to the database first)."""
        self._settle_within(self.settings.exit_wait_s)
        recalled: Recall = self._ask("recall", (root_id,), Recall)
        return recalled

    def claim(self, run_id: str, epoch: int) -> int:
        """Take up a root run in epoch + 1 for this stream, by compare-and-set on `epoch`."""
        self._settle_within(self.settings.exit_wait_s)
        self._hold_journal()
        claimed: int = self._ask("claim", (run_id, epoch, self.stream), int, patience_s=0.0)
        return claimed

    def find_cached(self, cache_key: str, now: int) -> tuple[bool, Result | None]:
        """Give (True, result) when a fresh cache entry exists at instant `now`, else (False, None)."""
        own = self._own_cached(cache_key, now)
        if own is not None:
            return own
        try:
            found, result = self._ask("find_cached", (cache_key, now), tuple[bool, Result | None], patience_s=0.0)
            if result is not None and result.blob and not self.has_blob(result.blob, result.storage):
                return False, None
        except _AWAY:
            return False, None
        return found, result

    def claim_cached(self, cache_key: str, lease_s: float) -> bool:
        """Take the right to compute a cache entry; False while another holds it."""
        try:
            claimed: bool = self._ask("claim_cached", (cache_key, lease_s, self.stream), bool, patience_s=0.0)
        except _AWAY:  # better twice than not at all
            return True
        return claimed

    def release_cached(self, cache_key: str) -> None:
        """Give that right back."""
        if self._is_remembered(cache_key):
            return  # the entry ends the claim when it is committed, and not before
        try:
            self._ask("release_cached", (cache_key, self.stream), None, patience_s=0.0)
        except _AWAY:  # its lease ends
            return

    def find_variable(self, name: str) -> Variable | None:
        """Give a variable as last set (this process's own settings included)."""
        known, own = self._own_variable(name)
        if known:
            return own
        found: Variable | None = self._ask("find_variable", (name,), Variable | None)
        return found

    def find_input(self, run_id: str, key: str) -> RunInput | None:
        """Give what a pause of a run asked for, and what it got; None when it has not asked yet."""
        found: RunInput | None = self._ask("find_input", (run_id, key), RunInput | None)
        return found

    def find_secret(self, name: str) -> bytes | None:
        """Give the value of a secret; None when it is not set."""
        found: bytes | None = self._ask("find_secret", (name,), bytes | None)
        return found

    def _ask(self, method: str, arguments: tuple[Any, ...], answer: Any, patience_s: float | None = None) -> Any:
        end_s = time.monotonic() + (self.settings.exit_wait_s if patience_s is None else patience_s)
        while True:
            try:
                body = self.client.call(f"/api/rpc/memory/{method}", _pack(arguments), repeatable=True)
            except _AWAY:
                if time.monotonic() > end_s:
                    raise
                time.sleep(PAUSE_S)
            else:
                return msgspec.msgpack.decode(body, type=answer)

    # --- the end

    def _farewell(self) -> None:
        message = f"process {os.getpid()} ended before the run did"
        lose(self.client, self.stream, message, killed=False)


class RemotePlace:
    """The stored values of a server; what it cannot take now is kept in the outbox, and sent before its event."""

    def __init__(self, client: Client, outbox: Outbox, sink: ServerSink) -> None:
        self._client = client
        self._outbox = outbox
        self._sink = sink

    def put(self, data: bytes | memoryview, digest: bytes) -> str:
        """Store bytes; give the hex digest."""
        blob = digest.hex()
        if self._sink.is_ahead:
            try:
                put(self._client, blob, data)
            except StorageError:
                pass
            else:
                return blob
        return self._outbox.put(data, digest)

    def has(self, blob: str) -> bool:
        """Say whether a blob is there, unchecked."""
        return self._outbox.blobs.has(blob) or self._client.has(f"/api/blobs/{blob}")

    def get(self, blob: str) -> bytes:
        """Give stored bytes, checked against their digest.

        Raises:
            BlobMissing: (blob-missing) it is not there, or damaged.
        """
        if self._outbox.blobs.has(blob):
            return self._outbox.blobs.get(blob)
        data = self._client.call(f"/api/blobs/{blob}", method="GET", repeatable=True)
        if name_of(data) != blob:
            raise BlobMissing(digest=blob, how="damaged", path=self._client.address.url)
        return data
