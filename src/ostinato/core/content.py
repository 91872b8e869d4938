"""Values by content: 16 bytes that are equal in every process for equal values, and differ otherwise.

Atoms and places are written as msgpack, which is typed (1, 1.0 and True differ) and says where
each value ends; a value with parts becomes the hash of its kind and its parts. Foreign values
(arrays, frames) are known by package and class name, so that nothing is imported for them.
A function counts by its own code, not by that of the functions it calls.
"""

from __future__ import annotations

from _blake2 import blake2b  # hashlib would load OpenSSL too, 3 ms of every first import
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from ostinato.core.fields import field_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Parts: TypeAlias = "Iterable[Any]"

_DEEPEST: Final = 100
_MOST_SHARED: Final = 100_000
_encode = msgspec.msgpack.Encoder().encode


class NoContent(TypeError):
    """A value cannot be hashed by content: the reason, and the place inside the value."""

    def __init__(self, kind: type, reason: str = "cannot be hashed by content") -> None:
        self.reason = f"{_name(kind).removeprefix('builtins.')} {reason}"
        self.place = ""
        super().__init__(self.reason)

    def enter(self, place: str) -> None:
        """Say in which part of a greater value the value is."""
        self.place = place + self.place

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place else self.reason


def content_digest(value: object) -> bytes:
    """Give the 16 bytes that name a value by its content.

    Raises:
        NoContent: the value, or something in it, cannot be hashed by content.
    """
    return _hash(_Walk().encode(value))


def _hash(data: Any) -> bytes:
    return blake2b(data, digest_size=16).digest()


class _Raw:
    """A buffer that counts by its bytes."""

    __slots__ = ("view",)

    def __init__(self, view: Any) -> None:
        self.view = view


class _Unordered:
    """Parts whose order means nothing."""

    __slots__ = ("parts",)

    def __init__(self, parts: Parts) -> None:
        self.parts = parts


class _Walk:
    """One walk over a value. Each shared part is hashed once; a part inside itself is an error."""

    __slots__ = ("_done", "_open")

    def __init__(self) -> None:
        self._done: dict[int, tuple[bytes, Any]] = {}
        """Encoded parts by identity; the part is held so that its identity stays its own."""
        self._open: set[int] = set()

    def encode(self, value: Any) -> bytes:
        """Give bytes that stand for the value, and end where they say."""
        kind = type(value)
        if kind in _ATOMS:
            return _atom(value)
        if kind is _Raw:
            return _extension("R", _hash(value.view))
        identity = id(value)
        if identity in self._done:
            return self._done[identity][0]
        if identity in self._open:
            raise NoContent(kind, "contains itself")
        if len(self._open) == _DEEPEST:
            raise NoContent(kind, f"is nested deeper than {_DEEPEST} levels")
        self._open.add(identity)
        try:
            encoded = self._composite(value, kind)
        finally:
            self._open.discard(identity)
        if len(self._done) < _MOST_SHARED:
            self._done[identity] = (encoded, value)
        return encoded

    def _composite(self, value: Any, kind: type) -> bytes:
        if kind in (list, tuple) and _ATOMS.issuperset(map(type, value)):
            try:
                return _extension("D", _hash(_encode((kind.__name__, value))))
            except (OverflowError, UnicodeEncodeError):  # as in _atom: item by item then
                pass
        name, parts = _taken_apart(value, kind)
        hasher = blake2b(_encode(name), digest_size=16)
        if isinstance(parts, dict):
            for part in sorted(self._pairs(parts)):
                hasher.update(part)
        elif isinstance(parts, _Unordered):
            for part in sorted(self._each(parts.parts)):
                hasher.update(part)
        else:
            for part in self._each(parts):
                hasher.update(part)
        return _extension("D", hasher.digest())

    def _pairs(self, parts: dict[Any, Any]) -> Iterable[bytes]:
        for key, value in list(parts.items()):
            try:
                yield self.encode(key) + self.encode(value)
            except NoContent as error:
                error.enter(f".{key}" if isinstance(key, str) else f"[{key!r}]")
                raise

    def _each(self, parts: Parts) -> Iterable[bytes]:
        for no, part in enumerate(parts):
            try:
                yield self.encode(part)
            except NoContent as error:
                error.enter(f"[{no}]")
                raise


_ATOMS: Final = frozenset((int, float, bool, str, bytes, type(None)))


def _atom(value: Any) -> bytes:
    try:
        return _encode(value)
    except OverflowError:  # beyond 64 bits
        return _extension("I", b"%x" % value)
    except UnicodeEncodeError:  # a lone surrogate
        return _extension("S", value.encode("utf-8", "surrogatepass"))


def _extension(code: str, data: bytes) -> bytes:
    return _encode(msgspec.msgpack.Ext(ord(code), data))


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


# --- what values are made of


def _taken_apart(value: Any, kind: type) -> tuple[str, Any]:
    """Give the kind's name and the parts: a dict of named ones, `_Unordered`, or an iterable."""
    package = kind.__module__.partition(".")[0]
    try:
        take = _KNOWN.get(f"{package}.{kind.__name__}") or _FAMILIES.get(package)
        parts = take(value) if take is not None else None
        if parts is None:
            parts = _declared(value, kind)
    except NoContent:
        raise
    except Exception as error:  # a foreign class may raise anything while it is looked at
        raise NoContent(kind, f"cannot be hashed by content ({type(error).__name__}: {error})") from error
    if parts is None:
        raise NoContent(kind)
    return _name(kind), parts


def _declared(value: Any, kind: type) -> Any:
    """Give the parts of an Enum member, a class, or a value whose class declares its fields."""
    if isinstance(value, type):
        return _class(value)
    if hasattr(kind, "__members__"):
        return [value.name, value.value]
    names = field_names(kind)
    if names is None:
        return None
    return {name: getattr(value, name, None) for name in names} | (getattr(value, "__pydantic_extra__", None) or {})


def _class(kind: Any) -> Any:
    """Give a class by name, by what its body defines, and by its bases."""
    if kind.__module__ == "builtins":
        return [_name(kind)]
    if hasattr(kind, "__members__"):
        return [_name(kind), {member.name: member.value for member in kind}]
    body = {name: item for name, item in vars(kind).items() if name not in _SAYS_NOTHING}
    return [_name(kind), list(kind.__bases__), body]


_SAYS_NOTHING: Final = frozenset(
    "__abstractmethods__ __annotate__ __annotate_func__ __annotations__ __annotations_cache__ __dataclass_fields__ "
    "__dataclass_params__ __dict__ __doc__ __firstlineno__ __match_args__ __module__ __orig_bases__ __parameters__ "
    "__qualname__ __slots__ __static_attributes__ __struct_config__ __weakref__ _abc_impl".split()
)
"""What Python and its libraries put into the body of a class, and what its behaviour does not depend on."""


def _function(value: Any) -> Any:
    cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
    inner = {name: cell.cell_contents for name, cell in cells if name != "__class__"}
    return [value.__module__, value.__name__, value.__code__, value.__defaults__, value.__kwdefaults__, inner]


def _code(value: Any) -> Any:
    signature = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, value.co_flags)
    names = (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
    return [value.co_code, value.co_consts, signature, names, value.co_exceptiontable]


def _builtin(value: Any) -> Any:
    owner = value.__self__
    return [value.__qualname__, None if owner is None else getattr(owner, "__name__", owner)]


def _slot(value: Any) -> Any:
    return [value.__objclass__.__module__, value.__qualname__]


def _text(value: Any) -> Any:
    return [str(value)]


def _moment(value: Any) -> Any:
    zone = value.tzinfo
    return [value.isoformat(), getattr(value, "fold", 0), None if zone is None else [type(zone).__name__, str(zone)]]


def _range(value: Any) -> Any:
    return [value.start, value.stop, value.step]


# --- arrays and frames


def _array(value: Any) -> Any:
    dtype = value.dtype
    description = repr(dtype.descr) if dtype.names else dtype.str
    if dtype.hasobject:
        return [description, value.shape, value.ravel().tolist()]
    if value.size and value.flags.c_contiguous and not dtype.names:
        return [description, value.shape, _Raw(value.reshape(-1).view("u1"))]
    return [description, value.shape, _Raw(value.tobytes())]


def _numpy(value: Any) -> Any:
    """Give the parts of a numpy scalar or dtype."""
    if hasattr(value, "descr"):
        return [repr(value.descr)]
    if getattr(value, "ndim", None) == 0 and not value.dtype.hasobject:
        return [value.dtype.str, value.tobytes()]
    return None


def _masked(value: Any) -> Any:
    return [value.filled(), value.mask, value.fill_value]


def _sparse(value: Any) -> Any:
    names = {"coo": ("row", "col"), "dia": ("offsets",)}.get(value.format, ("indices", "indptr"))
    return [value.format, value.shape, value.data, *(getattr(value, name) for name in names)]


def _pandas_frame(value: Any) -> Any:
    columns = [value.iloc[:, no].array for no in range(value.shape[1])]
    return [value.columns, value.index, value.attrs, *columns]


def _pandas_series(value: Any) -> Any:
    return [value.name, value.index, value.attrs, value.array]


def _pandas_levels(value: Any) -> Any:
    return [list(value.names), *value.levels, *value.codes]


def _pandas_range(value: Any) -> Any:
    return [value.name, *_range(value)]


def _pandas(value: Any) -> Any:
    """Give the parts of an index or an array of pandas."""
    if hasattr(value, "names") and hasattr(value, "array"):
        return [list(value.names), getattr(value, "freqstr", None), value.array]
    if hasattr(value, "categories") and hasattr(value, "codes"):
        return [value.categories, bool(value.ordered), value.codes]
    if hasattr(value, "asi8"):
        return [str(value.dtype), value.asi8]
    if hasattr(value, "dtype") and hasattr(value, "to_numpy"):
        plain = value.to_numpy() if type(value.dtype).__name__ in ("NumpyEADtype", "PandasDtype") else None
        return [str(value.dtype), list(value) if plain is None else plain]
    return None


def _pandas_interval(value: Any) -> Any:
    return [value.left, value.right, value.closed]


def _polars_frame(value: Any) -> Any:
    return [value.columns, *value.get_columns()]


def _polars_series(value: Any) -> Any:
    dtype = value.dtype
    plain = value.null_count() == 0 and (dtype.is_numeric() or dtype.is_temporal()) and not dtype.is_decimal()
    return [value.name, str(dtype), value.to_physical().to_numpy() if plain else value.to_list()]


def _arrow_table(value: Any) -> Any:
    return [str(value.schema), value.schema.metadata, *value.columns]


def _arrow(value: Any) -> Any:
    """Give the parts of an array of pyarrow, in one chunk or several."""
    if not hasattr(value, "to_pylist") or not hasattr(value, "null_count"):
        return None
    kind = str(value.type)
    if kind.startswith(("timestamp", "duration", "time64", "date64")):
        value = value.cast("int64")
    elif kind.startswith(("time32", "date32")):
        value = value.cast("int32")
    plain = value.null_count == 0 and str(value.type).startswith(("int", "uint", "float", "double", "halffloat"))
    return [kind, value.to_numpy() if plain else value.to_pylist()]


_FAMILIES: Final[dict[str, Callable[[Any], Any]]] = {"numpy": _numpy, "pandas": _pandas, "pyarrow": _arrow}
"""By package, for classes that are not named below."""

_KNOWN: Final[dict[str, Callable[[Any], Any]]] = {
    "builtins.list": lambda value: value,
    "builtins.tuple": lambda value: value,
    "builtins.dict": lambda value: value,
    "builtins.set": _Unordered,
    "builtins.frozenset": _Unordered,
    "builtins.bytearray": lambda value: [bytes(value)],
    "builtins.memoryview": lambda value: [value.format, value.shape, value.tobytes()],
    "builtins.complex": lambda value: [value.real, value.imag],
    "builtins.range": _range,
    "builtins.slice": _range,
    "builtins.ellipsis": _text,
    "builtins.function": _function,
    "builtins.code": _code,
    "builtins.method": lambda value: [value.__self__, value.__func__],
    "builtins.builtin_function_or_method": _builtin,
    "builtins.method-wrapper": lambda value: [value.__self__, value.__name__],
    "builtins.wrapper_descriptor": _slot,
    "builtins.method_descriptor": _slot,
    "builtins.member_descriptor": _slot,
    "builtins.getset_descriptor": _slot,
    "builtins.classmethod_descriptor": _slot,
    "builtins.staticmethod": lambda value: [value.__func__],
    "builtins.classmethod": lambda value: [value.__func__],
    "builtins.property": lambda value: [value.fget, value.fset, value.fdel],
    "builtins.mappingproxy": dict,
    "functools.partial": lambda value: [value.func, value.args, value.keywords],
    "collections.OrderedDict": lambda value: list(value.items()),
    "collections.defaultdict": lambda value: [value.default_factory, dict(value)],
    "collections.Counter": dict,
    "collections.deque": lambda value: [value.maxlen, list(value)],
    "array.array": lambda value: [value.typecode, value.tobytes()],
    "dataclasses._HAS_DEFAULT_FACTORY_CLASS": lambda _: [],
    "re.Pattern": lambda value: [value.pattern, value.flags],
    "datetime.datetime": _moment,
    "datetime.time": _moment,
    "datetime.date": _text,
    "datetime.timedelta": lambda value: [value.days, value.seconds, value.microseconds],
    "datetime.timezone": _text,
    "zoneinfo.ZoneInfo": _text,
    "decimal.Decimal": _text,
    "fractions.Fraction": _text,
    "uuid.UUID": _text,
    "pathlib.PosixPath": _text,
    "pathlib.WindowsPath": _text,
    "pathlib.PurePosixPath": _text,
    "pathlib.PureWindowsPath": _text,
    "numpy.ndarray": _array,
    "numpy.MaskedArray": _masked,
    **{f"scipy.{form}_{kind}": _sparse for form in ("bsr", "coo", "csc", "csr", "dia") for kind in ("array", "matrix")},
    "pandas.DataFrame": _pandas_frame,
    "pandas.Series": _pandas_series,
    "pandas.MultiIndex": _pandas_levels,
    "pandas.RangeIndex": _pandas_range,
    "pandas.Interval": _pandas_interval,
    "pandas.Timestamp": lambda value: [*_moment(value), value.unit, value.nanosecond],
    "pandas.Timedelta": lambda value: [value.value, value.unit],
    "pandas.Period": lambda value: [str(value), value.freqstr],
    "pandas.NAType": _text,
    "pandas.NaTType": _text,
    "polars.DataFrame": _polars_frame,
    "polars.Series": _polars_series,
    "pyarrow.Table": _arrow_table,
    "pyarrow.RecordBatch": _arrow_table,
    "pydantic.SecretStr": lambda value: [value.get_secret_value()],
    "pydantic.SecretBytes": lambda value: [value.get_secret_value()],
}
"""By package and class name."""
