"""Of several engines the next request goes to one that is sound and has the least to do."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidegate.core.capacity.breaker import BreakerPlan
from tidegate.core.capacity.pool import Member, MemberState, Missing, Nowhere, Outcome, Pool, PoolPlan, Telemetry

PLAN = PoolPlan(probe_after_s=5.0, breaker=BreakerPlan(failures=2, pause_first_s=1.0, pause_limit_s=8.0))
A, B = Member(name="a", places=4), Member(name="b", places=4)


def names(pool: Pool, count: int, now: float = 0.0) -> list[str]:
    """Begin so many requests, and tell where they went."""
    found = []
    for _ in range(count):
        picked = pool.pick("", now)
        assert isinstance(picked, Member)
        pool.began(picked.name, now)
        found.append(picked.name)
    return found


def fail(pool: Pool, name: str, now: float = 0.0, times: int = 2) -> None:
    for _ in range(times):
        pool.began(name, now)
        pool.ended(name, Outcome.FAILED, now)


def state(pool: Pool, name: str) -> MemberState:
    return next(report.state for report in pool.report(0.0) if report.name == name)


def test_equals_take_turns_and_a_heavier_one_takes_more() -> None:
    assert names(Pool(PLAN, [A, B]), 4) == ["a", "b", "a", "b"]
    heavy = Pool(PLAN, [Member(name="a", weight=2.0), B])
    assert sorted(names(heavy, 6)) == ["a"] * 4 + ["b"] * 2


def test_whoever_ends_first_is_asked_next() -> None:
    pool = Pool(PLAN, [A, B])
    names(pool, 4)
    pool.ended("b", Outcome.GOOD, 1.0)
    assert names(pool, 1) == ["b"]


def test_only_those_that_serve_a_model_are_asked_for_it() -> None:
    pool = Pool(PLAN, [Member(name="a", models=frozenset({"small"})), Member(name="b", models=frozenset({"large"}))])
    assert pool.pick("large", 0.0) == Member(name="b", models=frozenset({"large"}))
    assert pool.pick("other", 0.0) == Nowhere(Missing.MODEL, 1.0)
    assert pool.models == {"small", "large"}
    assert pool.places("large", 0.0) == 64


def test_no_more_run_on_an_engine_than_it_has_places() -> None:
    pool = Pool(PLAN, [A, B])
    names(pool, 8)
    assert pool.pick("", 0.0) == Nowhere(Missing.BUSY, 1.0)
    assert pool.places("", 0.0) == 8


def test_an_engine_whose_answers_become_slow_gets_fewer_and_none_at_all_never() -> None:
    pool = Pool(PLAN, [A])
    names(pool, 4)
    for at in range(200):
        pool.spoke("a", 1.0, at * 0.5)
    (report,) = pool.report(100.0)
    assert report.limit == 1
    assert report.mean_gap_s > PLAN.gap_s
    assert pool.places("", 100.0) == 1


def test_a_broken_engine_is_passed_over_and_tried_by_one_request_after_its_pause() -> None:
    pool = Pool(PLAN, [A, B])
    fail(pool, "a")
    assert state(pool, "a") is MemberState.BROKEN
    assert names(pool, 2) == ["b", "b"]
    assert pool.places("", 0.0) == 4
    assert names(pool, 2, now=1.0) == ["a", "b"], "one trial at a time"
    pool.ended("a", Outcome.GOOD, 1.0)
    assert state(pool, "a") is MemberState.UP


def test_when_all_are_broken_it_is_said_when_the_first_will_be_tried() -> None:
    pool = Pool(PLAN, [A, B])
    fail(pool, "a")
    fail(pool, "b", now=0.5)
    fail(pool, "b", now=1.6, times=1)
    assert pool.pick("", 0.6) == Nowhere(Missing.BROKEN, 1.0)
    assert pool.places("", 0.6) == 0


def test_a_request_that_failed_on_one_goes_to_another_and_to_none_twice() -> None:
    pool = Pool(PLAN, [A, B])
    assert pool.pick("", 0.0, besides={"a"}) == B
    assert pool.pick("", 0.0, besides={"a", "b"}) == Nowhere(Missing.BROKEN, 1.0)


def test_who_leaves_is_no_failure_of_the_engine() -> None:
    pool = Pool(PLAN, [A])
    for _ in range(10):
        names(pool, 1)
        pool.ended("a", Outcome.LEFT, 0.0)
    assert state(pool, "a") is MemberState.UNTRIED


def ask(pool: Pool, name: str, outcome: Outcome, at: float, *, is_certain: bool = False) -> None:
    """One request that began at `at` and ended half a second later."""
    pool.began(name, at)
    pool.ended(name, outcome, at + 0.5, began_at=None if is_certain else at)


def test_what_one_request_fails_at_while_others_are_answered_is_its_own_fault() -> None:
    pool = Pool(PLAN, [A, B])
    for at in range(10):
        ask(pool, "a", Outcome.GOOD, float(at))
        for _ in range(4):
            ask(pool, "a", Outcome.FAILED, float(at) + 0.5)
    assert state(pool, "a") is MemberState.UP
    assert pool.report(0.0)[0].failures == 0


def test_an_engine_that_begins_answers_and_ends_none_is_broken_whatever_its_probes_say() -> None:
    pool, at = Pool(PLAN, [A, B]), 100.0
    for _ in range(2):
        pool.began("a", at)
        pool.spoke("a", 0.1, at + 0.4)
        pool.ended("a", Outcome.FAILED, at + 0.5, began_at=at)
    assert state(pool, "a") is MemberState.BROKEN
    pauses = []
    for _ in range(4):
        opened_at = at = at + 0.5
        while not (due := "a" in pool.probe_due(at)):
            pool.probed("b", is_well=True, now=at)
            at += 0.25
        assert due
        pool.probed("b", is_well=True, now=at)
        pool.probed("a", is_well=True, now=at)
        assert state(pool, "a") is MemberState.UP
        pauses.append(at - opened_at)
        ask(pool, "a", Outcome.FAILED, at)
        assert state(pool, "a") is MemberState.BROKEN
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 4 * pauses[0], "each time it is believed for less"


def test_the_last_engine_that_stands_is_not_taken_away_by_what_requests_fail_at() -> None:
    pool = Pool(PLAN, [A, B])
    for at in range(9):
        ask(pool, "a", Outcome.FAILED, float(at))
        ask(pool, "b", Outcome.FAILED, float(at))
    assert state(pool, "a") is MemberState.BROKEN
    assert state(pool, "b") is MemberState.UNTRIED
    for at in range(9, 11):
        ask(pool, "b", Outcome.FAILED, float(at), is_certain=True)
    assert state(pool, "b") is MemberState.BROKEN, "nobody could even connect to it"


def test_an_engine_of_another_model_or_one_that_leaves_stands_in_for_none() -> None:
    some, others = Member(name="a", models=frozenset({"x"})), Member(name="b", models=frozenset({"y"}))
    both = Member(name="c", models=frozenset({"x", "y"}))
    for members, is_broken in ([some, others], False), ([some, both], True), ([some, Member(name="any")], True):
        pool = Pool(PLAN, members)
        for _ in range(3):
            ask(pool, "a", Outcome.FAILED, 10.0)
        assert (state(pool, "a") is MemberState.BROKEN) is is_broken
    pool = Pool(PLAN, [some, both])
    pool.began("c", 10.0)
    pool.replan([some])
    for _ in range(3):
        ask(pool, "a", Outcome.FAILED, 10.0)
    assert state(pool, "a") is MemberState.UNTRIED


def test_untried_silent_and_rested_engines_are_probed_once_each_and_busy_ones_are_not() -> None:
    pool = Pool(PLAN, [A, B])
    assert pool.probe_due(0.0) == ("a", "b")
    assert pool.probe_due(0.1) == ()
    pool.probed("a", is_well=True, now=0.2)
    pool.probed("b", is_well=True, now=0.2)
    assert pool.probe_due(1.0) == ()
    pool.began("a", 1.0)
    assert pool.probe_due(6.0) == ("b",)
    pool.probed("b", is_well=False, now=6.0)
    pool.probed("nobody", is_well=True, now=6.0)
    assert pool.probe_due(6.1) == ("b",), "it was heard too long ago"
    pool.probed("b", is_well=False, now=6.1)
    assert state(pool, "b") is MemberState.BROKEN
    assert pool.probe_due(6.5) == ()
    assert pool.probe_due(7.2) == ("b",)


def test_engines_that_answer_probes_beside_their_work_are_probed_when_they_are_silent_although_busy() -> None:
    """Of requests that it will never answer nothing is heard, either."""
    pool = Pool(PoolPlan(probes_busy=True), [A])
    pool.began("a", 0.0)
    pool.spoke("a", 0.1, 1.0)
    assert pool.probe_due(5.9) == ()
    assert pool.probe_due(6.1) == ("a",)


def test_what_an_engine_tells_of_itself_lowers_what_is_believed_and_is_forgotten() -> None:
    pool = Pool(PLAN, [A])
    pool.told("a", Telemetry(running=4, places=2), 0.0)
    pool.told("nobody", Telemetry(), 0.0)
    assert pool.places("", 1.0) == 2
    pool.told("a", Telemetry(running=1, waiting=3), 2.0)
    assert pool.places("", 3.0) == 1
    pool.told("a", Telemetry(running=0, waiting=3, places=9), 4.0)
    assert pool.places("", 5.0) == 1, "never none"
    assert pool.places("", 40.0) == 4


def test_an_engine_that_left_the_plan_gets_nothing_new_and_goes_with_its_last_request() -> None:
    pool = Pool(PLAN, [A, B])
    names(pool, 2)
    pool.replan([B, Member(name="c")])
    assert state(pool, "a") is MemberState.DRAINING
    assert "a" not in names(pool, 10)
    assert "a" not in pool.probe_due(0.0)
    pool.ended("a", Outcome.GOOD, 1.0)
    assert [report.name for report in pool.report(1.0)] == ["b", "c"]
    pool.replan([Member(name="b", places=1)])
    assert pool.places("", 1.0) == 1
    assert [report.name for report in pool.report(1.0)] == ["b", "c"], "c has some running"


class PoolUnderAnyUse(RuleBasedStateMachine):
    """What the head of the pool's file says can never happen."""

    def __init__(self) -> None:
        super().__init__()
        self.members = [Member(name=name, places=places) for name, places in (("a", 1), ("b", 2), ("c", 3))]
        self.pool = Pool(PLAN, self.members)
        self.planned = {"a", "b", "c"}
        self.running: list[str] = []
        self.now = 0.0

    @rule(step_s=st.floats(-1.0, 3.0))
    def wait(self, step_s: float) -> None:
        self.now += step_s

    @rule()
    def ask(self) -> None:
        picked = self.pool.pick("", self.now)
        if isinstance(picked, Member):
            assert picked.name in self.planned
            self.pool.began(picked.name, self.now)
            self.running.append(picked.name)

    @precondition(lambda self: self.running)
    @rule(outcome=st.sampled_from(Outcome), which=st.integers(0, 100))
    def end(self, outcome: Outcome, which: int) -> None:
        self.pool.ended(self.running.pop(which % len(self.running)), outcome, self.now)

    @rule(gap_s=st.floats(0.0, 2.0), which=st.integers(0, 100))
    def speak(self, gap_s: float, which: int) -> None:
        if self.running:
            self.pool.spoke(self.running[which % len(self.running)], gap_s, self.now)

    @rule(kept=st.sets(st.sampled_from("abc")))
    def replan(self, kept: set[str]) -> None:
        self.planned = set(kept)
        self.pool.replan([member for member in self.members if member.name in kept])

    @rule(is_well=st.booleans())
    def probe(self, is_well: bool) -> None:
        for name in self.pool.probe_due(self.now):
            self.pool.probed(name, is_well=is_well, now=self.now)

    @invariant()
    def nothing_is_lost_and_nothing_too_much(self) -> None:
        reports = {report.name: report for report in self.pool.report(self.now)}
        assert set(reports) == self.planned | set(self.running)
        for member in self.members:
            report: Any = reports.get(member.name)
            assert (report.outstanding if report else 0) == self.running.count(member.name) <= member.places


TestPoolUnderAnyUse = PoolUnderAnyUse.TestCase
