"""The OpenAPI 3.1 document, made from the route tables: it cannot say anything else than what is served."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

import tidegate
from tidegate.http import health
from tidegate.http.openai import routes as openai
from tidegate.http.refusals import WIRE, ErrorBody
from tidegate.http.routes import Route

_REF = "#/components/schemas/{name}"


@functools.cache
def document() -> bytes:
    """The public API as JSON."""
    routes = [("", route) for route in health.TABLE] + [("/v1", route) for route in openai.TABLE]
    kinds = [ErrorBody, *_types(route for _, route in routes)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    by_kind = dict(zip(map(id, kinds), schemas, strict=True))
    paths: dict[str, Any] = {}
    for prefix, route in routes:
        path = re.sub(r"\{(\w+):path\}", r"{\1}", prefix + route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, by_kind)
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "openapi": "3.1.0",
                "info": {
                    "title": "Tidegate",
                    "version": tidegate.__version__,
                    "description": "OpenAI-compatible API. The paths under /v1 also answer at / and /beta.",
                    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
                },
                "paths": paths,
                "components": {
                    "schemas": components,
                    "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
                },
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
    names = re.findall(r"\{(\w+)\}", path)
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    return operation


def _answers(route: Route[Any], content: dict[str, Any]) -> dict[str, Any]:
    return {
        str(status): {"description": "Success" if status < 300 else HTTPStatus(status).phrase, "content": content}  # noqa: PLR2004
        for status in route.statuses
    }


def _refusals(route: Route[Any]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for reason in route.every_reason:
        by_status.setdefault(WIRE[reason].status, []).append(f"`{reason}`: {WIRE[reason].meaning}")
    error = {"application/json": {"schema": {"$ref": _REF.format(name=ErrorBody.__name__)}}}
    return {
        str(status): {"description": f"{HTTPStatus(status).phrase}. {' '.join(lines)}", "content": error}
        for status, lines in sorted(by_status.items())
    }
