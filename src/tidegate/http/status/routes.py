"""A plain page and its JSON: is the service up, in the words of Statuspage's public API.

https://metastatuspage.com/api: `status.indicator` is none, minor, major or critical.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.events import RouteKind
from tidegate.http.pages import ASSETS, HEADERS, render
from tidegate.http.routes import Route
from tidegate.http.status.newcomers import Component, component, sentence
from tidegate.http.status.verdict import Status, verdict
from tidegate.ports.engine import Reporting
from tidegate.services.joining import Joining
from tidegate.services.lifecycle import Lifecycle


class Page(msgspec.Struct, frozen=True):
    """Whose status this is."""

    id: str
    name: str
    updated_at: str


class StatusBody(msgspec.Struct, frozen=True):
    """`GET /api/v2/status.json`."""

    page: Page
    status: Status
    components: tuple[Component, ...] = ()


class StatusRoom(msgspec.Struct, frozen=True):
    """What the answers are made of. `clock` tells Unix seconds; without `joining` nothing is said of new accounts."""

    engine: Reporting
    lifecycle: Lifecycle
    clock: Callable[[], float]
    joining: Joining | None = None

    def status(self) -> Status:
        """Judge from what the service itself knows."""
        return verdict(self.engine.report().state, is_draining=self.lifecycle.is_draining)

    def now(self, sep: str = "T") -> str:
        """Right now in UTC, as RFC 3339."""
        return datetime.datetime.fromtimestamp(self.clock(), datetime.UTC).isoformat(sep, "seconds")


async def status_json(room: StatusRoom, request: Request) -> Response:
    """The status for programs."""
    del request
    components = () if room.joining is None else (component(room.joining),)
    body = StatusBody(Page("tidegate", "Tidegate", room.now()), room.status(), components)
    return Response(msgspec.json.encode(body), headers=HEADERS, media_type="application/json")


async def status_page(room: StatusRoom, request: Request) -> Response:
    """The status for people, without JavaScript."""
    shown = room.now(" ").replace("+00:00", " UTC")
    newcomers = "" if room.joining is None else sentence(room.joining)
    # Whoever reads slowly, or has a page read aloud, must be able to stop what changes by itself (WCAG 2.2.1).
    is_still = "still" in request.query_params
    return render(
        request,
        "status.html",
        verdict=room.status(),
        newcomers=newcomers,
        now=room.now(),
        shown=shown,
        is_still=is_still,
    )


TABLE: Final = (
    Route(
        method="GET",
        path="/",
        summary="The status page",
        endpoint=status_page,
        kind=RouteKind.STATUS,
        media_type="text/html",
    ),
    *ASSETS,
    Route(
        method="GET",
        path="/api/v2/status.json",
        summary="The status for programs",
        endpoint=status_json,
        kind=RouteKind.STATUS,
        response=StatusBody,
    ),
)
