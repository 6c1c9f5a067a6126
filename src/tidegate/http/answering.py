"""A decent end to every request: refusals and our own defects become error objects, or pages for people.

While the service drains, requests are refused here, all but those that watch it go.
So are those whose store fails, wherever that shows: nobody is let through for want of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.core.events import Level, RequestCrashed
from tidegate.core.reasons import Reason
from tidegate.http import cookies
from tidegate.http.exchange import ClientLeftError, Exchange
from tidegate.http.pages import HEADERS, render
from tidegate.http.refusals import Refusal
from tidegate.ports.journal import Journal
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.failures import failure_of, origin
from tidegate.services.lifecycle import Lifecycle


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """Stands in a Frame and answers for `app`. One that `stays_open` is served while the service drains."""

    app: ASGIApp
    journal: Journal
    lifecycle: Lifecycle
    clock: Callable[[], float]
    stays_open: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange: Exchange = scope["state"]["exchange"]
        # Health must be seen to the end: it is how a balancer learns that we are going.
        stays_open = self.stays_open or scope["path"] in {"/healthz", "/readyz"}
        if self.lifecycle.is_draining and not stays_open:
            await self._refuse(_draining(self.lifecycle), exchange, scope, receive, send)
            return
        with self.lifecycle.request():
            await self._serve(exchange, scope, receive, send)

    async def _serve(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Refusal as refusal:
            await self._refuse(refusal, exchange, scope, receive, send)
        except ClientLeftError:
            exchange.reason = Reason.CLIENT_LEFT
        except StorageUnavailableError as error:
            await self._refuse(_unavailable(error), exchange, scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the last line of defence: recorded, and answered cleanly
            kind, place = origin(error)
            self.journal.record(
                RequestCrashed(t=self.clock(), level=Level.ERROR, id=exchange.id, error=kind, raised_at=place)
            )
            sentence = f"Something broke on our side. Quote {exchange.id} to the operator."
            await self._refuse(Refusal(Reason.INTERNAL_ERROR, sentence), exchange, scope, receive, send)

    async def _refuse(self, refusal: Refusal, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        exchange.reason = refusal.reason
        if exchange.status:  # Too late for a status line; what was begun is cut.
            return
        headers = refusal.headers()
        if not exchange.is_body_read and scope["method"] not in {"GET", "HEAD"}:
            headers["connection"] = "close"  # What is left of the body shall not be read.
        request = Request(scope)
        # Browsers ask for HTML by name when a person goes somewhere; programs never do.
        if "text/html" in request.headers.get("accept", ""):
            response = _page(refusal, exchange, request, headers)
        else:
            headers |= {"cache-control": "no-store", "x-content-type-options": "nosniff"}
            response = Response(refusal.body(), refusal.status, headers, media_type="application/json")
        if refusal.reason is Reason.STORAGE_UNAVAILABLE and _is_leaving(request):
            # The session could not be ended. That is no reason for this browser to keep it.
            cookies.clear(response, cookies.SESSION)
        await response(scope, receive, send)


def _page(refusal: Refusal, exchange: Exchange, request: Request, headers: dict[str, str]) -> Response:
    if refusal.reason is Reason.NOT_SIGNED_IN and refusal.page and request.method in {"GET", "HEAD"}:
        return RedirectResponse(refusal.page, 303, HEADERS)
    page = refusal.page or "/"
    return render(
        request,
        "refusal.html",
        status=refusal.status,
        headers=headers,
        title=title(refusal),
        message=refusal.message,
        reason=refusal.reason,
        request_id=exchange.id,
        wait_s=math.ceil(refusal.retry_after_s or 0),
        page=page,
        page_name=_PLACES.get(page, "Go on"),
    )


def title(refusal: Refusal) -> str:
    """What stands over a page that refuses."""
    return _TITLES.get(refusal.reason) or _TITLES_BY_STATUS.get(refusal.status, "This did not work")


_PLACES: Final = {
    "/": "To the front page",
    "/sign-in": "Sign in",
    "/sign-up": "How to get an account",
    "/account": "To your account",
    "/forgot": "Ask for a new letter",
}
_TITLES: Final = {
    Reason.SIGN_UP_CLOSED: "Registration is closed",
    Reason.OPERATORS_ONLY: "For operators only",
    Reason.CHALLENGE_REQUIRED: "Please open the form anew",
    Reason.INVALID_CSRF_TOKEN: "This page is out of date",
    Reason.EMAIL_TAKEN: "There is an account already",
    Reason.LINK_INVALID: "This link does not work any more",
    Reason.CROSS_SITE_REQUEST: "This came from another site",
}
_TITLES_BY_STATUS: Final = {
    401: "Please sign in",
    403: "This is not possible",
    404: "There is nothing here",
    408: "This took too long",
    429: "Too much at once",
    500: "Something broke",
    503: "Not right now",
}


def _is_leaving(request: Request) -> bool:
    """Whether somebody signs out, and nobody else's page does it to them: a store that fails can ask for no token."""
    return request.method == "POST" and request.url.path == "/sign-out" and cookies.is_same_origin(request)


def _unavailable(error: StorageUnavailableError) -> Refusal:
    failure = failure_of(error)
    assert failure is not None, "a known failure"
    return Refusal(failure.reason, failure.sentence, retry_after_s=failure.retry_after_s)


def _draining(lifecycle: Lifecycle) -> Refusal:
    return Refusal(
        Reason.SERVER_IS_DRAINING,
        "The service is being stopped or restarted. Please try again shortly.",
        retry_after_s=max(1.0, lifecycle.drain_s),
    )
