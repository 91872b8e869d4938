"""A live tree at the bottom of the terminal, with prints and log lines above it.

A thread looks at the home some eight times a second, or less often when looking is dear: it
takes at most 3 % of a processor.
"""

from __future__ import annotations

import atexit
import io
import sys
import threading
import time
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, Self, TextIO, TypeAlias

from ostinato.cli.lines import clip
from ostinato.cli.screen import screen_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from ostinato.cli.lines import Line
    from ostinato.cli.screen import Screen

FRAME_S: Final = 0.125
SHARE: Final = 0.03
"""Most of one processor that the tree may take."""

_HELD_MOST: Final = 1 << 20
"""Characters of prints that wait for the next frame; more of them are painted at once."""

_LAST_LOOKS: Final = 20
"""Log lines still to come at the end are shown up to so many pages; the rest is in `ostinato logs`."""


_BEGIN: Final = "\x1b[?2026h\x1b[?25l\x1b[?7l"
_END: Final = "\x1b[?7h\x1b[?2026l"
"""Around a frame: the terminal shows it whole, without cursor, and breaks no line."""


class Pane:
    """Paints lines at the bottom of a terminal again and again, and text above them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: list[str] = []
        self._columns = 0
        self._hides = False

    def paint(self, above: str, lines: list[str], columns: int) -> None:
        """Write `above` (whole lines) for good, and `lines` below in place of those before."""
        if not above and lines == self._shown:
            return
        if not self._hides:
            self._hides = True
            atexit.register(self.show_cursor)
        # The lines before are overwritten in place, and those alone that changed: cleared first, they would flicker.
        shown = [] if above or columns != self._columns else self._shown
        parts = [_BEGIN, f"\x1b[{len(self._shown)}A" if self._shown else "", "\r"]
        if above:
            parts += ["\x1b[J\x1b[?7h", above.replace("\n", "\r\n"), "\x1b[?7l"]
        for line, before in zip_longest(lines, shown[: len(lines)]):
            parts.append("\r\n" if line == before else f"\x1b[2K{line}\r\n")
        parts += [_END] if len(lines) == len(shown) else ["\x1b[J", _END]
        self._stream.write("".join(parts))
        self._stream.flush()
        self._shown, self._columns = lines, columns

    def show_cursor(self) -> None:
        """Give the cursor back."""
        if self._hides:
            self._hides = False
            atexit.unregister(self.show_cursor)
            self._stream.write("\x1b[?7h\x1b[?25h")
            self._stream.flush()


class Above(io.TextIOBase):
    """Stands in for stdout or stderr: what is printed appears above the live lines."""

    def __init__(self, real: TextIO, full: Callable[[], None]) -> None:
        self._real = real
        self._full = full
        self._name = "stdout" if real is sys.stdout else "stderr"
        self._released = False
        self._lock = threading.Lock()
        self._parts: list[str] = []
        self._size = 0

    def write(self, text: str) -> int:
        """Keep text until the next frame; afterwards it goes where prints go then, as a log handler may hold this."""
        if self._released:
            successor = getattr(sys, self._name)
            standing_in = isinstance(successor, Above) and not successor._released  # noqa: SLF001
            return int((successor if standing_in else self._real).write(text))
        with self._lock:
            self._parts.append(text)
            self._size += len(text)
            full = self._size > _HELD_MOST
        if full:
            self._full()
        return len(text)

    def take(self) -> tuple[str, str]:
        """Give the whole lines that came since, and the unfinished last one."""
        with self._lock:
            whole, newline, rest = "".join(self._parts).rpartition("\n")
            self._parts = [rest]
            self._size = len(rest)
        return whole + newline, rest

    def release(self) -> None:
        """Stand in no longer."""
        self._released = True

    def flush(self) -> None:
        """Do nothing as long as the next frame comes soon."""
        if self._released:
            self._real.flush()

    def writable(self) -> bool:
        """Say yes."""
        return True

    def isatty(self) -> bool:
        """Say no: who moves the cursor itself would spoil the tree."""
        return False

    def fileno(self) -> int:
        """Give the real file, for child processes."""
        return self._real.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Give the encoding of the real stream."""
        return self._real.encoding

    @property
    def buffer(self) -> object:
        """Give the bytes below the real stream, as `sys.stdout.buffer` is used."""
        return self._real.buffer


Look: TypeAlias = "Callable[[Screen, int], tuple[list[str], list[Line]]]"
"""Gives, for a screen and the number of the frame, log lines to print for good and the lines of the tree."""


class Live:
    """Draws what a look gives below everything that is printed, in a `with` block."""

    def __init__(self, opened: AbstractContextManager[Look]) -> None:
        self._opened = opened
        self._real = (sys.stdout, sys.stderr)
        self._pane = Pane(sys.stderr)
        self._above: list[Above] = []
        self._painting = threading.Lock()
        self._ending = threading.Event()
        self._tree: list[str] = []
        self._fault: Exception | None = None
        self.stays = True
        """Whether the last lines stay when the block ends."""
        self._thread = threading.Thread(target=self._draw_often, name="ostinato-tree", daemon=True)

    def __enter__(self) -> Self:
        """Take over stdout and stderr, and begin to draw."""
        out, err = self._real
        sys.stderr = self._stand_in(err)
        if out.isatty():
            sys.stdout = self._stand_in(out)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw a last time and give the streams back."""
        try:
            self._ending.set()
            self._thread.join()
        finally:
            # What the program has put in place of a stand-in stays.
            if sys.stdout in self._above:
                sys.stdout = self._real[0]
            if sys.stderr in self._above:
                sys.stderr = self._real[1]
            for above in self._above:
                above.release()
            self._tree = self._tree if self.stays else []
            self._paint([], last=True)
            self._pane.show_cursor()
        if self._fault is not None and error is None:
            raise self._fault

    @property
    def drawing(self) -> bool:
        """Whether the thread still draws; not once it met an error, which the end of the block raises."""
        return self._thread.is_alive()

    def _stand_in(self, real: TextIO) -> TextIO:
        above = Above(real, lambda: self._paint([]))
        self._above.append(above)
        return above  # type: ignore[return-value]

    def _draw_often(self) -> None:
        try:
            with self._opened as look:
                frame, cost = 0, 0.0
                while not self._ending.wait(max(FRAME_S, cost / SHARE)):
                    before = time.thread_time()
                    self._draw(look, frame)
                    cost = time.thread_time() - before
                    frame += 1
                for _ in range(_LAST_LOOKS):
                    if not self._draw(look, frame):
                        break
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits for this one
            self._fault = error

    def _draw(self, look: Look, frame: int) -> bool:
        screen = screen_of(self._real[1])
        logged, tree = look(screen, frame)
        self._tree = [screen.text(line) for line in tree]
        self._paint(logged)
        return bool(logged)

    def _paint(self, logged: list[str], *, last: bool = False) -> None:
        with self._painting:
            columns = screen_of(self._real[1]).columns
            whole, unfinished = "", []
            for above in self._above:
                text, rest = above.take()
                whole += text
                if rest and last:
                    whole += rest + "\n"
                elif rest:
                    unfinished.append(clip(rest.rpartition("\r")[2], columns))
            whole += "".join(line + "\n" for line in logged)
            self._pane.paint(whole, [*unfinished, *self._tree], columns)
