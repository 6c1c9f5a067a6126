"""Acts on callers of a gate, for the command line; only a gate before another server has them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.reasons import Reason
from tidegate.http import bodies
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.services.callers import CallerAct, Callers, NotIssuingError, UnknownCallerError

_BODY_BYTES = 4096
_ANY_ACT: Any = CallerAct  # A union is a type to msgspec, but not to a type checker.


async def perform_on_callers(room: Callers, request: Request) -> Response:
    """Do one act and answer with what it made."""
    act: CallerAct = bodies.decode(await bodies.read(request, _BODY_BYTES), _ANY_ACT)
    try:
        result = await room.perform(act)
    except (NotIssuingError, UnknownCallerError) as error:
        # No refusal: the act was well said, and a program that asks must tell this from an address that is not there.
        return _json(409, {"error": {"message": str(error)}})
    except ValueError as error:
        raise Refusal(Reason.INVALID_VALUE, str(error)) from None
    return _json(200, result)


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=str), status, media_type="application/json")


TABLE: Final = (
    Route(
        method="POST",
        path="/callers",
        summary="Do one act on callers",
        endpoint=perform_on_callers,
        request=CallerAct,
    ),
)
