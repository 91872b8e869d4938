"""What is kept of an exception."""

from __future__ import annotations

from ostinato.cli.failure import place_of
from ostinato.engine.traces import describe


def _read(name: str) -> None:
    exec(compile("raise ValueError('no such column')", name, "exec"))  # as Cython makes frames


def test_the_place_of_a_failure_is_the_last_line_of_the_users_own_not_one_of_a_compiled_module() -> None:
    try:
        _read("pyarrow/error.pxi")
    except ValueError as error:
        found = describe(error, "load", _read, ("rides.parquet",), {})
    assert found.file == __file__
    assert "pyarrow/error.pxi" in found.trace
    assert place_of(found).endswith(f"test_engine_traces.py:{found.line}")
