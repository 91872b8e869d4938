"""What does a request of MLflow's client cost the server? CPU of its processes, ours and those of MLflow.

One client speaks plain HTTP over one connection, so that its own cost is none of the numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from children import tree_cpu_s
from environments import clean_environ, interpreter
from homes import temporary_home
from lines import Bar, Sheet, at_most

from ostinato.core.events import Block
from ostinato.core.tracking import MetricsLogged, ParamsLogged, Point, TrackingBegun
from ostinato.store.append import Entry, Writer, append
from ostinato.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ostinato.core.events import Event

API = "/api/2.0/mlflow"
PATIENCE_S = 180.0
M7 = "metrics.rmse_valid < 6.5 and metrics.inference_time < 20e-6"


@dataclass
class Door:
    """A server that speaks MLflow's protocol, and a connection to it."""

    pid: int
    connection: http.client.HTTPConnection
    headers: dict[str, str]

    def post(self, path: str, **body: Any) -> Any:
        """Give the answer to a request."""
        self.connection.request("POST", f"{API}/{path}", json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(text)
        return json.loads(text)

    def cpu_ms(self, call: Callable[[int], object], n: int) -> float:
        """Give the CPU of the server for one of many calls."""
        call(0)
        before = tree_cpu_s(self.pid)
        for number in range(1, n + 1):
            call(number)
        return (tree_cpu_s(self.pid) - before) / n * 1000


@contextlib.contextmanager
def ostinato(n_runs: int = 0) -> Iterator[Door]:
    """Give our server on a new home, with so many tracking runs in it."""
    with temporary_home() as home:
        if n_runs:
            write(home.path, n_runs)
        command = [interpreter("ostinato"), "-m", "ostinato.cli", "server", "--port", "0"]
        with subprocess.Popen(command, env=home.environ(), stdout=subprocess.DEVNULL) as process:
            try:
                card = home.path / "server.json"
                until(card.exists)
                told = json.loads(card.read_text())
                yield door(process.pid, int(told["url"].rpartition(":")[2]), token=told["token"])
            finally:
                process.terminate()


@contextlib.contextmanager
def mlflow(python: str, *words: str) -> Iterator[Door]:
    """Give MLflow's server on a new SQLite file; `words` are options of its command."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [
            python,
            "-m",
            "mlflow",
            "server",
            "--port",
            str(port),
            "--backend-store-uri",
            f"sqlite:///{folder}/db",
            *words,
        ]
        with subprocess.Popen(
            command, env=clean_environ(), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                until(lambda: answers(port))
                yield door(process.pid, port)
            finally:
                process.terminate()


def door(pid: int, port: int, token: str = "") -> Door:
    """Give a server at a port."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return Door(pid, http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S), headers)


def answers(port: int) -> bool:
    """Say whether a server answers already."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def until(there: Callable[[], bool]) -> None:
    """Wait for something."""
    end = time.monotonic() + PATIENCE_S
    while not there():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


def fill(one: Door, n: int) -> None:
    """Make runs as a search for parameters does."""
    draw = random.Random(1)
    for number in range(n):
        run = one.post("runs/create", experiment_id="0", start_time=1_700_000_000_000 + number)["run"]["info"]["run_id"]
        values = {"rmse_valid": 6 + 2 * draw.random(), "inference_time": 4e-5 * draw.random()}
        metrics = [{"key": key, "value": value, "timestamp": 1, "step": 0} for key, value in values.items()]
        params = [{"key": f"p{place}", "value": str(number)} for place in range(5)]
        one.post("runs/log-batch", run_id=run, metrics=metrics, params=params)


def write(folder: Path, n_runs: int) -> None:
    """Write runs into a home by the real append and projection, as many as nobody wants to send one by one."""
    (folder / "journal").mkdir(parents=True)
    draw = random.Random(1)
    database = SqliteDatabase(str(folder / "ostinato.db"))
    database.db.executescript("PRAGMA cache_size = -200000")
    for begin in range(0, n_runs, 1_000):
        events: list[Event] = []
        for number in range(begin, min(begin + 1_000, n_runs)):
            run_id, at = f"{draw.getrandbits(128):032x}", 1_700_000_000_000_000 + number * 1_000_000
            values = {"rmse_valid": 6 + 2 * draw.random(), "inference_time": 4e-5 * draw.random(), "mae": draw.random()}
            points = tuple(Point(key, value, 0, at) for key, value in values.items())
            events.append(TrackingBegun(run_id, at, "Default", f"run-{number}"))
            events.append(ParamsLogged(run_id, at, {f"p{place}": str(number) for place in range(5)}))
            events.append(MetricsLogged(run_id, at, 1, points))
        stream = f"{begin:032x}"
        entry = Entry(1, len(events), msgspec.msgpack.encode(Block(stream, 1, events)), events)
        with database.writing(sync=False) as db:
            append(db, Writer(stream, 1, "host", 1), [entry], 1)
    database.tidy()
    database.close()


def search(one: Door, order: str) -> float:
    """Give the CPU of the server for a search with a filter, sorted so."""
    found = {"experiment_ids": ["0"], "filter": M7, "max_results": 5, "order_by": [order]}
    return one.cpu_ms(lambda _: one.post("runs/search", **found), 20)


def measure_many(sheet: Sheet, one: Door, n_runs: int) -> None:
    """Print what the search costs among many runs; where no index has the order, all that match are sorted."""
    for order in ("metrics.rmse_valid ASC", "metrics.mae DESC", "start_time DESC", "params.p0 ASC"):
        what = f"ms CPU for a search among {n_runs} runs, by {order}"
        bar = None if order.startswith("params") else at_most(30)
        sheet.add("ostinato", search(one, order), what, n=20, bar=bar)


def measure(sheet: Sheet, name: str, one: Door, n_runs: int, bars: dict[str, Bar]) -> None:
    """Print what calls cost a server."""
    run = one.post("runs/create", experiment_id="0", start_time=1)["run"]["info"]["run_id"]

    def log(number: int) -> object:
        return one.post("runs/log-metric", run_id=run, key="m", value=number, timestamp=number, step=number)

    sheet.add(
        name, one.cpu_ms(log, 500), "ms CPU of the server for log_metric", system=name, n=500, bar=bars.get("log")
    )
    fill(one, n_runs)
    listed = {"experiment_ids": ["0"], "max_results": min(n_runs, 1000)}
    cost = one.cpu_ms(lambda _: one.post("runs/search", **listed), 10)
    sheet.add(name, cost, f"ms CPU for a list of {listed['max_results']} runs", system=name, n=10, bar=bars.get("list"))
    cost = search(one, "metrics.rmse_valid ASC")
    sheet.add(name, cost, f"ms CPU for a search among {n_runs} runs", system=name, n=20, bar=bars.get("search"))


def main() -> int:
    """Measure what the arguments ask for; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000, help="runs of the larger home; 0 leaves it out")
    parser.add_argument("--peers", nargs="*", default=["mlflow"], choices=["mlflow"])
    parser.add_argument("--peer-runs", type=int, default=2_000)
    options = parser.parse_args()
    sheet = Sheet("mlflow_door")
    with ostinato() as one:
        bars = {"log": at_most(0.8), "list": at_most(50), "search": at_most(10)}
        measure(sheet, "ostinato", one, options.runs, bars)
    if options.many:
        with ostinato(options.many) as one:
            measure_many(sheet, one, options.many)
    for peer in options.peers:
        with mlflow(interpreter(peer)) as one:
            measure(sheet, peer, one, options.peer_runs, {})
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
