"""Where the gate judges callers by keys of its own, nobody else gets to the server behind."""

from __future__ import annotations

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.http.asgi import Visit
from tests.http.wire import SERVER_KEYS, Echo, a_credential
from tidegate.core.admission.facts import Bearing
from tidegate.core.credentials import Genuine, Kind, ServerKeys
from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.http.gate.callers import OwnKeys
from tidegate.http.gate.lanes import Wanted
from tidegate.http.proxy.checking import Checking
from tidegate.http.refusals import Refusal
from tidegate.services.issuing import Issuing
from tidegate.services.reputation import Reputation
from tidegate.testing.clock import HandClock
from tidegate.testing.standing import MemoryCallerStore

KEY = a_credential()
FOREIGN = a_credential(keys=ServerKeys(1, {1: b"x" * 32}))


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer " + KEY)],
        [(b"authorization", b"bearer  " + KEY + b" ")],
        [(b"x-api-key", KEY)],
        [(b"host", b"x"), (b"x-api-key", b" " + KEY), (b"authorization", b"Bearer junk")],
    ],
)
def test_a_key_of_our_own_names_its_caller(headers: list[tuple[bytes, bytes]]) -> None:
    keys = OwnKeys(SERVER_KEYS)

    for _ in range(2):
        found = keys.find(headers, Wanted.KEY)
        assert isinstance(found, Genuine)
        assert found.principal == keys.principal(headers) == UserId.of((1).to_bytes(8, "big"))
        assert keys.genuine(headers) == found


@pytest.mark.parametrize(
    "text", [FOREIGN, KEY[:-1], KEY + b"a", KEY.upper(), b"sk-proj-1", b"\xff\xfe", a_credential(Kind.SESSION)]
)
def test_what_this_instance_has_not_made_is_a_forgery(text: bytes) -> None:
    keys = OwnKeys(SERVER_KEYS)
    headers = [(b"authorization", b"Bearer " + text)]

    assert keys.find(headers, Wanted.KEY) is Bearing.FORGED
    assert keys.principal(headers) is None
    assert keys.remembered == 0


def test_without_a_key_nobody_is_let_through_however_the_server_answers() -> None:
    keys = OwnKeys(SERVER_KEYS)
    keys.turned_keyless_away()
    keys.let_keyless_in()

    for headers in ([(b"host", b"x")], [(b"authorization", b"Bearer ")]):
        assert keys.find(headers, Wanted.KEY) is Bearing.NOTHING
        assert keys.genuine(headers) is None


def test_no_more_keys_are_remembered_than_there_is_room_for() -> None:
    keys = OwnKeys(SERVER_KEYS, most=3)
    for number in range(1, 9):
        assert keys.genuine([(b"x-api-key", a_credential(number=number))])

    assert keys.remembered == 3


class House:
    """The check before an application, over fakes."""

    def __init__(self) -> None:
        clock, store = HandClock(), MemoryCallerStore()
        self.echo = Echo()
        self.dead: list[bytes] = []
        self.issuing = Issuing(store, SERVER_KEYS, Reputation(store, Register(StandingPlan(), 100), clock), clock)
        self.issuing.dead = self.dead.append
        self.app: ASGIApp = Checking(app=self.echo, keys=OwnKeys(SERVER_KEYS), issuing=self.issuing)

    async def reason(self, *, headers: dict[str, str]) -> Reason | None:
        """Why a request got no further; None: it did."""
        told: list[Reason] = []

        async def heard(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await self.app(scope, receive, send)
            except Refusal as refusal:
                told.append(refusal.reason)

        await Visit(heard, "POST", "/v1/chat/completions", headers=headers).ask()
        return told[0] if told else None


async def test_a_key_that_counts_passes_until_it_is_ended() -> None:
    house = House()
    principal, text = await house.issuing.create("")
    shown = {"authorization": f"Bearer {text}"}

    assert await house.reason(headers=shown) is None
    await house.issuing.revoke(principal)
    assert await house.reason(headers=shown) is Reason.INVALID_API_KEY

    assert len(house.echo.scopes) == 1
    assert len(house.dead) >= 1


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer sk-1"}, {"x-api-key": KEY.decode()}, {"x-api-key": FOREIGN.decode()}]
)
async def test_nothing_else_passes_even_where_the_parser_let_it_in(headers: dict[str, str]) -> None:
    """KEY is genuine, and was never issued to a caller: keys of accounts are made under the same secret."""
    house = House()

    assert await house.reason(headers=headers) is Reason.INVALID_API_KEY

    assert house.echo.scopes == []
