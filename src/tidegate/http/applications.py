"""The four applications that servers are given, one per audience, made of the rooms' tables."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from tidegate.http import front, health
from tidegate.http.answering import Answering
from tidegate.http.control import routes as control
from tidegate.http.doors import KeyDoor, open_door
from tidegate.http.exchange import Lifecycle
from tidegate.http.frame import Frame
from tidegate.http.openai import routes as openai
from tidegate.http.operator import routes as operator
from tidegate.http.routes import bind, router
from tidegate.http.status import routes as status
from tidegate.ports.engine import Engine
from tidegate.services.accounts import Clerk
from tidegate.services.keyring import Keyring
from tidegate.services.lane import Lane


class Applications(msgspec.Struct, frozen=True, kw_only=True):
    """ASGI applications, each complete with its frame."""

    public: ASGIApp
    status: ASGIApp
    operator: ASGIApp
    control: ASGIApp


def build_applications(
    *,
    engine: Engine,
    aliases: tuple[str, ...],
    lane: Lane,
    clerk: Clerk,
    keyring: Keyring,
    lifecycle: Lifecycle,
    max_body_bytes: int,
    exposition: Callable[[], bytes],
    ticks: Callable[[], float],
    later: Callable[[Coroutine[Any, Any, None]], None],
) -> Applications:
    """Bind every room to what it works with. `ticks` tells monotonic seconds, `later` runs what nobody waits for."""
    door = KeyDoor(
        keyring=keyring,
        server_keys=clerk.server_keys,
        fingerprint=clerk.fingerprint,
        clock=clerk.clock,
        later=later,
    )
    openai_room = openai.OpenAiRoom(
        engine=engine,
        aliases=aliases,
        lane=lane,
        lifecycle=lifecycle,
        max_body_bytes=max_body_bytes,
        clock=clerk.clock,
        ticks=ticks,
    )
    operator_room = operator.OperatorRoom(engine=engine, lane=lane, lifecycle=lifecycle, exposition=exposition)
    health_routes = bind(health.TABLE, health.HealthRoom(engine, lifecycle), open_door)
    public = [
        *health_routes,
        *bind(front.TABLE, front.FrontRoom(engine), open_door),
        *bind(openai.TABLE, openai_room, door, openai.PREFIXES),
    ]
    status_routes = bind(status.TABLE, status.StatusRoom(engine, lifecycle, clerk.clock), open_door)
    operator_routes = [*health_routes, *bind(operator.TABLE, operator_room, open_door)]
    control_routes = bind(control.TABLE, clerk, open_door)

    def answering(routes: list[Route], *, stays_open: bool = False) -> Answering:
        return Answering(
            app=router(routes), journal=clerk.journal, lifecycle=lifecycle, clock=clerk.clock, stays_open=stays_open
        )

    def frame(app: ASGIApp, *, is_counted: bool = True) -> Frame:
        return Frame(
            app=app,
            journal=clerk.journal,
            fingerprint=clerk.fingerprint,
            clock=clerk.clock,
            ticks=ticks,
            is_counted=is_counted,
        )

    # Browser programs of any origin may use the API: keys travel in a header, never in a cookie.
    public_app = CORSMiddleware(
        answering(public), allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], expose_headers=_SHOWN
    )
    # A page in the operator's browser must not read this port under a name that it made to point here.
    operator_app = TrustedHostMiddleware(answering(operator_routes, stays_open=True), _LOCAL_NAMES, www_redirect=False)
    return Applications(
        public=frame(public_app),
        # A stop is when people look at the status page, and the operator at the figures.
        status=frame(answering(status_routes, stays_open=True)),
        operator=frame(operator_app),
        control=frame(answering(control_routes), is_counted=False),
    )


_SHOWN = ["x-request-id", "retry-after", "retry-after-ms", "openai-processing-ms"]
_LOCAL_NAMES = ["127.0.0.1", "localhost"]
