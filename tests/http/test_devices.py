"""Where people sign in, a device that they have signed in on before is let through whatever strangers do."""

from __future__ import annotations

import pytest

from tests.handing import Post
from tests.http.browsing import PASSWORD, Browser, House
from tests.http.test_guard import PEER, cookie, entered, refused
from tests.http.wire import MARKS_LAST_S, Gatehouse, a_mark, denying
from tidegate.core.admission.facts import Bearing
from tidegate.core.admission.gate import GatePlan
from tidegate.core.credentials import ServerKeys
from tidegate.core.entering.devices import DEVICE_BYTES, read
from tidegate.core.events import LoginTried
from tidegate.core.standing.classes import Standing
from tidegate.http.gate.guard import Peer

ANA = "ana@example.org"


def mark(*numbers: int, **told: object) -> tuple[bytes, bytes]:
    return (b"cookie", b"a=b; " + a_mark(*numbers, **told))  # type: ignore[arg-type] # as the call says


@pytest.mark.parametrize("line", ["POST /sign-in", "GET /sign-in", "GET /icon.svg", "GET /"])
def test_a_known_device_is_refused_for_no_address_no_list_and_no_crowd(line: str) -> None:
    house = Gatehouse(
        GatePlan(
            address_rate=0.001,
            address_burst=1,
            strangers_rate=0.001,
            strangers_burst=1,
            account_strangers_rate=0.001,
            account_strangers_burst=1,
        )
    )
    house.knows(1)
    method, url = line.encode().split(b" ")
    for _ in range(5):
        house.guard.judge(method, url, [], PEER)

    assert refused(house, line)[1] == "slow_down"
    assert entered(house, line, mark(1)).decision.standing is Standing.ESTABLISHED
    denied = Gatehouse(denying("192.0.2.0/24"))
    denied.knows(1)
    assert refused(denied, line)[1] == "source_blocked"
    assert entered(denied, line, mark(1)).is_genuine, "and it has a place among connections"


def test_a_mark_opens_nothing() -> None:
    house = Gatehouse()
    house.knows(1)

    assert refused(house, "GET /api/session", mark(1))[1] == "not_signed_in"
    assert refused(house, "POST /v1/chat/completions", mark(1))[1] == "invalid_api_key"
    joining = entered(house, "POST /sign-up", mark(1))
    assert joining.decision.standing is Standing.VISITOR
    assert not joining.is_genuine


@pytest.mark.parametrize(
    "shown",
    [
        mark(1, keys=ServerKeys(1, {1: b"z" * 32})),
        mark(1, at=1.0),
        (b"cookie", b"__Host-tidegate-device=" + b"A" * 64),
        (b"cookie", b"__Host-tidegate-device="),
    ],
    ids=["forged", "over", "junk", "empty"],
)
def test_what_is_no_mark_is_a_strangers(shown: tuple[bytes, bytes]) -> None:
    house = Gatehouse(GatePlan(account_address_rate=0.001, account_address_burst=1))
    entered(house, "POST /sign-in", shown)

    assert refused(house, "POST /sign-in", shown)[1] == "slow_down"
    assert house.reports[0].facts.bearing in {Bearing.NOTHING, Bearing.FORGED}


def test_a_devices_passwords_are_few_and_those_of_all_devices_of_one_account_not_many_more() -> None:
    house = Gatehouse(GatePlan(device_rate=0.001, device_burst=2))
    house.knows(1)
    for _ in range(2):
        entered(house, "POST /sign-in", mark(1))
    assert refused(house, "POST /sign-in", mark(1))[1] == "slow_down"
    house.knows(2)
    entered(house, "POST /sign-in", mark(2))
    entered(house, "POST /sign-in")
    assert entered(house, "GET /account", cookie()).is_genuine, "what the account itself may do is untouched"


def test_whoever_is_signed_in_has_no_more_passwords_checked_than_a_device() -> None:
    house = Gatehouse(GatePlan(device_rate=0.001, device_burst=2))
    for _ in range(2):
        entered(house, "POST /account/password", cookie())

    assert refused(house, "POST /account/password", cookie())[1] == "slow_down"
    assert entered(house, "GET /account", cookie()).is_genuine


def test_a_worn_device_is_a_strangers_and_the_next_person_on_it_is_not() -> None:
    house = Gatehouse(denying("192.0.2.0/24"))
    entered(house, "POST /sign-in", mark(1, 2))
    house.gate.note_dead((1).to_bytes(DEVICE_BYTES, "big"), house.now)

    assert refused(house, "POST /sign-in", mark(1))[1] == "source_blocked"
    entered(house, "POST /sign-in", mark(1, 2))


def test_a_device_keeps_no_address_in_when_it_is_refused() -> None:
    """
    Only a valid session or key does: whoever has an account could otherwise shield a flood with a mark.
    """
    house = Gatehouse(GatePlan(device_rate=0.001, device_burst=1), handover=Post().handover)
    peer = Peer("192.0.2.7", 4000, bytes((192, 0, 2, 7)), is_proxy=False)
    entered(house, "POST /sign-in", mark(1), peer=peer)
    assert peer.known_until == 0.0
    refused(house, "POST /sign-in", mark(1), peer=peer)
    assert peer.known_until == 0.0
    entered(house, "GET /account", cookie(), peer=peer)
    assert peer.known_until > 0.0


async def test_who_is_let_in_takes_a_mark_away_that_outlives_signing_out() -> None:
    house = await House().open()
    browser = Browser(house)
    await browser.submit("/sign-up", {"email": ANA, "password": PASSWORD})
    marked = next(value for name, value in browser.cookies.items() if name.endswith("tidegate-device"))
    (device,) = read(marked, house.clerk.server_keys, now=house.clock.now, lasts_s=MARKS_LAST_S)
    assert device.is_of(ANA, house.clerk.server_keys)

    await browser.submit("/sign-out", {}, page="/account")
    await browser.submit("/sign-in", {"email": ANA, "password": PASSWORD})

    assert house.journal.of(LoginTried)[-1].known_device
    (again,) = read(
        next(value for name, value in browser.cookies.items() if name.endswith("tidegate-device")),
        house.clerk.server_keys,
        now=house.clock.now,
        lasts_s=MARKS_LAST_S,
    )
    assert again.id == device.id
    await Browser(house).submit("/sign-in", {"email": ANA, "password": PASSWORD})
    assert not house.journal.of(LoginTried)[-1].known_device
    await house.close()
