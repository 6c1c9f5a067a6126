"""Where a sign-in belongs, and what it must bring: known devices first, and nobody is locked out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.credentials import ServerKeys
from tidegate.core.entering.attempts import AttemptsPlan
from tidegate.core.entering.devices import DEVICE_BYTES, Device, issue, read
from tidegate.core.entering.entering import Challenged, Entering, EnteringPlan, Known, Try, Unknown, Why
from tidegate.core.entering.places import Place
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing

KEYS = ServerKeys(1, {1: b"k" * 32})
AT, CAPACITY = 1.8e9, 6.7
PLAN = EnteringPlan(has_challenge=True)
ANA = Try(account="a" * 16, source="s" * 16, network="n" * 16)
KNOWN = [one for one in Standing if one not in {Standing.VISITOR, Standing.SUSPECT}]


def device(name: str = "ana", number: int = 1) -> Device:
    mark = issue(
        UserId.of(number.to_bytes(8, "big")),
        f"{name}@example.org",
        KEYS,
        now=AT,
        entropy=number.to_bytes(DEVICE_BYTES, "big"),
    )
    return read(mark, KEYS, now=AT, lasts_s=1.0)[0]


def flooded(entering: Entering, seconds: int = 10, account: str = "b" * 16) -> None:
    """Two hundred wrong passwords a second, each from another address."""
    for number in range(200 * seconds):
        tried = Try(account=account, source=str(number), network=str(number % 500))
        entering.missed(tried, None, CAPACITY, AT - seconds + number / 200)


@pytest.mark.parametrize(
    ("standing", "place"),
    [
        (Standing.OPERATOR, Place.ESTABLISHED),
        (Standing.ESTABLISHED, Place.ESTABLISHED),
        (Standing.MEMBER, Place.MEMBER),
        (Standing.NEWCOMER, Place.NEWCOMER),
    ],
)
def test_a_known_device_has_the_place_of_its_accounts_standing(standing: Standing, place: Place) -> None:
    assert Entering(PLAN).decide(ANA, standing, CAPACITY, AT) == Known(place)


@pytest.mark.parametrize("standing", [None, Standing.VISITOR, Standing.SUSPECT])
def test_who_has_no_device_or_no_standing_is_a_stranger(standing: Standing | None) -> None:
    assert Entering(PLAN).decide(ANA, standing, CAPACITY, AT) == Unknown(0)


def test_in_calm_nobody_is_asked_for_anything() -> None:
    entering = Entering(PLAN)
    for number in range(PLAN.attempts.account_slips):
        entering.missed(ANA, None, CAPACITY, AT + number)
        assert entering.decide(ANA, None, CAPACITY, AT + number) == Unknown(0)


def test_while_attacked_a_stranger_brings_an_effort_and_no_effort_brings_a_place_of_the_known() -> None:
    entering = Entering(PLAN)
    flooded(entering)

    asked = entering.decide(ANA, None, CAPACITY, AT)
    assert asked == Challenged(8, Why.PRESSURE)
    shown = msgspec.structs.replace(ANA, effort=8)
    assert entering.decide(shown, None, CAPACITY, AT) == Unknown(8)
    assert entering.decide(msgspec.structs.replace(ANA, effort=10**6), None, CAPACITY, AT) == Unknown(10**6)
    assert entering.is_attacked(CAPACITY, AT)


@given(standing=st.sampled_from(KNOWN), misses=st.integers(0, 400))
def test_no_stranger_locks_a_known_device_out(standing: Standing, misses: int) -> None:
    """
    Whatever is tried for its account, from its own address too, it has its place and is asked for nothing.
    """
    entering = Entering(PLAN)
    flooded(entering, seconds=2, account=ANA.account)
    for _ in range(misses):
        entering.missed(ANA, None, CAPACITY, AT)

    assert isinstance(entering.decide(ANA, standing, CAPACITY, AT), Known)
    assert entering.device_of([device()], "ana@example.org", KEYS, AT) == device()


@given(misses=st.integers(0, 2000), cap=st.integers(1, 16))
def test_no_stranger_can_make_anothers_way_in_dearer_than_the_slowest_device_can_pay(misses: int, cap: int) -> None:
    entering = Entering(PLAN)
    entering.cap = cap
    for number in range(misses):
        tried = msgspec.structs.replace(ANA, source=str(number), network=str(number))
        entering.missed(tried, None, CAPACITY, AT)

    decided = entering.decide(msgspec.structs.replace(ANA, effort=cap), None, CAPACITY, AT)
    assert decided == Unknown(cap)


def test_a_crowd_at_one_account_makes_strangers_work_for_that_account_only() -> None:
    entering = Entering(msgspec.structs.replace(PLAN, attempts=AttemptsPlan(most_effort=16)))
    for number in range(14):
        tried = msgspec.structs.replace(ANA, source=str(number), network=str(number))
        entering.missed(tried, None, CAPACITY, AT + 10.0 * number)
    now = AT + 140.0

    decided = entering.decide(ANA, None, CAPACITY, now)
    assert isinstance(decided, Challenged)
    assert decided.why is Why.ACCOUNT
    elsewhere = msgspec.structs.replace(ANA, account="c" * 16)
    assert entering.decide(elsewhere, None, CAPACITY, now) == Unknown(0)


def test_without_a_challenge_to_make_it_with_no_effort_is_asked_for() -> None:
    entering = Entering(EnteringPlan())
    flooded(entering)

    assert entering.decide(ANA, None, CAPACITY, AT) == Unknown(0)


def test_a_mark_counts_for_its_own_account_only_and_until_it_is_worn() -> None:
    entering = Entering(PLAN)
    marks = [device("bo", 2), device("ana", 1)]
    assert entering.device_of(marks, "ana@example.org", KEYS, AT) == marks[1]
    assert entering.device_of(marks, "eve@example.org", KEYS, AT) is None

    worn = [entering.missed(ANA, marks[1], CAPACITY, AT) for _ in range(PLAN.attempts.most_missed)]

    assert worn == [False] * (PLAN.attempts.most_missed - 1) + [True]
    assert entering.device_of(marks, "ana@example.org", KEYS, AT) is None
    assert entering.device_of(marks, "bo@example.org", KEYS, AT) == marks[0]
    assert not entering.is_attacked(CAPACITY, AT), "slips on a known device are no attack"


def test_a_right_password_ends_the_row_of_its_account_and_of_its_device() -> None:
    entering = Entering(PLAN)
    for _ in range(PLAN.attempts.most_missed - 1):
        entering.missed(ANA, device(), CAPACITY, AT)
    for number in range(13):
        entering.missed(msgspec.structs.replace(ANA, source=str(number), network=None), None, CAPACITY, AT + number * 9)
    assert isinstance(entering.decide(ANA, None, CAPACITY, AT + 120.0), Challenged)
    entering.signed_in(ANA, device())

    assert entering.decide(ANA, None, CAPACITY, AT + 120.0) == Unknown(0)
    assert not entering.missed(ANA, device(), CAPACITY, AT)
    entering.signed_in(ANA, None)


def test_those_turned_away_keep_the_alarm_on_that_turned_them_away() -> None:
    entering = Entering(PLAN)
    flooded(entering)
    for number in range(1000):
        entering.turned_away(CAPACITY, AT + number)

    assert entering.is_attacked(CAPACITY, AT + 200)


def test_what_a_page_suggests_is_enough_for_whoever_is_slipping_from_nowhere_else() -> None:
    """The work begins with the page, before anybody has typed whose account it is."""
    entering = Entering(PLAN)
    assert entering.suggested("s" * 16, "n" * 16, CAPACITY, AT) == 0
    flooded(entering)
    suggested = entering.suggested("s" * 16, "n" * 16, CAPACITY, AT)
    assert suggested > 0
    brought = msgspec.structs.replace(ANA, effort=suggested)
    assert entering.decide(brought, None, CAPACITY, AT) == Unknown(suggested)
    entering.cap = 1
    assert entering.suggested("s" * 16, "n" * 16, CAPACITY, AT) == 1
    assert Entering(EnteringPlan()).suggested("s" * 16, "n" * 16, CAPACITY, AT) == 0
