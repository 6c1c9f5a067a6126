"""A server that fails is left alone, and tried again one request at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.capacity.breaker import Breaker, BreakerPlan, BreakerState

PLAN = BreakerPlan(failures=3, pause_first_s=1.0, pause_limit_s=4.0)


def broken(at: float = 10.0) -> Breaker:
    breaker = Breaker(PLAN)
    for _ in range(PLAN.failures):
        breaker.began(at)
        breaker.failed(at)
    return breaker


def test_it_opens_at_the_last_of_several_failures_in_a_row_and_not_for_those_between_successes() -> None:
    breaker = Breaker(PLAN)
    for _ in range(5):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.may_try(0.0)
    assert breaker.wait_s(0.0) == 0.0
    assert broken().state is BreakerState.OPEN
    assert not broken().may_try(10.5)


def test_after_its_pause_one_at_a_time_may_try_and_a_success_closes_it() -> None:
    breaker = broken()
    assert breaker.wait_s(10.25) == 0.75
    assert breaker.may_try(11.0)
    breaker.began(11.0)
    assert not breaker.may_try(11.0)
    breaker.succeeded()
    assert breaker.may_try(11.0)
    assert breaker.state is BreakerState.CLOSED


def test_each_failed_trial_doubles_the_pause_up_to_its_limit() -> None:
    breaker, now, pauses = broken(0.0), 0.0, []
    for _ in range(4):
        pauses.append(breaker.wait_s(now))
        now += breaker.wait_s(now)
        breaker.began(now)
        breaker.failed(now)
    assert pauses == [1.0, 2.0, 4.0, 4.0]


def test_a_trial_whose_caller_leaves_says_nothing_and_makes_room_for_another() -> None:
    breaker = broken()
    breaker.began(11.0)
    breaker.left()
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.may_try(11.0)


def test_what_was_sent_before_it_opened_and_fails_later_lengthens_nothing() -> None:
    breaker = broken(10.0)
    breaker.failed(10.9)
    assert breaker.wait_s(10.9) < 0.2


@given(st.lists(st.sampled_from(["began", "succeeded", "failed", "left"])), st.lists(st.floats(-5, 5)))
def test_whatever_happens_it_is_open_for_no_longer_than_its_limit(acts: list[str], steps: list[float]) -> None:
    breaker, now = Breaker(PLAN), 100.0
    for act, step in zip(acts, [*steps, *[0.5] * len(acts)], strict=False):
        now += step
        if act == "began":
            breaker.began(now)
        elif act == "failed":
            breaker.failed(now)
        else:
            getattr(breaker, act)()
        assert 0.0 <= breaker.wait_s(now) <= PLAN.pause_limit_s
    breaker.left()
    assert breaker.may_try(now + 5 * len(acts) + PLAN.pause_limit_s)


def test_a_probe_ends_its_pause_and_the_next_failure_opens_it_for_longer_until_a_request_succeeds() -> None:
    breaker = broken()
    breaker.began(11.0)
    breaker.seemed_well()
    assert breaker.state is BreakerState.CLOSED
    breaker.failed(11.0)
    assert (breaker.state, breaker.wait_s(11.0)) == (BreakerState.OPEN, 2.0)
    breaker.began(13.0)
    breaker.succeeded()
    for _ in range(PLAN.failures - 1):
        breaker.failed(13.0)
        breaker.seemed_well()
    assert breaker.state is BreakerState.CLOSED, "a probe forgives nothing while it is closed, and accuses of nothing"
    breaker.failed(13.0)
    assert breaker.wait_s(13.0) == 1.0
