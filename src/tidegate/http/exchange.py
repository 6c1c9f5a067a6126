"""The request in hand: what is known of it, and whether the service takes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import msgspec

from tidegate.core.events import RouteKind
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.reasons import Reason
from tidegate.services.generate import Timing


class Exchange(msgspec.Struct, kw_only=True):
    """What is known of the request in hand. Routes add to it; the frame writes it down."""

    id: RequestId
    route: RouteKind = RouteKind.OTHER
    account: Fingerprint | None = None
    key: Fingerprint | None = None
    is_stream: bool | None = None
    max_tokens: int | None = None
    timing: Timing | None = None
    reason: Reason | None = None
    bytes_in: int = 0
    is_body_read: bool = False
    bytes_out: int = 0
    status: int = 0


class Lifecycle:
    """Whether the service takes requests, and how many are running."""

    def __init__(self) -> None:
        """Open."""
        self.is_draining = False
        self.drain_s = 0.0
        self.running = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.expired = asyncio.Event()

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Count one request as running."""
        self.running += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()


class ClientLeftError(Exception):
    """The caller closed the connection before the answer was complete."""
