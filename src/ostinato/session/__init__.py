"""The session of this process: the one place that joins engine and command line with the store.

`recorder` and `reader` are the doors named in `core/ports.py`.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, cast

from ostinato.core.settings import load
from ostinato.session.home import Home
from ostinato.session.recorder import EmbeddedRecorder

if TYPE_CHECKING:
    from ostinato.core.ports import Commands, Reader, Recorder
    from ostinato.session.remote_recorder import RemoteRecorder


class _Process:
    """What this process holds."""

    recorder: EmbeddedRecorder | RemoteRecorder | None = None
    watched = False
    lock = threading.RLock()


def recorder() -> Recorder:
    """Give this process's Recorder at the configured server or home, opened at the first call."""
    if _Process.recorder is None:
        with _Process.lock:
            if _Process.recorder is None:
                settings = load()
                if settings.api_url:
                    from ostinato.session.remote_recorder import RemoteRecorder

                    _Process.recorder = RemoteRecorder(settings, watched=_Process.watched)
                else:
                    _Process.recorder = EmbeddedRecorder(
                        settings,
                        Home(settings.home, settings.database_url, settings.blobs_url),
                        watched=_Process.watched,
                    )
    return _Process.recorder


def settle(timeout_s: float) -> None:
    """Wait so long until what this process has recorded, if anything, can be read."""
    if _Process.recorder is not None:
        _Process.recorder.settle("database", timeout_s)


def reader(home: str | None = None) -> Reader:
    """Give a Reader of the configured server or home, or of the home named."""
    settings = load()
    if settings.api_url and home is None:
        from ostinato.client import Address, Client
        from ostinato.session.remote import RemoteReader

        return cast("Reader", RemoteReader(Client(Address(url=settings.api_url, token=settings.api_key))))
    from ostinato.session.home_reader import EmbeddedReader

    return EmbeddedReader(Home(home or settings.home))


def commands(home: str | None = None) -> Commands:
    """Give the Commands of the configured server or home, or of the home named."""
    settings = load()
    if settings.api_url and home is None:
        from ostinato.client import Address, Client
        from ostinato.session.remote import RemoteCommands

        return RemoteCommands(Client(Address(url=settings.api_url, token=settings.api_key)))
    from ostinato.session.home_commands import HomeCommands

    return HomeCommands(Home(home or settings.home))


def prepare() -> None:
    """Load what recording needs, for processes that are forked from this one."""
    load()
    import_module("ostinato.session.remote_recorder")


def be_watched() -> None:
    """Note that a worker sees when this process dies: no journal has to show that it lives."""
    _Process.watched = True


def close() -> None:
    """Deliver what this process recorded and let go of the home; the next call of `recorder` opens it again."""
    with _Process.lock:
        held, _Process.recorder = _Process.recorder, None
    trouble = held.close() if held is not None else ""
    if held is not None and trouble:
        sys.stderr.write(
            f"ostinato: not everything reached {held.place}: {trouble}\n"
            "ostinato: the next Ostinato process on that home delivers what the journal holds.\n"
        )


def _before_fork() -> None:
    _Process.lock.acquire()
    if _Process.recorder is not None:
        _Process.recorder.before_fork()


def _after_fork_in_parent() -> None:
    if _Process.recorder is not None:
        _Process.recorder.after_fork()
    _Process.lock.release()


def _after_fork_in_child() -> None:
    _Process.lock = threading.RLock()
    if _Process.recorder is not None:
        _Process.recorder.start_afresh()


atexit.register(close)
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
