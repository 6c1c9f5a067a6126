"""The settings of budgets, as `settings.py` has all others."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from tidegate.core.quotas.budget import MOST_TOKENS

Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]


class QuotasSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account may use: tokens, prompt and answer together. All of it can be changed while the service runs.

    Windows are the calendar's in UTC. `tidegate users quota` and `tidegate keys
    quota` give an account or a key limits of its own.
    """

    per_minute: Annotated[
        Tokens,
        Meta(description="Tokens that an account may use in one minute, prompts and answers; 0 is no limit."),
    ] = 0
    per_hour: Annotated[Tokens, Meta(description="The same for one hour.")] = 0
    per_day: Annotated[Tokens, Meta(description="The same for one day; days begin at 00:00 UTC.")] = 0
    per_month: Annotated[Tokens, Meta(description="The same for one month; months begin at 00:00 UTC on the 1st.")] = 0
