"""How long challenges live, how many are remembered, and how much work may be asked."""

from __future__ import annotations

from typing import Final

import msgspec

EPOCH_S: Final = 300
"""For so long challenges are made with one key; that of an epoch and of the two before it are good."""


class ChallengePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Of single challenges."""

    lifetime_s: int = 2 * EPOCH_S
    """Nobody is asked to fill in a form in less than ten minutes (WCAG 2.2.1), and no key lives longer."""

    effort_most: int = 64
    """Whatever is asked for, more pieces than this are in no challenge: checking one costs about 10 microseconds."""

    wrong_most: int = 3
    """Wrong answers with right pieces in them after which a challenge is over."""

    failing_most: int = 4096
    """Challenges of which wrong answers are remembered; then the first of them is forgotten."""


class EffortPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Of how much work is suggested. The figures of devices stand in docs/challenge.md."""

    period_s: float = 5.0
    """How often the suggestion moves."""

    patience_s: float = 0.25
    """Work that waits for less than this is no load."""

    budget_s: float = 8.0
    """Nobody's device works longer than this at what is suggested, at the 95th percentile of the last hour."""

    cap_most: int = 40
    """What the slowest phones that are supported solve in the budget. No report raises it."""

    cap_least: int = 2
    """No report lowers it further: who says that everything is slow would switch challenges off."""

    samples_least: int = 20
    """Solve times of fewer sources than this say nothing."""

    samples_most: int = 1024
    """Sources whose last solve time is remembered; then the oldest is forgotten."""

    memory_s: float = 3600.0
    """For how long a solve time counts."""
