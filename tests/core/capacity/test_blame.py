"""Who fails at every engine is what is wrong, not the engines."""

from __future__ import annotations

from tests.core.capacity.test_pool import names, state
from tidegate.core.capacity.blame import Blame
from tidegate.core.capacity.breaker import BreakerPlan
from tidegate.core.capacity.pool import Member, MemberState, Outcome, Pool, PoolPlan

PLAN = PoolPlan(breaker=BreakerPlan(failures=3, pause_first_s=1.0, pause_limit_s=8.0))
MEMBERS = [Member(name=name) for name in "abcd"]


def ask(pool: Pool, at: float, caller: str | None, outcome: Outcome = Outcome.FAILED) -> str:
    """One request to whichever engine is next; answers which that was."""
    (name,) = names(pool, 1, at)
    pool.ended(name, outcome, at + 0.1, began_at=at, caller=caller)
    return name


def broken(pool: Pool) -> set[str]:
    return {report.name for report in pool.report(0.0) if report.state is MemberState.BROKEN}


def test_one_caller_whose_requests_fail_wherever_they_go_breaks_nothing() -> None:
    pool, ever = Pool(PLAN, MEMBERS), set()
    for number in range(200):
        ask(pool, float(number) / 4, "net:a")
        ever |= broken(pool)
    assert ever == set()


def test_one_caller_who_has_one_engine_broken_has_no_other_broken_and_not_that_one_again() -> None:
    pool = Pool(PLAN, MEMBERS)
    for _ in range(3):
        pool.began("a", 10.0)
        pool.ended("a", Outcome.FAILED, 10.1, began_at=10.0, caller="net:a")
    assert broken(pool) == {"a"}
    for number in range(200):
        at = 10.5 + number / 4
        ask(pool, at, "net:a")
        for name in pool.probe_due(at):
            pool.probed(name, is_well=True, now=at)
        assert broken(pool) <= ({"a"} if at < 12.0 else set())


def test_an_engine_at_which_many_callers_fail_is_left_alone_whatever_else_each_of_them_fails_at() -> None:
    pool = Pool(PLAN, MEMBERS)
    for number in range(3):
        for name in "ab":
            pool.began(name, 10.0)
            pool.ended(name, Outcome.FAILED, 10.1, began_at=10.0, caller=f"net:{number}")
    assert broken(pool) == {"a", "b"}


def test_an_engine_that_fails_its_only_caller_is_left_alone_where_another_answers_them() -> None:
    pool = Pool(PLAN, MEMBERS[:2])
    for number in range(12):
        (name,) = names(pool, 1, float(number))
        outcome = Outcome.FAILED if name == "a" else Outcome.GOOD
        pool.ended(name, outcome, number + 0.1, began_at=float(number), caller="usr")
        if broken(pool):
            break
    assert broken(pool) == {"a"}


def test_whose_callers_are_not_told_count_as_they_did() -> None:
    pool = Pool(PLAN, MEMBERS)
    for number in range(12):
        ask(pool, float(number) / 100, None)
    assert len(broken(pool)) == 3, "the last is not taken away"


def test_a_failure_elsewhere_is_of_another_matter_where_the_other_could_not_have_served_it() -> None:
    pool = Pool(PLAN, [Member(name=name, models=frozenset({name[0]})) for name in ("x1", "x2", "y1")])
    for name in ("y1", "x1", "x1", "x1"):
        pool.began(name, 10.0)
        pool.ended(name, Outcome.FAILED, 10.1, began_at=10.0, caller="usr")
    assert state(pool, "x1") is MemberState.BROKEN


def test_a_caller_counts_again_for_an_engine_that_has_answered_since_or_after_a_minute() -> None:
    blame, others = Blame(), {"b"}
    assert blame.counts("ana", "b", {"a"}, None, 0.0)
    assert blame.counts("ana", "a", others, None, 1.0)
    assert not blame.counts("ana", "a", others, None, 2.0)
    assert not blame.counts("ana", "a", others, 1.5, 3.0)
    assert blame.counts("ana", "a", others, 3.5, 4.0)
    assert blame.counts("bo", "a", others, 3.5, 4.0)
    assert blame.counts("ana", "a", others, 3.5, 61.0), "what happened at b is forgotten"
    assert blame.counts("ana", "a", others, 3.5, 62.0)


def test_only_so_many_callers_are_remembered() -> None:
    blame = Blame()
    for number in range(2000):
        blame.counts(f"net:{number}", "a", set(), None, 0.0)
    assert len(blame) == 1024
