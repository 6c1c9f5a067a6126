"""What holds for the gate whatever comes to it, and whatever the clock does."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.core.admission.gating import (
    ABOUT_ACCOUNTS,
    AT,
    OF_PASSWORDS,
    PLAN,
    TURNS,
    Full,
    gate,
    reason,
    register,
)
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import Gate
from tidegate.core.reasons import Reason


def is_counted_for_its_principal(facts: Facts) -> bool:
    """As a device only where it may enter, or read how."""
    if facts.bearing is not Bearing.DEVICE:
        return facts.principal is not None
    return facts.lane in OF_PASSWORDS | {Lane.PAGE, Lane.ASSET} and not facts.requires_credential


@given(turns=TURNS, lists=st.tuples(*[st.lists(st.sampled_from(["1.0.0.0/8", "::/0", "2.1.1.1"]), max_size=3)] * 2))
def test_what_strangers_do_and_where_from_changes_nothing_for_holders(
    turns: list[tuple[Facts, float]], lists: tuple[list[str], list[str]]
) -> None:
    """
    The same decisions as in a gate where nobody else is, no list is set and no address is known. A device that
    was signed in on is a holder where people sign in.
    """
    beset, alone = gate(allow=Networks(lists[0]), deny=Networks(lists[1])), gate()
    now = AT
    for facts, step in turns:
        now += step
        decided = beset.decide(facts, now)
        if is_counted_for_its_principal(facts):
            assert decided == alone.decide(msgspec.structs.replace(facts, address=None), now)


@given(turns=TURNS)
def test_the_same_requests_at_the_same_times_are_decided_the_same(turns: list[tuple[Facts, float]]) -> None:
    first, second = gate(), gate()
    now = AT
    for facts, step in turns:
        now += step
        assert first.decide(facts, now) == second.decide(facts, now)


Budget = tuple[object, float, float]


def budgets_of(facts: Facts) -> list[Budget]:
    """Every bucket that a request counts for, with its rate and burst."""
    if not is_counted_for_its_principal(facts):
        of_lane = (5.0, 15.0) if facts.lane in ABOUT_ACCOUNTS else (10.0, 20.0)
        return [(facts.lane, *of_lane), *budgets_of_address(facts)]
    if facts.lane in OF_PASSWORDS:
        return [(facts.digest, 0.1, 2.0), (("all", facts.principal), 0.4, 8.0)]
    if facts.bearing is Bearing.DEVICE:
        return [(("read", facts.digest), 1.0, 3.0)]
    return [(facts.principal, 2.0, 4.0)]


def budgets_of_address(facts: Facts) -> list[Budget]:
    if not facts.address:
        return []
    about = facts.lane if facts.lane in ABOUT_ACCOUNTS else None
    own, network = ((0.5, 2.0), (2.5, 10.0)) if about else ((1.0, 3.0), (2.0, 6.0))
    width = 3 if len(facts.address) == 4 else 7
    return [((about, facts.address), *own), ((about, facts.address[:width]), *network)]


@given(turns=TURNS)
def test_nobody_is_passed_beyond_a_budget_over_any_span(turns: list[tuple[Facts, float]]) -> None:
    """
    For each address, each lane's strangers, each account and each device, by how far the clock was seen to go forward.
    """
    one = gate()
    now, forward = AT, 0.0
    passed_at: dict[tuple[object, float, float], list[float]] = {}
    for facts, step in turns:
        now += step
        forward += max(0.0, step)
        if facts.lane is Lane.HEALTH or isinstance(one.decide(facts, now), Refused):
            continue
        for budget in budgets_of(facts):
            passed_at.setdefault(budget, []).append(forward)

    for (_, rate, burst), times in passed_at.items():
        for first, since in enumerate(times):
            for count, until in enumerate(times[first:], start=1):
                assert count <= burst + rate * (until - since + 1e-4)


@given(turns=TURNS, full=st.booleans())
def test_a_dry_run_marks_what_would_be_refused_and_decides_the_rest_alike(
    turns: list[tuple[Facts, float]], full: bool
) -> None:
    preview = Full() if full else None
    plan = msgspec.structs.replace(PLAN, deny=Networks(["1.0.0.0/8"]))
    strict, dry = (
        Gate(plan, register(), preview),
        Gate(msgspec.structs.replace(plan, is_dry_run=True), register(), preview),
    )
    now = AT
    for facts, step in turns:
        now += step
        decided, would = strict.decide(facts, now), dry.decide(facts, now)
        if isinstance(decided, Passed) or decided.reason not in {Reason.SLOW_DOWN, Reason.SOURCE_BLOCKED}:
            assert would == decided
        elif facts.requires_credential and facts.bearing is not Bearing.GENUINE:
            assert reason(would) is Reason.INVALID_API_KEY
        elif full and facts.lane is Lane.INFERENCE:
            assert reason(would) is Reason.SERVER_IS_OVERLOADED
        else:
            assert would == Passed(decided.standing, decided.reason)
