"""Parameters of a flow: bind a call to names, validate by type hints, show them.

What only some flows need (type hints, JSON schema, signatures of odd callables) sits in modules
that are loaded on first use, so that a flow without hints pays nothing for it.
"""

from __future__ import annotations

from importlib import import_module
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.errors import ArgumentsMisfit, ParameterInvalid, ParameterMissing, ParameterUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_VAR_POSITIONAL: Final = 0x04
_VAR_KEYWORD: Final = 0x08


def read_parameters(fn: Callable[..., Any], flow_name: str) -> Parameters:
    """Give the parameters of a function (a bound method's `self` left out); made once for each flow."""
    code = getattr(fn, "__code__", None)
    if code is None or hasattr(fn, "__wrapped__") or hasattr(fn, "__signature__"):
        return _read_signature(fn, flow_name)
    skipped = 1 if getattr(fn, "__self__", None) is not None else 0
    n_positional, names = code.co_argcount, code.co_varnames
    n_named = n_positional + code.co_kwonlyargcount
    rest = list(names[n_named : n_named + 2])
    positional = names[skipped:n_positional]
    defaults = fn.__defaults__ or ()
    return Parameters(
        fn,
        flow_name,
        positional=positional,
        n_positional_only=max(code.co_posonlyargcount - skipped, 0),
        rest=rest.pop(0) if code.co_flags & _VAR_POSITIONAL else "",
        keyword_only=names[n_positional:n_named],
        others=rest.pop(0) if code.co_flags & _VAR_KEYWORD else "",
        defaults={
            **dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True)),
            **(fn.__kwdefaults__ or {}),
        },
    )


def _read_signature(fn: Callable[..., Any], flow_name: str) -> Parameters:
    """Read wrapped functions, partials and callable objects as `inspect` sees them."""
    found = import_module("inspect").signature(fn).parameters.values()
    by_kind: dict[str, tuple[str, ...]] = {}
    for one in found:
        by_kind[one.kind.name] = (*by_kind.get(one.kind.name, ()), one.name)
    only = by_kind.get("POSITIONAL_ONLY", ())
    return Parameters(
        fn,
        flow_name,
        positional=only + by_kind.get("POSITIONAL_OR_KEYWORD", ()),
        n_positional_only=len(only),
        rest="".join(by_kind.get("VAR_POSITIONAL", ())),
        keyword_only=by_kind.get("KEYWORD_ONLY", ()),
        others="".join(by_kind.get("VAR_KEYWORD", ())),
        defaults={one.name: one.default for one in found if one.default is not one.empty},
    )


class Parameters:
    """Names, defaults and hints of a flow's parameters.

    `rest` is the name of `*args`, `others` that of `**kwargs`; empty where there is none.
    """

    __slots__ = (
        "_converters",
        "_hints",
        "_keywords",
        "_names",
        "defaults",
        "flow",
        "fn",
        "keyword_only",
        "n_positional_only",
        "others",
        "positional",
        "rest",
    )

    def __init__(
        self,
        fn: Callable[..., Any],
        flow: str,
        *,
        positional: tuple[str, ...],
        n_positional_only: int,
        rest: str,
        keyword_only: tuple[str, ...],
        others: str,
        defaults: dict[str, Any],
    ) -> None:
        self.fn = fn
        self.flow = flow
        self.positional = positional
        self.n_positional_only = n_positional_only
        self.rest = rest
        self.keyword_only = keyword_only
        self.others = others
        self.defaults = defaults
        self._names = positional + keyword_only
        self._keywords = frozenset(self._names[n_positional_only:])
        self._hints: dict[str, Any] | None = None
        self._converters: dict[str, Callable[[Any], Any]] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All names in the order of the declaration."""
        middle = (self.rest,) if self.rest else ()
        return self.positional + middle + self.keyword_only + ((self.others,) if self.others else ())

    @property
    def where(self) -> str:
        """File and line of the function."""
        code = getattr(import_module("ostinato.core.schema").function_of(self.fn), "__code__", None)
        return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(self.fn)

    @property
    def hints(self) -> dict[str, Any]:
        """Resolved type hints by parameter."""
        if self._hints is None:
            self._hints = import_module("ostinato.core.schema").hints(self.fn) if self._has_hints() else {}
        return self._hints

    # --- from a call to arguments by name, and back

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Give the arguments of a call by name, defaults filled in, in the order of the declaration.

        Raises:
            ParameterUnknown: (parameter-unknown) a keyword that the flow does not have.
            ParameterMissing: (parameter-missing) a parameter without value and default.
            ArgumentsMisfit: (arguments-misfit) too many positional arguments, or one given twice.
        """
        if not self._names and not args and not kwargs and not self.rest and not self.others:
            return {}
        given = dict(zip(self.positional, args, strict=False))
        others: dict[str, Any] = {}
        if len(args) > len(self.positional) and not self.rest:
            raise self._too_many(len(args))
        for name, value in kwargs.items():
            if name not in self._keywords:
                others[name] = value
            elif name in given:
                raise self._twice(name)
            else:
                given[name] = value
        if others and not self.others:
            raise self._unknown(next(iter(others)))
        bound = {}
        for name in self.positional:
            bound[name] = given[name] if name in given else self._default(name)
        if self.rest:
            bound[self.rest] = args[len(self.positional) :]
        for name in self.keyword_only:
            bound[name] = given[name] if name in given else self._default(name)
        if self.others:
            bound[self.others] = others
        return bound

    def unbind(self, arguments: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the positional and keyword arguments with which to call the function."""
        args = tuple(arguments[name] for name in self.positional)
        kwargs = {name: arguments[name] for name in self.keyword_only}
        if self.rest:
            args += tuple(arguments[self.rest])
        return args, {**kwargs, **arguments[self.others]} if self.others else kwargs

    def adapt(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Give recorded arguments, perhaps of an earlier version of the function, defaults added for new parameters.

        Raises:
            ParameterUnknown: (parameter-unknown) a parameter is gone.
            ParameterMissing: (parameter-missing) a new one has no default.
        """
        unknown = {name: value for name, value in arguments.items() if name not in self.names}
        if unknown and not self.others:
            raise self._unknown(next(iter(unknown)))
        if unknown:  # `**others` of a call by name
            arguments = {**arguments, self.others: {**arguments.get(self.others, {}), **unknown}}
        empty: dict[str, Any] = {self.rest: (), self.others: {}}
        return {
            name: arguments[name] if name in arguments else empty[name] if name in empty else self._default(name)
            for name in self.names
        }

    def _default(self, name: str) -> Any:
        try:
            return self.defaults[name]
        except KeyError:
            raise ParameterMissing(flow=self.flow, name=name, type=self._type(name), where=self.where) from None

    def _unknown(self, name: str) -> Exception:
        if name in self.positional:
            return self._misfit(f"{name!r} can be given by position only")
        known = [known for known in self._names if known in self._keywords]
        close = import_module("difflib").get_close_matches(name, known, n=1)
        suggestion = f"Did you mean `{close[0]}`?" if close else f"Leave it out, or declare it at {self.where}."
        return ParameterUnknown(flow=self.flow, name=name, known=", ".join(known) or "none", suggestion=suggestion)

    def _too_many(self, n_given: int) -> ArgumentsMisfit:
        return self._misfit(f"it takes {len(self.positional)} positional arguments, {n_given} were given")

    def _twice(self, name: str) -> ArgumentsMisfit:
        return self._misfit(f"{name!r} is given by position and by name")

    def _misfit(self, reason: str) -> ArgumentsMisfit:
        parts = [*self.positional, *(f"*{name}" for name in (self.rest,) if name)]
        parts += [f"{name}=..." for name in self.keyword_only] + [f"**{name}" for name in (self.others,) if name]
        return ArgumentsMisfit(flow=self.flow, reason=reason, signature=", ".join(parts), where=self.where)

    # --- values by type hints

    def validate(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Give the arguments, each turned into what its type hint asks for; defaults are taken as they are.

        Raises:
            ParameterInvalid: (parameter-invalid) a value does not fit its hint.
        """
        converters = self._converters
        if converters is None:
            converters = self._converters = self._make_converters()
        if not converters:
            return arguments
        valid = dict(arguments)
        for name, convert in converters.items():
            value = arguments.get(name, self)
            if value is self or (name in self.defaults and value is self.defaults[name]):
                continue
            if name == self.rest:
                valid[name] = tuple(self._valid(name, convert, item) for item in value)
            elif name == self.others:
                valid[name] = {key: self._valid(key, convert, item, name) for key, item in value.items()}
            else:
                valid[name] = self._valid(name, convert, value)
        return valid

    def _make_converters(self) -> dict[str, Callable[[Any], Any]]:
        if not self._has_hints():
            return {}
        converter = import_module("ostinato.core.schema").converter
        found = {name: converter(hint) for name, hint in self.hints.items() if name in self.names}
        return {name: convert for name, convert in found.items() if convert is not None}

    def _has_hints(self) -> bool:
        try:
            annotations = getattr(self.fn, "__annotations__", None)
        except NameError:  # Python 3.14 evaluates them here
            return True
        return annotations is None or annotations.keys() - {"return"} != set()

    def _valid(self, name: str, convert: Callable[[Any], Any], value: Any, declared: str = "") -> Any:
        try:
            return convert(value)
        except (ValueError, TypeError) as error:
            display = import_module("ostinato.core.display")
            secret = display.is_secret(name)
            raise ParameterInvalid(
                flow=self.flow,
                name=name,
                value=display.MASK if secret else display.shorten(value),
                reason="it does not fit" if secret else str(error),
                type=self._type(declared or name),
                where=self.where,
            ) from (None if secret else error)

    def _type(self, name: str) -> str:
        hint = self.hints.get(name, self)
        return "any value" if hint is self else str(import_module("ostinato.core.schema").text_of(hint))

    def check_some(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Give keyword arguments, perhaps not all that a call needs, each turned into what its type hint asks for.

        Raises:
            ParameterUnknown: (parameter-unknown), ParameterInvalid: (parameter-invalid).
        """
        known = {name: value for name, value in arguments.items() if name in self._keywords}
        others = {name: value for name, value in arguments.items() if name not in self._keywords}
        if others and not self.others:
            raise self._unknown(next(iter(others)))
        valid = self.validate({**known, self.others: others} if others else known)
        return {**valid.pop(self.others), **valid} if others else valid

    def parse(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Give keyword arguments from the texts of a command line, `name=text`.

        A text is read as JSON where the hint (without one, the default's type) wants it and it parses;
        else it stays text. `bind` and `validate` come after.

        Raises:
            ParameterUnknown: (parameter-unknown).
        """
        from_text = import_module("ostinato.core.schema").from_text
        parsed = {}
        for name, text in texts.items():
            if name not in self._keywords and (not self.others or name in self.positional):
                raise self._unknown(name)
            hint = self.hints.get(name if name in self._keywords else self.others, Any)
            default = self.defaults.get(name)
            parsed[name] = from_text(text, type(default) if hint is Any and default is not None else hint)
        return parsed

    # --- for readers

    def json_schema(self) -> dict[str, Any]:
        """Give the JSON schema of the parameters: for the help text and for forms."""
        schema = import_module("ostinato.core.schema")
        said = import_module("ostinato.core.docstrings").descriptions(self.fn.__doc__)
        fields = {
            name: schema.Field(
                hint=self.hints.get(name),
                required=name not in self.defaults,
                default=self.defaults.get(name),
                description=said.get(name, ""),
            )
            for name in self._names
        }
        if self.rest:
            hint = GenericAlias(list, (self.hints.get(self.rest, Any),))
            fields[self.rest] = schema.Field(hint=hint, required=False, default=[], description=said.get(self.rest, ""))
        more = self.hints.get(self.others, object) if self.others else None
        return dict(schema.object_schema(self.flow, fields, more))

    def to_json(self, arguments: Mapping[str, Any]) -> bytes:
        """Give the arguments as a JSON object for reading: bounded in size, secrets masked."""
        return bytes(import_module("ostinato.core.display").as_json(arguments)) if arguments else b"{}"
