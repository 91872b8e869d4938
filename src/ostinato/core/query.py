r"""The one query grammar of command line, API and UI: `flow:train state:failed since:24h`.

A query is a row of terms; a row of data matches when every term does.

    flow:train                  the text is exactly this
    state:failed,crashed        one of these (states in any case; groups: active, ended, successful, unsuccessful)
    tag:gpu                     has this tag
    id:01a2 parent:01a2         the id begins so; `parent:none` is a run that no run called
    duration:>5m attempt:>=2    < <= > >= for numbers, durations (500ms 90s 5m 24h 7d 1w 1h30m) and instants
    since:24h until:2026-01-01  instants: a duration ago, a date (whole day), a date with time, today, yesterday, now
    -state:completed            not
    otter "quiet otter"         free words: part of the name of the run or of the flow, in any case
    flow:"my flow"              values in double quotes; inside them write \" and \\
"""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta, tzinfo
from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from ostinato.core.errors import QueryInvalid
from ostinato.core.states import ACTIVE, SUCCESSFUL, TABLE, TERMINAL, UNSUCCESSFUL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

Kind: TypeAlias = Literal["text", "state", "tag", "id", "number", "duration", "instant"]

Op: TypeAlias = Literal["in", "prefix", "has", "none", "<", "<=", ">", ">=", "within"]
"""`in` equals one of the values, `prefix` begins with one of them, `has` contains the value (any case),
`none` is empty, `within` is at least the first and below the second value."""

Value: TypeAlias = str | int | float


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field that a query may name."""

    kind: Kind
    help: str
    field: str = ""
    """The field that the term is about, when this is another name for it (`since` is `created:>=`)."""
    op: Literal["", ">=", "<="] = ""
    """The comparison that the name itself means."""
    optional: bool = False
    """`none` may stand as the value."""


AHEAD: Final = "ahead"
"""A term of programs only: about runs that were made ahead and are not due."""


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One condition. Instants and durations are microseconds, states are spelled as in the state table."""

    field: str
    """Name in the table of fields, or empty for free words."""
    op: Op
    values: tuple[Value, ...]
    negated: bool = False
    """Matches exactly the rows that the plain term does not (also those where the field is empty)."""


class Query(msgspec.Struct, frozen=True):
    """Terms that must all hold; without terms everything matches."""

    terms: tuple[Term, ...] = ()


RUN_FIELDS: Final[dict[str, Field]] = {
    "flow": Field(kind="text", help="name of the flow"),
    "name": Field(kind="text", help="name of the run"),
    "state": Field(kind="state", help="state, or active, ended, successful, unsuccessful"),
    "tag": Field(kind="tag", help="a tag of the run"),
    "id": Field(kind="id", help="beginning of the id"),
    "parent": Field(kind="id", help="id of the run that called it, or none", optional=True),
    "root": Field(kind="id", help="id of the outermost run"),
    "version": Field(kind="text", help="version of the flow"),
    "deployment": Field(kind="text", help="flow/name of the deployment that it is a run of", optional=True),
    "queue": Field(kind="text", help="queue in which it waits, or waited, for a worker", optional=True),
    "worker": Field(kind="id", help="id of the worker that has, or had, it", optional=True),
    "schedule": Field(kind="text", help="slug of the schedule that made it", optional=True),
    "due": Field(kind="instant", help="when it may, or might, start"),
    "since": Field(kind="instant", help="made at or after", field="created", op=">="),
    "until": Field(kind="instant", help="made at or before", field="created", op="<="),
    "created": Field(kind="instant", help="when it was made"),
    "started": Field(kind="instant", help="when it first ran", optional=True),
    "ended": Field(kind="instant", help="when it ended", optional=True),
    "duration": Field(kind="duration", help="time from start to end, or to now"),
    "attempt": Field(kind="number", help="attempts so far"),
    "epoch": Field(kind="number", help="1, and one more for each resume or retry"),
}
"""The fields of flow runs."""

STATE_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    group: tuple(name for name in TABLE if name in members)
    for group, members in (
        ("active", ACTIVE),
        ("ended", TERMINAL),
        ("successful", SUCCESSFUL),
        ("unsuccessful", UNSUCCESSFUL),
    )
}
"""Words that stand for several states."""

_STATES: Final[dict[str, tuple[str, ...]]] = {**{name.lower(): (name,) for name in TABLE}, **STATE_GROUPS}

_UNIT_US: Final[dict[str, int]] = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_AMOUNT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdw])", re.IGNORECASE)
_DURATION: Final = re.compile(rf"(?:{_AMOUNT.pattern})+", re.IGNORECASE)
_SPACE: Final = re.compile(r"\s*")
_HEAD: Final = re.compile(r"(?P<minus>-?)(?:(?P<field>[A-Za-z_][\w.-]*):(?P<op><=|>=|<|>)?)?")
_VALUE: Final = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s",]+)', re.DOTALL)
_WORD: Final = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]+)', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN: Final = re.compile(r"[^\s\",<>\\]+")
_LIMIT: Final = 1 << 62
"""Numbers stay below this: databases count in 64 bits."""
_COMPARISONS: Final = ("<", "<=", ">", ">=")


def parse(text: str, fields: Mapping[str, Field], *, now: int | None = None, zone: tzinfo | None = UTC) -> Query:
    """Give the terms of a query text.

    `now` is the instant that `24h` counts back from (default: the clock); `zone` is the time zone
    of dates that name none, None for that of the machine.

    Raises:
        QueryInvalid: (query-invalid) names the column and what was meant.

    Example:
        >>> parse("state:failed -flow:train otter", RUN_FIELDS).terms[1]
        Term(field='flow', op='in', values=('train',), negated=True)
    """
    at = time.time_ns() // 1000 if now is None else now
    return Query(_Reader(text, fields, at, zone).terms())


def parse_duration(text: str) -> int | None:
    """Give the microseconds of a duration such as `90s` or `1h30m`, None when it is none."""
    if not _DURATION.fullmatch(text):
        return None
    total = sum(float(amount) * _UNIT_US[unit.lower()] for amount, unit in _AMOUNT.findall(text))
    return round(total) if total < _LIMIT else None


def quote(value: str) -> str:
    r"""Give a value as a query spells it, in quotes where it needs them.

    Example:
        >>> quote("train"), quote('my "flow"')
        ('train', '"my \\"flow\\""')
    """
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Raw(msgspec.Struct, frozen=True):
    """One written value and the column where it starts, from 1."""

    text: str
    column: int
    quoted: bool


class _Reader:
    """Reads one query text from left to right."""

    def __init__(self, text: str, fields: Mapping[str, Field], now: int, zone: tzinfo | None) -> None:
        self.text = text
        self.fields = fields
        self.now = now
        self.zone = zone
        self.at = 0
        self.kinds: dict[Kind, Callable[[str, Field, list[_Raw]], tuple[Op, tuple[Value, ...]]]] = {
            "text": self._text,
            "tag": self._text,
            "state": self._state,
            "id": self._id,
            "number": self._number,
            "duration": self._duration,
            "instant": self._instant,
        }

    def terms(self) -> tuple[Term, ...]:
        found = []
        self._skip(_SPACE)
        while self.at < len(self.text):
            found.append(self._term())
            self._skip(_SPACE)
        return tuple(found)

    def _term(self) -> Term:
        start = self.at
        head = self._skip(_HEAD)
        negated = bool(head["minus"])
        if head["field"] is None:
            word = self._value(_WORD, "a minus needs a term after it" if negated else "a closing quote is missing")
            self._end_of_value()
            following = self.text[self.at :].split()
            if word.text.lower() == "not" and not word.quoted and following:
                self._fail(word.column, f"a minus is what means not; write `-{following[0]}`")
            return Term(field="", op="has", values=(word.text,), negated=negated)
        name = head["field"].lower()
        field = self.fields.get(name) or self._unknown_field(name, start + len(head["minus"]))
        raws = self._values(name)
        written = head["op"] or ""
        if written and field.kind in ("text", "tag", "state", "id"):
            self._fail(raws[0].column, f"`{name}` cannot be compared with {written}")
        if (written or field.kind in ("duration", "instant")) and len(raws) > 1:
            self._fail(raws[1].column, f"`{name}:{written}` takes one value")
        if written and field.op:
            self._fail(raws[0].column, f"`{name}` means {field.op} already; write `{name}:` and a value")
        if field.optional and any(raw.text.lower() == "none" and not raw.quoted for raw in raws):
            if len(raws) > 1 or written:
                self._fail(raws[0].column, "`none` stands alone")
            return Term(field=field.field or name, op="none", values=(), negated=negated)
        op, values = self.kinds[field.kind](written or field.op, field, raws)
        return Term(field=field.field or name, op=op, values=values, negated=negated)

    def _values(self, name: str) -> list[_Raw]:
        raws = [self._value(_VALUE, f"`{name}:` needs a value")]
        while self.text.startswith(",", self.at):
            self.at += 1
            raws.append(self._value(_VALUE, "a value is missing after the comma"))
        self._end_of_value()
        return raws

    def _value(self, pattern: re.Pattern[str], problem: str) -> _Raw:
        start = self.at
        match = pattern.match(self.text, start)
        if match is None:
            opened = self.text.startswith('"', start)
            self._fail(start + 1, "a closing quote is missing" if opened else problem)
        self.at = match.end()
        quoted = match["quoted"]
        if quoted is None:
            return _Raw(match["bare"], start + 1, quoted=False)
        if not quoted:
            self._fail(start + 1, "the quotes are empty")
        return _Raw(_ESCAPE.sub(r"\1", quoted), start + 1, quoted=True)

    def _end_of_value(self) -> None:
        if self.at < len(self.text) and not self.text[self.at].isspace():
            self._fail(self.at + 1, f"a space is missing before {self.text[self.at]!r}")

    def _skip(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self.text, self.at)
        if match is None:  # cannot be: these patterns match the empty text too
            self._fail(self.at + 1, "it cannot be read")
        self.at = match.end()
        return match

    # --- values by kind

    def _text(self, _op: str, _field: Field, raws: list[_Raw]) -> tuple[Op, tuple[Value, ...]]:
        return "in", tuple(dict.fromkeys(raw.text for raw in raws))

    def _state(self, _op: str, _field: Field, raws: list[_Raw]) -> tuple[Op, tuple[Value, ...]]:
        wanted = {name for raw in raws for name in self._states_of(raw)}
        return "in", tuple(name for name in TABLE if name in wanted)

    def _states_of(self, raw: _Raw) -> tuple[str, ...]:
        found = _STATES.get(raw.text.lower())
        if found is None:
            spelled = [*TABLE, *STATE_GROUPS]
            self._fail(raw.column, f"there is no state {raw.text!r}; {_meant(raw.text, spelled)}")
        return found

    def _id(self, _op: str, _field: Field, raws: list[_Raw]) -> tuple[Op, tuple[Value, ...]]:
        for raw in raws:
            if not re.fullmatch(r"[0-9a-fA-F]{1,32}", raw.text):
                self._fail(raw.column, f"{raw.text!r} is no beginning of an id (hexadecimal digits)")
        return "prefix", tuple(dict.fromkeys(raw.text.lower() for raw in raws))

    def _number(self, op: str, _field: Field, raws: list[_Raw]) -> tuple[Op, tuple[Value, ...]]:
        values = tuple(dict.fromkeys(self._one_number(raw) for raw in raws))
        return _comparison(op) or "in", values

    def _one_number(self, raw: _Raw) -> float:
        try:
            number = float(raw.text)
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            self._fail(raw.column, f"{raw.text!r} is not a number")
        return int(number) if number.is_integer() and abs(number) < _LIMIT else number

    def _duration(self, op: str, _field: Field, raws: list[_Raw]) -> tuple[Op, tuple[Value, ...]]:
        length = parse_duration(raws[0].text)
        if length is None:
            self._fail(raws[0].column, f"{raws[0].text!r} is no duration; write 90s, 5m, 24h, 7d or 1w")
        compared = _comparison(op)
        if compared is None:
            self._fail(raws[0].column, "a duration is compared: put < <= > or >= before it")
        return compared, (length,)

    def _instant(self, op: str, _field: Field, raws: list[_Raw]) -> tuple[Op, tuple[Value, ...]]:
        try:
            start, end = self._span(raws[0].text)
        except (ValueError, OverflowError):
            reason = f"{raws[0].text!r} is no instant; write 24h (ago), 2026-01-31, 2026-01-31T12:00Z, today"
            self._fail(raws[0].column, reason)
        if start == end:
            compared = _comparison(op)
            return ("within", (start, start + 1)) if compared is None else (compared, (start,))
        # A date is its whole day: `<=` reaches to its end, `>` begins after it.
        days: dict[str, tuple[Op, tuple[Value, ...]]] = {
            "": ("within", (start, end)),
            "<": ("<", (start,)),
            "<=": ("<", (end,)),
            ">": (">=", (end,)),
            ">=": (">=", (start,)),
        }
        return days[op]

    def _span(self, text: str) -> tuple[int, int]:
        """Give first and last microsecond bound of what was written; equal for a single instant."""
        word = text.lower()
        ago = 0 if word == "now" else parse_duration(text)
        if ago is not None:
            return self.now - ago, self.now - ago
        if word in ("today", "yesterday"):
            here = datetime.fromtimestamp(self.now / 1e6, UTC).astimezone(self.zone).date()
            day = here if word == "today" else here - timedelta(days=1)
            return self._us(day), self._us(day + timedelta(days=1))
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            day = date.fromisoformat(text)
            return self._us(day), self._us(day + timedelta(days=1))
        if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", text, re.IGNORECASE):
            raise ValueError(text)
        moment = self._us(datetime.fromisoformat(text))
        return moment, moment

    def _us(self, moment: date) -> int:
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001  (the zone comes next)
        if moment.tzinfo is None and self.zone is not None:
            moment = moment.replace(tzinfo=self.zone)
        since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return since // timedelta(microseconds=1)

    # --- refusals

    def _unknown_field(self, name: str, at: int) -> NoReturn:
        self._fail(at + 1, f"there is no field {name!r}; {_meant(name, list(self.fields))}")

    def _fail(self, column: int, reason: str) -> NoReturn:
        raise QueryInvalid(query=self.text, column=column, reason=reason, known=", ".join(self.fields))


def _comparison(op: str) -> Op | None:
    return next((known for known in _COMPARISONS if known == op), None)


def _meant(written: str, known: list[str]) -> str:
    lowered = {word.lower(): word for word in known}
    begin = [word for word in lowered if word.startswith(written.lower())]
    close = begin[:1] if len(begin) == 1 else get_close_matches(written.lower(), lowered, n=1, cutoff=0.6)
    return f"perhaps you mean {lowered[close[0]]!r}" if close else f"known are {', '.join(known)}"
