"""The OpenAPI 3.1 document, made from the route tables: it cannot say anything else than what is served."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import msgspec

import tidegate
from tidegate.http import health
from tidegate.http.chat import routes as chat
from tidegate.http.chat.answers import AccountEvent
from tidegate.http.openai import balance
from tidegate.http.openai import routes as openai
from tidegate.http.refusals import WIRE, ErrorBody
from tidegate.http.routes import Route

_REF = "#/components/schemas/{name}"


@functools.cache
def document() -> bytes:
    """The public API as JSON."""
    return _document(
        [("", route) for route in health.TABLE] + [("/v1", route) for route in (*openai.TABLE, *balance.TABLE)],
        title="Tidegate",
        description="OpenAI-compatible API. The paths under /v1 also answer at / and /beta.",
        schemes={"key": {"type": "http", "scheme": "bearer"}},
    )


def web_document() -> bytes:
    """What the web chat calls, as JSON: the types in `web/` are made from it, so it names them all."""
    return _document(
        [("", route) for route in chat.TABLE],
        title="Tidegate's web chat",
        description="Calls of the service's own pages. They need the cookie that signing in gives; those that change "
        "something must also come from the service's own pages.",
        schemes={
            # Over plain HTTP, but on this machine itself, the name is without its prefix.
            "session": {"type": "apiKey", "in": "cookie", "name": "__Host-tidegate-session"},
            "csrf": {"type": "apiKey", "in": "header", "name": "x-csrf-token"},
        },
        unions={"AccountEvent": AccountEvent},
    )


def _document(
    routes: list[tuple[str, Route[Any]]],
    *,
    title: str,
    description: str,
    schemes: dict[str, Any],
    unions: Mapping[str, Any] = MappingProxyType({}),
) -> bytes:
    kinds = [ErrorBody, *_types(route for _, route in routes)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    by_kind = dict(zip(map(id, kinds), schemas, strict=True))
    for name, union in unions.items():
        components[name] = by_kind[id(union)]
        by_kind[id(union)] = {"$ref": _REF.format(name=name)}
    paths: dict[str, Any] = {}
    for prefix, route in routes:
        path = re.sub(r"\{(\w+):path\}", r"{\1}", prefix + route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, by_kind)
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "openapi": "3.1.0",
                "info": {
                    "title": title,
                    "version": tidegate.__version__,
                    "description": description,
                    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
                },
                "paths": paths,
                "components": {"schemas": components, "securitySchemes": schemes},
            },
            order="sorted",
        ),
        indent=1,
    )


def _types(routes: Iterable[Route[Any]]) -> list[Any]:
    return [kind for route in routes for kind in (route.request, route.response, route.chunk) if kind is not None]


def _operation(route: Route[Any], path: str, by_kind: dict[int, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {route.media_type: {"schema": by_kind.get(id(route.response), {})}}
    if route.chunk is not None:
        # Each `data:` line holds one of these; the stream ends with `data: [DONE]`.
        content["text/event-stream"] = {"schema": by_kind[id(route.chunk)]}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {**_answers(route, content), **_refusals(route)},
    }
    if route.request is not None:
        body = {"application/json": {"schema": by_kind[id(route.request)]}}
        operation["requestBody"] = {"required": True, "content": body}
    if route.scope is not None:
        operation["security"] = [{"key": []}]
    if route.role is not None:
        operation["security"] = [{"session": []} if route.method == "GET" else {"session": [], "csrf": []}]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters += _query(route)
    if parameters:
        operation["parameters"] = parameters
    return operation


def _query(route: Route[Any]) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    # By name, whatever of it stands among the components.
    _, components = msgspec.json.schema_components([route.query], ref_template=_REF)
    schema = components[route.query.__name__]
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": described}
        for name, described in schema["properties"].items()
    ]


_IN_A_STREAM: Final = (
    'In a stream, what goes wrong after its beginning is its last event, `data: {"error": {...}}`, with '
    "`retry_after_s` where waiting helps; comments such as `: waiting position=3 eta_s=12` tell who waits where."
)


def _answers(route: Route[Any], content: dict[str, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status in route.statuses:
        said = "Success" if status < 300 else HTTPStatus(status).phrase  # noqa: PLR2004 - 2xx
        answers[str(status)] = {"description": said if route.chunk is None else f"{said}. {_IN_A_STREAM}"}
        if status != HTTPStatus.NO_CONTENT:
            answers[str(status)]["content"] = content
    return answers


def _refusals(route: Route[Any]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for reason in route.every_reason:
        by_status.setdefault(WIRE[reason].status, []).append(f"`{reason}`: {WIRE[reason].meaning}")
    error = {"application/json": {"schema": {"$ref": _REF.format(name=ErrorBody.__name__)}}}
    return {
        str(status): {"description": f"{HTTPStatus(status).phrase}. {' '.join(lines)}", "content": error}
        for status, lines in sorted(by_status.items())
    }
