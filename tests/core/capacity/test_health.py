"""The engine is alive when it gives tokens, and at no other time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.capacity.health import Act, EngineHealth, EngineState, HealthPlan

PLAN = HealthPlan(
    load_timeout_s=100.0,
    probe_after_s=5.0,
    stall_s=10.0,
    backoff_first_s=0.5,
    backoff_limit_s=4.0,
    stable_after_s=60.0,
)


def _loading(now: float = 0.0) -> EngineHealth:
    health = EngineHealth(PLAN)
    assert health.decide(now) is Act.SPAWN
    health.spawned(now)
    return health


def _ready(now: float = 0.0) -> EngineHealth:
    health = _loading(now)
    health.asked(now)
    assert health.spoke(now) is True
    health.answered()
    return health


def test_it_starts_stopped_and_asks_for_a_process_until_there_is_one() -> None:
    health = EngineHealth(PLAN)

    assert health.state is EngineState.STOPPED
    assert [health.decide(0.0), health.decide(1.0)] == [Act.SPAWN, Act.SPAWN]
    health.spawned(1.0)
    assert health.why == "loading"


def test_while_it_loads_one_probe_at_a_time_is_asked_for() -> None:
    health = _loading()

    assert health.decide(1.0) is Act.PROBE
    health.asked(1.0)
    assert health.decide(1.1) is Act.NOTHING
    health.answered()
    assert health.decide(1.2) is Act.PROBE


def test_a_probe_that_is_turned_away_does_not_make_it_ready() -> None:
    health = _loading()
    health.asked(1.0)
    health.answered()

    assert health.state is EngineState.LOADING


def test_the_first_token_makes_it_ready_and_says_so_once() -> None:
    health = _loading()
    health.asked(1.0)

    assert health.spoke(2.0) is True
    assert health.spoke(2.1) is False
    assert (health.state, health.why) == (EngineState.READY, "ready")


def test_a_model_that_never_speaks_is_killed_at_the_load_timeout() -> None:
    health = _loading()
    health.asked(0.0)

    assert health.decide(99.9) is Act.NOTHING
    assert health.decide(100.0) is Act.KILL
    assert (health.state, health.why, health.restarts) == (EngineState.FAILED, "load_timeout", 1)


def test_an_idle_engine_is_probed_and_never_killed_for_its_silence() -> None:
    health = _ready()

    assert health.decide(4.9) is Act.NOTHING
    for now in (5.0, 500.0, 5000.0):
        assert health.decide(now) is Act.PROBE


def test_silence_after_a_question_is_a_stall() -> None:
    health = _ready()
    health.asked(1000.0)

    assert health.decide(1009.9) is Act.NOTHING
    assert health.decide(1010.0) is Act.KILL
    assert (health.state, health.why) == (EngineState.FAILED, "stalled")


def test_every_word_gives_a_busy_engine_new_patience() -> None:
    health = _ready()
    health.asked(0.0)
    for now in range(0, 90, 9):
        assert health.decide(float(now)) is Act.NOTHING
        health.spoke(float(now))

    assert health.decide(90.9) is Act.NOTHING
    assert health.decide(91.0) is Act.KILL


def test_silence_is_counted_until_the_last_of_several_calls_has_ended() -> None:
    health = _ready()
    health.asked(0.0)
    health.asked(1.0)
    health.answered()

    assert health.decide(9.9) is Act.NOTHING
    assert health.decide(10.0) is Act.KILL


def test_calls_that_have_all_ended_leave_nothing_to_wait_for() -> None:
    health = _ready(100.0)
    health.asked(100.0)
    health.asked(101.0)
    health.answered()
    health.answered()

    assert health.decide(104.9) is Act.NOTHING
    assert health.decide(111.0) is Act.PROBE


def test_a_process_that_ends_is_spawned_again_after_the_backoff() -> None:
    health = _ready()

    health.ended("exit_-11", 50.0)

    assert (health.state, health.why, health.restarts) == (EngineState.FAILED, "exit_-11", 1)
    assert health.decide(50.4) is Act.NOTHING
    assert health.decide(50.5) is Act.SPAWN
    assert health.state is EngineState.STOPPED


def test_the_end_of_a_process_that_was_killed_is_no_second_failure() -> None:
    health = _ready()
    health.asked(0.0)
    assert health.decide(10.0) is Act.KILL

    health.ended("exit_-9", 10.1)

    assert (health.why, health.restarts) == ("stalled", 1)


def test_the_backoff_doubles_up_to_its_limit() -> None:
    health, now, waited = _ready(), 0.0, []
    for _ in range(6):
        health.ended("exit_1", now)
        waited.append(round(health.retry_after_s(now) - 2.0, 6))
        now += 1000.0
        assert health.decide(now) is Act.SPAWN
        health.spawned(now)

    assert waited == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


@pytest.mark.parametrize(("lived_s", "next_backoff_s"), [(59.9, 1.0), (60.0, 0.5)])
def test_only_a_life_long_enough_to_be_stable_forgives_earlier_failures(lived_s: float, next_backoff_s: float) -> None:
    health = _ready()
    health.ended("exit_1", 0.0)
    health.decide(10.0)
    health.spawned(10.0)
    health.asked(10.0)
    health.spoke(10.0)
    health.spoke(10.0 + lived_s)

    health.ended("exit_1", 100.0)

    assert health.retry_after_s(100.0) == next_backoff_s + 2.0


def test_callers_are_told_the_rest_of_the_backoff_and_a_usual_load() -> None:
    health = _ready()
    health.ended("exit_1", 0.0)

    assert health.retry_after_s(0.0) == 2.5
    assert health.retry_after_s(0.4) == pytest.approx(2.1)
    assert health.retry_after_s(99.0) == 2.0
    assert _loading().retry_after_s(0.0) == 2.0


def test_ends_of_calls_to_a_dead_process_do_not_count_for_its_successor() -> None:
    health = _ready()
    for _ in range(3):
        health.asked(0.0)
    health.ended("exit_1", 1.0)
    health.decide(10.0)
    health.spawned(10.0)
    for _ in range(3):
        health.answered()

    health.asked(11.0)
    assert health.spoke(12.0) is True
    assert health.decide(21.9) is Act.NOTHING
    health.answered()
    assert health.decide(500.0) is Act.PROBE, "an idle engine was taken for a silent one"


steps = st.lists(
    st.tuples(st.sampled_from(["decide", "asked", "answered", "spoke", "ended"]), st.floats(0, 200)), max_size=60
)


@given(steps)
def test_whatever_happens_there_is_one_process_at_most_and_no_readiness_without_a_word(
    history: list[tuple[str, float]],
) -> None:
    health, now = EngineHealth(PLAN), 0.0
    is_alive, has_spoken, failures = False, False, 0
    for name, seconds in history:
        now += seconds
        match name:
            case "decide":
                act = health.decide(now)
                if act is Act.SPAWN:
                    assert health.state is EngineState.STOPPED
                    assert not is_alive, "a second process at once"
                    health.spawned(now)
                    is_alive, has_spoken = True, False
                elif act is Act.KILL:
                    assert is_alive
                    assert health.state is EngineState.FAILED
                    health.ended("exit_-9", now)
                    is_alive, failures = False, failures + 1
                elif act is Act.PROBE:
                    assert is_alive
            case "asked":
                health.asked(now)
            case "answered":
                health.answered()
            case "spoke" if is_alive:
                has_spoken = True
                health.spoke(now)
            case "ended" if is_alive:
                health.ended("exit_1", now)
                is_alive, failures = False, failures + 1
        assert health.state is not EngineState.READY or has_spoken
        assert health.restarts == failures
        assert 2.0 <= health.retry_after_s(now) <= 2.0 + PLAN.backoff_limit_s


@given(steps)
def test_after_any_history_a_silent_engine_is_found_out_or_a_dead_one_started(history: list[tuple[str, float]]) -> None:
    health, now = EngineHealth(PLAN), 0.0
    for name, seconds in history:
        now += seconds
        match name:
            case "decide":
                if health.decide(now) is Act.SPAWN:
                    health.spawned(now)
            case "ended":
                health.ended("exit_1", now)
            case "answered":
                health.answered()
            case _:
                getattr(health, name)(now)

    act, give_up_at = health.decide(now), now + 200.0
    while act not in {Act.KILL, Act.SPAWN}:
        if act is Act.PROBE:
            health.asked(now)  # It never answers.
        now += 1.0
        assert now < give_up_at
        act = health.decide(now)
