"""What a row of verdicts comes to: when to say that the answers are no longer the pinned model's.

    unknown --Same--> same --Different, twice in a row--> different --Same--> same
       |                                                     ^
       +---------------- Different, twice in a row ----------+

One Different alone is not told: it is asked again soon. A Drifted is no alarm,
and ends one that was: it is nearer to the pinned model than to another. What
cannot be compared changes nothing, and is told once until something can be.

What can never happen: a change that is told twice without having gone in
between; an alarm from one reading.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

import msgspec

from tidegate.core.identifiers import Replica
from tidegate.core.models.pin import Different, Drifted, NotComparable, NotComparableReason, Part, Same, Verdict

TWICE = 2


class Answering(StrEnum):
    """Whose answers they are, as far as is known."""

    UNKNOWN = "unknown"
    SAME = "same"
    DRIFTED = "drifted"
    DIFFERENT = "different"
    NOT_COMPARABLE = "not_comparable"


class Step(StrEnum):
    """What is to be told."""

    CHANGED = "changed"
    RESTORED = "restored"
    NOT_COMPARABLE = "not_comparable"


class Sameness(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands. `since_s` is when it was first seen to be so; times are Unix seconds.

    `why`: the last time that it could not be compared, if nothing could be since.
    """

    answering: Answering = Answering.UNKNOWN
    since_s: float | None = None
    judged_at_s: float | None = None
    distance: float | None = None
    part: Part | None = None
    why: NotComparableReason | None = None


class LookOutcome(StrEnum):
    """What came of one look."""

    SAME = "same"
    DRIFTED = "drifted"
    DIFFERENT = "different"
    NOT_COMPARABLE = "not_comparable"
    PINNED = "pinned"
    UNANSWERED = "unanswered"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look: what came of it, what it took, and where it stands since. `replica`: at one of several engines."""

    model: str
    replica: Replica | None = None
    outcome: LookOutcome
    sameness: Sameness
    prompt_tokens: int = 0
    completion_tokens: int = 0


class SamenessWatch:
    """The state machine."""

    def __init__(self) -> None:
        """Nothing is known."""
        self.now = Sameness()
        self._different = 0
        self._different_since = 0.0
        self._is_told_incomparable = False

    @property
    def is_suspecting(self) -> bool:
        """Whether the last word is a Different that is not told yet: it is worth asking again soon."""
        return 0 < self._different < TWICE

    def pinned(self, at_s: float) -> None:
        """What answers now is right, by the operator's word or because it is the first."""
        self._different, self._is_told_incomparable = 0, False
        self.now = Sameness(answering=Answering.SAME, since_s=at_s, judged_at_s=at_s, distance=0.0)

    def judged(self, verdict: Verdict, at_s: float) -> Step | None:
        """Take the next verdict; answer what is to be told."""
        was_different = self.now.answering is Answering.DIFFERENT
        match verdict:
            case NotComparable(reason=reason):
                return self._not_comparable(at_s, reason)
            case Different(distance=distance, part=part):
                self._different += 1
                if self._different == 1:
                    self._different_since = at_s
                if self.is_suspecting:
                    return None
                self._stand(Answering.DIFFERENT, self._different_since, at_s, distance, part)
                return None if was_different else Step.CHANGED
            case Drifted(distance=distance, part=part):
                self._stand(Answering.DRIFTED, at_s, at_s, distance, part)
            case Same(distance=distance):
                self._stand(Answering.SAME, at_s, at_s, distance, None)
            case _ as never:
                assert_never(never)
        self._different, self._is_told_incomparable = 0, False
        return Step.RESTORED if was_different else None

    def _not_comparable(self, at_s: float, why: NotComparableReason) -> Step | None:
        if self.now.answering is not Answering.DIFFERENT:
            # An alarm stays until the pinned model has been heard again.
            self._stand(Answering.NOT_COMPARABLE, at_s, at_s, None, None)
        self.now = msgspec.structs.replace(self.now, why=why)
        if self._is_told_incomparable:
            return None
        self._is_told_incomparable = True
        return Step.NOT_COMPARABLE

    def _stand(
        self, answering: Answering, since_s: float, at_s: float, distance: float | None, part: Part | None
    ) -> None:
        if answering is self.now.answering and self.now.since_s is not None:
            since_s = self.now.since_s
        self.now = Sameness(answering=answering, since_s=since_s, judged_at_s=at_s, distance=distance, part=part)
