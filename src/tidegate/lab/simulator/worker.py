"""The thread that hashes passwords, in virtual time: the service's own line (core/entering/line.py), and a clock.

Nothing is hashed. What is "stored" of a password is its text, and looking at one takes
HASH_S of the one thread, as it does on a core of 2020's machines with the parameters of
services/passwords.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tidegate.core.entering.line import Full, Held, LinePlan
from tidegate.core.entering.places import Claim, Place
from tidegate.lab.simulator.errands import Errands, Promise
from tidegate.services.passwords import PasswordLane, PasswordsBusyError, checked

HASH_S: Final = 0.025


class VirtualLane(PasswordLane):
    """Passwords are looked at one after the other, each for HASH_S. `draw` makes lots from 0 to 1."""

    def __init__(self, plan: LinePlan, errands: Errands, draw: Callable[[], float]) -> None:
        """Nobody waits."""
        super().__init__(plan, clock=lambda: errands.now, draw=draw)
        self._errands = errands
        self._turns: dict[int, tuple[Place, Promise[None]]] = {}
        self._is_held = False

    async def hash(self, password: str, email: str = "", claim: Claim | None = None) -> str:
        """Answer what is to be stored. Raises ValueError naming the field, or PasswordsBusyError."""
        text = checked(password, email)
        await self._turn(claim or self.claim())
        return text

    async def verify(self, stored_hash: str | None, password: str, claim: Claim | None = None) -> bool:
        """Whether it is the password. Raises PasswordsBusyError."""
        await self._turn(claim or self.claim())
        return password == stored_hash

    def is_outdated(self, stored_hash: str) -> bool:
        """Nothing is."""
        del stored_hash
        return False

    def _turn(self, claim: Claim) -> Promise[None]:
        """Be in line until it was one's turn and the password was looked at. Raises PasswordsBusyError."""
        number = next(self._numbers)
        joined = self._line.join(number, claim, self._errands.now)
        if isinstance(joined, Full):
            raise PasswordsBusyError(joined.retry_after_s)
        if joined.evicted is not None:
            self._turned_away(joined.evicted, joined.retry_after_s)
        turn = Promise[None]()
        self._turns[number] = (claim.place, turn)
        self._serve()
        return turn

    def _serve(self) -> None:
        """Have the next one run, if the thread is free."""
        now = self._errands.now
        for number in self._line.late(now):
            self._turned_away(number, self._line.drain_s(self._turns[number][0]))
        called = self._line.call(now, is_attacked=self.is_attacked())
        if isinstance(called, Held):
            if not self._is_held:
                self._is_held = True
                self._errands.at(now + called.wait_s, self._serve_again)
        elif called is not None:
            turn = self._turns.pop(called)[1]
            self._errands.at(now + HASH_S, lambda: self._looked_at(called, turn))

    def _serve_again(self) -> None:
        self._is_held = False
        self._serve()

    def _looked_at(self, number: int, turn: Promise[None]) -> None:
        self._line.done(number, HASH_S, self._errands.now)
        self._serve()
        turn.keep(None)

    def _turned_away(self, number: int, retry_after_s: float) -> None:
        # Told by the agenda: whoever asks again at once must not change the line in the middle of this.
        turn = self._turns.pop(number)[1]
        self._errands.at(self._errands.now, lambda: turn.fail(PasswordsBusyError(retry_after_s)))
