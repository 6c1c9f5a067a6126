"""Whose turn it is to sign up gets through the gate while strangers flood the door."""

from __future__ import annotations

import secrets
import time

import pytest

from tests.http.test_guard import PEER, entered, refused
from tests.http.wire import Gatehouse, a_mark, denying
from tidegate.core.admission.facts import Bearing
from tidegate.core.admission.gate import GatePlan
from tidegate.core.registration.tickets import ID_BYTES
from tidegate.core.registration.waiting import WaitingPlan
from tidegate.core.registration.waiting_room import WaitingRoom
from tidegate.http.gate.credential import Turns

FULL = GatePlan(
    address_rate=0.001,
    address_burst=9,
    strangers_rate=0.001,
    strangers_burst=1,
    account_strangers_rate=0.001,
    account_strangers_burst=1,
)


def crowded(line: str) -> tuple[Gatehouse, WaitingRoom]:
    """A gate whose bucket for strangers is empty on this lane, before a waiting room."""
    house, room = Gatehouse(FULL), WaitingRoom(WaitingPlan(), b"w" * 32)
    house.guard.turns = Turns(room.turn)
    entered(house, line)
    return house, room


def place(text: str, name: bytes = b"__Host-tidegate-place") -> tuple[bytes, bytes]:
    return (b"cookie", b"a=b; " + name + b"=" + text.encode() + b"; c=d")


def in_line(room: WaitingRoom) -> str:
    text = room.issue(b"net", time.time(), secrets.token_bytes(ID_BYTES))
    room.poll(text, time.time(), proved=True)
    return text


@pytest.mark.parametrize("line", ["POST /sign-up", "POST /sign-up/line", "GET /sign-up", "GET /sign-up/line"])
def test_whose_turn_it_is_gets_through_and_who_only_waits_is_a_stranger(line: str) -> None:
    house, room = crowded(line)
    text = in_line(room)
    assert refused(house, line, place(text))[1] == "slow_down"
    assert house.reports[0].facts.bearing is Bearing.NOTHING

    room.admit(time.time(), 1)

    assert not entered(house, line, place(text)).is_genuine, "also on a connection that was just told to slow down"
    entered(house, line, place(text, b"tidegate-place"))
    entered(house, line, place(text), a_device_of_somebody())
    assert refused(house, line)[1] == "slow_down"


def a_device_of_somebody() -> tuple[bytes, bytes]:
    return (b"cookie", a_mark(3))


def test_a_turn_is_nothing_where_people_sign_in_and_junk_is_no_turn() -> None:
    house, room = crowded("POST /sign-up")
    entered(house, "POST /sign-in")
    text = in_line(room)
    room.admit(time.time(), 1)

    assert refused(house, "POST /sign-in", place(text))[1] == "slow_down"
    for junk in ("", "A" * 48, "é" * 48, text[:-1]):
        assert refused(house, "POST /sign-up", place(junk))[1] == "slow_down"
    room.take(text, time.time())
    assert refused(house, "POST /sign-up", place(text))[1] == "slow_down", "a turn that was used is over"


def test_who_is_denied_stays_out_whoevers_turn_it_is() -> None:
    house, room = Gatehouse(denying("192.0.2.0/24")), WaitingRoom(WaitingPlan(), b"w" * 32)
    house.guard.turns = Turns(room.turn)
    text = in_line(room)
    room.admit(time.time(), 1)

    assert refused(house, "POST /sign-up", place(text), peer=PEER)[1] == "source_blocked"


def test_too_many_requests_of_one_turn_are_told_when_to_come_again() -> None:
    house, room = Gatehouse(GatePlan(device_rate=0.001, device_burst=2)), WaitingRoom(WaitingPlan(), b"w" * 32)
    house.guard.turns = Turns(room.turn)
    text = in_line(room)
    room.admit(time.time(), 1)
    for _ in range(2):
        entered(house, "POST /sign-up", place(text))

    assert refused(house, "POST /sign-up", place(text))[1] == "slow_down"
    assert house.reports[0].facts.bearing is Bearing.TURN
