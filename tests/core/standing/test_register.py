"""The register is bounded, prefers who has earned it, and loses no change without saying so."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.core.standing.accounts import NOW, PLAN
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S, SERVED_DAY_TOKENS
from tidegate.core.standing.record import Record, StandingPlan, standing_of
from tidegate.core.standing.register import Register
from tidegate.testing.standing import a_record


def _id(number: int) -> UserId:
    return UserId(f"usr_{number:016x}")


def _newcomer(number: int) -> Record:
    return a_record(_id(number), Standing.NEWCOMER, NOW)


def _established(number: int) -> Record:
    return a_record(_id(number), Standing.ESTABLISHED, NOW)


class RegisterUnderAnyUse(RuleBasedStateMachine):
    """Beside a register: the newest record of each account, and which of them the store has."""

    @initialize(most=st.integers(1, 5))
    def begin(self, most: int) -> None:
        self.now = NOW
        self.register = Register(PLAN, most)
        self.newest: dict[UserId, Record] = {}
        self.stored: dict[UserId, Record] = {}
        self.losses = 0

    @rule(number=st.integers(0, 9), standing=st.sampled_from(Standing))
    def somebody_joins_or_is_changed(self, number: int, standing: Standing) -> None:
        self.note(a_record(_id(number), standing, self.now))
        self.register.change(self.newest[_id(number)])

    @rule(number=st.integers(0, 9))
    def somebody_is_met(self, number: int) -> None:
        """As the service does: the store is asked only about those whom the register does not know."""
        if self.register.record(_id(number)) is None and _id(number) in self.stored:
            self.register.know(self.stored[_id(number)])

    @rule(number=st.integers(0, 9), cost_tokens=st.floats(0, 1000), in_flight=st.integers(1, 9))
    def somebody_is_served(self, number: int, cost_tokens: float, in_flight: int) -> None:
        known = self.register.record(_id(number))
        self.register.served(_id(number), cost_tokens, in_flight, self.now)
        if known is not None:
            self.note(known.with_served(cost_tokens, in_flight, self.now, PLAN))

    @rule(number=st.integers(0, 9), for_s=st.floats(1, 1e6))
    def something_is_found(self, number: int, for_s: float) -> None:
        known = self.register.record(_id(number))
        assert self.register.find_against(_id(number), self.now + for_s) is (known is not None)
        if known is not None:
            self.note(known.with_finding(self.now + for_s))

    @rule(seconds=st.floats(-1e5, 1e6))
    def time_passes_or_steps_back(self, seconds: float) -> None:
        self.now += seconds

    @rule(first=st.integers(0, 5))
    def some_are_saved(self, first: int) -> None:
        some = self.register.changed()[:first]
        self.stored.update({record.principal: record for record in some})
        self.register.saved(some)

    @rule(number=st.integers(0, 9))
    def somebody_is_no_more(self, number: int) -> None:
        self.register.forget(_id(number))
        self.newest.pop(_id(number), None)
        self.stored.pop(_id(number), None)

    def note(self, record: Record) -> None:
        self.newest[record.principal] = record

    @invariant()
    def it_is_bounded(self) -> None:
        assert len(self.register) <= self.register.most
        assert len(self.register.changed()) <= self.register.most

    @invariant()
    def the_newest_is_known_or_stored_or_counted_as_lost(self) -> None:
        unsaved = {record.principal: record for record in self.register.changed()}
        stale = 0
        for principal, newest in self.newest.items():
            known = self.register.record(principal)
            kept = unsaved.get(principal, self.stored.get(principal))
            stale += kept != newest
            if self.register.lost == self.losses == 0:
                assert kept == newest
                assert known in {None, newest}
            elif known is not None and principal in unsaved:
                assert known == unsaved[principal]
        assert stale <= self.register.lost

    @invariant()
    def whoever_is_not_known_is_a_newcomer(self) -> None:
        for number in range(10):
            known = self.register.record(_id(number))
            expected = Standing.NEWCOMER if known is None else standing_of(known, PLAN, self.now)
            assert self.register.standing(_id(number), self.now) is expected
            assert self.register.cohort(_id(number)) == (_id(number) if known is None else known.cohort)


TestRegisterUnderAnyUse = RegisterUnderAnyUse.TestCase
TestRegisterUnderAnyUse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_any_number_of_new_accounts_push_nobody_out_who_was_known() -> None:
    register = Register(PLAN, 80)
    for number in range(70):
        register.know(_established(number))
    for number in range(1000, 6000):
        register.change(_newcomer(number))
        register.saved(register.changed())
    assert len(register) == 80
    assert {register.standing(_id(number), NOW) for number in range(70)} == {Standing.ESTABLISHED}


def test_known_people_leave_some_room_for_strangers() -> None:
    """Otherwise what is found against a stranger, or that a flood made them, would be forgotten at once."""
    register = Register(PLAN, 80)
    for number in range(1000):
        register.know(_established(number))
    register.know(a_record(_id(2000), Standing.SUSPECT, NOW))
    for number in range(3000, 3009):
        register.know(_newcomer(number))
        assert register.standing(_id(2000), NOW) is Standing.SUSPECT
    assert sum(register.record(_id(number)) is not None for number in range(1000)) == 70


def test_who_was_here_last_is_forgotten_last() -> None:
    register = Register(PLAN, 2)
    register.know(_established(1))
    register.know(_established(2))
    register.standing(_id(1), NOW)
    register.know(_established(3))
    assert [register.record(_id(number)) is not None for number in (1, 2, 3)] == [True, False, True]


def test_asking_for_a_record_keeps_nobody() -> None:
    """A list of all accounts must not decide who is forgotten."""
    register = Register(PLAN, 2)
    register.know(_established(1))
    register.know(_established(2))
    register.record(_id(1))
    register.know(_established(3))
    assert register.record(_id(1)) is None


def test_a_stranger_who_earns_it_is_kept_like_the_others() -> None:
    register = Register(StandingPlan(member_days=1.0), 2)
    register.know(_newcomer(1))
    register.served(_id(1), SERVED_DAY_TOKENS, 1, NOW)
    register.saved(register.changed())
    for number in range(2, 9):
        register.know(_newcomer(number))
    assert register.record(_id(1)) is not None


def test_a_forgotten_account_with_a_change_is_still_known_until_that_is_saved() -> None:
    register = Register(PLAN, 1)
    suspect = a_record(_id(1), Standing.SUSPECT, NOW)
    register.change(suspect)
    register.know(_established(2))
    assert register.standing(_id(1), NOW) is Standing.SUSPECT
    register.saved([suspect])
    assert register.record(_id(1)) is None
    assert register.changed() == []


def test_what_is_read_is_older_than_a_change_that_waits() -> None:
    register = Register(PLAN, 2)
    register.change(a_record(_id(1), Standing.SUSPECT, NOW))
    register.know(a_record(_id(1), Standing.NEWCOMER, NOW))
    assert register.standing(_id(1), NOW) is Standing.SUSPECT


def test_an_account_that_is_no_more_leaves_nothing_to_be_saved() -> None:
    register = Register(PLAN, 2)
    for number in (1, 2):
        register.change(_established(number))
    register.forget(_id(1))
    assert register.record(_id(1)) is None
    assert [record.principal for record in register.changed()] == [_id(2)]


def test_what_changes_while_it_is_being_saved_is_saved_again() -> None:
    register = Register(PLAN, 4)
    register.change(_established(1))
    saving = register.changed()
    register.served(_id(1), 5.0, 1, NOW)
    register.saved(saving)
    (again,) = register.changed()
    assert again.history.tokens == 5.0


def test_changes_that_nobody_saves_are_given_up_one_by_one_and_counted() -> None:
    register = Register(PLAN, 3)
    for number in range(5):
        register.change(_newcomer(number))
    assert [record.principal for record in register.changed()] == [_id(2), _id(3), _id(4)]
    assert register.lost == 2


def test_nothing_is_counted_for_an_account_that_is_not_known() -> None:
    register = Register(PLAN, 3)
    register.served(_id(1), 1e6, 1, NOW)
    assert register.find_against(_id(1), NOW + 1) is False
    assert (len(register), register.changed()) == (0, [])
    assert register.cohort(_id(1)) == _id(1)
    assert register.standing(_id(1), NOW) is Standing.NEWCOMER


def test_an_account_usually_has_one_request_in_flight_until_it_was_seen_to_have_more_on_a_day() -> None:
    register = Register(PLAN, 10)
    one = _established(1)
    assert register.usual_in_flight(one.principal) == 1
    register.know(one)
    assert register.usual_in_flight(one.principal) == 1
    register.served(one.principal, SERVED_DAY_TOKENS, 4, NOW)
    assert register.usual_in_flight(one.principal) == 1, "not on the same day: a thief has no other"
    register.served(one.principal, SERVED_DAY_TOKENS, 1, NOW + 2 * DAY_S)
    assert register.usual_in_flight(one.principal) == 2


def test_a_new_plan_counts_at_once() -> None:
    register = Register(PLAN, 3)
    register.know(a_record(_id(1), Standing.MEMBER, NOW, net=Fingerprint("c" * 16)))
    assert register.standing(_id(1), NOW) is Standing.MEMBER
    register.plan = StandingPlan(established_days=3.0)
    assert register.standing(_id(1), NOW) is Standing.ESTABLISHED
    assert register.standing(_id(1), NOW + 100 * DAY_S) is Standing.NEWCOMER


def test_a_register_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Register(PLAN, 0)
