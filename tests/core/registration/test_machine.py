"""The gate closes by itself when the tide comes, and opens again when it has gone."""

from __future__ import annotations

import msgspec
import pytest

from tests.core.registration.sampling import (
    AT,
    CALM,
    CLOSED,
    EVERY_S,
    FLOOD,
    INVITE,
    OPEN,
    THROTTLED,
    WAITING,
    Watched,
    at,
)
from tidegate.core.registration.modes import Cause, MovedBy, Pending, RegistrationMode
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.signals import Share, Signals, Verdict


def like(signals: Signals, **fields: object) -> Signals:
    return msgspec.structs.replace(signals, **fields)


def climbed(seen: Signals) -> RegistrationMode:
    """Where an hour of this leads."""
    watched = Watched()
    watched.feed(seen, 3600.0)
    return watched.mode


def test_a_flood_of_sign_ups_is_throttled_after_30_s_and_waits_after_60_s_of_its_onset() -> None:
    watched = Watched()
    watched.feed(CALM, 600.0)
    assert at(watched.feed(FLOOD, 300.0)) == [(625.0, "throttled"), (655.0, "waiting_room")]


def test_noise_alone_never_asks_honest_newcomers_for_an_invitation() -> None:
    """Attempts cost an attacker nothing; accounts made in spite of the challenge do."""
    assert climbed(FLOOD) is WAITING
    assert climbed(like(FLOOD, abuse=Share(4, 200), headroom=0.5, verified=Share(180, 200))) is WAITING
    assert climbed(like(FLOOD, verdict=Verdict.SIGNUP_ABUSE)) is WAITING


def test_what_costs_nothing_shuts_no_door_also_not_on_a_busy_evening() -> None:
    """To shut the door on everybody is an attack: letters to nobody and a crowd before a busy engine are free."""
    assert climbed(like(FLOOD, headroom=0.0, verified=Share(0, 200), mail_left=0.11)) is WAITING


@pytest.mark.parametrize(
    ("seen", "to"),
    [
        (like(CALM), OPEN),
        (like(CALM, attempts_per_min=17.0), OPEN),
        (like(CALM, attempts_per_min=19.0), THROTTLED),
        (like(CALM, attempts_per_min=119.0), THROTTLED),
        (like(CALM, attempts_per_min=121.0), WAITING),
        (like(CALM, baseline_per_min=0.0), WAITING),
        (like(CALM, abuse=Share(30, 100)), THROTTLED),
        (like(CALM, abuse=Share(22, 100)), OPEN),
        (like(CALM, abuse=Share(35, 49)), THROTTLED),
        (like(CALM, abuse=Share(45, 60)), INVITE),
        (like(CALM, verdict=Verdict.SURGE), OPEN),
        (like(CALM, verdict=Verdict.FLOOD), THROTTLED),
        (like(CALM, verdict=Verdict.SIGNUP_ABUSE), WAITING),
        (like(CALM, queue_s=61.0), WAITING),
        (like(CALM, headroom=0.0), OPEN),
        (like(CALM, attempts_per_min=7.0, headroom=0.24), WAITING),
        (like(CALM, attempts_per_min=7.0, headroom=0.26), OPEN),
        (like(CALM, attempts_per_min=7.0, headroom=0.01), WAITING),
        (like(CALM, attempts_per_min=19.0, headroom=0.01), WAITING),
        (like(CALM, attempts_per_min=19.0, headroom=0.01, mail_left=0.09), CLOSED),
        (like(CALM, attempts_per_min=17.0, headroom=0.01, mail_left=0.09), INVITE),
        (like(CALM, mail_left=0.09), INVITE),
        (like(CALM, mail_left=0.11), WAITING),
        (like(CALM, mail_left=0.26), THROTTLED),
        (like(CALM, mail_left=0.51), OPEN),
        (like(CALM, verified=Share(1, 100)), WAITING),
        (like(CALM, verified=Share(0, 49)), OPEN),
        (like(CALM, verified=Share(8, 100)), OPEN),
    ],
)
def test_each_condition_leads_to_its_mode_and_no_further(seen: Signals, to: RegistrationMode) -> None:
    assert climbed(seen) is to


def test_a_few_cases_and_what_is_unknown_move_nothing_and_are_named() -> None:
    assert climbed(like(CALM, abuse=Share(9, 9))) is OPEN
    assert climbed(like(CALM, abuse=Share(10, 10))) is THROTTLED
    (first,) = Watched().feed(like(CALM, attempts_per_min=20.0), 60.0)
    assert first.causes == (Cause.SIGN_UP_RATE,)
    assert set(first.unjudged) == {
        Cause.ABUSE,
        Cause.DIAGNOSIS,
        Cause.EXHAUSTED,
        Cause.LOW_HEADROOM,
        Cause.LONG_QUEUE,
        Cause.MAIL_BUDGET,
        Cause.UNVERIFIED,
    }


def test_a_move_says_from_where_to_where_by_whom_why_and_what_was_known() -> None:
    watched = Watched()
    first, second = watched.feed(like(FLOOD, verdict=Verdict.FLOOD), 120.0)
    assert (first.was, first.to, first.by, first.at) == (OPEN, THROTTLED, MovedBy.AUTO, AT + 30.0)
    assert first.causes == (Cause.SIGN_UP_RATE, Cause.DIAGNOSIS)
    assert first.evidence == like(FLOOD, verdict=Verdict.FLOOD, at=AT + 30.0)
    assert second.causes == (Cause.SIGN_UP_FLOOD,)
    assert Cause.DIAGNOSIS not in second.unjudged
    assert watched.machine.since == second.at


def test_it_comes_down_step_by_step_each_after_its_own_dwell_of_calm() -> None:
    watched = Watched()
    watched.feed(like(CALM, attempts_per_min=19.0, headroom=0.01, mail_left=0.09), 600.0)
    assert watched.mode is CLOSED
    began = watched.now - AT
    down = watched.feed(like(CALM, headroom=0.9, queue_s=0.0, mail_left=0.9), 7200.0)
    assert [one.to for one in down] == [INVITE, WAITING, THROTTLED, OPEN]
    waits = [one.at - AT - began for one in down]
    assert waits == pytest.approx([1800.0, 3600.0, 4500.0, 5100.0], abs=2 * EVERY_S)
    assert {one.causes for one in down} == {(Cause.CALM,)}


@pytest.mark.parametrize(
    ("up", "between"),
    [
        (like(CALM, attempts_per_min=19.0), like(CALM, attempts_per_min=10.0)),
        (FLOOD, like(CALM, attempts_per_min=70.0)),
        (like(CALM, abuse=Share(60, 100)), like(CALM, abuse=Share(15, 100))),
        (like(CALM, abuse=Share(90, 100)), like(CALM, abuse=Share(40, 100))),
        (like(CALM, queue_s=90.0), like(CALM, queue_s=50.0)),
        (like(CALM, attempts_per_min=7.0, headroom=0.1), like(CALM, attempts_per_min=7.0, headroom=0.3)),
        (like(CALM, mail_left=0.05), like(CALM, mail_left=0.15)),
        (like(CALM, mail_left=0.2), like(CALM, mail_left=0.3)),
        (like(CALM, mail_left=0.4), like(CALM, mail_left=0.55)),
        (like(CALM, verified=Share(0, 100)), like(CALM, verified=Share(15, 100))),
        (like(CALM, attempts_per_min=19.0, headroom=0.01), like(CALM, attempts_per_min=19.0, headroom=0.2)),
        (like(CALM, verdict=Verdict.SIGNUP_ABUSE), like(CALM, verdict=Verdict.SIGNUP_ABUSE)),
        (like(CALM, verdict=Verdict.FLOOD), like(CALM, verdict=Verdict.FLOOD)),
    ],
)
def test_between_the_threshold_up_and_the_milder_one_down_nothing_moves(up: Signals, between: Signals) -> None:
    watched = Watched()
    watched.feed(up, 900.0)
    mode = watched.mode
    assert mode is not OPEN
    assert watched.feed(between, 6 * 3600.0) == []
    (kept, *_) = [one for one in watched.machine.next_conditions(watched.now) if one.to.rank < mode.rank]
    assert kept.in_s is None
    assert kept.causes


def test_a_door_that_was_shut_does_not_open_for_lack_of_knowledge() -> None:
    """Where nobody can sign up nobody is judged; somebody else must say that it is calm."""
    watched = Watched()
    watched.feed(like(FLOOD, abuse=Share(90, 100)), 900.0)
    assert watched.mode is INVITE
    assert watched.feed(FLOOD, 6 * 3600.0) == []
    pending = watched.machine.next_conditions(watched.now)
    assert pending == (Pending(to=WAITING, causes=(), in_s=None),)
    assert watched.feed(like(FLOOD, headroom=0.9), 3600.0)[0].to is WAITING


def test_a_pulse_that_pauses_every_half_minute_is_found_all_the_same() -> None:
    watched = Watched()
    watched.feed(lambda t: FLOOD if t % 30.0 < 25.0 else CALM, 600.0)
    assert watched.mode is WAITING


def test_a_peak_of_20_s_every_minute_moves_nothing() -> None:
    watched = Watched()
    assert watched.feed(lambda t: FLOOD if t % 60.0 < 20.0 else CALM, 3600.0) == []


def test_what_is_not_known_runs_no_timer_on_nor_back() -> None:
    watched = Watched()
    queue = like(CALM, queue_s=90.0)
    watched.feed(queue, 40.0)
    watched.feed(CALM, 600.0)
    assert watched.mode is OPEN
    assert watched.feed(queue, 30.0)[0].causes == (Cause.LONG_QUEUE,)


def test_time_that_nobody_looked_at_counts_for_three_samples_at_most() -> None:
    watched = Watched()
    watched.feed(FLOOD, 10.0)
    watched.now += 3600.0
    assert watched.feed(FLOOD, 5.0) == []
    assert watched.mode is OPEN


def test_steps_up_are_30_s_apart_also_when_all_is_called_for_at_once() -> None:
    watched = Watched()
    said = watched.feed(like(FLOOD, headroom=0.0, abuse=Share(90, 100), mail_left=0.0), 900.0)
    assert at(said) == [(30.0, "throttled"), (60.0, "waiting_room"), (180.0, "invite"), (210.0, "closed")]


def test_it_does_not_go_beyond_the_operators_limit_and_comes_back_below_a_new_one() -> None:
    watched = Watched(ModePlan(max_automatic_mode=WAITING))
    everything = like(FLOOD, headroom=0.0, abuse=Share(90, 100), mail_left=0.0)
    watched.feed(everything, 900.0)
    assert watched.mode is WAITING
    assert [one.to for one in watched.machine.next_conditions(watched.now)] == [THROTTLED]
    watched.machine.plan = ModePlan(max_automatic_mode=OPEN)
    assert watched.mode is OPEN
    (moved,) = watched.feed(everything, 60.0)
    assert (moved.to, moved.by, moved.causes) == (OPEN, MovedBy.OPERATOR, (Cause.SETTINGS,))


def test_the_dwell_doubles_with_each_flap_and_is_forgotten_in_calm() -> None:
    watched = Watched()
    surge = like(CALM, attempts_per_min=40.0)

    def episode() -> float:
        watched.feed(surge, 60.0)
        began = watched.now
        while watched.mode is not OPEN:
            watched.feed(CALM, EVERY_S)
        return watched.now - began

    lasted = [episode() for _ in range(4)]
    # The first dwell; an hour since the rise; twice doubled is less than that hour; then more.
    assert lasted == pytest.approx([600.0, 3575.0, 3575.0, 4800.0], abs=15.0)
    watched.feed(CALM, 5 * 3600.0)
    assert episode() == pytest.approx(600.0, abs=15.0)


def test_an_override_is_in_force_at_once_and_until_it_expires() -> None:
    watched = Watched()
    said = watched.machine.override(CLOSED, watched.now + 600.0, watched.now)
    assert said is not None
    assert (said.was, said.to, said.by, said.causes, said.evidence) == (
        OPEN,
        CLOSED,
        MovedBy.OPERATOR,
        (Cause.OPERATOR,),
        None,
    )
    assert said.unjudged == ()
    assert watched.feed(CALM, 600.0) == []
    assert watched.machine.mode(AT + 599.9) is CLOSED
    assert watched.machine.mode(AT + 600.0) is OPEN
    (ended,) = watched.feed(CALM, 10.0)
    assert (ended.to, ended.by, ended.causes) == (OPEN, MovedBy.OPERATOR, (Cause.OVERRIDE_ENDED,))


def test_after_an_override_the_mode_is_what_the_load_calls_for_by_then() -> None:
    watched = Watched()
    watched.machine.override(OPEN, watched.now + 300.0, watched.now)
    assert watched.feed(FLOOD, 300.0) == []
    assert watched.machine.automatic is WAITING
    assert watched.machine.next_conditions(watched.now - 10.0)[0] == Pending(
        to=WAITING, causes=(Cause.OVERRIDE_ENDED,), in_s=10.0
    )
    (ended,) = watched.feed(FLOOD, 5.0)
    assert (ended.was, ended.to) == (OPEN, WAITING)


def test_an_override_that_is_released_or_repeated_says_so_once() -> None:
    watched = Watched()
    assert watched.machine.release(watched.now) is None
    watched.machine.override(INVITE, watched.now + 300.0, watched.now)
    assert watched.machine.override(INVITE, watched.now + 900.0, watched.now) is None
    assert watched.feed(CALM, 600.0) == []
    released = watched.machine.release(watched.now)
    assert released is not None
    assert (released.was, released.to, released.causes) == (INVITE, OPEN, (Cause.OVERRIDE_ENDED,))
    with pytest.raises(ValueError, match="future"):
        watched.machine.override(OPEN, watched.now, watched.now)


def test_a_dry_run_decides_and_tells_and_changes_nothing() -> None:
    watched = Watched(ModePlan(is_dry_run=True))
    said = watched.feed(FLOOD, 120.0)
    assert [(one.was, one.to, one.is_dry) for one in said] == [(OPEN, THROTTLED, True), (THROTTLED, WAITING, True)]
    assert watched.mode is OPEN
    assert watched.machine.since is None
    watched.machine.override(CLOSED, watched.now + 60.0, watched.now)
    assert watched.mode is CLOSED
    assert Pending(to=OPEN, causes=(Cause.OVERRIDE_ENDED,), in_s=60.0) in watched.machine.next_conditions(watched.now)
    (ended,) = watched.feed(FLOOD, 120.0)
    assert (ended.to, ended.is_dry) == (OPEN, False)
    watched.machine.plan = ModePlan()
    (really,) = watched.feed(FLOOD, 5.0)
    assert (really.to, really.causes) == (WAITING, (Cause.SETTINGS,))


def test_the_operator_can_look_ahead() -> None:
    watched = Watched()
    assert watched.machine.next_conditions(watched.now) == ()
    watched.feed(FLOOD, 15.0)
    rate, flood = watched.machine.next_conditions(watched.now)
    assert rate == Pending(to=THROTTLED, causes=(Cause.SIGN_UP_RATE,), in_s=20.0)
    assert flood == Pending(to=THROTTLED, causes=(Cause.SIGN_UP_FLOOD,), in_s=50.0)
    watched.feed(like(FLOOD, attempts_per_min=30.0), 30.0)
    watched.feed(CALM, 100.0)
    (falling,) = watched.machine.next_conditions(watched.now)
    assert falling == Pending(to=OPEN, causes=(Cause.CALM,), in_s=500.0)


def test_the_modes_are_a_ladder() -> None:
    modes = list(RegistrationMode)
    assert [mode.rank for mode in modes] == [0, 1, 2, 3, 4]
    assert [mode.raised for mode in modes] == [THROTTLED, WAITING, INVITE, CLOSED, CLOSED]
    assert [mode.lowered for mode in modes] == [OPEN, OPEN, THROTTLED, WAITING, INVITE]
    assert INVITE.at_most(THROTTLED) is THROTTLED
    assert OPEN.at_most(THROTTLED) is OPEN
    assert ModePlan().dwell_s(OPEN) == 0.0
