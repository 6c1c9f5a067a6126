"""Issues challenges without remembering them, and judges answers at the cost of a few hashes.

A challenge reads `puzzle.scope.effort.issued.lifetime.id.mac`: issued in Unix
milliseconds, lifetime in seconds, id and MAC 16 bytes each in hex. The MAC (keyed
BLAKE2s, RFC 7693, with a key that holds for five minutes) covers all of it and the
subject, which stands in no text: the browser's form seed or an account, not an
address, which changes when a phone leaves the house.

Questions are asked in the order of their price, and the first "no" ends it: size,
form, age, MAC, scope, spent, order, and then hash by hash. An id is burned by who
calls `spend`, after success only, so garbage burns nobody's challenge.

What can never happen: one challenge counts twice while it lives (see spent.py); an
answer counts for another challenge, subject, scope or effort; one right piece of
work makes this service check pieces without end: wrong answers that cost somebody
work to make are counted, and the third ends the challenge.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2s
from types import MappingProxyType
from typing import Final

import msgspec

from tidegate.core.challenge.plan import EPOCH_S, ChallengePlan
from tidegate.core.challenge.puzzles import PUZZLES, Puzzle, PuzzleName, pieces_of, seed_of
from tidegate.core.challenge.spent import SpentSet

ID_BYTES: Final = 16
TEXT_MOST: Final = 128
"""Letters of the longest challenge: 7 + 8 + 3 + 15 + 5 + 32 + 32 and six dots are 108."""

_MAC_BYTES: Final = 16
_EPOCHS_LIVE: Final = 3
_FIELDS: Final = 7
_SKEW_MS: Final = 5000
"""So far ahead may the clock of the process be that issued it."""


class Scope(StrEnum):
    """What a challenge is for. One for one thing is never accepted for another."""

    SIGN_UP = "sign_up"
    SIGN_IN = "sign_in"
    WAIT = "wait"


class Why(StrEnum):
    """Why an answer does not count. What to do is the same every time: take a new challenge."""

    MALFORMED = "malformed"
    EXPIRED = "expired"
    FORGED = "forged"  # or made for another subject, or by a process that was stopped since
    OTHER_SCOPE = "other_scope"
    SPENT = "spent"
    WRONG = "wrong"
    EXHAUSTED = "exhausted"


class Solved(msgspec.Struct, frozen=True, kw_only=True):
    """Right, and not spent when it was looked at: spend it before it counts. `age_s` bounds what solving took."""

    id: bytes
    effort: int
    puzzle: PuzzleName
    issued_at: float
    age_s: float


class Failed(msgspec.Struct, frozen=True):
    """Not right. From `spent` on the challenge itself was ours and its subject's."""

    why: Why


_FAILED: Final = {why: Failed(why) for why in Why}
_NAMES: Final = {name.value: name for name in PuzzleName}


class Challenges:
    """All challenges made under one master secret.

    Processes that share the secret share the challenges but not what is spent: each counts an id once.
    """

    def __init__(
        self, master: bytes, plan: ChallengePlan, puzzles: Mapping[PuzzleName, Puzzle] = MappingProxyType(PUZZLES)
    ) -> None:
        """Take 32 secret bytes; `puzzles` are the work that there is.

        Raises ValueError for fewer bytes, or for a lifetime that no live key covers.
        """
        if len(master) < 32:  # noqa: PLR2004 - what BLAKE2s takes
            msg = "the master secret has 32 bytes"
            raise ValueError(msg)
        if not 0 < plan.lifetime_s <= (_EPOCHS_LIVE - 1) * EPOCH_S:
            msg = f"challenges live for at most {(_EPOCHS_LIVE - 1) * EPOCH_S} s"
            raise ValueError(msg)
        self._master = master[:32]
        self._plan = plan
        self._puzzles = puzzles
        self._keyed: dict[int, blake2s] = {}
        self._spent = SpentSet(plan.lifetime_s)
        self._failing: dict[bytes, int] = {}

    def issue(self, scope: Scope, subject: bytes, effort: int, puzzle: PuzzleName, now: float, entropy: bytes) -> str:
        """Write a challenge for `subject` from 16 fresh random bytes.

        More than the plan's most effort is cut to it. Raises ValueError for none: that is no challenge.
        """
        if effort < 1 or len(entropy) != ID_BYTES:
            msg = "a challenge needs an effort of at least 1 and 16 random bytes"
            raise ValueError(msg)
        issued_ms = int(now * 1000)
        effort = min(effort, self._plan.effort_most)
        stem = f"{puzzle.value}.{scope.value}.{effort}.{issued_ms}.{self._plan.lifetime_s}.{entropy.hex()}"
        return f"{stem}.{self._mac(issued_ms, stem, subject)}"

    def verify(self, text: str, answer: str, scope: Scope, subject: bytes, now: float) -> Solved | Failed:
        """Judge an answer. Spends nothing; changes only how many wrong answers a challenge has had."""
        fields = _fields(text)
        if fields is None:
            return _FAILED[Why.MALFORMED]
        why = self._no_longer(fields, text, subject, now)
        if why is not None:
            return _FAILED[why]
        if fields[1] != scope:
            return _FAILED[Why.OTHER_SCOPE]
        name, challenge_id, effort = _NAMES[fields[0]], bytes.fromhex(fields[5]), int(fields[2])
        why = self._over(challenge_id) or self._mistake(text, answer, name, effort, challenge_id)
        if why is not None:
            return _FAILED[why]
        issued_at = int(fields[3]) / 1000
        return Solved(id=challenge_id, effort=effort, puzzle=name, issued_at=issued_at, age_s=max(0.0, now - issued_at))

    def is_junk(self, text: str, answer: str, subject: bytes, now: float) -> bool:
        """Whether an answer is certainly none: one that `verify` would refuse, whatever the scope. Changes nothing.

        Never for what honest people bring: a challenge that has expired, was spent or is for something else, or
        whose work was not begun (then the answer is empty). It looks at one piece of the answer only, so that
        asking is equally cheap whatever the effort: who has done one piece is to be looked at properly.
        """
        fields = _fields(text)
        if fields is None:
            return True
        why = self._no_longer(fields, text, subject, now)
        if why is not None or not answer:
            return why is Why.FORGED
        puzzle = self._puzzles[_NAMES[fields[0]]]
        pieces = pieces_of(answer, puzzle, int(fields[2]))
        return pieces is None or not puzzle.is_solved(seed_of(text), 0, pieces[0])

    def spend(self, solved: Solved, now: float) -> bool:
        """Burn it. False when another was quicker, or when so many were spent that no more are remembered."""
        return self._spent.spend(solved.id, now)

    def _no_longer(self, fields: list[str], text: str, subject: bytes, now: float) -> Why | None:
        """Why this is no challenge of ours for this subject, or is one no longer."""
        issued_ms, now_ms = int(fields[3]), int(now * 1000)
        # Before the MAC: a key is never derived for a time that nobody is in.
        if now_ms >= issued_ms + self._plan.lifetime_s * 1000:
            return Why.EXPIRED
        stem, _, mac = text.rpartition(".")
        if issued_ms > now_ms + _SKEW_MS or not hmac.compare_digest(mac, self._mac(issued_ms, stem, subject)):
            return Why.FORGED
        # The lifetime was written by `issue`, maybe under a plan with another one.
        return Why.EXPIRED if now_ms >= issued_ms + int(fields[4]) * 1000 else None

    def _over(self, challenge_id: bytes) -> Why | None:
        if self._spent.is_spent(challenge_id):
            return Why.SPENT
        return Why.EXHAUSTED if self._failing.get(challenge_id, 0) >= self._plan.wrong_most else None

    def _mistake(self, text: str, answer: str, name: PuzzleName, effort: int, challenge_id: bytes) -> Why | None:
        puzzle = self._puzzles[name]
        pieces = pieces_of(answer, puzzle, effort)
        if pieces is None:
            return Why.MALFORMED
        seed = seed_of(text)
        for index, piece in enumerate(pieces):
            if not puzzle.is_solved(seed, index, piece):
                if index:
                    self._note_wrong(challenge_id)
                return Why.WRONG
        return None

    def _note_wrong(self, challenge_id: bytes) -> None:
        # Only answers that cost their sender a piece of work get here, so nobody fills this with garbage.
        self._failing[challenge_id] = self._failing.get(challenge_id, 0) + 1
        if len(self._failing) > self._plan.failing_most:
            del self._failing[next(iter(self._failing))]

    def _mac(self, issued_ms: int, stem: str, subject: bytes) -> str:
        epoch = issued_ms // (EPOCH_S * 1000)
        keyed = self._keyed.get(epoch)
        if keyed is None:
            keyed = self._keyed[epoch] = self._key_of(epoch)
            if len(self._keyed) > _EPOCHS_LIVE + 1:
                del self._keyed[min(self._keyed)]
        mac = keyed.copy()
        # The stem holds no zero byte, so no subject continues it.
        mac.update(stem.encode("ascii") + b"\0" + subject)
        return mac.hexdigest()

    def _key_of(self, epoch: int) -> blake2s:
        key = blake2s(epoch.to_bytes(8, "big"), key=self._master, person=b"tg-epoch").digest()
        return blake2s(key=key, digest_size=_MAC_BYTES, person=b"tg-chall")


def _fields(text: str) -> list[str] | None:
    if len(text) > TEXT_MOST or not text.isascii():
        return None
    fields = text.split(".")
    return fields if len(fields) == _FIELDS and fields[0] in _NAMES and fields[3].isdigit() else None
