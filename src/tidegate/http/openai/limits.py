"""Tells in OpenAI's headers what is left of a caller's tokens: of the budget that will be felt first."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from tidegate.core.quotas.budget import Payer, tightest
from tidegate.services.quotas import Quotas


def headers(quotas: Quotas | None, payers: Sequence[Payer]) -> dict[str, str]:
    """`x-ratelimit-*` as they are now; nothing where no budget applies."""
    state = None if quotas is None else tightest(quotas.states(payers))
    if quotas is None or state is None:
        return {}
    return {
        "x-ratelimit-limit-tokens": str(state.limit),
        "x-ratelimit-remaining-tokens": str(state.remaining),
        "x-ratelimit-reset-tokens": duration(quotas.wait_s(state)),
    }


def duration(seconds: float) -> str:
    """A time to wait as OpenAI writes it, which is Go's form: `6m0s`, `1h0m5s`; never too short."""
    minutes, seconds_left = divmod(ceil(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes_left}m{seconds_left}s"
    return f"{minutes}m{seconds_left}s" if minutes else f"{seconds_left}s"
