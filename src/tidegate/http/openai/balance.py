"""`GET /user/balance`: what a key's holder may still use, in the form that DeepSeek gives it.

The balance is in tokens, for tokens are what a budget here is in. DeepSeek knows
the currencies CNY and USD; to call tokens either would be a lie that a program
might show to a person. `XXX` is ISO 4217's code for what has no currency, and
any three letters are a currency to those who format by code.
"""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.accounts import Scope
from tidegate.core.quotas.budget import tightest
from tidegate.http.routes import Route
from tidegate.services.admission import Admission
from tidegate.services.authenticate import Caller

NO_CURRENCY: Final = "XXX"


class BalanceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, as decimal numbers in text: all of them are granted, and none was paid for."""

    currency: str
    total_balance: str
    granted_balance: str
    topped_up_balance: str = "0"


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a request would be let begin, and how many tokens are left of the tightest budget; none, no entry."""

    is_available: bool
    balance_infos: list[BalanceInfo]


async def get_user_balance(room: Admission, request: Request) -> Response:
    """What is left for the account and the key that ask."""
    caller: Caller = request.state.caller
    payers = await room.meet(caller.user, caller.key)
    state = None if room.quotas is None else tightest(room.quotas.states(payers))
    infos = []
    if state is not None:
        left = str(state.remaining)
        infos.append(BalanceInfo(currency=NO_CURRENCY, total_balance=left, granted_balance=left))
    body = Balance(is_available=state is None or state.remaining > 0, balance_infos=infos)
    return Response(msgspec.json.encode(body), headers={"cache-control": "no-store"}, media_type="application/json")


TABLE: Final = (
    Route(
        method="GET",
        path="/user/balance",
        summary="Tell how many tokens are left",
        endpoint=get_user_balance,
        scope=Scope.CHAT,
        response=Balance,
    ),
)
