"""The table of reads has every method of the Reader, with its arguments, and passes them on unchanged."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from ostinato.core.ports import Reader
from ostinato.core.query import RUN_FIELDS, parse
from ostinato.core.reads import READS

METHODS = {name: method for name, method in vars(Reader).items() if inspect.isfunction(method) and name[0] != "_"}


EXAMPLES = {"str": "x", "int": 1, "Iterable[str]": [], "Query": {}}


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"close"}))
def test_every_method_of_the_reader_is_there_with_its_arguments_and_defaults(name: str) -> None:
    parameters = list(inspect.signature(METHODS[name]).parameters.values())[1:]
    needed = {one.name: EXAMPLES[str(one.annotation)] for one in parameters if one.default is one.empty}
    told = READS[name].arguments(msgspec.msgpack.encode(needed))
    assert list(told) == [one.name for one in parameters]
    assert {one.name: told[one.name] for one in parameters if one.name not in needed} == {
        one.name: one.default for one in parameters if one.name not in needed
    }


def test_there_is_no_other_read() -> None:
    assert set(READS) == set(METHODS) - {"close"}


def test_arguments_arrive_by_position_and_by_name() -> None:
    read = READS["logs"]
    told = read.arguments(read.pack((name for name in ("a", "b")), after=7, tail=True))
    assert told == {"run_ids": ["a", "b"], "after": 7, "limit": 1000, "level": 0, "tail": True}


def test_a_query_arrives_as_it_was() -> None:
    query = parse("state:failed since:24h -tag:gpu duration:>5m otter", RUN_FIELDS)
    assert READS["runs"].arguments(READS["runs"].pack(query, limit=3))["query"] == query


@pytest.mark.parametrize("body", [b"", b"\xc1", msgspec.msgpack.encode({"ref": 1}), msgspec.msgpack.encode({"no": 1})])
def test_other_arguments_are_refused(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        READS["find_run"].arguments(body)
