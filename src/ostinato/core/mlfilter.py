"""MLflow's filter grammar: `metrics.rmse < 6.5 and params.depth = '3'` as values, and `metrics.rmse DESC` for order.

filter     = comparison { AND comparison }
comparison = key ( = | != | < | <= | > | >= | [NOT] LIKE | [NOT] ILIKE ) value
           | key [NOT] IN ( text, ... )  |  key IS [NOT] NULL
key        = [ metrics. | params. | tags. | attributes. | datasets. ] name
name       = word | `any` | "any"
value      = number | 'text' | "text"
"""

from __future__ import annotations

import re
from typing import Final, Literal, NoReturn, TypeAlias

import msgspec

from ostinato.core.errors import FilterInvalid

Kind: TypeAlias = Literal["metric", "param", "tag", "attribute", "dataset"]
Operator: TypeAlias = Literal[
    "=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL"
]

LONGEST: Final = 20_000
"""Characters of a filter."""
MOST_TERMS: Final = 50
"""Comparisons of a filter."""

KINDS: Final[dict[str, Kind]] = {
    "metric": "metric", "metrics": "metric",
    "param": "param", "params": "param", "parameter": "param", "parameters": "param",
    "tag": "tag", "tags": "tag",
    "attribute": "attribute", "attributes": "attribute", "attr": "attribute", "run": "attribute",
    "dataset": "dataset", "datasets": "dataset",
}  # fmt: skip
NUMERIC: Final[tuple[Operator, ...]] = ("=", "!=", "<", "<=", ">", ">=")
TEXTUAL: Final[tuple[Operator, ...]] = ("=", "!=", "LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE")
LISTED: Final[tuple[Operator, ...]] = ("IN", "NOT IN")
PRESENCE: Final[tuple[Operator, ...]] = ("IS NULL", "IS NOT NULL")

_SPACE: Final = re.compile(r"\s*")
_PREFIX: Final = re.compile(r"([A-Za-z]+)\s*\.\s*")
_QUOTED: Final = re.compile(r"`([^`]*)`|\"([^\"]*)\"|'([^']*)'")
_WORD: Final = re.compile(r"[\w./-]+")
_OPERATOR: Final = re.compile(
    r"!=|<>|<=|>=|==|=|<|>|(?:NOT\s+)?(?:I?LIKE|IN)\b|IS\s+NOT\s+NULL\b|IS\s+NULL\b", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
_TEXT: Final = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_AND: Final = re.compile(r"AND\b", re.IGNORECASE)
_DIRECTION: Final = re.compile(r"(ASC|DESC)\b", re.IGNORECASE)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One condition; all of a filter hold."""

    kind: Kind
    key: str
    op: Operator
    value: str | float | int | tuple[str, ...] | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One key that a list is sorted by."""

    kind: Kind
    key: str
    descending: bool = False


class Grammar(msgspec.Struct, frozen=True, kw_only=True):
    """What may be compared of the things that a filter is about."""

    attributes: dict[str, Literal["text", "number"]]
    aliases: dict[str, str] = {}
    """Other names of attributes."""
    kinds: tuple[Kind, ...] = ()
    """What there is besides attributes."""
    datasets: tuple[str, ...] = ("name", "digest", "context")


RUNS: Final = Grammar(
    attributes={
        "run_id": "text",
        "run_name": "text",
        "status": "text",
        "artifact_uri": "text",
        "user_id": "text",
        "start_time": "number",
        "end_time": "number",
    },
    aliases={
        "run name": "run_name",
        "Run name": "run_name",
        "Run Name": "run_name",
        "created": "start_time",
        "Created": "start_time",
    },
    kinds=("metric", "param", "tag", "dataset"),
)
EXPERIMENTS: Final = Grammar(
    attributes={"name": "text", "experiment_id": "text", "creation_time": "number", "last_update_time": "number"},
    kinds=("tag",),
)


def parse(text: str, grammar: Grammar) -> tuple[Comparison, ...]:
    """Give the comparisons of a filter.

    Raises:
        FilterInvalid: (filter-invalid) says where it fails.

    Example:
        >>> parse("metrics.rmse < 6.5 and params.`max depth` = '3'", RUNS)[1].key
        'max depth'
    """
    if len(text) > LONGEST:
        raise FilterInvalid(filter=text[:60], column=LONGEST, reason=f"it is longer than {LONGEST} characters")
    reader = _Reader(text, grammar)
    if reader.at_end():
        return ()
    found = [reader.comparison()]
    while not reader.at_end():
        reader.take(_AND, "AND, or the end")
        found.append(reader.comparison())
        if len(found) > MOST_TERMS:
            reader.fail(f"there are more than {MOST_TERMS} comparisons")
    return tuple(found)


def parse_order(text: str, grammar: Grammar) -> Order:
    """Give what one entry of `order_by` means.

    Raises:
        FilterInvalid: (filter-invalid) says where it fails.

    Example:
        >>> parse_order("metrics.rmse DESC", RUNS).descending
        True
    """
    reader = _Reader(text, grammar)
    kind, key = reader.key()
    if kind == "dataset":
        reader.fail("a run has any number of datasets, so they give no order", 0)
    descending = not reader.at_end() and reader.take(_DIRECTION, "ASC, DESC, or the end")[0].upper() == "DESC"
    if not reader.at_end():
        reader.fail("expected the end")
    return Order(kind=kind, key=key, descending=descending)


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        self.text = text
        self.grammar = grammar
        self.at = 0

    def at_end(self) -> bool:
        self._skip()
        return self.at >= len(self.text)

    def take(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        self._skip()
        found = pattern.match(self.text, self.at)
        if found is None:
            self.fail(f"expected {expected}" + self._instead())
        self.at = found.end()
        return found

    def comparison(self) -> Comparison:
        kind, key = self.key()
        self._skip()
        begin = self.at
        op = _operator(self.take(_OPERATOR, "a comparison such as =, <, LIKE, IN or IS NULL")[0])
        numeric = kind == "metric" or (kind == "attribute" and self.grammar.attributes[key] == "number")
        allowed = self._operators(kind, numeric=numeric)
        if op not in allowed:
            self.fail(f"{_said(kind, key)} takes {', '.join(allowed)}, not {op}", begin)
        if op in PRESENCE:
            return Comparison(kind=kind, key=key, op=op)
        if op in LISTED:
            return Comparison(kind=kind, key=key, op=op, value=self._list())
        value = self._number(kind, key) if numeric else self._quoted(kind, key)
        return Comparison(kind=kind, key=key, op=op, value=value)

    def key(self) -> tuple[Kind, str]:
        self._skip()
        begin = self.at
        prefix = _PREFIX.match(self.text, self.at)
        kind: Kind = "attribute"
        if prefix is not None:
            known = KINDS.get(prefix[1].lower())
            if known is None or (known != "attribute" and known not in self.grammar.kinds):
                kinds = ", ".join(f"{one}s" for one in (*self.grammar.kinds, "attribute"))
                self.fail(f"{prefix[1]!r} is none of {kinds}", begin)
            kind = known
            self.at = prefix.end()
        name_at = self.at
        quoted = _QUOTED.match(self.text, self.at)
        found = quoted or self.take(_WORD, "a name such as metrics.rmse")
        self.at = found.end()
        name = (found[1] or found[2] or found[3] or "") if quoted else found[0]
        if not name:
            self.fail("the name is empty", name_at)
        if kind == "attribute":
            name = self.grammar.aliases.get(name, name)
            if name not in self.grammar.attributes:
                self.fail(f"there is no attribute {name!r}; there are {', '.join(self.grammar.attributes)}", name_at)
        if kind == "dataset" and name not in self.grammar.datasets:
            self.fail(f"a dataset has no {name!r}; it has {', '.join(self.grammar.datasets)}", name_at)
        return kind, name

    @staticmethod
    def _operators(kind: Kind, *, numeric: bool) -> tuple[Operator, ...]:
        if numeric:
            return NUMERIC
        return (*TEXTUAL, *PRESENCE) if kind in ("param", "tag") else (*TEXTUAL, *LISTED)

    def _number(self, kind: Kind, key: str) -> float | int:
        text = self.take(_NUMBER, f"a number for {_said(kind, key)}")[0]
        return int(text) if re.fullmatch(r"[-+]?\d{1,18}", text) else float(text)

    def _quoted(self, kind: Kind, key: str) -> str:
        return _unquoted(self.take(_TEXT, f"a text in quotes for {_said(kind, key)}"))

    def _list(self) -> tuple[str, ...]:
        opening, closing, comma = re.compile(r"\("), re.compile(r"\)"), re.compile(r",")
        self.take(opening, "( and a list of texts")
        found = [_unquoted(self.take(_TEXT, "a text in quotes"))]
        while not self.at_end() and comma.match(self.text, self.at):
            self.at += 1
            self._skip()
            if closing.match(self.text, self.at):
                break
            found.append(_unquoted(self.take(_TEXT, "a text in quotes")))
        self.take(closing, "a comma, or )")
        return tuple(found)

    def _skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        if found is not None:
            self.at = found.end()

    def _instead(self) -> str:
        rest = self.text[self.at : self.at + 20]
        return f", not {rest!r}" if rest else ", and there is nothing more"

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        raise FilterInvalid(filter=self.text, column=(self.at if at is None else at) + 1, reason=reason)


def _operator(text: str) -> Operator:
    words = " ".join(text.upper().split())
    plain: dict[str, Operator] = {"<>": "!=", "==": "="}
    if words in plain:
        return plain[words]
    return next(one for one in (*NUMERIC, *TEXTUAL, *LISTED, *PRESENCE) if one == words)


def _unquoted(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1].replace("''", "'")
    return found[2].replace('""', '"')


def _said(kind: Kind, key: str) -> str:
    return f"{kind} {key!r}"
