"""Quotas over fakes."""

from __future__ import annotations

from tidegate.core.quotas.budget import Budget
from tidegate.core.quotas.ledger import Ledger
from tidegate.ports.accounts import AccountStore
from tidegate.services.quotas import Quotas
from tidegate.testing.clock import HandClock
from tidegate.testing.quotas import MemoryQuotaStore


def a_quotas(accounts: AccountStore, clock: HandClock, budget: Budget | None = None, *, most: int = 1000) -> Quotas:
    """Nobody has a limit, unless the test gives a default."""
    return Quotas(MemoryQuotaStore(accounts), Ledger(budget or Budget(), most), clock)
