"""Serves the web chat's page and files.

The page runs under a policy in which nothing comes from elsewhere and no text
becomes markup or code: scripts and styles are files of ours, and Trusted Types
leave the framework's own templates as the only source of HTML.
"""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tidegate.core.admission.facts import Lane
from tidegate.core.events import RouteKind
from tidegate.core.reasons import Reason
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.http.visitors import Visitor
from tidegate.http.web.assets import Asset

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
)
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
FOREVER: Final = "public, max-age=31536000, immutable"  # Names carry a hash of what is in them.
_SHORTLY = "public, max-age=3600"


class WebRoom(msgspec.Struct, frozen=True):
    """The built files, by their path."""

    assets: dict[str, Asset]


async def chat_page(room: WebRoom, request: Request) -> Response:
    """The web chat, for whoever is signed in; others are shown the way."""
    visitor: Visitor = request.state.visitor
    if visitor.signed_in is None:
        return RedirectResponse(f"/sign-in?next={request.url.path}", 303, {"cache-control": "no-store"})
    # Asked for anew each time, because it names the newest files, and only sent when it changed.
    headers = {"cache-control": "no-cache", "content-security-policy": POLICY}
    return answer(room.assets["index.html"], request, headers)


async def asset(room: WebRoom, request: Request) -> Response:
    """One of the page's files."""
    path = f"assets/{request.path_params['path']}"
    found = room.assets.get(path)
    if found is None:
        raise Refusal(
            Reason.ROUTE_NOT_FOUND, "There is no such file. The page may be older than the service: reload it."
        )
    return answer(found, request, {"cache-control": FOREVER})


async def manifest(room: WebRoom, request: Request) -> Response:
    """How the page is put on a home screen."""
    return answer(room.assets["manifest.webmanifest"], request, {"cache-control": _SHORTLY})


def answer(found: Asset, request: Request, headers: dict[str, str]) -> Response:
    """Send a built file, or that the browser has it already."""
    headers = {**_HEADERS, **headers, "etag": found.etag, "vary": "accept-encoding"}
    if found.etag in request.headers.get("if-none-match", "").split(", "):
        return Response(status_code=304, headers=headers)
    encoding, body = found.best_for(request.headers.get("accept-encoding", ""))
    if encoding != "identity":
        headers["content-encoding"] = encoding
    return Response(body, headers=headers, media_type=found.media_type)


TABLE: Final = (
    Route(
        method="GET",
        path="/chat",
        summary="The web chat",
        endpoint=chat_page,
        kind=RouteKind.PAGE,
        media_type="text/html",
    ),
    Route(
        method="GET",
        path="/chat/{conversation}",
        summary="The web chat, at one conversation",
        endpoint=chat_page,
        kind=RouteKind.PAGE,
        media_type="text/html",
    ),
)
"""Behind a SessionDoor."""

OPEN_TABLE: Final = (
    Route(
        method="GET",
        path="/assets/{path:path}",
        summary="A file of the web chat",
        endpoint=asset,
        kind=RouteKind.PAGE,
        lane=Lane.ASSET,
    ),
    Route(
        method="GET",
        path="/manifest.webmanifest",
        summary="The web app manifest",
        endpoint=manifest,
        kind=RouteKind.PAGE,
        lane=Lane.ASSET,
        media_type="application/manifest+json",
    ),
)
"""For everybody: the files say nothing of anybody."""
