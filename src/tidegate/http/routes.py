"""The one route table's type: what a route takes, gives and refuses, and the code behind it.

Each room declares its routes once. Serving, authentication, the method check
and the OpenAPI document all come from the same declaration.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from tidegate.core.accounts import Role, Scope
from tidegate.core.admission.facts import Lane
from tidegate.core.events import RouteKind
from tidegate.core.reasons import Reason
from tidegate.http.exchange import Exchange
from tidegate.http.refusals import Refusal

R = TypeVar("R")


class Route(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """One method at one path; `endpoint` gets the room it belongs to and the request.

    `scope` is what an API key must be good for, `role` what a signed-in person must at least be; None asks
    nothing. `lane` is whose budget a request is counted in at the gate; None leaves that to the route's kind
    and to who may use it. A route with `is_form` takes a form, which its door reads. `query` is what may stand
    behind the question mark. `statuses` are those under which `response` comes; every other answer is one of
    `reasons`.
    """

    method: str
    path: str
    summary: str
    endpoint: Callable[[R, Request], Awaitable[Response]]
    kind: RouteKind = RouteKind.OTHER
    lane: Lane | None = None
    scope: Scope | None = None
    role: Role | None = None
    is_form: bool = False
    query: Any = None
    request: Any = None
    response: Any = None
    chunk: Any = None
    media_type: str = "application/json"
    statuses: tuple[int, ...] = (200,)
    reasons: tuple[Reason, ...] = ()

    @property
    def name(self) -> str:
        """The operation's id."""
        return self.endpoint.__name__

    @property
    def every_reason(self) -> tuple[Reason, ...]:
        """Its own reasons, and those that its door and the frame give."""
        if self.scope is None and self.role is None:
            return self.reasons
        by_key = (Reason.INVALID_API_KEY, Reason.MISSING_SCOPE) if self.scope is not None else ()
        by_session = (Reason.NOT_SIGNED_IN,) if self.role is not None else ()
        for_operators = (Reason.OPERATORS_ONLY,) if self.role is Role.OPERATOR else ()
        by_page = (Reason.CROSS_SITE_REQUEST, Reason.INVALID_CSRF_TOKEN)
        is_changing = self.role is not None and self.method != "GET"
        return (
            *self.reasons,
            *by_key,
            *by_session,
            *for_operators,
            *(by_page if is_changing else ()),
            Reason.SERVER_IS_DRAINING,
            Reason.STORAGE_UNAVAILABLE,
            Reason.INTERNAL_ERROR,
        )


Door = Callable[[Request, Route[Any]], Awaitable[None]]
"""Lets a caller through to a route, or raises a Refusal. It is asked for every route, also for open ones."""


def bind(table: Iterable[Route[R]], room: R, door: Door, prefixes: Iterable[str] = ("",)) -> list[StarletteRoute]:
    """Make servable routes of a room's table, under each of the prefixes."""
    by_path: dict[str, dict[str, Route[R]]] = {}
    for route in table:
        by_path.setdefault(route.path, {})[route.method] = route
    return [
        StarletteRoute(prefix + path, _Resource(methods, room, door))
        for prefix in prefixes
        for path, methods in by_path.items()
    ]


def router(routes: Iterable[StarletteRoute]) -> Router:
    """Serve bound routes; anything else is `route_not_found`."""
    return Router(list(routes), default=_nothing_here, redirect_slashes=False)


class _Resource(Generic[R]):
    """One path: picks the method, asks the door, calls the endpoint."""

    def __init__(self, methods: dict[str, Route[R]], room: R, door: Door) -> None:
        self._methods = methods
        self._room = room
        self._door = door

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        method = "GET" if request.method == "HEAD" else request.method
        route = self._methods.get(method)
        if route is None:
            allowed = ", ".join(sorted(self._methods))
            raise Refusal(Reason.METHOD_NOT_ALLOWED, f"This address takes {allowed}.", headers={"allow": allowed})
        exchange: Exchange = request.state.exchange
        exchange.route = route.kind
        await self._door(request, route)
        response = await route.endpoint(self._room, request)
        await response(scope, receive, send)


async def _nothing_here(scope: AsgiScope, receive: Receive, send: Send) -> None:
    del receive, send
    raise Refusal(Reason.ROUTE_NOT_FOUND, f"There is nothing at {scope['path'][:200]!r}.")
