"""Budgets, as the settings would have them."""

from __future__ import annotations

import time

import msgspec

from tidegate.adapters.sql.store import SqlStore
from tidegate.config import Settings
from tidegate.core.quotas.budget import Budget
from tidegate.core.quotas.ledger import Ledger, Probation
from tidegate.services.quotas import Quotas

_KEYS_EACH = 2
"""Payers for each account that is remembered: itself, and the key that it mostly uses."""


def quotas(settings: Settings, store: SqlStore, probation: Probation) -> Quotas:
    """Keep limits and use in `store`, with `probation` for who is new. Nothing is read yet."""
    defaults = Budget(**msgspec.structs.asdict(settings.quotas))
    ledger = Ledger(defaults, _KEYS_EACH * settings.gate.most_principals, probation)
    return Quotas(store.quotas, ledger, time.time)
