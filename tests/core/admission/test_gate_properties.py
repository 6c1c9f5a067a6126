"""What holds for the gate whatever comes to it, and whatever the clock does."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.core.admission.gating import (
    AT,
    PLAN,
    TURNS,
    Full,
    gate,
    reason,
    register,
)
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.facts import Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import Gate
from tidegate.core.reasons import Reason


@given(turns=TURNS, lists=st.tuples(*[st.lists(st.sampled_from(["1.0.0.0/8", "::/0", "2.1.1.1"]), max_size=3)] * 2))
def test_what_strangers_do_and_where_from_changes_nothing_for_holders(
    turns: list[tuple[Facts, float]], lists: tuple[list[str], list[str]]
) -> None:
    """
    The same decisions as in a gate where nobody else is, no list is set and no address is known.
    """
    beset, alone = gate(allow=Networks(lists[0]), deny=Networks(lists[1])), gate()
    now = AT
    for facts, step in turns:
        now += step
        decided = beset.decide(facts, now)
        if facts.principal:
            assert decided == alone.decide(msgspec.structs.replace(facts, address=None), now)


@given(turns=TURNS)
def test_the_same_requests_at_the_same_times_are_decided_the_same(turns: list[tuple[Facts, float]]) -> None:
    first, second = gate(), gate()
    now = AT
    for facts, step in turns:
        now += step
        assert first.decide(facts, now) == second.decide(facts, now)


@given(turns=TURNS)
def test_nobody_is_passed_beyond_a_budget_over_any_span(turns: list[tuple[Facts, float]]) -> None:
    """
    For each address, each lane's strangers and each account, by how far the clock was seen to go forward.
    """
    one = gate()
    now, forward = AT, 0.0
    passed_at: dict[tuple[object, float, float], list[float]] = {}
    for facts, step in turns:
        now += step
        forward += max(0.0, step)
        if facts.lane is Lane.HEALTH or isinstance(one.decide(facts, now), Refused):
            continue
        if facts.principal:
            budgets: list[tuple[object, float, float]] = [(facts.principal, 2.0, 4.0)]
        else:
            budgets = [(facts.lane, 10.0, 20.0)]
        if facts.address and not facts.principal:
            is_account = facts.lane is Lane.ACCOUNT
            own, network = ((0.5, 2.0), (2.5, 10.0)) if is_account else ((1.0, 3.0), (2.0, 6.0))
            width = 3 if len(facts.address) == 4 else 7
            budgets += [((is_account, facts.address), *own), ((is_account, facts.address[:width]), *network)]
        for budget in budgets:
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
        elif facts.requires_credential and not facts.principal:
            assert reason(would) is Reason.INVALID_API_KEY
        elif full and facts.lane is Lane.INFERENCE:
            assert reason(would) is Reason.SERVER_IS_OVERLOADED
        else:
            assert would == Passed(decided.standing, decided.reason)
