"""`concurrency`: blocks of code of which only so many run at once, in all processes of a home."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from ostinato.core.commands import GiveSlots, TakeSlots
from ostinato.core.errors import BadOption, OstinatoError, ServerUnreachable, SlotsTimedOut
from ostinato.core.ids import new_id
from ostinato.core.ports import COMMANDS, resolve
from ostinato.engine import logs
from ostinato.engine.scopes import find_scope, running_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.core.ports import Commands
    from ostinato.engine.scopes import Scope

LEASE_S: Final = 30.0
"""After so long the slots of a process that died are free."""
RENEW_S: Final = LEASE_S / 3
SHORTEST_S: Final = 0.02
LONGEST_S: Final = 1.0
"""Between tries to take slots."""


_blocks: ContextVar[tuple[TakeSlots, ...]] = ContextVar("ostinato_slots", default=())
"""What the open blocks of this context have taken."""


class Slots:
    """Slots of a limit, taken for the time of each `with` or `async with` block; any thread may open blocks."""

    def __init__(self, name: str, occupy: int, timeout_s: float | None, *, strict: bool) -> None:
        self.name = name
        self.occupy = occupy
        self.timeout_s = timeout_s
        self.strict = strict

    def __enter__(self) -> None:
        keeper, wanted = _keeper(), self._wanted()
        try:
            for wait_s in self._waits():
                if keeper.take(wanted):
                    break
                keeper.wait(self.name, wait_s)
        except BaseException:
            keeper.drop(wanted)
            raise
        _blocks.set((*_blocks.get(), wanted))

    def __exit__(self, *_: object) -> None:
        _keeper().give(self._close_block())

    async def __aenter__(self) -> None:
        keeper, wanted = _keeper(), self._wanted()
        elsewhere = resolve("asyncio:to_thread")
        try:
            for wait_s in self._waits():
                if await elsewhere(keeper.take, wanted):
                    break
                await keeper.wait_async(self.name, wait_s)
        except BaseException:
            keeper.drop(wanted)
            raise
        _blocks.set((*_blocks.get(), wanted))

    async def __aexit__(self, *_: object) -> None:
        await resolve("asyncio:to_thread")(_keeper().give, self._close_block())

    def _close_block(self) -> TakeSlots:
        """Give what the innermost open block of this limit has taken."""
        blocks = _blocks.get()
        at = max(i for i, one in enumerate(blocks) if (one.name, one.n) == (self.name, self.occupy))
        _blocks.set((*blocks[:at], *blocks[at + 1 :]))
        return blocks[at]

    def _wanted(self) -> TakeSlots:
        """Give the command for one block; the holder begins with the run, whose end frees what it has taken."""
        scope = find_scope()
        holder = f"{scope.root.id}/{new_id()}" if scope is not None else new_id()
        return TakeSlots(name=self.name, holder=holder, n=self.occupy, lease_s=LEASE_S, strict=self.strict)

    def _waits(self) -> Iterator[float]:
        """Give the seconds between tries.

        Raises:
            SlotsTimedOut: (slots-timed-out) the time is over.
        """
        scope = find_scope()
        end_s = None if self.timeout_s is None else time.monotonic() + self.timeout_s
        wait_s, told = SHORTEST_S, False
        while True:
            left_s = wait_s if end_s is None else end_s - time.monotonic()
            yield max(0.0, min(wait_s, left_s))
            if scope is not None:
                scope.check(hold=False)
                if not told:
                    _tell(scope, 20, f"Waits for {self.occupy} of the slots of limit {self.name!r}")
            told = True
            if left_s <= 0:
                raise SlotsTimedOut(n=self.occupy, name=self.name, timeout_s=self.timeout_s)
            wait_s = min(wait_s * 1.5, LONGEST_S)


def concurrency(name: str, occupy: int = 1, *, timeout_seconds: float | None = None, strict: bool = False) -> Slots:
    """Take `occupy` slots of the limit `name` for a `with` (or `async with`) block, waiting until they are free.

    Who comes first is not sure to be first. Without a limit of that name (`ostinato queue limit NAME
    SLOTS` makes one) nobody waits; `strict=True` refuses instead.

    Raises:
        SlotsTimedOut: (slots-timed-out) they were not free within `timeout_seconds`.
        LimitNotFound: (limit-not-found) there is no such limit, with `strict=True`.
    """
    if occupy < 1:
        raise BadOption(
            option="occupy", value=occupy, where=f"concurrency({name!r})", reason="it is no number of slots",
            fix="Take 1 or more.",
        )  # fmt: skip
    return Slots(name, occupy, timeout_seconds, strict=strict)


class _Keeper:
    """What this process holds, and the thread that renews it."""

    def __init__(self) -> None:
        commands: Commands = resolve(COMMANDS)()
        self._commands = commands
        self._held: dict[str, tuple[TakeSlots, Scope | None]] = {}
        self._unwanted: set[str] = set()
        """Holders that nobody waits for any more."""
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        """Wakes who waits in this process, by limit, the longest waiting first."""
        self._lock = threading.Lock()
        atexit.register(self._close)
        threading.Thread(target=self._renew, name="ostinato-slots", daemon=True).start()

    def take(self, wanted: TakeSlots) -> bool:
        """Take slots, when they are free and can be asked for; hold them until they are given back."""
        try:
            if not self._commands.do(wanted):
                return False
        except ServerUnreachable:
            self._commands = resolve(COMMANDS)()  # another server has come, or the home is ours again
            return False
        with self._lock:
            unwanted = wanted.holder in self._unwanted
            self._held[wanted.holder] = wanted, find_scope()
        if unwanted:
            self.give(wanted)
        return True

    def give(self, taken: TakeSlots) -> None:
        """Give slots back; when that cannot be said now, the lease ends by itself."""
        with self._lock:
            held = self._held.pop(taken.holder, None)
        if held is not None:
            self._free(taken, held[1])
            with suppress(IndexError):
                self._waiting.get(taken.name, deque()).popleft()()

    def drop(self, wanted: TakeSlots) -> None:
        """Give slots back that a thread may be taking right now."""
        with self._lock:
            self._unwanted.add(wanted.holder)
        self.give(wanted)

    def wait(self, name: str, seconds: float) -> None:
        """Wait until slots are given back in this process, or so long."""
        woken = threading.Event()
        with self._in_line(name, woken.set):
            woken.wait(seconds)

    async def wait_async(self, name: str, seconds: float) -> None:
        """Wait in an event loop."""
        loop = running_loop()
        woken = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        def wake_from_outside() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(wake)

        timer = loop.call_later(seconds, wake)
        with self._in_line(name, wake_from_outside):
            await woken
        timer.cancel()

    @contextmanager
    def _in_line(self, name: str, wake: Callable[[], None]) -> Iterator[None]:
        line = self._waiting.setdefault(name, deque())
        line.append(wake)
        try:
            yield
        finally:
            with suppress(ValueError):  # it was woken
                line.remove(wake)

    def _free(self, taken: TakeSlots, scope: Scope | None) -> None:
        try:
            self._commands.do(GiveSlots(name=taken.name, holder=taken.holder))
        except OstinatoError as error:
            text = f"The slots of limit {taken.name!r} become free after {LEASE_S:g} s: {error.message}"
            _tell(scope, 30, text)

    def _renew(self) -> None:
        while True:
            time.sleep(RENEW_S)
            for wanted, scope in list(self._held.values()):
                try:
                    kept = self._commands.do(wanted)
                except OstinatoError:  # the next round comes before the lease ends
                    continue
                if wanted.holder not in self._held:  # it was given back meanwhile
                    self._free(wanted, scope)
                elif not kept:
                    _tell(scope, 30, f"The lease of slots of limit {wanted.name!r} ended, and others took them")

    def _close(self) -> None:
        if _keepers.get(os.getpid()) is self:
            self._commands.close()


_keepers: dict[int, _Keeper] = {}
"""By process: a forked one begins anew."""
_starting = threading.Lock()


def _keeper() -> _Keeper:
    with _starting:
        found = _keepers.get(os.getpid())
        if found is None:
            found = _keepers[os.getpid()] = _Keeper()
    return found


def _tell(scope: Scope | None, level: int, text: str) -> None:
    if scope is not None:
        logs.emit(scope, level, "ostinato.concurrency", text)
