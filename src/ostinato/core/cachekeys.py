"""Cache keys: which calls may share a result, as policies that compose.

`INPUTS + TASK_SOURCE` (the default) shares a result between calls with equal arguments of a task
with the same code; `INPUTS - "debug"` leaves an argument out. Arguments count by content.
"""

from __future__ import annotations

from _blake2 import blake2b  # hashlib would load OpenSSL too, 3 ms of every first import
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.content import NoContent, content_digest
from ostinato.core.errors import BadOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "DEFAULT",
    "FLOW_PARAMETERS",
    "INPUTS",
    "NONE",
    "NO_CACHE",
    "RUN_ID",
    "TASK_SOURCE",
    "CachePolicy",
    "NoContent",
    "cache_key",
    "check",
    "content_digest",
]


class CachePolicy(msgspec.Struct, frozen=True):
    """What a cache key is made of; `a + b` takes both, `a - "name"` leaves an argument out."""

    parts: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    """Arguments (and flow parameters) that do not count."""

    def __add__(self, other: CachePolicy) -> CachePolicy:
        if not isinstance(other, CachePolicy):
            return NotImplemented
        return CachePolicy(self.parts | other.parts, self.without | other.without)

    def __sub__(self, name: str) -> CachePolicy:
        if not isinstance(name, str):
            return NotImplemented
        return CachePolicy(self.parts, self.without | {name})

    def __repr__(self) -> str:
        return " + ".join(sorted(self.parts)) + "".join(f" - {name!r}" for name in sorted(self.without)) or "NO_CACHE"


NO_CACHE: Final = CachePolicy()
NONE: Final = NO_CACHE
INPUTS: Final = CachePolicy(frozenset(("INPUTS",)))
TASK_SOURCE: Final = CachePolicy(frozenset(("TASK_SOURCE",)))
FLOW_PARAMETERS: Final = CachePolicy(frozenset(("FLOW_PARAMETERS",)))
RUN_ID: Final = CachePolicy(frozenset(("RUN_ID",)))
DEFAULT: Final = INPUTS + TASK_SOURCE

_encode = msgspec.msgpack.Encoder().encode


def cache_key(
    policy: CachePolicy,
    *,
    version: str,
    arguments: Mapping[str, object],
    run_id: str,
    flow_parameters: Mapping[str, object],
) -> tuple[str | None, str]:
    """Give the key of a call of one task; or None and, where the cache was wanted, why this call has none."""
    if not policy.parts:
        return None, ""
    named: list[object] = [sorted(policy.parts)]
    try:
        if "TASK_SOURCE" in policy.parts:
            named.append(version)
        if "RUN_ID" in policy.parts:
            named.append(run_id)
        if "INPUTS" in policy.parts:
            named.append(_by_content("argument", arguments, policy.without))
        if "FLOW_PARAMETERS" in policy.parts:
            named.append(_by_content("flow parameter", flow_parameters, policy.without))
    except NoContent as error:
        return None, str(error)
    return blake2b(_encode(named), digest_size=16).hexdigest(), ""


def check(policy: object, names: Iterable[str], where: str) -> CachePolicy:
    """Give `policy` if it is one and leaves out only arguments that there are.

    Raises:
        BadOption: (option-invalid).
    """
    if not isinstance(policy, CachePolicy):
        fix = "Import one, for example `from ostinato.core.cachekeys import INPUTS`."
        raise BadOption(option="cache_policy", value=policy, where=where, reason="it is no cache policy", fix=fix)
    unknown = sorted(policy.without - set(names))
    if unknown:
        reason = f"there is no argument {unknown[0]!r} to leave out"
        fix = f"The arguments are: {', '.join(names) or 'none'}."
        raise BadOption(option="cache_policy", value=policy, where=where, reason=reason, fix=fix)
    return policy


def _by_content(kind: str, values: Mapping[str, object], without: frozenset[str]) -> list[tuple[str, bytes]]:
    digests = []
    for name in sorted(values.keys() - without):
        try:
            digests.append((name, content_digest(values[name])))
        except NoContent as error:
            error.enter(f"{kind} {name!r}")
            raise
    return digests
