"""Which addresses a page of another site may call: those that take a key, and none that a cookie opens.

Keys travel in a header that no browser adds by itself, so browser programs of
any origin may use the API. Cookies are added by the browser: where they count,
no other origin is let in, not even to ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

SHOWN: Final = [
    *("x-request-id", "retry-after", "retry-after-ms", "openai-processing-ms", "x-tidegate-attempts"),
    *("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
]
"""Headers that programs of other origins may read."""

_API: Final = "/v1/"


class CrossOrigin(msgspec.Struct, frozen=True):
    """Lets every origin at `programs`, and at whatever else might be meant for the API."""

    app: ASGIApp
    opened: ASGIApp
    programs: tuple[Route, ...]

    @classmethod
    def around(cls, app: ASGIApp, programs: Iterable[Route]) -> CrossOrigin:
        """Put it before `app`."""
        opened = CORSMiddleware(
            app, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], expose_headers=SHOWN
        )
        return cls(app, opened, tuple(programs))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_open = scope["type"] == "http" and (
            # Also what is misspelt below the API's own path: a program should read why.
            scope["path"].startswith(_API) or any(route.matches(scope)[0] is not Match.NONE for route in self.programs)
        )
        await (self.opened if is_open else self.app)(scope, receive, send)
