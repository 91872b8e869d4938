"""The options of `@flow` and `@task`: one struct each; the names are those that Prefect's users know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from ostinato.core.errors import BadOption
from ostinato.core.names import fill
from ostinato.core.parameters import read_parameters

T = TypeVar("T")
Hook = Callable[..., Any]


class TaskOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `@task`."""

    name: str = ""
    description: str = ""
    version: str = ""
    tags: Sequence[str] = ()
    task_run_name: str | Callable[..., str] | None = None
    retries: int = 0
    retry_delay_seconds: float | Sequence[float] | Callable[[int], Any] | None = None
    retry_jitter_factor: float | None = None
    retry_condition_fn: Callable[..., bool] | None = None
    timeout_seconds: float | None = None
    cache_key_fn: Callable[..., str | None] | None = None
    cache_policy: Any = None
    """A `core.cachekeys.CachePolicy`."""
    cache_expiration: Any = None
    """Seconds, or a `timedelta`."""
    refresh_cache: bool = False
    persist_result: bool | None = None
    log_prints: bool | None = None
    key: str | Callable[..., str] | None = None
    effect: bool = False
    on_running: Sequence[Hook] = ()
    on_completion: Sequence[Hook] = ()
    on_failure: Sequence[Hook] = ()
    on_crashed: Sequence[Hook] = ()
    on_cancellation: Sequence[Hook] = ()


class FlowOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `@flow`."""

    name: str = ""
    description: str = ""
    version: str = ""
    flow_run_name: str | Callable[..., str] | None = None
    retries: int = 0
    retry_delay_seconds: float | Sequence[float] | Callable[[int], Any] | None = None
    timeout_seconds: float | None = None
    task_runner: Any = None
    log_prints: bool | None = None
    persist_result: bool | None = None
    result_storage: str | None = None
    """Folder, or URL that fsspec understands, for results above 16 KiB of this flow and its subflows."""
    validate_parameters: bool = True
    tags: Sequence[str] = ()
    on_running: Sequence[Hook] = ()
    on_completion: Sequence[Hook] = ()
    on_failure: Sequence[Hook] = ()
    on_crashed: Sequence[Hook] = ()
    on_cancellation: Sequence[Hook] = ()


def read_options(kind: type[T], where: str, options: Mapping[str, Any]) -> T:
    """Give an options struct; a single hook or tag becomes a tuple of one.

    Raises:
        BadOption: (option-invalid) there is no such option, or its value makes no sense.
    """
    fields: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    read = dict(options)
    for name, value in options.items():
        if name not in fields:
            fix = f"Options: {', '.join(fields)}."
            raise BadOption(option=name, value=value, where=where, reason="there is no such option", fix=fix)
        if (name.startswith("on_") and callable(value)) or (name == "tags" and isinstance(value, str)):
            read[name] = (value,)
    timeout_s = read.get("timeout_seconds")
    if timeout_s is not None and not (isinstance(timeout_s, (int, float)) and timeout_s > 0):
        fix = "Leave it out for no timeout."
        raise BadOption(
            option="timeout_seconds", value=timeout_s, where=where, reason="it is no number above 0", fix=fix
        )
    return kind(**read)


def with_changes(options: T, where: str, changes: Mapping[str, Any]) -> T:
    """Give a copy of an options struct with some of them changed."""
    fields: tuple[str, ...] = options.__struct_fields__  # type: ignore[attr-defined]
    return read_options(type(options), where, {**{name: getattr(options, name) for name in fields}, **changes})


def filled(template: Any, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Give the text of a template option: `"train-{year}"` is filled from the arguments, a function is called.

    A function gets the arguments that it names; one without parameters gets none.
    """
    parameters = read_parameters(fn, "")
    values = {**parameters.defaults, **dict(zip(parameters.positional, args, strict=False)), **kwargs}
    if isinstance(template, str):
        return fill(template, values)
    wanted = read_parameters(template, "").names
    return str(template(**{name: values[name] for name in wanted if name in values}))
