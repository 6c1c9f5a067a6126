"""One person's (or program's) dealings with the door: who they are, what they were told, what came of it."""

from __future__ import annotations

from hashlib import blake2s
from math import inf
from typing import Final, NoReturn

from tidegate.core.admission.facts import Facts, Lane, Refused
from tidegate.core.challenge.plan import ChallengePlan
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.reasons import Reason
from tidegate.lab.acts import Outcome, Who
from tidegate.lab.promises import Promise
from tidegate.lab.simulator.errands import Errands
from tidegate.lab.simulator.reception import House, Reception
from tidegate.lab.simulator.refusing import STATUS
from tidegate.services.sessions import Trace
from tidegate.services.work import Answer, Work

TYPING_S: Final = 2.0
"""How long a person needs for a form; programs need nothing."""
LONGEST_WORK_S: Final = float(ChallengePlan().lifetime_s)
_LEAST_PAUSE_S: Final = 0.05


class EndedError(Exception):
    """It ends here: with this status and reason, and the promise that was told."""

    def __init__(self, status: int, reason: str = "", retry_after_s: float | None = None) -> None:
        """Carry what ends it."""
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


def refused(reason: Reason, retry_after_s: float | None = None) -> EndedError:
    """What ends by a refusal."""
    return EndedError(STATUS[reason], reason.value, retry_after_s)


class Call:
    """What one ask is while it lasts. `until_s` is when its asker gives up."""

    def __init__(
        self, who: Who, number: int, reception: Reception, house: House, errands: Errands, until_s: float = inf
    ) -> None:
        """It begins now."""
        self.who = who
        self.number = number
        self.at_s = errands.now
        self.effort = 0
        self.last = EndedError(0)  # What they heard last, and end with if they give up.
        self.packed = who.address.to_bytes(4, "big")
        self.network = network_of(who.address)
        self.trace = Trace(id=RequestId.of(number.to_bytes(8, "big")), src=_fingerprint(self.packed), net=self.network)
        self._reception = reception
        self._house = house
        self._errands = errands
        self._until_s = until_s
        self._promise = Promise()

    # ------------------------------------------------------------ time

    @property
    def now_s(self) -> float:
        """When it is."""
        return self._errands.now

    async def pause(self, for_s: float) -> None:
        """Wait. Raises EndedError, at the time, where that is when they give up."""
        if for_s < self._until_s - self._errands.now:
            await self._errands.pause(max(for_s, _LEAST_PAUSE_S))
        else:
            await self.give_up()

    async def give_up(self) -> NoReturn:
        """Wait in vain, until that is too long. Raises EndedError then."""
        await self._errands.pause(max(0.0, self._until_s - self._errands.now))
        raise EndedError(self.last.status, self.last.reason, self.last.retry_after_s)

    def told(self, promised_s: float) -> None:
        """Hear how long it will be: the first time counts."""
        self._promise.told(promised_s, self._errands.now)

    def told_anew(self, promised_s: float) -> None:
        """Hear it of something else than before: that promise counts instead."""
        self._promise.told_anew(promised_s, self._errands.now)

    def waited(self) -> None:
        """What was told of is here."""
        self._promise.over(self._errands.now)

    # ------------------------------------------------------------ the gate

    def knock(self, facts: Facts) -> Refused | None:
        """Send a request's head; None is that it may come in."""
        refusal = self._house.judge(facts, self._errands.now)
        if refusal is not None and facts.lane is Lane.SIGN_UP:
            self._reception.turned_away(1)
        return refusal

    def pass_with(self, facts: Facts) -> None:
        """The same; raises EndedError for who is refused."""
        refusal = self.knock(facts)
        if refusal is not None:
            if refusal.retry_after_s is not None:
                self.told(refusal.retry_after_s)
            raise refused(refusal.reason, refusal.retry_after_s)

    # ------------------------------------------------------------ work

    async def work(self, work: Work | None, effort_s: float | None, typing_s: float) -> Answer:
        """Type, while the device does what it is asked for; nothing where it does no work."""
        if work is not None:
            self.effort = max(self.effort, work.effort)
        if work is None or effort_s is None:
            if typing_s:
                await self.pause(typing_s)
            return Answer()
        took_s = min(work.effort * effort_s, LONGEST_WORK_S)
        await self.pause(max(typing_s, took_s))
        return Answer(challenge=work.text, took_s=took_s)

    # ------------------------------------------------------------ its end

    def ended(self, status: int, reason: str = "", retry_after_s: float | None = None, *, is_complete: bool) -> Outcome:
        """What became of it, now."""
        now = self._errands.now
        return Outcome(
            asked_at_s=self.at_s,
            ended_at_s=now,
            status=status,
            reason=reason,
            first_s=now - self.at_s if status else None,
            is_complete=is_complete,
            retry_after_s=retry_after_s,
            promised_s=self._promise.promised_s,
            waited_s=self._promise.waited_s(now),
            effort=self.effort,
        )


def network_of(address: int) -> Fingerprint:
    """What stands for the /24 of an address."""
    return _fingerprint((address >> 8).to_bytes(3, "big"))


def device_of(name: str) -> bytes:
    """What the device of somebody is known by (10 bytes)."""
    return blake2s(name.encode(), digest_size=10).digest()


def _fingerprint(known: bytes) -> Fingerprint:
    return Fingerprint(blake2s(known, digest_size=8).hexdigest())
