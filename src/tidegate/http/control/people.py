"""Acts on invitations and requests to be let in, for the command line."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.reasons import Reason
from tidegate.http import bodies
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.services.accounts import NotFoundError
from tidegate.services.usher import Usher, UsherAct

_BODY_BYTES = 65536
_ANY_ACT: Any = UsherAct  # A union is a type to msgspec, but not to a type checker.


async def perform_on_people(room: Usher, request: Request) -> Response:
    """Do one act and answer with what it made."""
    act: UsherAct = bodies.decode(await bodies.read(request, _BODY_BYTES), _ANY_ACT)
    try:
        result = await room.perform(act)
    except NotFoundError as error:
        # No refusal: the act was well said, and a program that asks must tell this from wrong usage (400).
        return _json(404, {"error": {"message": str(error)}})
    except ValueError as error:
        raise Refusal(Reason.INVALID_VALUE, str(error)) from None
    return _json(200, result)


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=str), status, media_type="application/json")


TABLE: Final = (
    Route(
        method="POST",
        path="/people",
        summary="Do one act on invitations or requests",
        endpoint=perform_on_people,
        request=UsherAct,
    ),
)
