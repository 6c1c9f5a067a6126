"""Whether it is still the pinned model, for the command line: shown, and what answers now taken for right."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.http import bodies
from tidegate.http.operator.sameness import Words, words_of_one
from tidegate.http.routes import Route
from tidegate.services.lookout import Lookout, Pinnings
from tidegate.services.looks import PinError, SamenessReport

_BODY_BYTES = 4096
_NOBODY = "answers are not watched: set engine.fingerprint_s above 0"


class PinRoom(msgspec.Struct, frozen=True):
    """Without a lookout nobody looks, and nothing is pinned."""

    lookout: Lookout | None


class Pinning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the engines to pin; all of them where it is not said."""

    engine: str | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Where one stands, and the same in words."""

    report: SamenessReport
    words: Words


async def show_pins(room: PinRoom, request: Request) -> Response:
    """Tell of each engine whether it answers as it was pinned."""
    del request
    if room.lookout is None:
        return _refused(_NOBODY)
    return _json(200, [Shown(report=one, words=words_of_one(one)) for one in room.lookout.reports()])


async def pin_models(room: PinRoom, request: Request) -> Response:
    """Take what answers now for right."""
    content = await bodies.read(request, _BODY_BYTES)
    asked = bodies.decode(content, Pinning) if content else Pinning()
    if room.lookout is None:
        return _refused(_NOBODY)
    try:
        return _json(200, await room.lookout.pin(asked.engine))
    except PinError as error:
        return _refused(str(error))


def _refused(why: str) -> Response:
    return _json(409, {"error": {"message": why}})


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=str), status, media_type="application/json")


TABLE: Final = (
    Route(method="GET", path="/pin", summary="Show the pins", endpoint=show_pins, response=list[Shown]),
    Route(
        method="POST",
        path="/pin",
        summary="Pin the models",
        endpoint=pin_models,
        request=Pinning,
        response=Pinnings,
    ),
)
