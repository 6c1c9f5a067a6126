"""Puts a rehearsal together: the policy that the service would run under, and the world it is played in."""

from __future__ import annotations

from tidegate.app.plans import Plans, entering_plan, line_plan, plans_of
from tidegate.config import Settings
from tidegate.lab.rules import Rules
from tidegate.services.admission import Patience

SHARD_KEY = b"tidegate lab: the same strangers"
"""Strangers share queues by this key: the same in every rehearsal, so that one can be played again."""


def rules_of(settings: Settings) -> Rules:
    """Make the plans that the service would make. Raises SettingsError for settings that contradict each other."""
    plans: Plans = plans_of(settings, SHARD_KEY)
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
        patience=Patience(streamed_s=plans.patience_s, whole_s=plans.patience_whole_s),
    )
