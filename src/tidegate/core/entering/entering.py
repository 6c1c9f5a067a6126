"""What becomes of a sign-in before its password is looked at: where it belongs, and what it must bring.

    a mark of this very account     known: a place by the account's standing, no effort,
      that is not worn              whatever else goes on. Nobody else's tries count
                                    against it, neither for the account nor its source.
    everybody else                  a stranger: the greatest of three efforts, or is told
                                    which is needed before anything dearer is asked:
                                    that of an attack (pressure.py), that of the account
                                    and that of the source (attempts.py).

A mark of another account counts for nothing, so an attacker's own accounts and
devices buy no place for somebody else's. What is needed is the same whether or
not the address is known here.

What can never happen: a known device asked for an effort; a stranger asked for
more than `cap`, or for any at all where there is no challenge to
make it with (`has_challenge`), which leaves them the drawing of lots in line.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from tidegate.core.credentials import ServerKeys
from tidegate.core.entering.attempts import Attempts, AttemptsPlan
from tidegate.core.entering.devices import Device
from tidegate.core.entering.places import PLACE_OF, Place
from tidegate.core.entering.pressure import GuessingPressure, PressurePlan
from tidegate.core.standing.classes import Standing


class Why(StrEnum):
    """What an effort is asked for."""

    PRESSURE = "pressure"
    ACCOUNT = "account"
    SOURCE = "source"


class EnteringPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`has_challenge`: strangers can be asked for an effort. `efforts` are those of an attack, by its level."""

    attempts: AttemptsPlan = AttemptsPlan()
    pressure: PressurePlan = PressurePlan()
    efforts: tuple[int, ...] = (1, 2, 4, 8)
    device_s: float = 180 * 86_400.0
    has_challenge: bool = False


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in. `account` stands for the address as typed, `source` and `network` for where it comes from."""

    account: str
    source: str | None = None
    network: str | None = None
    effort: int = 0


class Known(msgspec.Struct, frozen=True):
    """From a device of this very account."""

    place: Place


class Unknown(msgspec.Struct, frozen=True):
    """A stranger's, with what it brings."""

    effort: int


class Challenged(msgspec.Struct, frozen=True):
    """A stranger's that must bring so much first."""

    effort: int
    why: Why


class Entering:
    """Decides about sign-ins, and counts what becomes of them. `now` is seconds of one clock.

    `cap` is the greatest effort that may be asked for just now: what the slowest devices solve in good time.
    """

    def __init__(self, plan: EnteringPlan) -> None:
        """Calm."""
        self.plan = plan
        self.cap = plan.attempts.most_effort
        self.attempts = Attempts(plan.attempts)
        self.pressure = GuessingPressure(plan.pressure)

    def device_of(self, shown: Iterable[Device], address: str, keys: ServerKeys, now: float) -> Device | None:
        """The mark of the account that signs in with `address`, if its device is not worn."""
        for device in shown:
            if device.is_of(address, keys):
                return None if self.attempts.is_worn(device.id, now) else device
        return None

    def decide(
        self, tried: Try, standing: Standing | None, capacity: float, now: float
    ) -> Known | Unknown | Challenged:
        """Say where a try belongs. `standing` is that of the account on a device of its own, None elsewhere."""
        place = Place.STRANGER if standing is None else PLACE_OF[standing]
        if place is not Place.STRANGER:
            return Known(place)
        if not self.plan.has_challenge:
            return Unknown(0)
        efforts = {
            Why.PRESSURE: self._of_pressure(capacity, now),
            Why.ACCOUNT: self.attempts.account_effort(tried.account, now),
            Why.SOURCE: self.attempts.source_effort(tried.source, tried.network, now),
        }
        why = max(efforts, key=lambda one: efforts[one])
        needed = min(self.cap, efforts[why])
        return Unknown(tried.effort) if tried.effort >= needed else Challenged(needed, why)

    def suggested(self, source: str | None, network: str | None, capacity: float, now: float) -> int:
        """What a stranger from there should bring, before anybody knows for which account; 0 is nothing."""
        if not self.plan.has_challenge:
            return 0
        needed = max(self._of_pressure(capacity, now), self.attempts.source_effort(source, network, now))
        return min(self.cap, needed)

    def missed(self, tried: Try, device: Device | None, capacity: float, now: float) -> bool:
        """The password was wrong; True when the device that it came from is worn by it."""
        if device is not None:
            return self.attempts.device_missed(device.id, now)
        self.attempts.stranger_missed(tried.account, tried.source, tried.network, now)
        self.pressure.missed(now, capacity)
        return False

    def turned_away(self, capacity: float, now: float) -> None:
        """A stranger's try ended before its password was looked at."""
        self.pressure.missed(now, capacity)

    def signed_in(self, tried: Try, device: Device | None) -> None:
        """The password was right."""
        self.attempts.signed_in(tried.account, None if device is None else device.id)

    def is_attacked(self, capacity: float, now: float) -> bool:
        """Whether strangers are guessing passwords, as far as it shows."""
        return self.pressure.is_attacked(now, capacity)

    def _of_pressure(self, capacity: float, now: float) -> int:
        level = self.pressure.level(now, capacity)
        if not level:
            return 0
        return self.plan.efforts[min(level, len(self.plan.efforts)) - 1]
