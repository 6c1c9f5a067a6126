"""Lets callers in by their API key."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from starlette.requests import Request

from tidegate.core.credentials import ServerKeys, digest
from tidegate.core.identifiers import Fingerprint
from tidegate.core.reasons import Reason
from tidegate.http.exchange import Exchange
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.services.authenticate import Caller, Forbidden, Unknown, authenticate
from tidegate.services.keyring import Keyring


class KeyDoor(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for `Authorization: Bearer <key>` and leaves the Caller in `request.state.caller`.

    `clock` tells Unix seconds; `later` takes work that nobody should wait for.
    """

    keyring: Keyring
    server_keys: ServerKeys
    fingerprint: Callable[[str], Fingerprint]
    clock: Callable[[], float]
    later: Callable[[Coroutine[Any, Any, None]], None]

    async def __call__(self, request: Request, route: Route[Any]) -> None:
        """Let the caller through or raise a Refusal."""
        if route.scope is None:
            return
        word, _, text = request.headers.get("authorization", "").partition(" ")
        if word.lower() != "bearer" or not text:
            raise Refusal(Reason.INVALID_API_KEY, "An API key is needed: send it as 'Authorization: Bearer YOUR_KEY'.")
        found = await authenticate(text.strip(), route.scope, self.keyring, self.server_keys)
        match found:
            case Unknown():
                # One sentence for all: whether a key was ever real is nobody's business.
                raise Refusal(Reason.INVALID_API_KEY, "This API key is not valid here.")
            case Forbidden(caller=caller, missing=missing):
                self._note(request, caller)
                raise Refusal(Reason.MISSING_SCOPE, f"This API key lacks the scope '{missing}'.")
            case Caller():
                self._note(request, found)
                request.state.caller = found
                noting = self.keyring.use(digest(text.strip()), self.clock())
                if noting is not None:
                    self.later(noting)

    def _note(self, request: Request, caller: Caller) -> None:
        exchange: Exchange = request.state.exchange
        exchange.account = self.fingerprint(caller.user.id)
        exchange.key = self.fingerprint(caller.key.id)


async def open_door(request: Request, route: Route[Any]) -> None:
    """Let everybody through: for rooms that only the machine itself can reach, and for what everybody may know."""
    del request, route
