"""The registration mode for the command line: shown, set for a while, given back."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import RegistrationMode
from tidegate.http import bodies
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.services.registration import Outlook, Registration

_BODY_BYTES = 4096


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mode to be in force, for how many seconds, and why."""

    mode: RegistrationMode
    for_s: float
    why: str = ""


async def show_mode(room: Registration, request: Request) -> Response:
    """Tell what is in force and what would move it."""
    del request
    return _json(room.outlook())


async def set_mode(room: Registration, request: Request) -> Response:
    """Put a mode in force for a while."""
    asked = bodies.decode(await bodies.read(request, _BODY_BYTES), Setting)
    try:
        return _json(room.override(asked.mode, asked.for_s, asked.why))
    except ValueError as error:
        field, _, sentence = str(error).partition(": ")
        raise Refusal(Reason.INVALID_VALUE, f"{field}: {sentence}", param=field) from None


async def release_mode(room: Registration, request: Request) -> Response:
    """Give the mode back to what is measured."""
    del request
    return _json(room.release())


def _json(outlook: Outlook) -> Response:
    return Response(msgspec.json.encode(outlook), 200, media_type="application/json")


TABLE: Final = (
    Route(method="GET", path="/mode", summary="Show the registration mode", endpoint=show_mode, response=Outlook),
    Route(
        method="POST",
        path="/mode",
        summary="Set the registration mode",
        endpoint=set_mode,
        request=Setting,
        response=Outlook,
    ),
    Route(method="POST", path="/mode/auto", summary="Give it back", endpoint=release_mode, response=Outlook),
)
