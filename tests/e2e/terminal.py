"""A terminal of a given size around a command: what stands on its screen, as a person would see it."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

from tests.e2e.conftest import COMMAND

from ostinato.cli.lines import width

if TYPE_CHECKING:
    from tests.e2e.conftest import Cli

_TOKEN = re.compile(
    r"\x1b\[(?P<args>[?0-9;]*)(?P<code>[A-Za-z])|(?P<control>[\r\n\x07\x08])|(?P<text>[^\x1b\r\n\x07\x08]+)"
)


_CUT = re.compile(r"\x1b(\[[?0-9;]*)?$")


class Screen:
    """The rows that a program wrote, scrolled ones included; knows the sequences that the tree uses."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows: list[str] = [""]
        self.at = 0
        self.column = 0
        self.n_repaints = 0
        self.overflows: list[str] = []
        """Rows that were written wider than the screen while the terminal was told not to wrap."""
        self.wraps = True

    def feed(self, output: str) -> None:
        for token in _TOKEN.finditer(output):
            if token["text"]:
                self._write(token["text"])
            elif token["control"] == "\n":
                self._down()
            elif token["control"] == "\r":
                self.column = 0
            elif token["code"]:
                self._sequence(token["code"], token["args"])

    def _write(self, text: str) -> None:
        row = self.rows[self.at]
        self.rows[self.at] = row[: self.column].ljust(self.column) + text + row[self.column + len(text) :]
        self.column += len(text)
        if not self.wraps and width(self.rows[self.at]) > self.columns:
            self.overflows.append(self.rows[self.at])

    def _down(self) -> None:
        self.at += 1
        if self.at == len(self.rows):
            self.rows.append("")

    def _sequence(self, code: str, args: str) -> None:
        if code == "A":
            self.at = max(self.at - int(args or 1), 0)
            self.n_repaints += 1
        elif code == "K":
            self.rows[self.at] = "" if args == "2" else self.rows[self.at][: self.column]
        elif code == "J":
            self.rows[self.at] = self.rows[self.at][: self.column]
            del self.rows[self.at + 1 :]
        elif args == "?7":
            self.wraps = code == "h"

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows)


class Terminal:
    """A command in a terminal."""

    def __init__(
        self, cli: Cli, *args: str, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None
    ) -> None:
        self._main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", COMMAND, *args],  # a terminal of its own, so that Ctrl-C reaches it alone
            cwd=cli.folder,
            env={**cli.env, "TERM": "xterm-256color", **(env or {})},
            stdin=side,
            stdout=side,
            stderr=side,
        )
        os.close(side)
        cli.started.append(self.process)  # type: ignore[arg-type]
        self.screen = Screen(columns)
        self.raw = ""
        self._rest = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def wait_for(self, part: str, timeout_s: float = 30) -> None:
        """Read until a text stands on the screen."""
        end = time.monotonic() + timeout_s
        while part not in self.screen.text:
            assert time.monotonic() < end, f"{part!r} never came:\n{self.screen.text}"
            assert self._read(0.1), f"{part!r} never came, the command ended:\n{self.screen.text}"

    def press(self, key: str) -> None:
        """Send a key press, such as Ctrl-C."""
        os.write(self._main, key.encode())

    def end(self, timeout_s: float = 40) -> int:
        """Read until the command ends; give its exit code."""
        end = time.monotonic() + timeout_s
        while self._read(0.1):
            assert time.monotonic() < end, self.screen.text
        os.close(self._main)
        return self.process.wait(timeout=10)

    def _read(self, patience_s: float) -> bool:
        if not select.select([self._main], [], [], patience_s)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._main, 1 << 16)
        except OSError:  # Linux: the other side is closed
            return False
        text = self._rest + self._decode(data)
        cut = _CUT.search(text)  # a sequence that goes on in what comes next
        self._rest = text[cut.start() :] if cut else ""
        text = text[: cut.start()] if cut else text
        self.raw += text
        self.screen.feed(text)
        return True
