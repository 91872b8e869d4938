"""Problems: errors as HTTP tells them, with the same fields at every door (problem+json, RFC 9457)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ostinato.core import errors

STATUS: Final[dict[type[errors.OstinatoError], int]] = {
    errors.NotAuthenticated: 401,
    errors.KeyRefused: 401,
    errors.AccessRefused: 403,
    errors.HostRefused: 403,
    errors.OriginRefused: 403,
    errors.RunNotFound: 404,
    errors.TaskRunNotFound: 404,
    errors.DeploymentNotFound: 404,
    errors.QueueNotFound: 404,
    errors.LimitNotFound: 404,
    errors.UserNotFound: 404,
    errors.KeyNotFound: 404,
    errors.SecretMissing: 404,
    errors.ArtifactNotFound: 404,
    errors.VariableMissing: 404,
    errors.DatasetNotFound: 404,
    errors.ExperimentNotFound: 404,
    errors.TrackingRunNotFound: 404,
    errors.ModelNotFound: 404,
    errors.ModelVersionNotFound: 404,
    errors.AliasNotFound: 404,
    errors.StageEmpty: 404,
    errors.BlobMissing: 404,
    errors.DoorNotFound: 404,
    errors.MethodRefused: 405,
    errors.FeedTooOld: 410,
    errors.BodyTooLarge: 413,
    errors.UsageError: 400,
    errors.Refused: 409,
    errors.RunError: 409,
    errors.StorageError: 503,
}
"""The nearest class above an error tells its status; anything else is a fault of ours, 500."""

TITLES: Final = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 410: "Gone", 413: "Content Too Large", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a client gets it; `code` and `values` are enough to make it again."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    values: dict[str, Any] = {}


def status_of(error: errors.OstinatoError) -> int:
    """Give the HTTP status of an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem_of(error: Exception) -> Problem:
    """Give an error as it is told; what is no error of ours tells nothing of the inside."""
    ours = error if isinstance(error, errors.OstinatoError) else errors.ServerFault()
    status = status_of(ours)
    return Problem(
        type=f"urn:ostinato:error:{ours.code}",
        title=TITLES[status],
        status=status,
        code=ours.code,
        detail=ours.message,
        hint=ours.hint,
        values={name: _plain(value) for name, value in ours.values.items()},
    )


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
