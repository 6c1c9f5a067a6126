"""The sign as a file, for the web chat and for browsers that ask for it by themselves."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.admission.facts import Lane
from tidegate.core.events import RouteKind
from tidegate.http.pages.headers import HEADERS
from tidegate.http.pages.looks import ICON
from tidegate.http.routes import Route

_ETAG: Final = f'"{sha256(ICON).hexdigest()[:16]}"'


async def icon(room: Any, request: Request) -> Response:
    """The sign in the browser's tab."""
    del room
    headers = {**HEADERS, "cache-control": "max-age=3600", "etag": _ETAG}
    if request.headers.get("if-none-match") == _ETAG:
        return Response(status_code=304, headers=headers)
    return Response(ICON, headers=headers, media_type="image/svg+xml")


ASSETS: Final[tuple[Route[Any], ...]] = (
    Route(
        method="GET",
        path="/icon.svg",
        summary="The sign in the browser's tab",
        endpoint=icon,
        kind=RouteKind.PAGE,
        lane=Lane.ASSET,
        media_type="image/svg+xml",
        statuses=(200, 304),
    ),
)
"""Every room that answers with pages serves this too, whatever the room is."""
