"""The API's description is valid, complete and true."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from tests.http.conftest import CHAT, TEXT, Service
from tidegate.core.capacity.health import EngineState
from tidegate.http import health
from tidegate.http.openai import balance
from tidegate.http.openai import routes as openai
from tidegate.http.refusals import WIRE


@pytest.fixture
async def document(service: Service) -> dict[str, Any]:
    visit = await service.ask("GET", "/openapi.json")
    assert visit.headers["content-type"] == "application/json"
    parsed: dict[str, Any] = visit.json()
    return parsed


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def _validator(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    errors = [error.message for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(document)]
    assert errors == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for name in re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]


def test_every_route_is_in_it_and_nothing_else_is(document: dict[str, Any]) -> None:
    served = {(route.method.lower(), route.path) for route in health.TABLE}
    served |= {
        (route.method.lower(), "/v1" + route.path.replace(":path}", "}")) for route in (*openai.TABLE, *balance.TABLE)
    }

    assert {(method, path) for method, path, _ in _operations(document)} == served
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(names) == len(set(names))


def test_every_route_says_each_of_its_refusals_under_its_status(document: dict[str, Any]) -> None:
    for prefix, table in (("", health.TABLE), ("/v1", openai.TABLE)):
        for route in table:
            operation = document["paths"][(prefix + route.path).replace(":path}", "}")][route.method.lower()]
            for reason in route.every_reason:
                assert f"`{reason}`" in operation["responses"][str(WIRE[reason].status)]["description"]


def test_what_needs_a_key_says_so(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    for _, path, operation in _operations(document):
        assert ("security" in operation) is path.startswith("/v1/")


def test_path_parameters_are_declared(document: dict[str, Any]) -> None:
    for _, path, operation in _operations(document):
        declared = [parameter["name"] for parameter in operation.get("parameters", [])]
        assert declared == re.findall(r"\{(\w+)\}", path)


@pytest.mark.parametrize(
    ("method", "path", "shown", "body"),
    [
        ("GET", "/healthz", "/healthz", None),
        ("GET", "/readyz", "/readyz", None),
        ("GET", "/v1/models", "/v1/models", None),
        ("GET", "/v1/models/tide-1", "/v1/models/{model}", None),
        ("GET", "/v1/models/gpt-9", "/v1/models/{model}", None),
        ("POST", "/v1/chat/completions", "/v1/chat/completions", CHAT),
        ("POST", "/v1/chat/completions", "/v1/chat/completions", {}),
        ("POST", "/v1/completions", "/v1/completions", TEXT),
    ],
)
async def test_answers_fit_their_description(
    service: Service, document: dict[str, Any], method: str, path: str, shown: str, body: Any
) -> None:
    visit = await service.ask(method, path, b"" if body is None else body)

    described = document["paths"][shown][method.lower()]["responses"][str(visit.status)]
    _validator(document, described["content"]["application/json"]["schema"]).validate(visit.json())


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/completions", TEXT)])
async def test_chunks_and_requests_fit_their_description(
    service: Service, document: dict[str, Any], path: str, body: Any
) -> None:
    operation = document["paths"][path]["post"]
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    _validator(document, operation["requestBody"]["content"]["application/json"]["schema"]).validate(asked)
    assert "`retry_after_s`" in operation["responses"]["200"]["description"]
    chunk = _validator(document, operation["responses"]["200"]["content"]["text/event-stream"]["schema"])

    for event in (await service.ask("POST", path, asked)).events()[:-1]:
        chunk.validate(event)


async def test_an_unready_service_answers_as_described(service: Service, document: dict[str, Any]) -> None:
    service.engine.state = EngineState.LOADING
    visit = await service.ask("GET", "/readyz")

    described = document["paths"]["/readyz"]["get"]["responses"][str(visit.status)]
    _validator(document, described["content"]["application/json"]["schema"]).validate(visit.json())
