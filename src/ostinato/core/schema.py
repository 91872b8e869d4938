"""Type hints of a function: what a value becomes, what a text means, and their JSON schema.

Loaded on first use, for functions that have hints. Pydantic is used where a hint speaks of it,
which only a hint of somebody who imported it can do.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import re
import sys
import types
import typing
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from ostinato.core.display import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Converter: TypeAlias = "Callable[[Any], Any]"


class Unfit(ValueError):
    """A value does not fit a hint: the reason, and the place inside the value."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{reason} at {place}" if place else reason)
        self.reason = reason
        self.place = place


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What a JSON schema says of one parameter; hint None without a hint."""

    hint: Any
    required: bool
    default: Any = None
    description: str = ""


# --- hints of a function


def function_of(fn: Any) -> Any:
    """Give the function whose hints and place count for a partial, a wrapped function or a callable object."""
    while (
        inner := getattr(fn, "__wrapped__", None) or (fn.func if isinstance(fn, functools.partial) else None)
    ) is not None:
        fn = inner
    return fn if hasattr(fn, "__code__") else type(fn).__call__


def hints(fn: Any) -> dict[str, Any]:
    """Give the resolved type hints by parameter; one that cannot be resolved is left out."""
    fn = function_of(fn)
    local = {}
    names = getattr(getattr(fn, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(fn, "__closure__", None) or (), strict=False):
        try:
            local[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    try:
        found = typing.get_type_hints(fn, localns=local, include_extras=True)
    except Exception:  # noqa: BLE001 - evaluating a user's annotation may raise anything; the others still count
        found = _one_by_one(fn, local)
    found.pop("return", None)
    return found


def _one_by_one(fn: Any, local: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        annotations = dict(getattr(fn, "__annotations__", {}))
    except NameError:  # Python 3.14 evaluates them all at this point
        return found
    for name, annotation in annotations.items():
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            found |= typing.get_type_hints(holder, getattr(fn, "__globals__", {}), local, include_extras=True)
        except Exception:  # noqa: BLE001, S112 - as above: this parameter counts as one without a hint
            continue
    return found


def text_of(hint: Any) -> str:
    """Give a hint as its author would write it."""
    if isinstance(hint, str):
        return hint
    if hint is types.NoneType:
        return "None"
    if _is_union(hint):
        return " | ".join(text_of(arm) for arm in typing.get_args(hint))
    if typing.get_origin(hint) is typing.Annotated:
        return text_of(typing.get_args(hint)[0])
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint.__name__
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(hint))


# --- from a value to what the hint asks for


def converter(hint: Any) -> Converter | None:
    """Give a function that turns a value into what `hint` asks for or raises Unfit; None when every value fits."""
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar):
        return None
    if (adapted := _by_pydantic(hint)) is not None:
        return adapted
    if _is_union(hint):
        return _union(hint)
    if typing.get_origin(hint) in (list, set, frozenset, tuple, dict):
        return _container(hint)
    if isinstance(hint, type) and typing.get_origin(hint) is None and not _is_structural(hint):
        return _class(hint)
    return lambda value: _by_msgspec(value, hint)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _is_structural(kind: Any) -> bool:
    """Say whether `isinstance` cannot tell members of this class."""
    return bool(getattr(kind, "_is_protocol", False)) or typing.is_typeddict(kind)


def _plain(hint: Any) -> type | None:
    """Give the class of which every value of this hint is an instance, where it can be told."""
    found = typing.get_origin(hint) or hint
    return found if isinstance(found, type) and not _is_structural(found) else None


def _union(hint: Any) -> Converter:
    arms = [(_plain(arm), converter(arm)) for arm in typing.get_args(hint)]

    def convert(value: Any) -> Any:
        fitting = [arm for kind, arm in arms if kind is not None and isinstance(value, kind)]
        others = [arm for kind, arm in arms if kind is None or not isinstance(value, kind)]
        for arm in (*fitting, *others):
            try:
                return value if arm is None else arm(value)
            except Unfit:
                continue
        raise _unlike(value, hint)

    return convert


def _container(hint: Any) -> Converter:
    """Convert all at once; where msgspec fails, item by item, which knows more types and names the place."""

    def convert(value: Any) -> Any:
        try:
            return msgspec.convert(value, hint, strict=False, dec_hook=_foreign)
        except (msgspec.ValidationError, TypeError):
            return _by_items(value, hint)

    return convert


def _by_items(value: Any, hint: Any) -> Any:
    origin, arms = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict:
        if not isinstance(value, dict):
            raise _unlike(value, hint)
        keys, values = (converter(arm) for arm in arms)
        return {_item(keys, key, "the key"): _item(values, one, f"[{key!r}]") for key, one in value.items()}
    if not isinstance(value, list | tuple | set | frozenset):
        raise _unlike(value, hint)
    if origin is tuple and arms[-1:] != (...,):
        if len(arms) != len(value):
            raise _uneven(arms, value)
        converters = [converter(arm) for arm in arms]
    else:
        converters = [converter(arms[0])] * len(value)
    return origin(_item(one, item, f"[{no}]") for no, (one, item) in enumerate(zip(converters, value, strict=True)))


def _item(convert: Converter | None, value: Any, place: str) -> Any:
    try:
        return value if convert is None else convert(value)
    except Unfit as error:
        raise Unfit(error.reason, f"{place}{error.place}") from error


def _class(kind: type) -> Converter:
    prepare = _PREPARED.get(kind)
    if prepare is None and issubclass(kind, enum.Enum):
        prepare = _member
    if prepare is None and kind.__module__.partition(".")[0] == "pathlib":
        prepare = _path

    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        made = value if prepare is None else prepare(value, kind)
        return made if isinstance(made, kind) else _by_msgspec(made, kind)

    return convert


def _moment(value: Any, _: type) -> Any:
    """Give the instant of any ISO 8601 text; msgspec takes only the full form of RFC 3339."""
    try:
        return dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise Unfit(_MOMENTS) from error


def _switch(value: Any, _: type) -> Any:
    return _SWITCHES.get(value.lower(), value) if isinstance(value, str) else value


def _member(value: Any, kind: Any) -> Any:
    """Give the member of an Enum by value, then by name."""
    try:
        return kind(value)
    except ValueError:
        for member in kind:
            if value in (member.name, str(member.value)):
                return member
    raise _no_member(kind)


def _path(value: Any, kind: type) -> Any:
    return kind(value) if isinstance(value, str) else value


_MOMENTS: Final = "expected a date and time such as `2021-01-31T10:00`"
_SWITCHES: Final = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}
_PREPARED: Final[dict[type, Callable[[Any, type], Any]]] = {dt.datetime: _moment, bool: _switch}


def _by_msgspec(value: Any, hint: Any) -> Any:
    try:
        return msgspec.convert(value, hint, strict=False, dec_hook=_foreign)
    except msgspec.ValidationError as error:
        if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
            return _by_msgspec(value.item(), hint)  # a numpy scalar is a number to its user
        text = str(error)
        reason, _, place = text.partition(" - at `$")
        raise Unfit(reason[:1].lower() + reason[1:], place.rstrip("`").removeprefix(".")) from error
    except TypeError:  # msgspec does not know such a hint
        return _by_instance(value, hint)


def _foreign(kind: Any, value: Any) -> Any:
    """Give a value for a class that msgspec meets inside a hint and does not know."""
    if (adapted := _by_pydantic(kind)) is not None:
        return adapted(value)
    if getattr(kind, "__module__", "").partition(".")[0] == "pathlib" and isinstance(value, str):
        return kind(value)
    return _by_instance(value, kind)


def _by_instance(value: Any, hint: Any) -> Any:
    kind = _plain(hint)
    if kind is None or isinstance(value, kind):
        return value
    raise _unlike(value, hint)


def _unlike(value: Any, hint: Any) -> Unfit:
    return Unfit(f"expected `{text_of(hint)}`, got `{type(value).__name__}`")


def _uneven(arms: tuple[Any, ...], value: Any) -> Unfit:
    return Unfit(f"expected {len(arms)} values, got {len(value)}")


def _no_member(kind: Any) -> Unfit:
    return Unfit(f"expected one of {', '.join(repr(member.value) for member in kind)}")


# --- pydantic, where the user's hints speak of it


def _by_pydantic(hint: Any) -> Converter | None:
    pydantic = sys.modules.get("pydantic")
    adapter = _adapter(pydantic, hint)
    if pydantic is None or adapter is None:
        return None

    def convert(value: Any) -> Any:
        try:
            return adapter.validate_python(value)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise Unfit(first["msg"], ".".join(str(part) for part in first["loc"])) from error

    return convert


def _adapter(pydantic: Any, hint: Any) -> Any:
    """Give pydantic's TypeAdapter of a hint that speaks of it, or None."""
    if pydantic is None or not _speaks_of_pydantic(hint):
        return None
    for config in ({"arbitrary_types_allowed": True}, None):
        try:
            return pydantic.TypeAdapter(hint, config=config)
        except (pydantic.errors.PydanticUserError, NameError):  # a model has its own config; or an unknown type
            continue
    return None


def _speaks_of_pydantic(hint: Any) -> bool:
    if hasattr(hint, "__pydantic_validator__"):
        return True
    if isinstance(hint, type) and hint.__module__.partition(".")[0] == "pydantic":
        return True
    metadata = getattr(hint, "__metadata__", ())
    if any(type(item).__module__.partition(".")[0] in ("pydantic", "annotated_types") for item in metadata):
        return True
    return any(_speaks_of_pydantic(part) for part in typing.get_args(hint))


# --- from a text of the command line


def from_text(text: str, hint: Any) -> Any:
    """Give the value that a text means: JSON where the hint wants it and it parses, else the text."""
    arms = typing.get_args(hint) if _is_union(hint) else (hint,)
    if text in ("None", "null") and types.NoneType in arms:
        return None
    others = [arm for arm in arms if arm is not types.NoneType and not _wants_text(arm)]
    if not others:
        return text
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if len(others) == len(arms) or any(_fits(value, arm) for arm in others) else text


def _fits(value: Any, hint: Any) -> bool:
    try:
        _item(converter(hint), value, "")
    except Unfit:
        return False
    return True


def _wants_text(hint: Any) -> bool:
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) is typing.Literal:
        return all(isinstance(option, str) for option in typing.get_args(hint))
    if not isinstance(hint, type):
        return False
    if issubclass(hint, enum.Enum):
        return any(isinstance(member.value, str) for member in hint)
    return issubclass(hint, str | bytes | dt.date | dt.time) or hint.__name__ in _TEXT_CLASSES


_TEXT_CLASSES: Final = frozenset(("Decimal", "Path", "PosixPath", "PurePath", "SecretStr", "UUID", "timedelta"))


# --- JSON schema


def object_schema(title: str, fields: Mapping[str, Field], more: Any = None) -> dict[str, Any]:
    """Give the JSON schema of an object; `more` is the hint of fields beyond these, where there may be any."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, field in fields.items():
        schema, needed = schema_of(field.hint)
        definitions |= needed
        properties[name] = {"title": name.replace("_", " ").strip().capitalize(), **schema, **_remarks(name, field)}
    whole: dict[str, Any] = {
        "title": title,
        "type": "object",
        "properties": properties,
        "required": [name for name, field in fields.items() if field.required],
        "additionalProperties": False,
    }
    if more is not None:
        schema, needed = schema_of(more)
        definitions |= needed
        whole["additionalProperties"] = schema or True
    return {**whole, "$defs": definitions} if definitions else whole


def schema_of(hint: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the JSON schema of a hint and what it refers to by `#/$defs/NAME`; ({}, {}) where JSON cannot say it."""
    pydantic = sys.modules.get("pydantic")
    if (adapter := _adapter(pydantic, hint)) is not None and pydantic is not None:
        try:
            schema = adapter.json_schema(ref_template="#/$defs/{model}")
        except pydantic.errors.PydanticInvalidForJsonSchema:
            return {}, {}
        return schema, schema.pop("$defs", {})
    if hint is None or hint is object:
        return {}, {}
    if hint is dt.datetime:
        return {"type": "string", "format": "date-time"}, {}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}, {}
    if _is_union(hint):
        return _any_of(typing.get_args(hint))
    try:
        (schema,), definitions = msgspec.json.schema_components((hint,), schema_hook=_foreign_schema)
    except (TypeError, NotImplementedError):
        return {}, {}
    return schema, definitions


def _any_of(arms: tuple[Any, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    schemas: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    for arm in arms:
        schema, needed = schema_of(arm)
        schemas.append(schema)
        definitions |= needed
    return ({"anyOf": schemas} if all(schemas) else {}), definitions


def _foreign_schema(kind: Any) -> dict[str, Any]:
    if getattr(kind, "__module__", "").partition(".")[0] == "pathlib":
        return {"type": "string", "format": "path"}
    raise NotImplementedError(kind)


def _remarks(name: str, field: Field) -> dict[str, Any]:
    remarks: dict[str, Any] = {"description": field.description} if field.description else {}
    if is_secret(name):
        return {**remarks, "format": "password", "writeOnly": True}
    if not field.required:
        try:
            remarks["default"] = msgspec.to_builtins(field.default, str_keys=True, enc_hook=_default)
        except (TypeError, NotImplementedError, OverflowError):  # a default that JSON cannot say is left out
            return remarks
    return remarks


def _default(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__fspath__"):
        return str(value)
    raise NotImplementedError(type(value))
