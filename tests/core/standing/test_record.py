"""Standing is earned by being served over days, and lost at once."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.standing.accounts import NOW, PLAN, a_user_aged, served_daily
from tidegate.core.accounts import Role
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import RANK, STRANGERS, Standing
from tidegate.core.standing.history import DAY_S, SERVED_DAY_TOKENS, History
from tidegate.core.standing.record import Record, StandingPlan, standing_of
from tidegate.testing.standing import a_record

NET = Fingerprint("a" * 16)
BURST = 1e9


def _is(record: Record, now: float = NOW) -> Standing:
    return standing_of(record, PLAN, now)


@pytest.mark.parametrize("is_born_in_flood", [False, True])
@given(age_days=st.floats(0, 10_000), wait_days=st.floats(0, 10_000))
def test_age_alone_is_worth_nothing(is_born_in_flood: bool, age_days: float, wait_days: float) -> None:
    """Accounts that were made in advance and slept are as strange as new ones."""
    record = Record.of(a_user_aged(age_days), NET, is_born_in_flood=is_born_in_flood)
    expected = Standing.VISITOR if is_born_in_flood else Standing.NEWCOMER
    assert _is(record) is _is(record, NOW + wait_days * DAY_S) is expected


@given(
    days=st.floats(0, 400),
    age_days=st.floats(0, 4000),
    idle_days=st.floats(0, 400),
    pauses=st.lists(st.floats(0, 4000), min_size=2, max_size=2),
    is_vouched=st.booleans(),
)
def test_waiting_never_raises_a_standing(
    days: float, age_days: float, idle_days: float, pauses: list[float], is_vouched: bool
) -> None:
    history = History(days=days, counted_at_s=NOW - idle_days * DAY_S)
    record = msgspec.structs.replace(Record.of(a_user_aged(age_days)), history=history, is_vouched=is_vouched)
    sooner, later = sorted(pauses)
    assert RANK[_is(record, NOW + sooner * DAY_S)] <= RANK[_is(record, NOW + later * DAY_S)]


def test_an_account_that_was_served_while_it_was_young_grows_no_better_by_waiting() -> None:
    record = served_daily(0, 10)
    assert _is(record, NOW + 9 * DAY_S) is _is(record, NOW + 20 * DAY_S) is Standing.MEMBER
    again = record.with_served(SERVED_DAY_TOKENS, 1, NOW + 20 * DAY_S, PLAN)
    assert _is(again, NOW + 20 * DAY_S) is Standing.ESTABLISHED


def test_days_of_being_served_make_a_member_and_then_an_established_account() -> None:
    standings = [_is(served_daily(0, days), NOW + (days - 1) * DAY_S) for days in range(1, 17)]
    assert standings == [Standing.NEWCOMER] * 2 + [Standing.MEMBER] * 12 + [Standing.ESTABLISHED] * 2
    imported = [_is(served_daily(100, days), NOW + (days - 1) * DAY_S) for days in range(1, 7)]
    assert imported == [Standing.NEWCOMER] + [Standing.MEMBER] * 3 + [Standing.ESTABLISHED] * 2


def test_no_burst_buys_a_standing() -> None:
    record = Record.of(a_user_aged(1000))
    for second in range(100):
        record = record.with_served(BURST, 1000, NOW + second, PLAN)
    assert _is(record, NOW + 100) is Standing.NEWCOMER


def test_a_standing_that_is_not_used_fades_step_by_step() -> None:
    record, last_s = served_daily(100, 20), NOW + 19 * DAY_S
    after = {days: _is(record, last_s + days * DAY_S) for days in (1, 121, 122, 200, 201)}
    assert after == {
        1: Standing.ESTABLISHED,
        121: Standing.ESTABLISHED,
        122: Standing.MEMBER,
        200: Standing.MEMBER,
        201: Standing.NEWCOMER,
    }


def test_a_proved_address_halves_the_age_that_a_member_needs_and_nothing_else() -> None:
    served = served_daily(0, 2)
    assert _is(served, NOW + DAY_S) is Standing.NEWCOMER
    verified = msgspec.structs.replace(served, is_verified=True)
    assert _is(verified, NOW + DAY_S) is Standing.MEMBER
    assert _is(msgspec.structs.replace(Record.of(a_user_aged(100)), is_verified=True)) is Standing.NEWCOMER


def test_an_account_made_in_a_flood_stays_at_the_bottom_until_it_has_been_a_member() -> None:
    record = Record.of(a_user_aged(0), is_born_in_flood=True)
    seen = []
    for day in range(4):
        record = record.with_served(SERVED_DAY_TOKENS, 1, NOW + day * DAY_S, PLAN)
        seen.append((_is(record, NOW + day * DAY_S), record.is_born_in_flood))
    assert seen == [(Standing.VISITOR, True)] * 2 + [(Standing.MEMBER, False)] * 2
    assert _is(record, NOW + 1000 * DAY_S) is Standing.NEWCOMER


@given(days=st.integers(0, 40), is_vouched=st.booleans(), is_verified=st.booleans())
def test_a_finding_takes_everything_at_once_and_days_begin_anew_after_it(
    days: int, is_vouched: bool, is_verified: bool
) -> None:
    record = msgspec.structs.replace(served_daily(100, days), is_vouched=is_vouched, is_verified=is_verified)
    now = NOW + days * DAY_S
    found = record.with_finding(now + 7 * DAY_S)
    assert _is(found, now) is Standing.SUSPECT
    meanwhile = found
    for day in range(1, 7):
        meanwhile = meanwhile.with_served(BURST, 1, now + day * DAY_S, PLAN)
        assert _is(meanwhile, now + day * DAY_S) is Standing.SUSPECT
    assert _is(meanwhile, now + 7 * DAY_S) is Standing.NEWCOMER, "nothing was earned as a suspect"
    again = meanwhile.with_served(BURST, 1, now + 8 * DAY_S, PLAN).with_served(BURST, 1, now + 9 * DAY_S, PLAN)
    assert _is(again, now + 9 * DAY_S) is Standing.MEMBER


def test_a_second_finding_does_not_end_the_first() -> None:
    record = Record.of(a_user_aged(9)).with_finding(NOW + 100).with_finding(NOW + 50)
    assert _is(record, NOW + 99) is Standing.SUSPECT
    assert _is(record.with_finding(NOW + 200), NOW + 199) is Standing.SUSPECT


def test_an_operators_word_establishes_at_once_ends_a_finding_and_can_be_taken_back() -> None:
    found = Record.of(a_user_aged(0)).with_finding(NOW + DAY_S)
    vouched = found.with_word(is_vouched=True)
    assert _is(vouched) is Standing.ESTABLISHED
    assert vouched.history.peak == 1.0, "what is usual is still to be learned"
    assert _is(vouched.with_word(is_vouched=False)) is Standing.NEWCOMER
    assert _is(found.with_word(is_vouched=False)) is Standing.SUSPECT
    assert _is(vouched.with_finding(NOW + 1)) is Standing.SUSPECT


def test_operators_are_so_by_their_role_alone() -> None:
    operator = msgspec.structs.replace(Record.of(a_user_aged(0)), role=Role.OPERATOR, is_born_in_flood=True)
    assert _is(operator.with_finding(NOW + DAY_S)) is Standing.OPERATOR


def test_sign_ups_from_one_network_are_one_cohort_and_others_stand_alone() -> None:
    ana, bo = a_user_aged(0), a_user_aged(0, UserId("usr_0000000000000002"))
    assert Record.of(ana, NET).cohort == Record.of(bo, NET).cohort == f"net:{NET}"
    assert (Record.of(ana).cohort, Record.of(bo).cohort) == (ana.id, bo.id)


def test_the_plan_decides() -> None:
    record = served_daily(0, 1)
    assert standing_of(record, StandingPlan(member_days=1.0, member_age_days=0.0), NOW) is Standing.MEMBER
    lenient = StandingPlan(established_days=1.0, established_age_days=0.0)
    assert standing_of(record, lenient, NOW) is Standing.ESTABLISHED


@pytest.mark.parametrize("standing", Standing)
def test_a_record_that_is_made_for_tests_has_the_standing_that_was_asked_for(standing: Standing) -> None:
    record = a_record(UserId.of(b"12345678"), standing, NOW, net=NET, peak=4.0)
    assert _is(record) is _is(record, NOW + DAY_S - 1) is standing
    assert record.cohort == f"net:{NET}"
    assert record.history.peak == (4.0 if standing not in STRANGERS | {Standing.OPERATOR} else 1.0)


def test_a_caller_is_a_newcomer_since_it_was_first_seen() -> None:
    principal = UserId.of(b"12345678")
    alone, of_network = Record.of_caller(principal, NOW), Record.of_caller(principal, NOW, NET)
    assert (alone.created_at_s, alone.member_since_s, alone.role) == (NOW, NOW, Role.USER)
    assert (alone.cohort, of_network.cohort) == (principal, f"net:{NET}")
    assert _is(alone) is Standing.NEWCOMER
