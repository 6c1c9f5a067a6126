"""Lets people through by their session, and nobody's page but ours.

Reading is for everybody whose session the route asks for. Whatever changes
something must also come from our own page (see `cookies.is_same_origin`) and
carry the token of this very session, or for strangers of this very browser:
forms in the field `csrf`, programs of the page in the header `x-csrf-token`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.requests import Request

from tidegate.core import csrf
from tidegate.core.accounts import Role
from tidegate.core.credentials import ServerKeys
from tidegate.core.identifiers import Fingerprint
from tidegate.core.reasons import Reason
from tidegate.http import cookies, forms
from tidegate.http.exchange import Exchange
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.services.sessions import Sessions, SignedIn

SAFE: Final = frozenset({"GET", "HEAD"})


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who came. Left in `request.state.visitor`.

    `csrf` is the token for the forms on the page that answers; `form_seed` what
    it was made of for somebody not signed in. `is_protected` tells whether the
    connection is, as far as the browser says.
    """

    signed_in: SignedIn | None
    csrf: str
    form_seed: str | None
    is_protected: bool

    @property
    def seed(self) -> bytes:
        """What somebody's challenges are bound to who is not signed in; empty for whoever is."""
        return (self.form_seed or "").encode(errors="surrogatepass")


class SessionDoor(msgspec.Struct, frozen=True, kw_only=True):
    """Leaves a Visitor in `request.state.visitor`, and a form's fields in `request.state.form`."""

    sessions: Sessions
    server_keys: ServerKeys
    fingerprint: Callable[[str], Fingerprint]

    async def __call__(self, request: Request, route: Route[Any]) -> None:
        """Let the visitor through or raise a Refusal."""
        visitor = await self._visitor(request)
        request.state.visitor = visitor
        if visitor.signed_in is not None:
            exchange: Exchange = request.state.exchange
            exchange.account = self.fingerprint(visitor.signed_in.user.id)
            exchange.session = self.fingerprint(visitor.signed_in.session.id)
        if request.method not in SAFE and not cookies.is_same_origin(request):
            raise Refusal(Reason.CROSS_SITE_REQUEST, "This can only be done from this service's own pages.")
        if route.role is not None:
            _require(route.role, visitor, request)
        if request.method not in SAFE:
            await self._require_token(request, route, visitor)

    async def _visitor(self, request: Request) -> Visitor:
        text = cookies.read(request, cookies.SESSION)
        signed_in = None if text is None else await self.sessions.find(text)
        form_seed = None
        if signed_in is None:
            form_seed = cookies.read(request, cookies.FORM) or cookies.new_seed()
            seed = form_seed.encode("utf-8", "surrogatepass")
        else:
            seed = signed_in.digest
        return Visitor(
            signed_in=signed_in,
            csrf=csrf.token(seed, self.server_keys),
            form_seed=form_seed,
            is_protected=cookies.is_protected(request),
        )

    async def _require_token(self, request: Request, route: Route[Any], visitor: Visitor) -> None:
        if route.is_form:
            request.state.form = await forms.read(request)
            given = request.state.form.get("csrf", "")
        else:
            given = request.headers.get("x-csrf-token", "")
        seed = (
            visitor.signed_in.digest if visitor.signed_in else (visitor.form_seed or "").encode(errors="surrogatepass")
        )
        if not csrf.is_token(given, seed, self.server_keys):
            raise Refusal(
                Reason.INVALID_CSRF_TOKEN, "This page is out of date or was opened before you signed in. Load it again."
            )


def _require(role: Role, visitor: Visitor, request: Request) -> None:
    if visitor.signed_in is None:
        raise Refusal(
            Reason.NOT_SIGNED_IN,
            "Please sign in first.",
            # Where a browser is sent instead; see answering.
            page=f"/sign-in?next={quote(request.url.path, safe='/')}" if request.method in SAFE else "/sign-in",
        )
    if role is Role.OPERATOR and visitor.signed_in.user.role is not Role.OPERATOR:
        raise Refusal(Reason.OPERATORS_ONLY, "This is for operators of the service.")
