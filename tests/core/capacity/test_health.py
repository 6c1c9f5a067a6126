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
    health.probed(now)
    assert health.spoke(now) is True
    health.probe_ended(now)
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
    health.probed(1.0)
    assert health.decide(1.1) is Act.NOTHING
    health.probe_ended(1.1)
    assert health.decide(1.2) is Act.PROBE


def test_a_probe_that_is_turned_away_does_not_make_it_ready() -> None:
    health = _loading()
    health.probed(1.0)
    health.probe_ended(1.1)

    assert health.state is EngineState.LOADING


def test_the_first_token_makes_it_ready_and_says_so_once() -> None:
    health = _loading()
    health.probed(1.0)

    assert health.spoke(2.0) is True
    assert health.spoke(2.1) is False
    assert (health.state, health.why) == (EngineState.READY, "ready")


def test_a_model_that_never_speaks_is_killed_at_the_load_timeout() -> None:
    health = _loading()
    health.probed(0.0)

    assert health.decide(99.9) is Act.NOTHING
    assert health.decide(100.0) is Act.KILL
    assert (health.state, health.why, health.restarts) == (EngineState.FAILED, "load_timeout", 1)


def test_an_idle_engine_is_probed_and_never_killed_for_its_silence() -> None:
    health = _ready()

    assert health.decide(4.9) is Act.NOTHING
    for now in (5.0, 500.0, 5000.0):
        assert health.decide(now) is Act.PROBE


def test_silence_after_a_probe_is_a_stall() -> None:
    health = _ready()
    health.probed(1000.0)

    assert health.decide(1009.9) is Act.NOTHING
    assert health.decide(1010.0) is Act.KILL
    assert (health.state, health.why) == (EngineState.FAILED, "stalled")


def test_a_call_that_is_slow_to_begin_is_no_stall_as_long_as_probes_are_answered() -> None:
    """The engine prepares a call beside the thread that computes: its silence says nothing of the engine."""
    health = _ready()
    health.began()
    for now in range(2, 100, 2):
        assert health.decide(float(now)) is Act.PROBE
        health.probed(float(now))
        health.spoke(float(now))
        health.probe_ended(float(now))

    assert health.state is EngineState.READY


def test_a_busy_engine_is_probed_sooner_than_an_idle_one() -> None:
    idle, busy = _ready(), _ready()
    busy.began()

    assert [idle.decide(2.0), busy.decide(2.0)] == [Act.NOTHING, Act.PROBE]
    busy.finished()
    assert busy.decide(2.0) is Act.NOTHING


def test_every_word_gives_a_busy_engine_new_patience() -> None:
    health = _ready()
    health.began()
    for second in range(90):
        health.spoke(float(second))
        assert health.decide(second + 0.9) is Act.NOTHING

    assert health.decide(91.0) is Act.PROBE


def test_a_probe_that_waits_behind_talking_calls_counts_from_their_last_word() -> None:
    health = _ready()
    health.began()
    health.probed(2.0)
    for second in range(3, 40):
        health.spoke(float(second))
        assert health.decide(float(second)) is Act.NOTHING

    assert health.decide(41.0) is Act.NOTHING
    assert health.decide(50.9) is Act.NOTHING
    assert health.decide(51.0) is Act.KILL


def test_a_probe_that_fails_is_repeated_at_intervals_until_silence_is_a_stall() -> None:
    health = _ready()
    health.probed(5.0)
    health.probe_ended(5.1)

    assert health.decide(6.0) is Act.NOTHING
    assert health.decide(6.1) is Act.PROBE
    health.probed(6.1)
    health.probe_ended(6.2)
    assert health.decide(15.0) is Act.KILL


def test_time_in_which_nobody_listened_counts_against_nobody() -> None:
    health = _ready()
    health.probed(5.0)
    health.skipped(3600.0)

    assert health.decide(3614.9) is Act.NOTHING
    assert health.decide(3615.0) is Act.KILL

    loading = _loading()
    loading.skipped(3600.0)
    assert loading.decide(3699.9) is Act.PROBE
    assert loading.decide(3700.0) is Act.KILL


def test_a_process_that_ends_is_spawned_again_after_the_backoff() -> None:
    health = _ready()

    health.ended("exit_-11", 50.0)

    assert (health.state, health.why, health.restarts) == (EngineState.FAILED, "exit_-11", 1)
    assert health.decide(50.4) is Act.NOTHING
    assert health.decide(50.5) is Act.SPAWN
    assert health.state is EngineState.STOPPED


def test_the_end_of_a_process_that_was_killed_is_no_second_failure() -> None:
    health = _ready()
    health.probed(0.0)
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
        health.began()
    health.ended("exit_1", 1.0)
    health.decide(10.0)
    health.spawned(10.0)
    health.spoke(11.0)
    health.began()
    for _ in range(4):
        health.finished()

    assert health.decide(14.0) is Act.NOTHING, "an idle engine was taken for a busy one"
    health.began()
    assert health.decide(14.0) is Act.PROBE, "a busy engine was taken for an idle one"


steps = st.lists(
    st.tuples(
        st.sampled_from(["decide", "began", "finished", "probed", "probe_ended", "skipped", "spoke", "ended"]),
        st.floats(0, 200),
    ),
    max_size=60,
)


@given(steps)
def test_whatever_happens_there_is_one_process_at_most_and_no_readiness_without_a_word(  # noqa: C901 - one history
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
            case "began" | "finished":
                getattr(health, name)()
            case "probed" | "probe_ended":
                getattr(health, name)(now)
            case "skipped":
                now += 7.0
                health.skipped(7.0)
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
            case "began" | "finished":
                getattr(health, name)()
            case "skipped":
                now += 7.0
                health.skipped(7.0)
            case _:
                getattr(health, name)(now)

    act, give_up_at = health.decide(now), now + 200.0
    while act not in {Act.KILL, Act.SPAWN}:
        if act is Act.PROBE:
            health.probed(now)  # It never answers.
        now += 1.0
        assert now < give_up_at
        act = health.decide(now)
