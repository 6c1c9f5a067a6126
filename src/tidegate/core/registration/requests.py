"""Whoever cannot join right now, and asks to: for an operator's yes, or to be told by mail when it is their turn.

One for each address, whatever is written after a plus. Asking again keeps the
place and lets it last longer. Places are drawn: whoever asks within the same
WINDOW_S is in no order of arrival, for programs always arrive first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from tidegate.core.identifiers import Fingerprint, JoinRequestId
from tidegate.core.standing.history import DAY_S

WINDOW_S: Final = 300.0
NOTE_LENGTH: Final = 300


class RequestKind(StrEnum):
    """What was asked for."""

    APPROVAL = "approval"
    WAITING = "waiting"


class Left(StrEnum):
    """What became of asking. It says nothing about whether the address was here before, or has an account."""

    LEFT = "left"
    NETWORK_FULL = "network_full"
    FULL = "full"


class RequestPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How many are kept, how many a network may leave in a day, and how long one is kept."""

    most: int = 10_000
    per_network: int = 20
    lasts_s: float = 30 * DAY_S


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. `net` is where it came from, `place` its order among others of its kind; times are Unix seconds.

    `is_refused`: an operator said no. It stays until it expires, so that asking again changes nothing.
    """

    id: JoinRequestId
    kind: RequestKind
    email: str
    net: Fingerprint | None
    note: str
    asked_at_s: float
    expires_at_s: float
    place: float
    is_refused: bool = False


def place_of(asked_at_s: float, draw: float) -> float:
    """The place of whoever asked then (Unix s) and drew this, from 0 to below 1."""
    return asked_at_s // WINDOW_S + draw


def noted(text: str) -> str:
    """What somebody wrote of themselves: in one line, and not too long. Raises ValueError naming the field."""
    note = " ".join(text[: 4 * NOTE_LENGTH].split())
    if len(note) > NOTE_LENGTH or not note.isprintable() or len(text) > 4 * NOTE_LENGTH:
        msg = f"note: at most {NOTE_LENGTH} characters, and no control characters"
        raise ValueError(msg)
    return note


class Nets:
    """Counts what each network leaves in a day. Whoever asks in vain is counted too, so that nobody learns from it.

    At most `most` networks; the one that began its day longest ago is forgotten first.
    """

    def __init__(self, *, most: int = 65_536) -> None:
        """Nobody has left anything."""
        self._most = most
        self._seen: dict[Fingerprint | None, tuple[float, int]] = {}

    def __len__(self) -> int:
        """How many networks are remembered."""
        return len(self._seen)

    def count(self, net: Fingerprint | None, limit: int, now: float) -> bool:
        """Count one more (Unix s); False where that is too many."""
        began_at_s, seen = self._seen.get(net, (now, 0))
        if not began_at_s <= now < began_at_s + DAY_S:
            self._seen.pop(net, None)  # So that it stands last again.
            began_at_s, seen = now, 0
        self._seen[net] = (began_at_s, min(seen + 1, limit + 1))
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]
        return seen < limit
