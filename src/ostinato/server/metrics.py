"""What a server tells Prometheus: counts of the home, and how long requests took."""

from __future__ import annotations

import time
from bisect import bisect_left
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ostinato.store import overview

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office, Shelf

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram."""

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """How often something took how long."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class Metrics:
    """Counts requests; gives all metrics as text."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._requests: dict[tuple[str, str], Histogram] = {}

    @contextmanager
    def timed(self, exchange: Exchange) -> Iterator[None]:
        """Count a request under its door; the long ones, poll and feed, are left out."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            if not exchange.waits:
                key = (door_of(exchange.path), exchange.method if exchange.method in _METHODS else "other")
                self._requests.setdefault(key, Histogram()).add(time.perf_counter() - begin)

    async def text(self) -> bytes:
        """Give all metrics."""
        counted = await self.office.read(_counted)
        office = self.office
        lines = [
            *_gauge("ostinato_runs", "Flow runs by state.", _labelled("state", counted["runs"])),
            *_gauge("ostinato_queue_waiting", "Runs that are due and wait.", _labelled("queue", counted["waiting"])),
            *_gauge(
                "ostinato_queue_lateness_seconds", "Age of the oldest due time.", _labelled("queue", counted["late"])
            ),
            *_gauge("ostinato_workers", "Workers that are there.", {(): counted["workers"]["here"]}),
            *_gauge("ostinato_worker_runs", "Runs in the hands of workers.", {(): counted["workers"]["held"]}),
            *_gauge("ostinato_feed_readers", "Readers of the feed.", {(): office.n_feed_readers}),
            *_gauge("ostinato_polls_waiting", "Polls of workers that wait.", {(): office.n_polls}),
            *_counter("ostinato_ingested_blocks_total", "Blocks taken in.", {(): office.n_blocks}),
            *_counter("ostinato_ingested_bytes_total", "Bytes of blocks taken in.", {(): office.n_bytes}),
            *_counter("ostinato_commits_total", "Commits seen.", {(): office.committed.count}),
            *self._histogram(),
        ]
        return ("\n".join(lines) + "\n").encode()

    def _histogram(self) -> Iterator[str]:
        name = "ostinato_request_duration_seconds"
        yield f"# HELP {name} Time from a request to the end of its answer."
        yield f"# TYPE {name} histogram"
        for (door, method), histogram in sorted(self._requests.items()):
            labels = f'door="{door}",method="{method}"'
            n = 0
            for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), histogram.counts, strict=True):
                n += count
                yield f'{name}_bucket{{{labels},le="{bound}"}} {n}'
            yield f"{name}_sum{{{labels}}} {histogram.sum_s:.6f}"
            yield f"{name}_count{{{labels}}} {n}"


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


def door_of(path: str) -> str:
    """Give the name under which a request is counted: few, whatever is asked for."""
    parts = path.split("/")
    if len(parts) > 3 and parts[1:3] == ["api", "rpc"]:
        return f"rpc-{parts[3]}" if parts[3] in ("do", "append", "read", "memory") else "other"
    if len(parts) < 2:  # the `*` of OPTIONS
        return "other"
    if parts[1] == "api" and len(parts) > 2:
        return parts[2] if parts[2] in _RESOURCES else "other"
    return parts[1] if parts[1] in ("health", "metrics", "login") else "other"


_RESOURCES: Final = frozenset(
    "runs deployments queues limits workers variables flows counts audit users keys secrets server blobs session"
    .split()
)  # fmt: skip


def _counted(shelf: Shelf) -> dict[str, dict[str, float]]:
    loads = shelf.reader.queue_loads()
    workers = [one for one in shelf.reader.workers() if one.left_at is None]
    now = time.time_ns() // 1000
    oldest = overview.oldest_waiting(shelf.db, now)
    return {
        "runs": {str(state): n for state, n in shelf.reader.state_counts().items()},
        "waiting": {one.name: one.n_waiting for one in loads},
        "late": {one.name: (now - oldest.get(one.name, now)) / 1e6 for one in loads},
        "workers": {"here": len(workers), "held": sum(one.n_held for one in workers)},
    }


def _labelled(name: str, values: Mapping[str, float]) -> dict[Labels, float]:
    return {((name, key),): value for key, value in values.items()}


def _gauge(name: str, about: str, values: Mapping[Labels, float]) -> Iterator[str]:
    return _lines(name, about, "gauge", values.items())


def _counter(name: str, about: str, values: Mapping[Labels, float]) -> Iterator[str]:
    return _lines(name, about, "counter", values.items())


def _lines(name: str, about: str, kind: str, values: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values:
        written = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        yield f"{name}{{{written}}} {value:g}" if written else f"{name} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
