"""The lines of a record of decisions: numbers, words of a fixed list and keyed fingerprints, nothing else.

Each line is one JSON object, told apart by `kind`. Times `t` are seconds since the record's run began (its first
line tells when that was, by the clock on the wall and by the one that only goes forward). No field can hold an
address, a name, a key or a word that somebody wrote: text is a fingerprint, which is checked where it is read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tidegate.core.accounts import Role
from tidegate.core.admission.facts import Bearing, Lane
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import History
from tidegate.core.standing.record import StandingPlan

VERSION: Final = 1
LISTED_PER_S: Final = 50
"""So many refusals of strangers are listed in a second; the rest of them is only counted."""

Print = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
"""A keyed fingerprint."""

At = Annotated[float, Meta(ge=0.0, le=1e9)]
Seconds = Annotated[float, Meta(ge=0.0, le=86_400.0)]
Tokens = Annotated[int, Meta(ge=0, le=100_000_000)]
Bytes = Annotated[int, Meta(ge=0, le=1_000_000_000_000_000_000)]
Number = Annotated[int, Meta(ge=0, le=1_000_000_000_000)]
Rate = Annotated[float, Meta(ge=0.0, le=1e9)]
Which = Annotated[int, Meta(ge=0, le=255)]


class Listed(StrEnum):
    """By which of the operator's lists an address was found."""

    ALLOW = "allow"
    DENY = "deny"


class Answered(StrEnum):
    """What the scheduler said to a claim."""

    ADMITTED = "admitted"
    WAITING = "waiting"
    SHED = "shed"
    CROWDED = "crowded"


class How(StrEnum):
    """How an admitted claim ended: served to its end, given up by its caller, taken back by rule."""

    SETTLED = "settled"
    LEFT = "left"
    CUT = "cut"


class Noted(StrEnum):
    """What the gate was told between decisions."""

    DEAD = "dead"
    TURNED_DOWN = "turned_down"
    GUESS = "guess"
    ALIVE = "alive"


class Line(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    gc=False,
):
    """Any line."""

    t: At


class Began(Line, frozen=True, kw_only=True, tag="begin", gc=False):
    """The first line of each file: what it takes to decide again.

    `run` names the run of the service, `part` counts its files from 1. `unix_s` and `monotonic_s` are both clocks
    when the run began. `policy` is a digest of the plans. `gate` holds the gate's numbers, without its lists.
    `admission` is the plan of each engine's line, without the key that deals queues.
    """

    version: int
    run: Print
    part: Annotated[int, Meta(ge=1)]
    unix_s: Annotated[float, Meta(ge=0.0, le=1e11)]
    monotonic_s: Annotated[float, Meta(ge=0.0, le=1e11)]
    policy: Print
    gate: dict[str, float]
    admission: Annotated[tuple[AdmissionPlan, ...], Meta(min_length=1, max_length=256)]
    standing: StandingPlan
    listed_per_s: Annotated[int, Meta(ge=1)] = LISTED_PER_S


class Replanned(Line, frozen=True, kw_only=True, tag="plan", gc=False):
    """The policy was exchanged."""

    gate: dict[str, float]
    admission: Annotated[tuple[AdmissionPlan, ...], Meta(min_length=1, max_length=256)]
    standing: StandingPlan
    policy: Print


class Resized(Line, frozen=True, kw_only=True, tag="resize", gc=False):
    """An engine's line has another number of places."""

    line: Which = 0
    slots: Annotated[int, Meta(ge=1, le=65_536)]


class Met(Line, frozen=True, kw_only=True, tag="met", gc=False):
    """What was known of an account when it came, or has changed since."""

    who: Print
    cohort: Print | None = None
    role: Role = Role.USER
    created_at_s: float = 0.0
    member_since_s: float = 0.0
    is_verified: bool = False
    is_vouched: bool = False
    is_born_in_flood: bool = False
    suspect_until_s: float | None = None
    history: History = History()


class Judged(Line, frozen=True, kw_only=True, tag="gate", gc=False):
    """One decision of the gate; without a `reason` it let the request pass.

    `source` are the address and its networks, the narrowest first: two for IPv4, three for IPv6. `would` is
    why a dry run would have refused. `is_junk`: refused because the work it brought was certainly none.
    """

    lane: Lane
    bearing: Bearing = Bearing.NOTHING
    source: tuple[Print, ...] = ()
    who: Print | None = None
    digest: Print | None = None
    needs_credential: bool = False
    size_bytes: Bytes = 0
    standing: Standing = Standing.VISITOR
    reason: Reason | None = None
    would: Reason | None = None
    wait_s: Seconds | None = None
    listed: Listed | None = None
    is_junk: bool = False


class Counted(Line, frozen=True, kw_only=True, tag="counted", gc=False):
    """Refusals of strangers within the second before `t`, beyond those that are listed."""

    lane: Lane
    reason: Reason
    number: Number


class Note(Line, frozen=True, kw_only=True, tag="note", gc=False):
    """What the gate was told of a credential, or of an address whose key was turned down."""

    what: Noted
    digest: Print | None = None
    source: tuple[Print, ...] = ()


class Claimed(Line, frozen=True, kw_only=True, tag="claim", gc=False):
    """One request for inference, and what the scheduler said at once.

    `wait_s` is what was promised to whoever waits, or told to whoever was refused.
    """

    line: Which = 0
    ticket: Number
    who: Print
    standing: Standing
    cohort: Print | None = None
    usual: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    prompt_bytes: Bytes = 0
    output_tokens: Tokens = 0
    patience_s: Seconds = 60.0
    end_user: Print | None = None
    answered: Answered = Answered.ADMITTED
    wait_s: Seconds = 0.0


class Ended(Line, frozen=True, kw_only=True, tag="end", gc=False):
    """What an admitted claim came to. `queue_s` until it last had a place: without it, it never had one.

    `first_s` is from that place to the first piece of the answer. `returns`: so often its place was taken
    back before that.
    """

    line: Which = 0
    ticket: Number
    how: How
    queue_s: Seconds | None = None
    first_s: Seconds | None = None
    prompt_tokens: Tokens = 0
    cached_tokens: Tokens = 0
    output_tokens: Tokens = 0
    prefill_tok_s: Rate = 0.0
    decode_tok_s: Rate = 0.0
    returns: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class Lost(Line, frozen=True, kw_only=True, tag="lost", gc=False):
    """So many lines could not be kept: more came than fit in memory before they were written."""

    number: Number


AnyLine = Began | Replanned | Resized | Met | Judged | Counted | Note | Claimed | Ended | Lost
"""Whatever stands in a record."""
