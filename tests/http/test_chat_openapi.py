"""The description of the web chat's calls, which the front end's types are made from, is valid and true."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from tests.http.chatting import Page
from tests.http.conftest import Service
from tidegate.core.generation.call import Delta, Progress
from tidegate.http.chat import routes as chat
from tidegate.http.chat.answers import AccountEvent, written
from tidegate.http.openapi import document, web_document
from tidegate.http.refusals import WIRE
from tidegate.testing.engine import saying


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(web_document())
    return parsed


def _validator(described: dict[str, Any], schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": described["components"]})


def test_it_is_valid_openapi_whose_references_lead_somewhere(described: dict[str, Any]) -> None:
    errors = [error.message for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(described)]

    assert errors == []
    for name in re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(described)):
        assert name in described["components"]["schemas"]


def test_every_call_is_in_it_with_its_refusals_and_what_it_needs(described: dict[str, Any]) -> None:
    operations = {
        (method.upper(), path): one for path, item in described["paths"].items() for method, one in item.items()
    }

    assert set(operations) == {(route.method, route.path) for route in chat.TABLE}
    for route in chat.TABLE:
        operation = operations[route.method, route.path]
        needed: dict[str, list[str]] = {"session": []} if route.method == "GET" else {"session": [], "csrf": []}
        assert operation["security"] == [needed]
        for reason in route.every_reason:
            assert f"`{reason}`" in operation["responses"][str(WIRE[reason].status)]["description"]
        for status in route.statuses:
            assert ("content" in operation["responses"][str(status)]) is (status != 204)
    assert set(described["components"]["securitySchemes"]) == {"session", "csrf"}


def test_what_stands_behind_the_question_mark_is_described(described: dict[str, Any]) -> None:
    listing = {one["name"]: one for one in described["paths"]["/api/conversations"]["get"]["parameters"]}
    assert [(name, one["in"], one["required"]) for name, one in listing.items()] == [
        ("limit", "query", False),
        ("before", "query", False),
    ]
    assert listing["limit"]["schema"]["maximum"] == 100
    searching = described["paths"]["/api/search"]["get"]["parameters"]
    assert [(one["name"], one["in"], one["required"]) for one in searching] == [("q", "query", True)]


def test_every_event_is_named_for_the_front_ends_types(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    names = {ref["$ref"].rpartition("/")[2] for ref in schemas["AccountEvent"]["anyOf"]}

    assert names == {kind.__name__ for kind in get_args(AccountEvent)} <= set(schemas)


def test_only_what_is_described_can_be_written() -> None:
    """An object that found its way into an answer is a defect, and not its text."""
    with pytest.raises(NotImplementedError):
        written(object())


def test_the_public_document_says_nothing_of_it() -> None:
    assert b"/api/" not in document()
    assert b"AccountEvent" not in document()


async def test_answers_and_events_are_as_described(service: Service, described: dict[str, Any]) -> None:
    service.engine.script = [Progress(1, 2, 0), Delta(reasoning="Hm"), *saying("Yes")]
    ana = await Page.of(service, "ana@example.org")
    watching = await ana.watch()
    asked = await ana.begin()
    here = asked["conversation"]["id"]
    await watching.seen_type("reply_ended")
    shown = "/api/conversations/{conversation}"

    for method, path, where, body in (
        ("GET", "/api/session", "/api/session", b""),
        ("GET", "/api/conversations", "/api/conversations?limit=1", b""),
        ("GET", "/api/search", "/api/search?q=why", b""),
        ("GET", shown, f"/api/conversations/{here}", b""),
        ("GET", shown, "/api/conversations/cnv_1", b""),
        ("PATCH", shown, f"/api/conversations/{here}", {"title": "Sky"}),
        ("POST", f"{shown}/messages", f"/api/conversations/{here}/messages", {"content": "And?", "parent": None}),
        ("POST", "/api/conversations", "/api/conversations", {}),
    ):
        visit = await ana.call(method, where, body)
        operation = described["paths"][path][method.lower()]
        schema = operation["responses"][str(visit.status)]["content"]["application/json"]["schema"]
        _validator(described, schema).validate(visit.json())
    await watching.leave()
    stream = described["paths"]["/api/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    told = _validator(described, stream)
    assert len(watching.events) > 8
    for event in watching.events:
        told.validate(event)
    await ana.answered()
