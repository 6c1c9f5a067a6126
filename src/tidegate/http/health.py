"""Is the process up, and can it answer? Asked by supervisors and balancers, without credentials."""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.admission.facts import Lane
from tidegate.core.capacity.health import EngineState
from tidegate.core.events import RouteKind
from tidegate.http.routes import Route
from tidegate.ports.engine import Reporting
from tidegate.services.lifecycle import Lifecycle


class Health(msgspec.Struct, frozen=True):
    """The process is up."""

    status: Literal["ok"] = "ok"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests would be served. The status code says the same: 200 or 503."""

    ready: bool
    engine: EngineState
    draining: bool


class HealthRoom(msgspec.Struct, frozen=True):
    """What the answers are made of."""

    engine: Reporting
    lifecycle: Lifecycle


async def healthz(room: HealthRoom, request: Request) -> Response:
    """The process is up; says nothing of the model."""
    del room, request
    return Response(msgspec.json.encode(Health()), media_type="application/json")


async def readyz(room: HealthRoom, request: Request) -> Response:
    """A model has produced a token and the service is not stopping."""
    del request
    report = room.engine.report()
    is_draining = room.lifecycle.is_draining
    is_ready = report.state is EngineState.READY and not is_draining
    headers = {"cache-control": "no-store"}
    if not is_ready:
        headers["retry-after"] = str(math.ceil(report.retry_after_s))
    body = Readiness(ready=is_ready, engine=report.state, draining=is_draining)
    return Response(msgspec.json.encode(body), 200 if is_ready else 503, headers, media_type="application/json")


TABLE: Final = (
    Route(
        method="GET",
        path="/healthz",
        summary="Is the process up?",
        endpoint=healthz,
        kind=RouteKind.STATUS,
        lane=Lane.HEALTH,
        response=Health,
    ),
    Route(
        method="GET",
        path="/readyz",
        summary="Would a request be served?",
        endpoint=readyz,
        kind=RouteKind.STATUS,
        lane=Lane.HEALTH,
        response=Readiness,
        statuses=(200, 503),
    ),
)
