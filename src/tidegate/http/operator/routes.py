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
from tidegate.ports.engine import EngineReport, ReplicaReport, Reporting
from tidegate.services.admission import Admission
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.lookout import Lookout
from tidegate.services.looks import SamenessReport
from tidegate.services.models import Served


class OperatorRoom(msgspec.Struct, frozen=True, kw_only=True):
    """`exposition` writes the metrics in Prometheus' text format; `replicas` tells how each of several engines is.

    Where several models are `served`, each has a line of its own.
    """

    engine: Reporting
    admission: Admission
    lifecycle: Lifecycle
    exposition: Callable[[], bytes]
    served: tuple[Served, ...] = ()
    replicas: Callable[[], list[ReplicaReport]] = list
    lookout: Lookout | None = None


class ModelVitals(msgspec.Struct, frozen=True, kw_only=True):
    """How one model is."""

    id: str
    engine: EngineReport
    running: int
    waiting: int
    slots: int


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """How the service is, in full."""

    engine: EngineReport
    running: int
    waiting: int
    slots: int
    draining: bool
    models: list[ModelVitals]
    replicas: list[ReplicaReport]
    sameness: list[SamenessReport]


async def operator_page(room: OperatorRoom, request: Request) -> Response:
    """How it is, and where the figures are."""
    status = verdict(room.engine.report().state, is_draining=room.lifecycle.is_draining)
    words = words_of(room.lookout.reports()) if room.lookout is not None else []
    return render(request, "operator.html", verdict=status, models=words)


async def vitals(room: OperatorRoom, request: Request) -> Response:
    """Engine state with its cause, restarts, and how many run and wait."""
    del request
    models = [
        ModelVitals(
            id=one.engine.card.id,
            engine=one.engine.report(),
            running=one.admission.scheduler.running,
            waiting=one.admission.scheduler.waiting,
            slots=one.admission.scheduler.plan.slots,
        )
        for one in room.served
    ]
    schedulers = [one.admission.scheduler for one in room.served] or [room.admission.scheduler]
    body = Vitals(
        engine=room.engine.report(),
        running=sum(one.running for one in schedulers),
        waiting=sum(one.waiting for one in schedulers),
        slots=sum(one.plan.slots for one in schedulers),
        draining=room.lifecycle.is_draining,
        models=models,
        replicas=room.replicas(),
        sameness=room.lookout.reports() if room.lookout is not None else [],
    )
    return Response(msgspec.json.encode(body, enc_hook=str), media_type="application/json")


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
