"""The applications of `tidegate gate`: what is passed on, and the operator's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.core.identifiers import Fingerprint
from tidegate.http import health
from tidegate.http.answering import Answering
from tidegate.http.control import policy as policy_control
from tidegate.http.cross_origin import SHOWN
from tidegate.http.doors import open_door
from tidegate.http.frame import Frame
from tidegate.http.operator import routes as operator
from tidegate.http.routes import bind, router
from tidegate.ports.engine import ReplicaReport, Reporting
from tidegate.ports.journal import Journal
from tidegate.services.admission import Admission
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.policy import Policy

_OWN: Final = frozenset({"/healthz", "/readyz"})
_LOCAL_NAMES: Final = ["127.0.0.1", "localhost"]


class GateApplications(msgspec.Struct, frozen=True, kw_only=True):
    """ASGI applications, each complete with its frame."""

    public: ASGIApp
    operator: ASGIApp
    control: ASGIApp


class _Public(msgspec.Struct, frozen=True):
    """The gate's own health, and all else to the server behind; pages of other origins through `opened`."""

    own: ASGIApp
    proxy: ASGIApp
    opened: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.opened is not None and any(name == b"origin" for name, _ in scope["headers"]):
            await self.opened(scope, receive, send)
        else:
            await (self.own if scope["path"] in _OWN else self.proxy)(scope, receive, send)


def build_gate_applications(
    *,
    proxy: ASGIApp,
    engine: Reporting,
    admission: Admission,
    lifecycle: Lifecycle,
    journal: Journal,
    fingerprint: Callable[[str], Fingerprint],
    exposition: Callable[[], bytes],
    policy: Policy,
    replicas: Callable[[], list[ReplicaReport]] = list,
    control: list[Route],
    clock: Callable[[], float],
    ticks: Callable[[], float],
) -> GateApplications:
    """Put them together. `control` are routes of the control socket beside the policy's."""
    own = bind(health.TABLE, health.HealthRoom(engine, lifecycle), open_door)
    operator_room = operator.OperatorRoom(
        engine=engine, admission=admission, lifecycle=lifecycle, exposition=exposition, replicas=replicas
    )
    operator_routes = [*own, *bind(operator.TABLE, operator_room, open_door)]
    control_routes = [*bind(policy_control.TABLE, policy, open_door), *control]

    def framed(app: ASGIApp, *, stays_open: bool = False, is_counted: bool = True) -> ASGIApp:
        answering = Answering(app=app, journal=journal, lifecycle=lifecycle, clock=clock, stays_open=stays_open)
        return Frame(
            app=answering, journal=journal, fingerprint=fingerprint, clock=clock, ticks=ticks, is_counted=is_counted
        )

    # Keys travel in a header that no browser adds by itself, so pages of any origin may call.
    health_app = router(own)
    opened = CORSMiddleware(
        _Public(health_app, proxy),
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=SHOWN,
    )
    local = TrustedHostMiddleware(router(operator_routes), _LOCAL_NAMES, www_redirect=False)
    return GateApplications(
        public=framed(_Public(health_app, proxy, opened)),
        operator=framed(local, stays_open=True),
        control=framed(router(control_routes), is_counted=False),
    )
