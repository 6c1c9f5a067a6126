"""The public port's front page, and the description of its API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tidegate.core.events import RouteKind
from tidegate.http import cookies
from tidegate.http.openapi import document
from tidegate.http.pages import ASSETS, HEADERS, render
from tidegate.http.routes import Route
from tidegate.http.status.verdict import verdict
from tidegate.ports.engine import Reporting


class FrontRoom(msgspec.Struct, frozen=True):
    """Tells how the engine is, names a `model` in the example, and asks whether strangers may make an account.

    `status_url` is where the status page is, `local_status_url` where browsers on this machine find it. `newcomers`
    says how it is for whoever wants an account, where that is limited.
    """

    engine: Reporting
    model: str
    is_sign_up_open: Callable[[], bool] = lambda: True
    status_url: str | None = None
    local_status_url: str = ""
    newcomers: Callable[[], str] = str


async def front_page(room: FrontRoom, request: Request) -> Response:
    """Say what this is, how it is and how to use it; whoever is signed in goes on to the chat."""
    visitor = getattr(request.state, "visitor", None)
    if visitor is not None and visitor.signed_in is not None:
        return RedirectResponse("/chat", 303, HEADERS)
    return render(
        request,
        "front.html",
        # While the service drains, the public port refuses before a page is asked for.
        verdict=verdict(room.engine.report().state, is_draining=False),
        base=f"{_scheme(request)}://{request.headers.get('host', '127.0.0.1')[:200]}",
        model=room.model,
        is_sign_up_open=room.is_sign_up_open(),
        newcomers=room.newcomers(),
        status_url=room.status_url or (room.local_status_url if cookies.is_local(request) else ""),
    )


def _scheme(request: Request) -> str:
    # Where TLS ends at a proxy that says nothing, only the browser knows: it trusts the connection to another machine.
    is_trusted_afar = cookies.is_protected(request) and not cookies.is_local(request)
    return "https" if cookies.is_https(request) or is_trusted_afar else "http"


async def openapi(room: FrontRoom, request: Request) -> Response:
    """The API described in OpenAPI 3.1."""
    del room, request
    return Response(document(), media_type="application/json")


TABLE: Final = (
    Route(
        method="GET",
        path="/",
        summary="The front page",
        endpoint=front_page,
        kind=RouteKind.PAGE,
        media_type="text/html",
        statuses=(200, 303),
    ),
)
"""Behind a SessionDoor."""

OPEN_TABLE: Final = (
    *ASSETS,
    Route(
        method="GET",
        path="/openapi.json",
        summary="This document",
        endpoint=openapi,
        kind=RouteKind.PAGE,
    ),
)
"""For everybody: nothing here depends on who asks."""
