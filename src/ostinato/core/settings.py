"""Settings of Ostinato: from the environment, `ostinato.toml` and defaults, with their origins.

A setting `name` is `OSTINATO_NAME` in the environment and `name = ...` in `ostinato.toml`, looked
for in the working directory and then in the home. The first place that has it wins.
"""

from __future__ import annotations

import importlib
import os
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from ostinato.core.errors import SettingInvalid
from ostinato.core.ports import Durability

if TYPE_CHECKING:
    from collections.abc import Mapping

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

FILE: Final = "ostinato.toml"
OTHERS: Final = frozenset({"deployments"})
"""What else may stand in that file."""
PREFIX: Final = "OSTINATO_"
UNTOLD: Final = frozenset({"secret_key", "api_key", "git_token"})
"""Settings whose values are never shown."""
_PASSWORD: Final = re.compile(r"(//[^:/@]*:)[^/@]*(?=@)|(password=)(?:'[^']*'|[^&\s]+)")
"""The secret in the address of a database or a bucket, after what it follows."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings; each says in one line what it does."""

    home: Annotated[str, Meta(min_length=1, description="Folder of the database, the journal and stored values.")] = (
        "~/.ostinato"
    )
    database_url: Annotated[
        str, Meta(description="PostgreSQL database, postgresql://USER@HOST/NAME; empty for SQLite in the home.")
    ] = ""
    blobs_url: Annotated[
        str,
        Meta(description="Folder or URL of stored values, such as s3://BUCKET/PREFIX; empty for `blobs` in the home."),
    ] = ""
    durability: Annotated[
        Durability,
        Meta(description="When recording returns: relaxed (bounded lag), disk (synced), database (committed)."),
    ] = "relaxed"
    disk_lag_ms: Annotated[
        int, Meta(ge=1, description="A caller waits when an event has not been synced for so many milliseconds.")
    ] = 50
    disk_lag_events: Annotated[
        int, Meta(ge=1, description="A caller waits when so many events have not been synced.")
    ] = 4096
    group_ms: Annotated[
        int, Meta(ge=0, description="Events are collected for so many milliseconds before they are synced together.")
    ] = 20
    commit_ms: Annotated[
        int, Meta(ge=0, description="Synced events are committed to the database together after so many milliseconds.")
    ] = 100
    journal_quota_mb: Annotated[
        int, Meta(ge=1, description="Most megabytes of journal that wait for the database, for each process.")
    ] = 1024
    exit_wait_s: Annotated[
        float, Meta(ge=0, description="Seconds that the end of a flow or a process waits for the database.")
    ] = 30.0
    result_limit_mb: Annotated[
        float, Meta(gt=0, description="Larger results are not kept; such a task runs again on resume.")
    ] = 64.0
    keep_blocks_days: Annotated[
        float, Meta(ge=0, description="Days that raw blocks of events are kept by `ostinato db vacuum`.")
    ] = 7.0
    keep_runs_days: Annotated[
        float, Meta(ge=0, description="Days that ended runs are kept by `ostinato db vacuum`; pinned ones stay.")
    ] = 90.0
    keep_audit_days: Annotated[float, Meta(ge=0, description="Days that is kept who did what.")] = 365.0
    keep_unused_blobs_s: Annotated[
        float, Meta(ge=0, description="Seconds that stored values stay after nothing refers to them any more.")
    ] = 3600.0
    console: Annotated[bool, Meta(description="Whether runs show their states and log lines in the terminal.")] = True
    color: Annotated[
        Literal["auto", "always", "never"], Meta(description="Whether output has colours; auto looks at the terminal.")
    ] = "auto"
    log_level: Annotated[LogLevel, Meta(description="Log lines below this level are neither recorded nor shown.")] = (
        "INFO"
    )
    log_prints: Annotated[bool, Meta(description="Whether `print` inside flows and tasks is logged by default.")] = (
        False
    )
    capture_logging: Annotated[
        bool, Meta(description="Whether records of standard `logging` inside runs are logged too.")
    ] = False
    api_url: Annotated[
        str,
        Meta(
            description="Address of the server to work with; empty for the home, and its server if one runs."
            " Of several, separated by commas, the next is asked while one is away."
        ),
    ] = ""
    api_key: Annotated[str, Meta(description="API key that is shown to the server at `api_url`.")] = ""
    snapshot_limit_mb: Annotated[
        float, Meta(gt=0, description="Larger snapshots of code are refused by `ostinato deploy`.")
    ] = 64.0
    git_token: Annotated[
        str, Meta(description="Token with which workers fetch code over https; empty for what git itself knows.")
    ] = ""
    zygotes: Annotated[
        int, Meta(ge=0, description="Most deployments whose code a worker keeps loaded; 0 starts each run afresh.")
    ] = 4
    secret_key: Annotated[
        str, Meta(description="Key that seals secrets, base64 of 32 bytes; empty for `secret.key` in the home.")
    ] = ""

    origins: dict[str, str] = {}
    """Where each setting that is not a default comes from."""

    def where(self, name: str) -> str:
        """Give the origin of a setting: an environment variable, a file, or `default`."""
        return self.origins.get(name, "default")


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as the documentation and `ostinato doctor` show it."""

    name: str
    variable: str
    doc: str
    default: object
    value: object
    origin: str


def load(environ: Mapping[str, str] | None = None, directory: str | None = None) -> Settings:
    """Give the settings that hold for a process with this environment and working directory.

    Raises:
        SettingInvalid: (setting-invalid) names the setting, its value and where it comes from.
    """
    environ = os.environ if environ is None else environ
    names = Settings.__struct_fields__[:-1]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def take(found: Mapping[str, object], where: str) -> None:
        for name, value in found.items():
            if name not in values:
                values[name] = _convert(name, value, where)
                origins[name] = where

    for name in names:
        variable = PREFIX + name.upper()
        if environ.get(variable):
            take({name: environ[variable]}, variable)
    take(_read(os.path.join(directory if directory is not None else _here(), FILE)), FILE)
    home = _expand(values.get("home", "~/.ostinato"))
    in_home = os.path.join(home, FILE)
    take({name: value for name, value in _read(in_home).items() if name != "home"}, in_home)
    values["home"] = home
    return Settings(**values, origins=origins)


def describe(settings: Settings | None = None) -> list[Description]:
    """Give all settings with their line of documentation, default, value and origin."""
    settings = settings or Settings()
    defaults = Settings()
    docs = {name: get_args(hint)[1].description for name, hint in _hints().items()}
    return [
        Description(
            name=name,
            variable=PREFIX + name.upper(),
            doc=docs[name],
            default=getattr(defaults, name),
            value=_shown(name, getattr(settings, name)),
            origin=settings.where(name),
        )
        for name in Settings.__struct_fields__[:-1]
    ]


@cache
def _hints() -> dict[str, Any]:
    hints = get_type_hints(Settings, include_extras=True)
    return {name: hints[name] for name in Settings.__struct_fields__[:-1]}


def _convert(name: str, value: object, where: str) -> object:
    kind = _hints().get(name)
    if kind is None:
        raise SettingInvalid(name=name, value=value, where=where, reason="there is no such setting")
    if isinstance(value, str) and kind.__origin__ is bool:
        value = {"on": "true", "yes": "true", "off": "false", "no": "false"}.get(value.lower(), value)
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingInvalid(name=name, value=_shown(name, value), where=where, reason=str(error)) from error


def _shown(name: str, value: object) -> object:
    if name in ("database_url", "blobs_url"):
        return without_password(str(value))
    return "********" if value and name in UNTOLD else value


def without_password(url: str) -> str:
    """Give an address as it may be shown."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}********", url)


def _here() -> str:
    """Give the working directory, the root when it was removed under us."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return os.sep


def _expand(home: str) -> str:
    return os.path.abspath(os.path.expanduser(home))


def _read(path: str) -> dict[str, object]:
    """Give what a settings file says, nothing when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(name="file", value=path, where=path, reason=str(error)) from error
    toml = importlib.import_module("tomllib")  # needed by few, so imported only when there is a file
    try:
        found: dict[str, object] = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise SettingInvalid(name="file", value=path, where=path, reason=str(error)) from error
    return {name: value for name, value in found.items() if name not in OTHERS}
