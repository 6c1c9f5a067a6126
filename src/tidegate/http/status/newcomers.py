"""How it is for those who want an account, as a component in the words of Statuspage's public API.

Its status is that of what the operator wants: a service that takes people by invitation is not out of order.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from tidegate.core.registration.modes import Cause, RegistrationMode
from tidegate.http.accounts.wording import newcomers
from tidegate.services.joining import Joining

Condition = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the service. `description` is a sentence where it is not as usual."""

    id: str
    name: str
    status: Condition
    description: str | None = None


def sentence(joining: Joining) -> str:
    """In one line; empty where nothing is limited."""
    room = joining.room
    return newcomers(joining.mode, room.outlook, is_calm=joining.is_calm, in_line=len(room))


def component(joining: Joining) -> Component:
    """As a component."""
    is_wanted = joining.is_calm or joining.registration.causes() == (Cause.SETTINGS,)
    return Component(
        id="new_accounts",
        name="New accounts",
        status="operational" if is_wanted else _CONDITIONS[joining.mode],
        description=sentence(joining) or None,
    )


_CONDITIONS: Final[dict[RegistrationMode, Condition]] = {
    RegistrationMode.OPEN: "degraded_performance",
    RegistrationMode.THROTTLED: "degraded_performance",
    RegistrationMode.WAITING_ROOM: "degraded_performance",
    RegistrationMode.INVITE: "partial_outage",
    RegistrationMode.CLOSED: "major_outage",
}
