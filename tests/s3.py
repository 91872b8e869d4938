"""An S3-speaking server for tests: a process of its own at a free port, with one bucket."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import boto3
from tests.postgres import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET: Final = "values"
KEYS: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
PATIENCE_S: Final = 30.0


class S3:
    """The server; `environ` is what a process needs to find it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {**KEYS, "AWS_ENDPOINT_URL": self.url, "AWS_MAX_ATTEMPTS": "1"}
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it with one empty bucket; it answers when this returns."""
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)]
        self._popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < end, "the S3 server does not begin"
                assert self._popen.poll() is None, "the S3 server has ended"
                time.sleep(0.02)
        self.client().create_bucket(Bucket=BUCKET)

    def stop(self) -> None:
        """End it, with all that it holds."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
            self._popen = None

    def client(self) -> Any:
        """Give a client that does not know Ostinato."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )

    @contextmanager
    def answering_at(self, port: int, after_s: float) -> Iterator[None]:
        """Answer at another port, too, but only after a while."""
        away: list[socketserver.ThreadingTCPServer] = []

        def begin() -> None:
            # What handles a request is called with it; that it is a class is not needed.
            away.append(socketserver.ThreadingTCPServer(("127.0.0.1", port), self._forward))  # type: ignore[arg-type]
            away[0].daemon_threads = True
            away[0].serve_forever(0.05)

        timer = threading.Timer(after_s, begin)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            if away:
                away[0].shutdown()
            timer.join()
            if away:
                away[0].server_close()

    def _forward(self, asked: socket.socket, *_: object) -> None:
        """Carry bytes both ways until one side ends."""
        with socket.create_connection(("127.0.0.1", self.port)) as answered:
            back = threading.Thread(target=_carry, args=(answered, asked), daemon=True)
            back.start()
            _carry(asked, answered)
            back.join(5)

    def objects(self) -> list[str]:
        """Give the names of all objects."""
        found = self.client().list_objects_v2(Bucket=BUCKET)
        return [one["Key"] for one in found.get("Contents", [])]


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(1 << 16):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def s3() -> Iterator[S3]:
    """Give a server; it has ended afterwards."""
    one = S3()
    try:
        one.start()
        yield one
    finally:
        one.stop()
