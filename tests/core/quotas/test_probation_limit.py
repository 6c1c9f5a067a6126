"""A limit for one day that comes with who somebody is."""

from __future__ import annotations

import pytest

from tidegate.core.quotas.budget import Budget, Kept, Payer, State
from tidegate.core.quotas.ledger import Exhausted, Ledger, Out
from tidegate.core.quotas.windows import Window

NOW = 1_790_000_000.0
ANA = Payer("usr_ana")
KEY = Payer("key_ana", has_defaults=False)


def _ledger(defaults: Budget, tokens: int = 100) -> Ledger:
    return Ledger(defaults, 10, lambda payer, now: tokens if (payer, now) == (ANA.name, NOW) else 0)


def _day(ledger: Ledger, payer: Payer = ANA) -> State:
    return next(state for state in ledger.states((payer,), NOW) if state.window is Window.DAY)


def test_it_ends_what_may_begin() -> None:
    """As any other limit does, and says which it is."""
    ledger = _ledger(Budget())
    first = ledger.reserve((ANA,), 60, NOW)
    assert isinstance(first, Out)
    ledger.settle(first.number, 100)

    refused = ledger.reserve((ANA,), 60, NOW)

    assert isinstance(refused, Exhausted)
    assert (refused.state.window, refused.state.limit, refused.state.is_probation) == (Window.DAY, 100, True)


@pytest.mark.parametrize(("per_day", "expected"), [(None, (100, True)), (500, (100, True)), (50, (50, False))])
def test_the_tighter_of_it_and_the_default_counts(per_day: int | None, expected: tuple[int, bool]) -> None:
    """Nobody gains by being new."""
    state = _day(_ledger(Budget(per_day=per_day)))

    assert (state.limit, state.is_probation) == expected


def test_a_limit_of_ones_own_counts_before_it() -> None:
    """What an operator set for somebody is what they may use, none included."""
    for per_day in (0, 900):
        ledger = _ledger(Budget(per_day=50))
        ledger.know(ANA, Kept(payer=ANA.name, budget=Budget(per_day=per_day)))

        assert (_day(ledger).limit, _day(ledger).is_probation) == (per_day, False)


def test_it_is_for_accounts_and_for_days() -> None:
    """Keys and other windows have no such limit."""
    ledger = Ledger(Budget(), 10, lambda _payer, _now: 100)

    assert [state.limit for state in ledger.states((ANA,), NOW)] == [0, 0, 100, 0]
    assert not any(state.limit for state in ledger.states((KEY,), NOW))
