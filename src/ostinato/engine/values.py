"""Values to results and back, through the recorder's blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from ostinato.core.codec import decode, encode
from ostinato.core.errors import BlobMissing, ResultLost
from ostinato.core.results import Result

if TYPE_CHECKING:
    from ostinato.core.ports import Recorder

NOT_PERSISTED: Final = Result("p", None, "", 0, b"", "not-persisted", "persist_result=False")


class Values:
    """Keeps values of one root run up to a limit in bytes."""

    __slots__ = ("_limit_bytes", "_recorder")

    def __init__(self, recorder: Recorder, limit_bytes: int) -> None:
        self._recorder = recorder
        self._limit_bytes = limit_bytes

    def keep(self, value: Any, *, persist: bool | None = None, storage: str = "") -> Result | None:
        """Encode a value; a large one is stored as a blob, in the home or `storage`, before this returns."""
        if persist is False:
            return NOT_PERSISTED
        result, data = encode(value, self._limit_bytes)
        if data is not None and result is not None:
            self._recorder.put_blob(data, result.digest, storage)
            result = replace(result, storage=storage) if storage else result
        return result

    def value(self, result: Result | None) -> tuple[bool, Any]:
        """Give (True, value) of a recorded result, or (False, None) when it is not kept."""
        if result is None:
            return True, None
        try:
            data = self._recorder.get_blob(result.blob, result.storage) if result.blob and not result.lost else None
            return True, decode(result, data)
        except (ResultLost, BlobMissing):
            return False, None
