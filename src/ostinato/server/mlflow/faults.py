"""Errors as MLflow's clients know them: a code in capitals, and a message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

STATUS: Final[dict[str, int]] = {
    "INVALID_PARAMETER_VALUE": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "INVALID_STATE": 400,
    "BAD_REQUEST": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "INTERNAL_ERROR": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
    "RESOURCE_EXHAUSTED": 507,  # MLflow has 429, on which its client tries again for minutes
}

CODES: Final[dict[type[errors.OstinatoError], str]] = {
    errors.NotAuthenticated: "UNAUTHENTICATED",
    errors.KeyRefused: "UNAUTHENTICATED",
    errors.AccessRefused: "PERMISSION_DENIED",
    errors.HostRefused: "PERMISSION_DENIED",
    errors.OriginRefused: "PERMISSION_DENIED",
    errors.ExperimentNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.TrackingRunNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.LoggedModelNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.ModelNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.ModelVersionNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.AliasNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.StageEmpty: "RESOURCE_DOES_NOT_EXIST",
    errors.DatasetNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.LoggedModelNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.BlobMissing: "RESOURCE_DOES_NOT_EXIST",
    errors.DoorNotFound: "ENDPOINT_NOT_FOUND",
    errors.MethodRefused: "ENDPOINT_NOT_FOUND",
    errors.ExperimentExists: "RESOURCE_ALREADY_EXISTS",
    errors.ModelExists: "RESOURCE_ALREADY_EXISTS",
    errors.ExperimentDeleted: "INVALID_PARAMETER_VALUE",
    errors.TrackingRunDeleted: "INVALID_PARAMETER_VALUE",
    errors.ParamTaken: "INVALID_PARAMETER_VALUE",
    errors.LoggedModelDeleted: "RESOURCE_DOES_NOT_EXIST",
    errors.UsageError: "INVALID_PARAMETER_VALUE",
    errors.Refused: "INVALID_STATE",
    errors.RunError: "INVALID_STATE",
    errors.DiskFull: "RESOURCE_EXHAUSTED",
    errors.StorageError: "TEMPORARILY_UNAVAILABLE",
}
"""The nearest class above an error tells its code; anything else is a fault of ours."""

MOST_SHOWN: Final = 200
"""Characters of a value that is told."""
_HINTS: Final = {
    "UNAUTHENTICATED": "Set MLFLOW_TRACKING_TOKEN to an API key; `ostinato keys create` makes one.",
}
"""Where MLflow's clients need other words than ours."""
_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_PLACE: Final = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$", re.DOTALL)


class Fault(Exception):
    """A refusal in MLflow's words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """Give its HTTP status."""
        return STATUS[self.code]

    @property
    def body(self) -> bytes:
        """Give it as JSON."""
        return msgspec.json.encode({"error_code": self.code, "message": self.message})


def missing(name: str) -> Fault:
    """Give the refusal of a request that lacks a parameter."""
    return Fault("INVALID_PARAMETER_VALUE", f"Missing value for required parameter '{name}'.")


def not_found(kind: str, ref: str) -> Fault:
    """Give the refusal of a request for what does not exist."""
    return Fault("RESOURCE_DOES_NOT_EXIST", f"{kind} '{ref}' not found")


def fault_of(error: Exception) -> Fault:
    """Give an error as it is told; what is no error of ours tells nothing of the inside."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, msgspec.MsgspecError):
        return misfit(error)
    if not isinstance(error, errors.OstinatoError):
        return Fault("INTERNAL_ERROR", errors.ServerFault().message)
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), "INTERNAL_ERROR")
    return Fault(code, f"{error.message} {_HINTS.get(code, error.hint)}".strip())


def misfit(error: msgspec.MsgspecError, given: dict[str, object] | None = None, needed: Iterable[str] = ()) -> Fault:
    """Give the refusal of a request that is not of the shape it should have.

    `given` is what was sent, `needed` what it must have.
    """
    known = given or {}
    match = _PLACE.match(str(error))
    reason, place = (match[1], match[2] or "") if match is not None else (str(error), "")
    name = re.split(r"[.\[]", place)[0]
    absent = [one for one in needed if known.get(one) is None] if given is not None else []
    if name and known.get(name, "") is None:
        absent.append(name)
    found = _MISSING.search(reason)
    if absent:
        return missing(absent[0])
    if found is not None:
        return missing(f"{place}.{found[1]}" if place else found[1])
    value = f" {_shown(known[name])}" if name in known else ""
    where = f"{value} for parameter '{name}' supplied" if name else ""
    return Fault("INVALID_PARAMETER_VALUE", f"Invalid value{where}: {reason}{f' at {place}' if place != name else ''}")


def _shown(value: object) -> str:
    """Give a value as JSON, as MLflow shows it, cut when it is long."""
    return msgspec.json.encode(value).decode()[:MOST_SHOWN]
