"""What is wanted of a deployment, as a call, a command line or the file `ostinato.toml` says it."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from ostinato.core.deployments import Catchup, CodeKind, Overlap
from ostinato.core.errors import ManifestInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of `flow.deploy`."""

    schedules: Any = None
    cron: Any = None
    interval: Any = None
    rrule: Any = None
    timezone: str = ""
    parameters: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    queue: str = ""
    priority: int = 0
    concurrency: Annotated[int, Meta(ge=1)] | None = None
    overlap: Overlap = "allow"
    catchup: Catchup = "latest"
    skip_if_late: Any = None
    """Seconds, a timedelta, or a text such as `10m`."""
    crash_retries: Annotated[int, Meta(ge=0)] = 3
    cancel_grace: Any = 30.0
    """Seconds, a timedelta, or a text such as `2m`."""
    env: dict[str, str] = {}
    resources: dict[str, float] = {}
    description: str = ""
    version: str = ""
    code: CodeKind = "local"
    storage: str = ""
    paused: bool | None = None
    """None leaves it as it is."""


class Entry(Wish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table [[deployments]] of a manifest."""

    flow: str
    """FILE:FLOW, relative to the manifest."""
    name: Annotated[str, Meta(min_length=1)] = "default"

    @property
    def options(self) -> dict[str, Any]:
        """The options that are not as always."""
        return {
            name: value
            for name in Wish.__struct_fields__
            if (value := getattr(self, name)) != getattr(_NOTHING_SAID, name)
        }


_NOTHING_SAID: Final = Wish()
_VARIABLE: Final = re.compile(r"\$(?:(\$)|\{(\w+)(?::-([^}]*))?\})")


def read_manifest(text: str, file: str, environ: Mapping[str, str]) -> list[Entry]:
    """Give the tables [[deployments]] of a manifest, with `${NAME}` in texts filled from the environment.

    `${NAME:-text}` has a default, `$$` is a dollar sign. `file` is how errors call it.

    Raises:
        ManifestInvalid: (manifest-invalid) names file, table and key.
    """
    toml = importlib.import_module("tomllib")
    try:
        tables = toml.loads(text).get("deployments", [])
    except toml.TOMLDecodeError as error:
        fix = "Mend the TOML there."
        raise ManifestInvalid(file=file, place="as a whole", reason=str(error), fix=fix) from error
    if not isinstance(tables, list) or not tables:
        fix = 'Write [[deployments]] with flow = "flow.py:train" and name = "nightly" below it.'
        raise ManifestInvalid(file=file, place="[[deployments]]", reason="there is none", fix=fix)
    entries = [_entry(table, number, file, environ) for number, table in enumerate(tables, 1)]
    titles = [(entry.flow, entry.name) for entry in entries]
    for number, (entry, title) in enumerate(zip(entries, titles, strict=True), 1):
        if title in titles[: number - 1]:
            fix = "Give each a name of its own."
            reason = f"{entry.flow} has two of this name"
            raise ManifestInvalid(file=file, place=place_of(number, entry.name), reason=reason, fix=fix)
    return entries


def place_of(number: int, name: str, key: str = "") -> str:
    """Give how errors call a table of a manifest, or a key in it."""
    return f"deployment {number} ({name})" + (f", {key}" if key else "")


def _entry(table: Any, number: int, file: str, environ: Mapping[str, str]) -> Entry:
    name = table.get("name", "default") if isinstance(table, dict) else "?"
    try:
        return msgspec.convert(_filled(table, environ), Entry, strict=False)
    except KeyError as error:
        fix = f"Set it, or write a default: ${{{error.args[0]}:-text}}."
        reason = f"the environment has no {error.args[0]}"
        raise ManifestInvalid(file=file, place=place_of(number, name), reason=reason, fix=fix) from None
    except msgspec.ValidationError as error:
        reason, _, key = str(error).partition(" - at `$.")
        fix = nearest(reason, Entry) if "unknown field" in reason else "Mend that key."
        place = place_of(number, name, key.rstrip("`"))
        raise ManifestInvalid(file=file, place=place, reason=reason, fix=fix) from error


def nearest(text: str, kind: type[Wish]) -> str:
    """Give the key that is most like the last word of a text, or all of them."""
    word = re.findall(r"\w+", text)[-1]
    close = importlib.import_module("difflib").get_close_matches(word, kind.__struct_fields__, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(kind.__struct_fields__)}."


def _filled(value: Any, environ: Mapping[str, str]) -> Any:
    """Give a value with the variables in its texts filled in."""
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _meant(found, environ), value)
        case list():
            return [_filled(item, environ) for item in value]
        case dict():
            return {key: _filled(item, environ) for key, item in value.items()}
        case _:
            return value


def _meant(found: re.Match[str], environ: Mapping[str, str]) -> str:
    dollar, name, default = found.groups()
    if dollar:
        return "$"
    return environ[name] if default is None else environ.get(name) or str(default)
