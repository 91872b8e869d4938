"""Runs the blocks of one page in order: `python page_runner.py PAGE` in an empty folder.

A traceback names the page and its line, since the blocks are compiled in place.
"""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
import types
from pathlib import Path

from tests.docs.test_pages_run import Block, blocks


def main(page: Path) -> None:
    """Run the page, and stop at the first block that fails."""
    module = types.ModuleType("__main__")
    module.__file__ = str(page)
    sys.modules["__main__"] = module
    printed = io.StringIO()
    for block in blocks(page):
        if not block.is_run or "no-run" in block.words:
            continue
        print(f"{page.name}:{block.line} {' '.join(block.words)}", file=sys.stderr, flush=True)
        if block.words[0] == "text":
            _compare(block, printed.getvalue())
            printed = io.StringIO()
        elif block.words[0] == "bash":
            printed.write(_bash(block))
        elif file := next((word[5:] for word in block.words if word.startswith("file=")), ""):
            Path(file).write_text(block.text, encoding="utf-8")
        else:
            code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
            with contextlib.redirect_stdout(_Both(printed)):
                exec(code, module.__dict__)


class _Both(io.TextIOBase):
    """Writes to the real output, and keeps it."""

    def __init__(self, kept: io.StringIO) -> None:
        self.kept = kept

    def write(self, text: str) -> int:
        self.kept.write(text)
        return sys.__stdout__.write(text) if sys.__stdout__ else len(text)

    def flush(self) -> None:
        if sys.__stdout__:
            sys.__stdout__.flush()


def _bash(block: Block) -> str:
    ended = subprocess.run(
        ["bash", "-eu", "-c", block.text],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(ended.stdout, end="", flush=True)
    if ended.returncode != 0:
        sys.exit(f"line {block.line}: bash ended with {ended.returncode}")
    return ended.stdout


def _compare(block: Block, printed: str) -> None:
    """End with a sentence unless each line of the block follows, in order, in what was printed; `...` is any text."""
    rest = printed.splitlines()
    for line in filter(None, map(str.strip, block.text.splitlines())):
        pattern = re.compile(".*".join(map(re.escape, line.split("..."))))
        while rest and not pattern.search(rest[0].strip()):
            rest.pop(0)
        if not rest:
            sys.exit(f"line {block.line}: the page shows {line!r}, which was not printed (in this order):\n{printed}")
        rest.pop(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
