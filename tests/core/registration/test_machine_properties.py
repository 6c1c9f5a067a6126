"""Whatever the load does, and whatever the operator says."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.registration.sampling import AT, CALM, EVERY_S, OPEN, Watched
from tidegate.core.registration.edges import Edge
from tidegate.core.registration.modes import MovedBy, RegistrationMode, Transition
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.signals import Share, Signals, Verdict

PARTS = st.none() | st.floats(0.0, 1.0)
SHARES = st.none() | st.tuples(st.integers(0, 80), st.integers(0, 80)).map(lambda two: Share(min(two), max(two)))
SIGNALS = st.builds(
    Signals,
    at=st.just(AT),
    attempts_per_min=st.sampled_from([0.0, 5.0, 7.0, 12.0, 25.0, 90.0, 200.0, 30_000.0]),
    baseline_per_min=st.just(6.0),
    headroom=PARTS,
    abuse=SHARES,
    verified=SHARES,
    mail_left=PARTS,
    queue_s=st.none() | st.floats(0.0, 300.0),
    verdict=st.none() | st.sampled_from(Verdict),
)
LOADS = st.lists(st.tuples(SIGNALS, st.integers(1, 150)), min_size=1, max_size=5)
MODES = st.sampled_from(RegistrationMode)
QUICK = ModePlan(throttled_dwell_s=60.0, waiting_room_dwell_s=90.0, invite_dwell_s=120.0, closed_dwell_s=120.0)
"""Dwells so short that what keeps it from flapping is put to the test."""


def run(watched: Watched, load: list[tuple[Signals, int]]) -> list[Transition]:
    for signals, samples in load:
        watched.feed(signals, samples * EVERY_S)
    return watched.said


def re_rises(said: list[Transition], within_s: float) -> dict[int, list[float]]:
    """By edge, when it was gone up again within this time of its last fall."""
    fallen: dict[int, float] = {}
    found: dict[int, list[float]] = {}
    for one in said:
        if one.to.rank < one.was.rank:
            fallen[one.to.rank] = one.at
        elif one.was.rank in fallen and one.at - fallen[one.was.rank] <= within_s:
            found.setdefault(one.was.rank, []).append(one.at)
    return found


@settings(max_examples=12)
@given(LOADS, MODES)
def test_by_itself_it_moves_a_step_at_a_time_and_never_beyond_its_limit(
    load: list[tuple[Signals, int]], limit: RegistrationMode
) -> None:
    said = run(Watched(msgspec.structs.replace(QUICK, max_automatic_mode=limit)), load)
    assert all(abs(one.to.rank - one.was.rank) == 1 for one in said)
    assert all(one.to.rank <= limit.rank and one.by is MovedBy.AUTO and one.causes for one in said)
    rises = [one.at for one in said if one.to.rank > one.was.rank]
    assert all(later - earlier >= QUICK.step_s for earlier, later in itertools.pairwise(rises))


@settings(max_examples=12)
@given(SIGNALS, SIGNALS, st.floats(10.0, 7200.0), st.floats(0.1, 0.9), st.sampled_from([QUICK, ModePlan()]))
def test_under_any_oscillating_load_an_edge_flaps_once_an_hour_at_most(
    high: Signals, low: Signals, period_s: float, part: float, plan: ModePlan
) -> None:
    watched = Watched(plan)
    watched.feed(lambda t: high if t % period_s < part * period_s else low, 4 * 3600.0, 15.0)
    for times in re_rises(watched.said, 3600.0).values():
        assert all(later - earlier > 3600.0 for earlier, later in itertools.pairwise(times))


def test_the_worst_oscillation_is_still_one_flap_an_hour_and_fewer_with_each() -> None:
    """An attacker who knows the machine floods until it rises, and waits until it falls."""
    watched = Watched(QUICK)
    flood = msgspec.structs.replace(CALM, attempts_per_min=60.0)
    for _ in range(24 * 240):
        watched.feed(flood if watched.mode is OPEN else CALM, 15.0, 15.0)
    (times,) = re_rises(watched.said, 3600.0).values()
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) >= 5
    assert min(gaps) > 3600.0
    assert gaps[-1] >= 3 * 3600.0


@settings(max_examples=12)
@given(LOADS, MODES, st.integers(1, 400), st.integers(0, 400))
def test_an_override_is_in_force_until_it_expires_whatever_the_load(
    load: list[tuple[Signals, int]], mode: RegistrationMode, samples: int, later: int
) -> None:
    watched = Watched(QUICK)
    watched.feed(load[0][0], later * EVERY_S)
    until = watched.now + samples * EVERY_S
    watched.machine.override(mode, until, watched.now)
    for signals, count in load:
        for _ in range(count):
            watched.feed(signals, EVERY_S)
            assert watched.now > until or watched.machine.mode(watched.now - 0.1) is mode
    assert watched.now < until or watched.machine.mode(watched.now) is watched.machine.automatic


@settings(max_examples=12)
@given(LOADS, st.lists(st.integers(1, 300), max_size=3), st.none() | MODES)
def test_a_restart_at_any_time_changes_nothing(
    load: list[tuple[Signals, int]], between: list[int], said: RegistrationMode | None
) -> None:
    straight, broken = Watched(QUICK), Watched(QUICK)
    for watched in (straight, broken):
        if said is not None:
            watched.machine.override(said, AT + 900.0, AT)
        for number, (signals, samples) in enumerate(load):
            if watched is broken and number < len(between):
                watched.feed(signals, min(between[number], samples) * EVERY_S)
                watched.restart()
                watched.feed(signals, (samples - min(between[number], samples)) * EVERY_S)
            else:
                watched.feed(signals, samples * EVERY_S)
    assert straight.said == broken.said
    assert straight.machine.state() == broken.machine.state()


@settings(max_examples=12)
@given(LOADS, st.floats(1.0, 1e6), st.integers(0, 5))
def test_a_clock_that_steps_back_moves_nothing_and_delays_nothing(
    load: list[tuple[Signals, int]], step_s: float, when: int
) -> None:
    """But for the sample at which it does so, during which no time passes."""
    straight, stepped = Watched(QUICK), Watched(QUICK)
    run(straight, load)
    for number, (signals, samples) in enumerate(load):
        if number == when:
            stepped.now -= step_s
        stepped.feed(signals, samples * EVERY_S)
    modes, other = [one.to for one in straight.said], [one.to for one in stepped.said]
    assert modes[: len(other)] == other
    assert len(modes) - len(other) <= 1


@settings(max_examples=12)
@given(LOADS)
def test_asking_changes_nothing(load: list[tuple[Signals, int]]) -> None:
    asked, left = Watched(QUICK), Watched(QUICK)
    run(left, load)
    for signals, samples in load:
        for _ in range(samples):
            asked.feed(signals, EVERY_S)
        assert all(one.in_s is None or one.in_s >= 0.0 for one in asked.machine.next_conditions(asked.now))
        _ = (asked.machine.mode(asked.now + 1e6), asked.machine.automatic)
    assert asked.said == left.said
    assert asked.machine.state() == left.machine.state()


def test_knowing_nothing_moves_nothing() -> None:
    watched = Watched(QUICK)
    assert watched.feed(msgspec.structs.replace(CALM, attempts_per_min=5.0), 3600.0) == []
    watched.machine.override(OPEN, watched.now + 10.0, watched.now)
    assert watched.feed(msgspec.structs.replace(CALM, attempts_per_min=17.0), 3600.0) == []


@given(st.lists(st.floats(0.0, 20_000.0), min_size=1, max_size=30))
def test_no_dwell_is_longer_than_its_limit_or_the_hour_after_a_flap(gaps: list[float]) -> None:
    edge, now = Edge(), AT
    for gap in gaps:
        edge = edge.risen(now, 3600.0)
        assert 0.0 <= edge.wait_s(0.0, 600.0, 14_400.0, 3600.0, now) <= 14_400.0
        now += gap
        edge = edge.fallen(now)
        now += gap / 2
