"""Somebody who signs in: on a device that their account knows, or as a stranger who may have to work for it first.

A person sees the page before the form, types, and brings the work that the page asks for; asked for
more they send the form again. A program sends the form without having looked, and looks at the page
only when it is asked for work that it does. A refusal ends it: whether to come again is the asker's.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.admission.facts import Bearing, Facts, Lane
from tidegate.core.challenge.challenges import Scope
from tidegate.core.entering import devices
from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.lab.acts import Outcome, SignIn
from tidegate.lab.simulator.call import TYPING_S, Call, EndedError, device_of, refused
from tidegate.lab.simulator.reception import RIGHT, WRONG, House, Reception, address_of
from tidegate.services.passwords import PasswordsBusyError
from tidegate.services.sessions import NO_PROOF, ChallengeNeededError, Proof, WrongCredentialsError
from tidegate.services.work import Answer, WorkRefusedError

_SEE_OTHER: Final = 303
_MOST_FORMS: Final = 3


class Entrant:
    """One sign-in."""

    def __init__(self, call: Call, what: SignIn, reception: Reception, house: House) -> None:
        """They have not asked yet."""
        self._call = call
        self._what = what
        self._sessions = reception.sessions
        self._works = reception.joining.works
        self._seed = call.number.to_bytes(8, "big")
        self._email = address_of(what.account)
        self._marks = ""
        self._device: tuple[UserId, bytes] | None = None
        if what.is_known_device:
            accounts = house.accounts
            is_own = what.account == call.who.name
            principal = accounts.meet(call.who).principal if is_own else accounts.principal(what.account)
            self._device = principal, device_of(f"{what.account} {call.who.name}")
            now = reception.sessions.clerk.clock()
            self._marks = devices.issue(principal, self._email, reception.keys, now=now, entropy=self._device[1])

    async def arrive(self) -> Outcome:
        """Be signed in, or end without."""
        try:
            await self._enter()
        except EndedError as end:
            return self._call.ended(end.status, end.reason, end.retry_after_s, is_complete=False)
        return self._call.ended(_SEE_OTHER, is_complete=True)

    async def _enter(self) -> None:
        call, what = self._call, self._what
        effort = 0
        if not call.who.is_program:
            call.pass_with(self._facts(Lane.PAGE))
            effort = 0 if self._marks else self._sessions.effort_asked(call.trace)
        typing_s = 0.0 if call.who.is_program else TYPING_S
        for _ in range(_MOST_FORMS):
            work = self._works.issue(Scope.SIGN_IN, self._seed, effort) if effort else None
            answer = await call.work(work, what.effort_s, typing_s)
            call.pass_with(self._facts(Lane.SIGN_IN))
            needed = await self._sent(answer)
            if not needed:
                return
            effort = max(needed, self._sessions.effort_asked(call.trace))
            call.effort = max(call.effort, effort)
            if what.effort_s is None:
                break
        raise refused(Reason.CHALLENGE_REQUIRED)

    async def _sent(self, answer: Answer) -> int:
        """Send the form; the effort that is asked for instead of looking at it, 0 for who is signed in."""
        password = RIGHT if self._what.is_right else WRONG
        try:
            await self._sessions.sign_in(
                self._email, password, self._call.trace, marks=self._marks, proof=self._proof(answer)
            )
        except ChallengeNeededError as error:
            return max(1, error.effort)
        except WorkRefusedError:
            return 1
        except WrongCredentialsError:
            raise refused(Reason.WRONG_CREDENTIALS) from None
        except PasswordsBusyError as busy:
            self._call.told(busy.retry_after_s)
            raise refused(Reason.SIGN_IN_BUSY, busy.retry_after_s) from None
        return 0

    def _facts(self, lane: Lane) -> Facts:
        if self._device is None:
            return Facts(address=self._call.packed, lane=lane)
        principal, digest = self._device
        return Facts(address=self._call.packed, lane=lane, bearing=Bearing.DEVICE, principal=principal, digest=digest)

    def _proof(self, answer: Answer) -> Proof:
        if not answer.challenge:
            return NO_PROOF
        found = self._works.spend(Scope.SIGN_IN, self._seed, answer, self._call.trace)
        return Proof(effort=found.effort)
