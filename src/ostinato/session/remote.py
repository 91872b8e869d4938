"""The remote Reader and Commands: the server does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec

from ostinato.core import commands as asked
from ostinato.core.errors import MALFORMED, told
from ostinato.core.reads import READS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.client import Client

R = TypeVar("R")

REPEATABLE: Final = frozenset(
    {
        asked.Deploy,
        asked.PauseDeployment,
        asked.SetQueue,
        asked.SetLimit,
        asked.TakeSlots,
        asked.GiveSlots,
        asked.Join,
        asked.Poll,
        asked.Ended,
        asked.Leave,
        asked.SetRole,
        asked.DisableUser,
        asked.SetSecret,
        asked.TagModel,
        asked.DescribeModel,
        asked.DescribeVersion,
        asked.SetPolicy,
        asked.SetAlias,
        asked.SetStage,
        asked.RecordCheck,
    }
)
"""Commands of which the second is the same as none: they may be sent again when no answer came."""
SLACK_S: Final = 15.0
"""How long an answer may take beyond the time that the server was allowed to wait."""

_pack: Final = msgspec.msgpack.Encoder().encode


class RemoteCommands:
    """Has commands carried out by a server."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._answers: dict[type, msgspec.msgpack.Decoder[Any]] = {}

    def do(self, command: asked.Command[R]) -> R:
        """Give the answer of a command; raises the error by which it was refused."""
        kind = type(command)
        repeatable = kind in REPEATABLE or (isinstance(command, asked.CreateRun) and bool(command.key))
        wait_s = command.wait_s if isinstance(command, asked.Poll) else 0.0
        try:
            body = _pack(command)
        except MALFORMED as error:
            raise told(error) from error
        answer = self.client.call("/api/rpc/do", body, repeatable=repeatable, timeout_s=wait_s + SLACK_S)
        if kind not in self._answers:
            self._answers[kind] = msgspec.msgpack.Decoder(asked.answer_type(kind))
        return cast("R", self._answers[kind].decode(answer))

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()


class RemoteReader:
    """Reads the home of a server: has the methods of `Reader`, by the table of reads."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __getattr__(self, method: str) -> Callable[..., Any]:
        read = READS.get(method)
        if read is None:
            raise AttributeError(method)

        def ask(*args: Any, **kwargs: Any) -> Any:
            return read.value(self.client.call(f"/api/rpc/read/{method}", read.pack(*args, **kwargs), repeatable=True))

        return ask

    def blob(self, blob: str) -> bytes:
        """Give stored bytes."""
        return self.client.call(f"/api/blobs/{blob}", method="GET", repeatable=True)

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()
