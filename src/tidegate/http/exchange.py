"""The request in hand: what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from tidegate.core.events import RouteKind
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.reasons import Reason
from tidegate.services.timing import Timing

GIVEN_UP: Final = "given_up"
"""Where in a request's state a server says why it has ended a body; the application sees a caller who left."""


CALLER: Final = "caller"
"""Where in a request's state the connection is that it came on."""


class Caller(Protocol):
    """The connection that a request came on, as whoever answers it sees it.

    `is_write_paused`: more lies here to be sent than the caller takes, or nobody can tell.
    """

    is_write_paused: bool

    def listen(self, left: Callable[[], None]) -> None:
        """Have `left` called once the caller has gone, at once where that has happened."""

    def hush(self) -> None:
        """Nobody listens any more."""


class Exchange(msgspec.Struct, kw_only=True):
    """What is known of the request in hand. Routes add to it; the frame writes it down."""

    id: RequestId
    route: RouteKind = RouteKind.OTHER
    account: Fingerprint | None = None
    key: Fingerprint | None = None
    session: Fingerprint | None = None
    source: Fingerprint | None = None
    network: Fingerprint | None = None
    is_stream: bool | None = None
    max_tokens: int | None = None
    timing: Timing | None = None
    reason: Reason | None = None
    bytes_in: int = 0
    is_body_read: bool = False
    bytes_out: int = 0
    status: int = 0
    told: Callable[[], dict[str, str]] | None = None
    """Headers that every answer carries from here on, as they are at the moment in which it begins."""


class ClientLeftError(Exception):
    """The caller closed the connection before the answer was complete."""
