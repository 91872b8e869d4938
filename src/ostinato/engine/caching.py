"""How a task uses the cache: a key by content, one maker at a time, bounded waiting.

Off unless asked for. Inside a process a lock for each key lets one caller make the value; across
processes a claim row with a lease does. Nobody waits while holding another claim.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.cachekeys import DEFAULT, cache_key
from ostinato.core.events import CacheStored
from ostinato.core.parameters import read_parameters
from ostinato.engine import logs
from ostinato.engine.effects import Found
from ostinato.engine.scopes import now_us

if TYPE_CHECKING:
    from ostinato.engine.calls import Call
    from ostinato.engine.options import TaskOptions

LEASE_S: Final = 30.0

_making: set[str] = set()
"""Cache keys that this process is making now."""
_lock = threading.Lock()


class TaskCache:
    """The cache rules of one task."""

    def __init__(self, options: TaskOptions) -> None:
        self._options = options
        expiration: Any = options.cache_expiration
        seconds = expiration.total_seconds() if hasattr(expiration, "total_seconds") else expiration
        self._lives_us = int(seconds * 1_000_000) if seconds is not None else 0

    def find(self, call: Call) -> Found | bool:
        """Give the cached value; else True when this call may make it, False while another does."""
        if call.cache_key is None:
            call.cache_key = self._key(call)
            if call.cache_key is None:
                return True
        key = call.cache_key
        recorder = call.caller.root.recorder
        found = self._look(call)
        if found is not None:
            return found
        with _lock:
            if key in _making:
                return False
            _making.add(key)
        if recorder.claim_cached(key, LEASE_S):
            found = self._look(call)  # the maker before may have ended between the look and the claim
            if found is None:
                return True
            recorder.release_cached(key)
        with _lock:
            _making.discard(key)
        return found or False

    def _look(self, call: Call) -> Found | None:
        """Give a fresh cached value and record that it was taken."""
        if self._options.refresh_cache or call.cache_key is None:
            return None
        fresh, result = call.caller.root.recorder.find_cached(call.cache_key, now_us())
        found = _value(call, result) if fresh else None
        if found is not None:
            call.move("Cached", value=result)
            call.cache_key = None
        return found

    def keep(self, call: Call, result: Any) -> None:
        """Store the result for others, unless there is none, and let the next caller in."""
        key = call.cache_key
        if key is None:
            return
        root = call.caller.root
        if result is not msgspec.UNSET and (result is None or not result.lost):
            now = now_us()
            expires_at = now + self._lives_us if self._lives_us else 0
            root.push(CacheStored(key, now, expires_at, call.caller.flow.id, call.no, result))
            root.recorder.settle("database")
        root.recorder.release_cached(key)
        with _lock:
            _making.discard(key)

    def _key(self, call: Call) -> str | None:
        task, options = call.task, self._options
        arguments = read_parameters(task.fn, task.name).bind(call.args, call.kwargs)
        if options.cache_key_fn is not None:
            chosen = options.cache_key_fn(call.scope or call.caller, arguments)
            return None if chosen is None else f"{task.name}:{chosen}"
        flow = call.caller.flow
        policy = options.cache_policy if options.cache_policy is not None else DEFAULT
        key, reason = cache_key(
            policy, version=task.version, arguments=arguments, run_id=flow.id, flow_parameters=flow.parameters
        )
        if key is None:
            if reason:
                logs.emit(call.caller, 30, "ostinato.cache", f"Task {task.name!r} is not cached: {reason}")
            return None
        return f"{task.name}:{key}"


def _value(call: Call, result: Any) -> Found | None:
    found, value = call.caller.root.values.value(result)
    return Found(value) if found else None
