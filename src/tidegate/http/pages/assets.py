"""The pages' style sheet and sign, held in memory: what every port serves beside its pages."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.admission.facts import Lane
from tidegate.core.events import RouteKind
from tidegate.http.pages.headers import HEADERS
from tidegate.http.routes import Route

_HERE = Path(__file__).parent


class Asset(msgspec.Struct, frozen=True):
    """One file; `etag` changes when it does."""

    media_type: str
    body: bytes
    etag: str


def _asset(media_type: str, *names: str) -> Asset:
    body = b"\n".join((_HERE / name).read_bytes() for name in names)
    return Asset(media_type, body, f'"{sha256(body).hexdigest()[:16]}"')


STYLE: Final = _asset("text/css", "tokens.css", "style.css")
_ICON: Final = _asset("image/svg+xml", "icon.svg")


async def style(room: Any, request: Request) -> Response:
    """The pages' style sheet: a file of its own, because the policy allows no style inside a page."""
    del room
    return _answer(STYLE, request)


async def icon(room: Any, request: Request) -> Response:
    """The sign in the browser's tab."""
    del room
    return _answer(_ICON, request)


def _answer(found: Asset, request: Request) -> Response:
    headers = {**HEADERS, "cache-control": "max-age=3600", "etag": found.etag}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type=found.media_type)


ASSETS: Final[tuple[Route[Any], ...]] = (
    Route(
        method="GET",
        path="/style.css",
        summary="The pages' style sheet",
        endpoint=style,
        kind=RouteKind.PAGE,
        lane=Lane.ASSET,
        media_type="text/css",
        statuses=(200, 304),
    ),
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
"""Every room that answers with pages serves these too, whatever the room is."""
