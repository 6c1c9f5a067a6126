"""A page that leads to the figures, metrics, and readiness with the private half of the reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.events import RouteKind
from tidegate.core.registration.disposable import DisposableList
from tidegate.http.operator import mailbox
from tidegate.http.operator.mailbox import words_of_mail
from tidegate.http.operator.registration import words_of_registration
from tidegate.http.operator.sameness import words_of
from tidegate.http.pages import ASSETS, render
from tidegate.http.routes import Route
from tidegate.http.status.verdict import verdict
from tidegate.ports.engine import EngineReport, ReplicaReport, Reporting
from tidegate.ports.mail import Mailbox
from tidegate.services.admission import Admission
from tidegate.services.letters import Letters
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.lookout import Lookout
from tidegate.services.looks import SamenessReport
from tidegate.services.models import Served
from tidegate.services.registration import Registration


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
    disposable: DisposableList | None = None
    clock: Callable[[], float] = time.time
    letters: Letters | None = None
    mailbox: Mailbox | None = None
    registration: Registration | None = None


class ListReport(msgspec.Struct, frozen=True, kw_only=True):
    """A list that the service carries: how many entries, whose, how old, and how much it counts for that (0 to 1)."""

    name: str
    entries: int
    source: str
    commit: str
    taken_at_s: float
    age_days: float
    weight: float


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
    lists: list[ListReport]


async def operator_page(room: OperatorRoom, request: Request) -> Response:
    """How it is, and where the figures are."""
    status = verdict(room.engine.report().state, is_draining=room.lifecycle.is_draining)
    words = words_of(room.lookout.reports()) if room.lookout is not None else []
    return render(
        request,
        "operator.html",
        verdict=status,
        models=words,
        lists=_lists(room),
        mail=words_of_mail(room),
        registration=None if room.registration is None else words_of_registration(room.registration.outlook()),
    )


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
        lists=_lists(room),
    )
    return Response(msgspec.json.encode(body, enc_hook=str), media_type="application/json")


async def metrics(room: OperatorRoom, request: Request) -> Response:
    """Figures for Prometheus."""
    del request
    return Response(room.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _lists(room: OperatorRoom) -> list[ListReport]:
    found, now = room.disposable, room.clock()
    if found is None:
        return []
    return [
        ListReport(
            name="disposable mail domains",
            entries=len(found.domains),
            source=found.source,
            commit=found.commit,
            taken_at_s=found.taken_at_s,
            age_days=round(found.age_days(now), 1),
            weight=found.weight(now),
        )
    ]


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
    *mailbox.TABLE,
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
