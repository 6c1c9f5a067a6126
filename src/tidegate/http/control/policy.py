"""The live policy for the command line: shown, tried, taken anew, put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.http.routes import Route
from tidegate.services.policy import Change, Policy, PolicyError


class PolicyBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force."""

    policy: dict[str, Any]
    can_roll_back: int


async def show_policy(room: Policy, request: Request) -> Response:
    """Tell what is in force."""
    del request
    return _json(200, PolicyBody(policy=room.live(), can_roll_back=room.kept))


async def preview_policy(room: Policy, request: Request) -> Response:
    """Tell what a reload would change, and change nothing."""
    del request
    return _answered(room.preview)


async def reload_policy(room: Policy, request: Request) -> Response:
    """Take the settings as they stand now."""
    del request
    return _answered(room.reload)


async def roll_back_policy(room: Policy, request: Request) -> Response:
    """Put back the policy before the last change."""
    del request
    return _answered(room.roll_back)


def _answered(act: Callable[[], Change]) -> Response:
    try:
        change = act()
    except PolicyError as error:
        return _json(409, {"error": {"message": str(error)}})
    return _json(200, change)


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=str), status, media_type="application/json")


TABLE: Final = (
    Route(method="GET", path="/policy", summary="Show the policy", endpoint=show_policy, response=PolicyBody),
    Route(method="GET", path="/policy/preview", summary="Try a reload", endpoint=preview_policy, response=Change),
    Route(method="POST", path="/policy/reload", summary="Reload the policy", endpoint=reload_policy, response=Change),
    Route(method="POST", path="/policy/rollback", summary="Put it back", endpoint=roll_back_policy, response=Change),
)
