"""Account acts for the command line. Whoever can open the socket is the operator.

The socket lies in a directory that only the service's own user may enter.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.reasons import Reason
from tidegate.http import bodies
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.accounts import Act, Clerk, NotFoundError
from tidegate.services.passwords import PasswordsBusyError

_BODY_BYTES = 65536
_ANY_ACT: Any = Act  # A union is a type to msgspec, but not to a type checker.


async def perform(room: Clerk, request: Request) -> Response:
    """Do one act and answer with what it made."""
    act: Act = bodies.decode(await bodies.read(request, _BODY_BYTES), _ANY_ACT)
    try:
        result = await room.perform(act)
    except EmailTakenError:
        return _not_so(409, "email: another account already uses this address")
    except NotFoundError as error:
        return _not_so(404, str(error))
    except PasswordsBusyError as error:
        sentence = "Too many passwords are being checked at this moment. Please try again in a few seconds."
        raise Refusal(Reason.SIGN_IN_BUSY, sentence, retry_after_s=error.retry_after_s) from error
    except ValueError as error:
        raise Refusal(Reason.INVALID_VALUE, str(error)) from None
    return _json(200, result)


def _not_so(status: int, sentence: str) -> Response:
    # No refusal: the act was well said, and a program that asks must tell this from wrong usage (400).
    return _json(status, {"error": {"message": sentence}})


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=str), status, media_type="application/json")


TABLE: Final = (Route(method="POST", path="/acts", summary="Do one account act", endpoint=perform, request=Act),)
