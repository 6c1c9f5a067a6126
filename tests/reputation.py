"""A reputation over fakes."""

from __future__ import annotations

from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.ports.accounts import AccountStore
from tidegate.services.reputation import Reputation
from tidegate.testing.clock import HandClock
from tidegate.testing.standing import MemoryStandingStore


def a_reputation(accounts: AccountStore, clock: HandClock, *, most: int = 1000) -> Reputation:
    return Reputation(MemoryStandingStore(accounts), Register(StandingPlan(), most), clock)
