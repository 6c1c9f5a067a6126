"""The model's pin for the command line."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.http.routes import Route
from tidegate.services.sameness import PinError, Pinned, SamenessWatcher


class PinRoom(msgspec.Struct, frozen=True):
    """Without a watcher nobody looks, and nothing is pinned."""

    watcher: SamenessWatcher | None


async def pin_model(room: PinRoom, request: Request) -> Response:
    """Take what answers now for right."""
    del request
    if room.watcher is None:
        return _json(409, {"error": {"message": "answers are not watched: set engine.fingerprint_s above 0"}})
    try:
        pinned = await room.watcher.pin()
    except PinError as error:
        return _json(409, {"error": {"message": str(error)}})
    return _json(200, pinned)


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


TABLE: Final = (Route(method="POST", path="/pin", summary="Pin the model", endpoint=pin_model, response=Pinned),)
