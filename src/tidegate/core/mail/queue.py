"""The order in which letters are handed over, when they are tried again, and when they are given up.

A letter waits, is taken, and then was sent, was refused for good, or is tried
again later. Two things can be wrong: the server does not answer, then all
letters wait together and one is tried now and then; or the server does not take
this letter now (greylisting, a full mailbox), then only that one waits.

A server that takes a letter and never says so gets it once more, a while later,
and then no more: it may have delivered each of them (RFC 1047), and a mailbox
that gets the same letter all day was bombed.

Letters to people with an account go first, and strangers' letters never take
the last quarter of the places. A letter whose link has run out is given up:
it would only annoy.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.mail.budgets import CAUSED, Caused
from tidegate.core.mail.letter import Letter

_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 600.0
_MOST_DOUBLINGS: Final = 30
_UNANSWERED_PAUSE_S: Final = 300.0
MOST_UNANSWERED: Final = 2
"""So often a letter is handed over without a word of what became of it."""

_STRANGERS_PART: Final = 0.75


class Waiting(msgspec.Struct, kw_only=True, eq=False):
    """A letter in the queue: since when, when it is due (Unix s), how often it was tried, how often unanswered."""

    letter: Letter
    since_s: float
    due_s: float
    tries: int = 0
    unanswered: int = 0

    @property
    def is_strangers(self) -> bool:
        """Whether somebody without an account caused it."""
        return CAUSED[self.letter.kind] is Caused.BY_STRANGER


class LetterQueue:
    """Holds at most `most` letters, those that are being handed over too."""

    def __init__(self, most: int) -> None:
        """Nothing waits."""
        self.most = most
        self.failing_since_s: float | None = None
        self._failures = 0
        self._waiting: list[Waiting] = []
        self._taken: list[Waiting] = []
        self._server_at_s = 0.0

    def __len__(self) -> int:
        """How many wait or are being handed over."""
        return len(self._waiting) + len(self._taken)

    @property
    def put_off_letters(self) -> int:
        """How many of them the server did not take when they were tried."""
        return sum(one.tries > 0 for one in (*self._waiting, *self._taken))

    def put(self, letter: Letter, now: float) -> bool:
        """Have a letter wait to be sent at once. False when there is no room for it."""
        waiting = Waiting(letter=letter, since_s=now, due_s=now)
        strangers = sum(one.is_strangers for one in (*self._waiting, *self._taken))
        if len(self) >= self.most or (waiting.is_strangers and strangers >= self.most * _STRANGERS_PART):
            return False
        self._waiting.append(waiting)
        return True

    def take(self, now: float) -> Waiting | None:
        """The next letter to hand over, if one is due. Then tell what came of it, once."""
        due = [one for one in self._waiting if one.due_s <= now]
        if not due or now < self._server_at_s:
            return None
        first = min(due, key=lambda one: (one.is_strangers, one.due_s))
        self._waiting.remove(first)
        self._taken.append(first)
        if self.failing_since_s is not None:
            # One letter finds out whether the server is back, not as many as there are hands.
            self._server_at_s = now + _pause_s(self._failures)
        return first

    def next_s(self, now: float) -> float | None:
        """After how many seconds `take` may have something; None while nothing waits."""
        if not self._waiting:
            return None
        return max(0.0, self._server_at_s - now, min(one.due_s for one in self._waiting) - now)

    def can_go(self, until: float) -> bool:
        """Whether one is being handed over or will be due by then (Unix s), while the server is there."""
        due = any(one.due_s <= until for one in self._waiting)
        return self.failing_since_s is None and (bool(self._taken) or due)

    def rest(self) -> list[Waiting]:
        """Give up all that wait and all that were taken; answers which."""
        rest = [*self._taken, *self._waiting]
        self._taken, self._waiting = [], []
        return rest

    def answered(self, waiting: Waiting) -> None:
        """It was handed over, or refused for good: the server is there, and the letter is done with."""
        self._taken.remove(waiting)
        self._server_is_there()

    def put_off(self, waiting: Waiting, now: float) -> bool:
        """The server does not take this letter now. False when it is given up: it would come too late."""
        self._server_is_there()
        return self._again(waiting, now, _pause_s(waiting.tries))

    def unanswered(self, waiting: Waiting, now: float) -> bool:
        """Nobody knows whether the server took this letter. False when it is given up: it may be there often enough."""
        self._server_is_there()
        waiting.unanswered += 1
        if waiting.unanswered >= MOST_UNANSWERED:
            self._taken.remove(waiting)
            return False
        return self._again(waiting, now, max(_UNANSWERED_PAUSE_S, _pause_s(waiting.tries)))

    def unreachable(self, waiting: Waiting, now: float) -> bool:
        """The server does not answer, or does not let us in. False when the letter is given up."""
        if self.failing_since_s is None:
            self.failing_since_s = now
        self._server_at_s = now + _pause_s(self._failures)
        self._failures += 1
        # Not the letter's fault: it is due when the server is asked again. Behind the others, in case it was after all.
        return self._again(waiting, now, 0.0)

    def expired(self, now: float) -> list[Waiting]:
        """Give up what would arrive for nothing; answers which."""
        old = [one for one in self._waiting if one.letter.good_until_s <= now]
        if old:
            self._waiting = [one for one in self._waiting if one.letter.good_until_s > now]
        return old

    def _again(self, waiting: Waiting, now: float, pause_s: float) -> bool:
        self._taken.remove(waiting)
        if now + pause_s >= waiting.letter.good_until_s:
            return False
        waiting.tries += 1
        if pause_s:
            waiting.due_s = now + pause_s
        self._waiting.append(waiting)
        return True

    def _server_is_there(self) -> None:
        self._failures, self.failing_since_s, self._server_at_s = 0, None, 0.0


def _pause_s(tries: int) -> float:
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(tries, _MOST_DOUBLINGS))
