"""Lets through to the server behind only callers whose key of the gate's own still counts.

The parser has refused what the gate never made (http/gate/callers.py). Asked here
again for every request, and before anything of its body is read: behind this the
gate's own key opens the server to whoever comes.
"""

from __future__ import annotations

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.core.reasons import Reason
from tidegate.http.gate.callers import OwnKeys
from tidegate.http.refusals import Refusal
from tidegate.services.issuing import Issuing


class Checking(msgspec.Struct, frozen=True, kw_only=True):
    """Stands before `app`."""

    app: ASGIApp
    keys: OwnKeys
    issuing: Issuing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises a Refusal, or StorageUnavailableError when nobody can tell whether a key counts."""
        key = self.keys.genuine(scope["headers"])
        if key is None or not await self.issuing.is_live(key):
            # One sentence for all: whether a key was ever real is nobody's business.
            raise Refusal(Reason.INVALID_API_KEY, "This needs an API key that is valid here.")
        await self.app(scope, receive, send)
