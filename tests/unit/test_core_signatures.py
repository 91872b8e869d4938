"""Signatures of models: how they are written, read again, and compared."""

from __future__ import annotations

import pytest

from ostinato.core.signatures import Column, ColumnType, Signature, Tensor, misfits, read, written

NESTED = Signature(
    inputs=(
        Column(type="double", name="miles"),
        Column(type="array", name="stops", items=Column(type="string"), required=False),
        Column(type="object", name="rider", properties={"age": Column(type="long")}),
    ),
    outputs=(Column(type="tensor", tensor=Tensor(dtype="float64", shape=(-1, 2))),),
)


def test_what_is_written_is_read_again() -> None:
    assert read(dict(written(NESTED))) == NESTED


def test_what_mlflow_writes_is_read() -> None:
    said = {
        "inputs": '[{"type": "long", "name": "a", "required": true}, {"type": "array", "items": {"type": "string"}}]',
        "outputs": '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]',
        "params": '[{"name": "k", "default": 3, "shape": null, "type": "long"}]',
    }
    found = read(said)
    assert found is not None
    assert found.inputs is not None
    assert [column.said for column in found.inputs] == ["long", "array of string"]
    assert found.params is not None
    assert found.params[0].default == 3


def test_no_signature_is_none() -> None:
    assert read(None) is None
    assert read({}) is None


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [
        ("long", "long", True),
        ("integer", "long", True),
        ("long", "double", True),
        ("float", "double", True),
        ("long", "any", True),
        ("double", "long", False),
        ("double", "float", False),
        ("string", "long", False),
        ("boolean", "long", False),
    ],
)
def test_a_column_takes_the_place_of_one_whose_values_it_takes(old: ColumnType, new: ColumnType, *, fits: bool) -> None:
    before = Signature(inputs=(Column(type=old, name="x"),))
    after = Signature(inputs=(Column(type=new, name="x"),))
    assert (misfits(before, after) == []) is fits


def test_a_further_input_is_a_misfit_only_when_it_is_needed() -> None:
    old = Signature(inputs=(Column(type="long", name="x"),))
    optional = Signature(inputs=(Column(type="long", name="x"), Column(type="long", name="y", required=False)))
    assert misfits(old, optional) == []
    assert misfits(optional, old) == []
    needed = Signature(inputs=(Column(type="long", name="y"), Column(type="long", name="x")))
    assert misfits(optional, needed) == ["input 'y' could be left out, and is needed"]


def test_tensors_fit_by_type_and_shape() -> None:
    def of(dtype: str, *shape: int) -> Signature:
        return Signature(inputs=(Column(type="tensor", tensor=Tensor(dtype=dtype, shape=shape)),))

    assert misfits(of("float64", -1, 4), of("float64", -1, 4)) == []
    assert misfits(of("float64", -1, 4), of("float64", -1, -1)) == []
    assert misfits(of("float64", -1, 4), of("float64", -1, 5)) == [
        "input '0' was float64 (-1, 4), and is float64 (-1, 5)"
    ]
    assert misfits(of("float32", -1), of("float64", -1)) != []
