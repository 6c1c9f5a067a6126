"""What is handed to the firewall, for the command line: shown, and let go.

Addresses stand here as they are, unlike in the log: an operator who has to let
somebody in again must be able to find them.
"""

from __future__ import annotations

import ipaddress
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.firewall.elements import Element, Mode, OffloadReason
from tidegate.core.reasons import Reason
from tidegate.http import bodies
from tidegate.http.gate.clients import packed
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.services.handover import Handover

_BODY_BYTES = 4096


class ShownElement(msgspec.Struct, frozen=True, kw_only=True):
    """One element."""

    prefix: str
    pressed_by: str
    reason: OffloadReason
    since_s: float
    until_s: float
    times: int


class FirewallBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is handed over, or would be in a dry run; what waits for a firewall that cannot be told, and why it cannot.

    Before `unwatched_until_s` nothing is: it is not known yet from where people came in the last 24 hours.
    """

    mode: Mode
    unwatched_until_s: float
    unsent: int
    failures: int
    mistake: str | None
    elements: list[ShownElement]


class Forgetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address to let go."""

    address: str


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """The elements that ended by that."""

    elements: list[ShownElement]


async def show_firewall(room: Handover, request: Request) -> Response:
    """Tell what is handed over now."""
    del request
    offloading = room.offloading
    return _json(
        FirewallBody(
            mode=offloading.plan.mode,
            unwatched_until_s=offloading.inhabited.unwatched_until_s,
            unsent=room.unsent,
            failures=room.failures,
            mistake=room.mistake,
            elements=[_shown(element) for element in offloading.live],
        )
    )


async def forget_address(room: Handover, request: Request) -> Response:
    """Let go what holds an address."""
    asked = bodies.decode(await bodies.read(request, _BODY_BYTES), Forgetting)
    address = packed(asked.address)
    if address is None:
        raise Refusal(Reason.INVALID_VALUE, f"{asked.address!r} is not an address.", param="address")
    return _json(Forgotten(elements=[_shown(element) for element in room.forget(address)]))


def _shown(element: Element) -> ShownElement:
    return ShownElement(
        prefix=str(element.network),
        pressed_by=str(ipaddress.ip_address(element.pressed_by)),
        reason=element.reason,
        since_s=element.since_s,
        until_s=element.until_s,
        times=element.times,
    )


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), 200, media_type="application/json")


TABLE: Final = (
    Route(method="GET", path="/firewall", summary="Show the firewall", endpoint=show_firewall, response=FirewallBody),
    Route(
        method="POST",
        path="/firewall/forget",
        summary="Let an address go",
        endpoint=forget_address,
        request=Forgetting,
        response=Forgotten,
    ),
)
