"""Whatever is sent to the public API: it is answered as described, or refused; never by a fault."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.served import DEPLOYMENT, Served, served

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages that it brings
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        for flow in ("train", "score"):
            assert one.http.post("/api/deployments", json={**DEPLOYMENT, "flow": flow}).status_code == 201
        for _ in range(3):
            assert one.http.post("/api/runs", json={"deployment": "train/nightly"}).status_code == 201
        yield one


@pytest.mark.parametrize("half", [0, 1])
def test_no_request_brings_a_fault(server: Served, half: int) -> None:
    described = server.http.get("/api/openapi.json").json()
    schema = schemathesis.openapi.from_dict(described)
    schema.config.base_url = server.card.url
    checks = [not_a_server_error, content_type_conformance, response_schema_conformance]
    n_requests = 0
    for number, found in enumerate(schema.get_all_operations()):
        if number % 2 != half:
            continue
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode)))
        def send(case: schemathesis.Case[Any]) -> None:
            nonlocal n_requests
            n_requests += 1
            case.call_and_validate(checks=checks, headers=dict(server.http.headers))

        send()
    assert n_requests > 200
    assert server.http.get("/health").status_code == 200
