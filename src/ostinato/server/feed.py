"""The feed over HTTP: every event in commit order as server-sent events, from any position that is kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from ostinato.core import query
from ostinato.core.errors import (
    FeedTooOld,
    MethodRefused,
    OstinatoError,
    QueryInvalid,
    RequestInvalid,
    StorageError,
)
from ostinato.core.events import StreamLost
from ostinato.core.happenings import KINDS, NEEDS, told
from ostinato.store import feed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ostinato.core.access import Identity
    from ostinato.core.events import Event
    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office
    from ostinato.store.database import Connection

T = TypeVar("T")

HEARTBEAT_S: Final = 15.0
LEAST_S: Final = 1.0
"""So long the database may take for an answer, even when a heartbeat is due."""
AGAIN_S: Final = 0.25
"""Until a database that did not answer is asked again."""
MOST_KEPT_BYTES: Final = 8 << 20
"""Of what was last told, so that many readers at the same place share the work."""
MOST_PLACES: Final = 10_000
PAGE: Final = 16
"""Blocks that one reader is told at once: what bounds its memory."""
STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
PARAMETERS: Final = frozenset({"kinds", "run", "flow", "since", "after"})

_BY_WORD: Final = {word: kind for kind, word in KINDS.items()}
_END: Final = 1 << 62
_json: Final = msgspec.json.Encoder().encode


class Frame(msgspec.Struct, frozen=True):
    """One event, ready to be sent."""

    kind: type
    runs: tuple[str, ...]
    """The runs that it is about."""
    text: bytes


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader wants to be told."""

    kinds: frozenset[type]
    run: str = ""
    flow: str = ""

    def fits(self, places: Iterable[tuple[str, str]], runs: tuple[str, ...]) -> bool:
        """Tell whether an event about runs, at places (flow, outermost run), is wanted."""
        if not self.run and not self.flow:
            return True
        return any(
            (not self.run or self.run in (run, root)) and (not self.flow or self.flow == flow)
            for run, (flow, root) in zip(runs, places, strict=True)
        )


class Feed:
    """Tells any number of readers."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._kept: OrderedDict[int, list[Frame]] = OrderedDict()
        self._kept_bytes = 0
        self._reading = asyncio.Lock()
        self._places: OrderedDict[str, tuple[str, str]] = OrderedDict()

    async def serve(self, exchange: Exchange, identify: Callable[[], Awaitable[Identity]]) -> None:
        """Answer one reader, until it hangs up or is not let in any more."""
        identity = await identify()
        identity.check("read")
        if exchange.method != "GET":
            raise MethodRefused(path=exchange.path, method=exchange.method)
        asked = _asked(exchange)
        wanted = await self._wanted(asked, identity)
        block, index = await self._begin(asked, exchange.header(b"last-event-id"))
        exchange.waits = True
        self.office.n_feed_readers += 1
        try:
            await exchange.begin(200, STREAM_HEADERS)
            await exchange.until_gone(self._tell(exchange, identify, wanted, block, index))
        finally:
            self.office.n_feed_readers -= 1

    async def _wanted(self, asked: dict[str, str], identity: Identity) -> Wanted:
        kinds = kinds_of(asked.get("kinds", ""), identity)
        run = asked.get("run", "")
        if run:
            run = (await self.office.read(lambda shelf: shelf.reader.find_run(run))).id
        return Wanted(kinds=kinds, run=run, flow=asked.get("flow", ""))

    async def _begin(self, asked: dict[str, str], last_id: str) -> tuple[int, int]:
        """Give the position after which a reader is told; without one it is told what comes from now on."""
        after = last_id or asked.get("after", "")
        if after:
            position = position_of(after)
            await self.office.read(lambda shelf: feed.check(shelf.db, *position))
            return position
        if asked.get("since"):
            at = _instant(asked["since"])
            return await self.office.read(lambda shelf: feed.since(shelf.db, at)) - 1, _END
        return await self.office.read(lambda shelf: feed.last(shelf.db)), _END

    async def _tell(
        self, exchange: Exchange, identify: Callable[[], Awaitable[Identity]], wanted: Wanted, block: int, index: int
    ) -> None:
        """Send what is wanted after a position, and what comes."""
        await exchange.more(b"retry: 1000\nid: %d.%d\n\n" % (block, min(index, _MOST_EVENTS)))
        loop = asyncio.get_running_loop()
        sent_at = known_at = loop.time()
        while not self.office.closing.is_set():
            if loop.time() > known_at + HEARTBEAT_S:
                try:
                    known = await _in_time(identify(), LEAST_S)
                    if known is not None:
                        known.check("read")
                except OstinatoError:
                    break
                known_at = loop.time()
            seen = self.office.committed.count
            page = await _in_time(self._page(block if index < _END else block + 1), sent_at + HEARTBEAT_S - loop.time())
            for number, frames in page or ():
                if number > block + 1 and not await self._follows(block):
                    return
                first = index + 1 if number == block else 0
                text = await _in_time(self._text(number, frames, first, wanted), HEARTBEAT_S)
                if text is None:
                    page = None
                    break
                if text:
                    await exchange.more(text)
                    sent_at = loop.time()
                block, index = number, _END
            if page is None:
                await asyncio.sleep(AGAIN_S)
            elif not page:
                index = _END
                await self.office.committed.wait(seen, sent_at + HEARTBEAT_S - loop.time())
            if loop.time() >= sent_at + HEARTBEAT_S:
                await exchange.more(b": nothing new\nid: %d.%d\n\n" % (block, min(index, _MOST_EVENTS)))
                sent_at = loop.time()
        await exchange.more(b"", last=True)

    async def _follows(self, block: int) -> bool:
        """Tell whether nothing is missing after a block: a transaction that was undone leaves a gap of numbers.

        Else retention was faster than the reader, which comes again and is told so.
        """
        try:
            await self.office.read(lambda shelf: feed.check(shelf.db, block, 0))
        except (FeedTooOld, StorageError):
            return False
        return True

    async def _text(self, block: int, frames: list[Frame], first: int, wanted: Wanted) -> bytes:
        found = [(at, frame) for at, frame in enumerate(frames) if at >= first and frame.kind in wanted.kinds]
        if wanted.run or wanted.flow:
            await self._find_places({run for _, frame in found for run in frame.runs})
            places = self._places
            found = [(at, frame) for at, frame in found if wanted.fits([places[run] for run in frame.runs], frame.runs)]
        return b"".join(b"id: %d.%d\n%b" % (block, at, frame.text) for at, frame in found)

    async def _find_places(self, runs: set[str]) -> None:
        unknown = runs - set(self._places)
        if unknown:
            found = await self.office.read(lambda shelf: {run: feed.place_of_run(shelf.db, run) for run in unknown})
            self._places.update(found)
        while len(self._places) > max(MOST_PLACES, len(runs)):
            self._places.popitem(last=False)

    async def _page(self, begin: int) -> list[tuple[int, list[Frame]]]:
        """Give some blocks from an id on."""
        if begin not in self._kept:
            async with self._reading:
                if begin not in self._kept:
                    found = await self.office.read(lambda shelf: _framed(shelf.db, begin))
                    for number, frames in found:
                        self._keep(number, frames)
                    return found
        page: list[tuple[int, list[Frame]]] = []
        while begin in self._kept and len(page) < PAGE:
            page.append((begin, self._kept[begin]))
            begin += 1
        return page

    def _keep(self, block: int, frames: list[Frame]) -> None:
        if block not in self._kept:
            self._kept[block] = frames
            self._kept_bytes += sum(len(frame.text) for frame in frames)
        while self._kept_bytes > MOST_KEPT_BYTES and self._kept:
            _, gone = self._kept.popitem(last=False)
            self._kept_bytes -= sum(len(frame.text) for frame in gone)


_MOST_EVENTS: Final = 999_999_999
"""Index after every event of a block."""


async def _in_time(answer: Awaitable[T], wait_s: float) -> T | None:
    """Give what the database answers; None when it is away, or takes longer."""
    try:
        async with asyncio.timeout(max(wait_s, LEAST_S)):
            return await answer
    except (TimeoutError, StorageError):
        return None


def _framed(db: Connection, begin: int) -> list[tuple[int, list[Frame]]]:
    return [(number, [_frame(event) for event in events]) for number, events in feed.blocks(db, begin, PAGE)]


def kinds_of(text: str, identity: Identity) -> frozenset[type]:
    """Give the kinds of events that a text such as `run-moved,logged`, or `-logged` for all but that, asks for.

    Raises:
        RequestInvalid: (request-invalid) it names a kind that there is not.
        AccessRefused: (access-refused) it names one that is not for who asks.
    """
    words = [word for word in text.split(",") if word]
    unknown = [word for word in words if word.removeprefix("-") not in _BY_WORD]
    if unknown:
        raise RequestInvalid(reason=f"there is no kind {unknown[0]!r}; there are: {', '.join(_BY_WORD)}")
    named = {_BY_WORD[word] for word in words if not word.startswith("-")}
    for kind in named & set(NEEDS):
        identity.check(NEEDS[kind])
    kinds = named or {kind for kind in KINDS if kind not in NEEDS or identity.may(NEEDS[kind])}
    return frozenset(kinds - {_BY_WORD[word[1:]] for word in words if word.startswith("-")})


def position_of(text: str) -> tuple[int, int]:
    """Give the block and the index that the id of an event names.

    Raises:
        RequestInvalid: (request-invalid) it is none.
    """
    block, _, index = text.partition(".")
    if not (block.isdecimal() and index.isdecimal() and len(text) < 32):
        raise RequestInvalid(reason=f"{text!r} is no position; one is the id of an event, such as 17.0")
    return int(block), int(index)


def runs_of(event: Event) -> tuple[str, ...]:
    """Give the runs that an event is about."""
    if isinstance(event, StreamLost):
        return event.runs
    run_id: str = getattr(event, "run_id", "")
    return (run_id,) if run_id else ()


def _frame(event: Event) -> Frame:
    kind = type(event)
    return Frame(kind, runs_of(event), b"event: %b\ndata: %b\n\n" % (KINDS[kind].encode(), _json(told(event))))


def _asked(exchange: Exchange) -> dict[str, str]:
    text: bytes = exchange.scope["query_string"]
    asked = dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True))
    for name in asked:
        if name not in PARAMETERS:
            raise RequestInvalid(reason=f"there is no parameter {name!r}; there are: {', '.join(sorted(PARAMETERS))}")
    return asked


def _instant(text: str) -> int:
    """Give the instant that a text such as `24h` or `2026-11-01` names, as in queries."""
    try:
        terms = query.parse(f"created:>={query.quote(text)}", query.RUN_FIELDS).terms
    except QueryInvalid as error:
        raise RequestInvalid(reason=f"since={text!r} is no instant: {error.values.get('reason')}") from error
    return int(terms[0].values[0])
