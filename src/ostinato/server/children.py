"""What lives beside a server and ends with it: a worker process, the deployer of a watched folder."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

END_S: Final = 2.0
"""A process has so long to end before it is killed."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 15.0
LIVED_S: Final = 30.0
"""A process that lived for so long is started again without much of a pause."""
SCAN_S: Final = 1.0
MOST_FILES: Final = 5_000
SUFFIXES: Final = (".py", ".toml")
LEFT_OUT: Final = frozenset({"__pycache__", "node_modules", "venv", "build", "dist"})

_log: Final = logging.getLogger("ostinato.server")


async def keep(command: list[str]) -> NoReturn:
    """Have a process run for as long as we do: it is started again when it ends, and ended with us.

    Its standard input is a pipe that ends when we are gone.
    """
    loop = asyncio.get_running_loop()
    pause_s = FIRST_PAUSE_S
    while True:
        began = loop.time()
        process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, start_new_session=True)
        try:
            code = await process.wait()
        finally:
            await end(process)
        pause_s = FIRST_PAUSE_S if loop.time() - began > LIVED_S else min(pause_s * 2, LONGEST_PAUSE_S)
        _log.warning("process %s ended (exit code %s); it is started again in %g s", process.pid, code, pause_s)
        await asyncio.sleep(pause_s)


async def run_on_change(command: list[str], folder: str) -> NoReturn:
    """Run a command in a folder, now and whenever a file below it has changed that deployments may depend on."""
    known: dict[str, tuple[int, int]] = {}
    while True:
        found = await asyncio.to_thread(lambda: dict(_files(folder)))
        if found != known:
            known = found
            process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdin=subprocess.DEVNULL)
            try:
                await process.wait()
            finally:
                await end(process)
        await asyncio.sleep(SCAN_S)


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process, if need be by force."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _files(folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Give the files that deployments may depend on, each with what tells that it changed."""
    n_files = 0
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT and not name.startswith(".")]
        for name in names:
            if name.endswith(SUFFIXES) and n_files < MOST_FILES:
                n_files += 1
                path = os.path.join(place, name)
                with suppress(OSError):
                    found = os.stat(path)
                    yield path, (found.st_mtime_ns, found.st_size)
