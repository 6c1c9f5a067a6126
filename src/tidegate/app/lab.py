"""What the lab is given: the rules of a policy, made of settings as the service itself would make them."""

from __future__ import annotations

from tidegate.app.door import patience
from tidegate.app.plans import entering_plan, line_plan, plans_of
from tidegate.config import Settings
from tidegate.lab.rules import Rules

_SHARD_KEY = b"tidegate lab: no secret".ljust(32, b".")
"""Deals queues in a rehearsal, where nobody outside could choose whose to share."""


def rules_of(settings: Settings) -> Rules:
    """Make the rules. Raises SettingsError for settings that contradict each other."""
    plans = plans_of(settings, _SHARD_KEY)
    return Rules(
        gate=plans.gate,
        admission=plans.admission,
        standing=plans.standing,
        modes=plans.modes,
        joining=plans.joining,
        calm=plans.calm,
        sign_up=plans.sign_up,
        entering=entering_plan(settings),
        line=line_plan(settings),
        quotas=plans.quotas,
        probation=plans.probation,
        patience=patience(plans),
        is_mail_on=settings.mail.delivery != "off",
    )
