"""What /openapi.json says is what is served: generated requests get documented answers and never a 5xx."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.running import MODEL, Instance

pytestmark = pytest.mark.integration

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_generated_requests_get_documented_answers(service: Instance, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{service.public}/openapi.json")
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    tried = [_try(operation, service, mode) for operation in found]
    assert {"/healthz", "/readyz", "/v1/models", "/v1/chat/completions", "/v1/completions"} <= set(tried)


def _try(operation: Any, service: Instance, mode: GenerationMode) -> str:
    """Ask one operation with requests that fit its description, or that do not; answer its path."""
    headers = {"Authorization": f"Bearer {service.key}"}

    @settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if isinstance(case.body, dict):
            # Made to reach the model, and to be short there. A stream is another media type, read by other tests.
            short = {"model": MODEL, "max_tokens": 2, "max_completion_tokens": 2, "stream": False}
            case.body = {**case.body, **{name: short[name] for name in short if name in case.body}, "max_tokens": 2}
        case.call_and_validate(checks=CHECKS, headers=headers)

    if mode is GenerationMode.POSITIVE or operation.body:  # What takes nothing cannot be asked wrongly.
        ask()
    return str(operation.path)
