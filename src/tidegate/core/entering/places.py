"""Where in the line for passwords somebody belongs, and what they claim it with."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from tidegate.core.standing.classes import Standing


class Place(StrEnum):
    """A class of the line, the best first.

    `own`: an operator, or somebody signed in, about their own password.
    `established`, `member`, `newcomer`: a device that this very account has
    signed in on, by the account's standing. `stranger`: anybody else who signs
    in. `joining`: a password of an account that is being made.
    """

    OWN = "own"
    ESTABLISHED = "established"
    MEMBER = "member"
    NEWCOMER = "newcomer"
    STRANGER = "stranger"
    JOINING = "joining"


PLACE_OF: Final = {
    Standing.OPERATOR: Place.ESTABLISHED,
    Standing.ESTABLISHED: Place.ESTABLISHED,
    Standing.MEMBER: Place.MEMBER,
    Standing.NEWCOMER: Place.NEWCOMER,
    # Accounts made while a flood ran, and those with findings against them: a device of theirs is worth nothing.
    Standing.VISITOR: Place.STRANGER,
    Standing.SUSPECT: Place.STRANGER,
}
"""Where a device of an account belongs."""

UNKNOWN: Final = frozenset({Place.STRANGER, Place.JOINING})
"""Those who draw lots among themselves, and may be held to a part of the worker."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One password to be hashed. `account` is whose (a fingerprint, "" for nobody's in particular).

    `effort` was shown to have been made for it; `lot` (0 to 1) is drawn for it once, and decides among equals
    without a claim of their own.
    """

    place: Place
    account: str = ""
    effort: int = 0
    lot: float = 0.0
