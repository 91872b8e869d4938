"""A Prefect server of our own on SQLite, all defaults, in a temporary home."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import children
from environments import clean_environ, interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class PrefectServer:
    """A running server."""

    url: str
    pid: int
    home: str

    def environ(self) -> dict[str, str]:
        """Give the environment of a client of this server."""
        return clean_environ(PREFECT_HOME=self.home, PREFECT_API_URL=self.url, **_QUIET)

    def cpu_s(self) -> float:
        """Give the CPU seconds that the server's processes have used."""
        return children.tree_cpu_s(self.pid)

    def idle_cpu(self, seconds: float = 5.0) -> float:
        """Give the share of a core that the server uses when nobody asks for anything."""
        before = self.cpu_s()
        time.sleep(seconds)
        return (self.cpu_s() - before) / seconds

    def n_completed(self) -> int:
        """Give how many task runs are Completed."""
        return int(self._fetch("/task_runs/count", {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}))

    def n_flow_runs(self, *states: str) -> int:
        """Give how many flow runs are in states of these types."""
        return int(self.ask("/flow_runs/count", {"flow_runs": {"state": {"type": {"any_": states}}}}))

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Give the answer to a POST, or to a GET without a body; a server that says 503 is asked again."""
        for _ in range(60):
            with contextlib.suppress(TimeoutError):
                try:
                    return self._fetch(path, body)
                except urllib.error.HTTPError as error:
                    if error.code != 503:
                        raise
            time.sleep(0.5)
        raise TimeoutError(path)

    def _fetch(self, path: str, body: dict[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def deploy(self, pool: str, subject: Path) -> str:
        """Deploy the flow that a program deploys; give the id of the deployment."""
        command = [interpreter("prefect"), str(subject), pool]
        found: str = children.run(command, self.environ(), directory=self.home).data()["deployment"]
        return found

    @contextlib.contextmanager
    def worker(self, pool: str) -> Iterator[int]:
        """Start a worker that starts processes, with a pool of its own; give its process id."""
        command = [interpreter("prefect"), "-m", "prefect", "worker", "start", "--type", "process", "--pool", pool]
        with Path(self.home, "worker.log").open("wb") as log:
            process = subprocess.Popen(command, env=self.environ(), cwd=self.home, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 120
            while not self._is_online(pool):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(Path(self.home, "worker.log").read_text())
                time.sleep(0.2)
            yield process.pid
        finally:
            _stop(process)

    def _is_online(self, pool: str) -> bool:
        with contextlib.suppress(urllib.error.HTTPError):
            return any(worker["status"] == "ONLINE" for worker in self.ask(f"/work_pools/{pool}/workers/filter", {}))
        return False

    def wait_completed(self, n: int, timeout_s: float = 600) -> float:
        """Wait until `n` task runs are Completed; give the seconds that took."""
        started = time.monotonic()
        while (elapsed_s := time.monotonic() - started) < timeout_s:
            with contextlib.suppress(urllib.error.HTTPError, TimeoutError):  # an overloaded server answers 503
                if self.n_completed() >= n:
                    return elapsed_s
            time.sleep(0.5)
        message = f"{self.n_completed()} of {n} Prefect task runs are Completed after {timeout_s} s"
        raise TimeoutError(message)


_QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


def ephemeral_environ(home: str) -> dict[str, str]:
    """Give the environment of a new user: no server, so that each process starts one for itself."""
    # With the default of 20 s a busy machine fails the run; waiting longer changes nothing else.
    return clean_environ(PREFECT_HOME=home, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="180", **_QUIET)


@contextlib.contextmanager
def running(home: str) -> Iterator[PrefectServer]:
    """Start a server with its data in `home`; stop it at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    command = [interpreter("prefect"), "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with Path(home, "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=clean_environ(PREFECT_HOME=home, PREFECT_UI_API_URL=url, **_QUIET),
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_healthy(url, process)
        yield PrefectServer(url, process.pid, home)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_healthy(url: str, process: subprocess.Popen[bytes], timeout_s: float = 180) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    message = f"the Prefect server did not start (exit code {process.poll()})"
    raise RuntimeError(message)
