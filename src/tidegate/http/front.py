"""The public port's front page, and the description of its API."""

from __future__ import annotations

import html
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.events import RouteKind
from tidegate.http.openapi import document
from tidegate.http.pages import page, style_sheet, verdict_box
from tidegate.http.routes import Route
from tidegate.http.status.verdict import Status, verdict
from tidegate.ports.engine import Engine


class FrontRoom(msgspec.Struct, frozen=True):
    """Tells how the engine is, and names the model in the example."""

    engine: Engine


async def front_page(room: FrontRoom, request: Request) -> Response:
    """Say what this is, how it is and how to use it."""
    base = f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}"
    # While the service drains, the public port refuses before a page is asked for.
    status = verdict(room.engine.report().state, is_draining=False)
    body = _BODY.format(state=_state(status), base=html.escape(base[:200]), model=html.escape(room.engine.card.id))
    return page("Tidegate", body)


def _state(status: Status) -> str:
    if status.indicator == "none":
        return f"<p>{html.escape(status.description)}.</p>"
    return verdict_box(status.indicator, status.description)


async def front_style(room: FrontRoom, request: Request) -> Response:
    """The page's style sheet."""
    del room, request
    return style_sheet()


async def openapi(room: FrontRoom, request: Request) -> Response:
    """The API described in OpenAPI 3.1."""
    del room, request
    return Response(document(), media_type="application/json")


_BODY = """{state}
<p>An AI-assistant service with an OpenAI-compatible API. Programs reach it at <code>{base}/v1</code> with a key from
its operator.</p>
<pre><code>curl {base}/v1/chat/completions \\
  -H "Authorization: Bearer $API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{
  "model": "{model}",
  "messages": [
    {{"role": "user",
     "content": "Hello"}}
  ]
}}'</code></pre>
<p class="quiet"><a href="/openapi.json">API description</a> &middot; <a href="/readyz">Readiness</a></p>"""

TABLE: Final = (
    Route(
        method="GET",
        path="/",
        summary="The front page",
        endpoint=front_page,
        kind=RouteKind.PAGE,
        media_type="text/html",
    ),
    Route(
        method="GET",
        path="/style.css",
        summary="Its style sheet",
        endpoint=front_style,
        kind=RouteKind.PAGE,
        media_type="text/css",
    ),
    Route(
        method="GET",
        path="/openapi.json",
        summary="This document",
        endpoint=openapi,
        kind=RouteKind.PAGE,
    ),
)
