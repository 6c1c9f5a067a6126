"""A page that leads to the figures, metrics, and readiness with the private half of the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.events import RouteKind
from tidegate.http.operator.sameness import words_of
from tidegate.http.pages import ASSETS, render
from tidegate.http.routes import Route
from tidegate.http.status.verdict import verdict
from tidegate.ports.engine import EngineReport, Reporting
from tidegate.services.admission import Admission
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.sameness import SamenessReport, SamenessWatcher


class OperatorRoom(msgspec.Struct, frozen=True, kw_only=True):
    """`exposition` writes the metrics in Prometheus' text format."""

    engine: Reporting
    admission: Admission
    lifecycle: Lifecycle
    exposition: Callable[[], bytes]
    sameness: SamenessWatcher | None = None


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """How the service is, in full."""

    engine: EngineReport
    running: int
    waiting: int
    slots: int
    draining: bool
    model: SamenessReport | None = None


async def operator_page(room: OperatorRoom, request: Request) -> Response:
    """How it is, and where the figures are."""
    status = verdict(room.engine.report().state, is_draining=room.lifecycle.is_draining)
    words = words_of(room.sameness.report()) if room.sameness is not None else None
    return render(request, "operator.html", verdict=status, model=words)


async def vitals(room: OperatorRoom, request: Request) -> Response:
    """Engine state with its cause, restarts, and how many run and wait."""
    del request
    body = Vitals(
        engine=room.engine.report(),
        running=room.admission.scheduler.running,
        waiting=room.admission.scheduler.waiting,
        slots=room.admission.scheduler.plan.slots,
        draining=room.lifecycle.is_draining,
        model=room.sameness.report() if room.sameness is not None else None,
    )
    return Response(msgspec.json.encode(body), media_type="application/json")


async def metrics(room: OperatorRoom, request: Request) -> Response:
    """Figures for Prometheus."""
    del request
    return Response(room.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


TABLE: Final = (
    Route(
        method="GET",
        path="/",
        summary="Where the figures are",
        endpoint=operator_page,
        kind=RouteKind.PAGE,
        media_type="text/html",
    ),
    *ASSETS,
    Route(
        method="GET",
        path="/api/vitals",
        summary="How the service is, in full",
        endpoint=vitals,
        kind=RouteKind.STATUS,
        response=Vitals,
    ),
    Route(
        method="GET",
        path="/metrics",
        summary="Prometheus metrics",
        endpoint=metrics,
        kind=RouteKind.STATUS,
        media_type="text/plain",
    ),
)
