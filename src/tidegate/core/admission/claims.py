"""What a request asks of the engine, in whose name, and what it is told.

The unit of every cost is the cost token: the engine's time for one token of
output. A prompt token that must be read costs `CostModel.prompt_weight` of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from tidegate.core.standing.classes import STRANGERS, Standing


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One request for inference.

    `principal` is the account; `cohort` the group of linked sign-ups that it
    belongs to (its own id when there is none). Its prompt has `prompt_bytes`, its
    answer at most `output_tokens`. `usual_in_flight` is how many requests the
    principal usually has in at once: more than that are beyond its standing. The
    caller waits no longer than `patience_s`. `end_user` is whom of its people the
    principal asks for, where it says so.
    """

    principal: str
    standing: Standing
    cohort: str
    prompt_bytes: int
    output_tokens: int
    usual_in_flight: int = 1
    patience_s: float = 60.0
    end_user: str = ""

    @property
    def group(self) -> str:
        """With whom its principal shares what strangers get."""
        return group_of(self.principal, self.standing, self.cohort)


def group_of(principal: str, standing: Standing, cohort: str) -> str:
    """With whom a principal shares what strangers get: its cohort, or with nobody where it is known."""
    return cohort if standing in STRANGERS else principal


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What a request came to. Rates are the engine's own (tokens/s; 0 when not told)."""

    prompt_tokens: int
    cached_tokens: int = 0
    output_tokens: int = 0
    prefill_tok_s: float = 0.0
    decode_tok_s: float = 0.0


class Place(msgspec.Struct, frozen=True):
    """One of the engine's places. `is_warm`: what the engine remembers there is the owner's own.

    `owner` is whose request it is, for engines that remember by what they have read instead of by place; `group`
    is with whom the owner is one where names are free.
    """

    number: int
    is_warm: bool
    owner: str = ""
    group: str = ""


ASIDE: Final = Place(-1, is_warm=False)
"""A place beside those that callers get, for what the service itself asks: nobody is admitted to it."""


class Admitted(msgspec.Struct, frozen=True):
    """The ticket holds a place now."""

    place: Place


class Waiting(msgspec.Struct, frozen=True):
    """The ticket waits. `position` 1 is next in its class; `wait_s` is promised to be enough."""

    position: int
    wait_s: float


class Shed(msgspec.Struct, frozen=True):
    """There is no room for it within its patience; there should be in `retry_after_s` seconds."""

    retry_after_s: float


class Crowded(msgspec.Struct, frozen=True):
    """The principal has too many in already; one of them should be gone in `retry_after_s` seconds.

    Or its end user has, where `is_end_users`: others of the same principal's may be let in.
    """

    retry_after_s: float
    is_end_users: bool = False


class Called(msgspec.Struct, frozen=True):
    """A ticket that waited holds a place now."""

    ticket: int
    place: Place


class Cut(msgspec.Struct, frozen=True):
    """A running ticket loses its place, by rule: the engine must be freed at once.

    `is_returning`: nothing of its answer was there yet, so it waits again, first
    in its class; it will be Called. Otherwise it is over, and `retry_after_s`
    is when to ask again.
    """

    ticket: int
    is_returning: bool
    retry_after_s: float


Act = Called | Cut
"""What became of other tickets, for the caller to carry out."""


class Topped(StrEnum):
    """May a stream that used up what it reserved go on?"""

    ENOUGH = "enough"
    TOPPED_UP = "topped_up"
    ENDED = "ended"
