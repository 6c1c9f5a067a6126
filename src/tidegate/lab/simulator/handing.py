"""What would be handed to a firewall, and what is: decided by the core, and told as it happens.

The last day is taken as watched, with nobody seen in it: addresses of people whom the
service knows are inhabited from their first request in the rehearsal on. A firewall is
believed to take what it is given at once.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

from tidegate.core.firewall.elements import Element, Mode
from tidegate.core.firewall.inhabited import DAY_S, Inhabited
from tidegate.core.firewall.offloading import Offloading
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.lab.hearing import Happened
from tidegate.lab.simulator.serving import BASE_UNIX_S, Tell

GIVES_UP_S: Final = 10.0
"""Whose packets are dropped gives up connecting after so long."""

_WIDTHS: Final = (4, 3)


class Handing:
    """Hears of refusals and of known people; `now` is seconds since the rehearsal began.

    `is_on` tells whether anything is decided: whoever asks it need not tell anything while it is not.
    """

    def __init__(self, plan: FirewallPlan, seed: int, tell: Tell) -> None:
        """Nothing is handed over."""
        key = blake2s(seed.to_bytes(8, "big"), person=b"handing").digest()
        self._offloading = Offloading(plan, Inhabited(key, BASE_UNIX_S - DAY_S), own=tuple)
        self.is_on = self._offloading.is_on
        self._tell = tell
        self._held: dict[bytes, float] = {}

    def refused(self, address: bytes, now: float) -> None:
        """Somebody who is not known was refused there."""
        found = self._offloading.refused(address, BASE_UNIX_S + now)
        if isinstance(found, Element):
            if self._offloading.plan.mode is Mode.ON:
                self._held[found.prefix] = found.until_s - BASE_UNIX_S
            detail = f"{found.reason.value}/{found.bits}/{found.until_s - found.since_s:.0f}s"
            self._tell(Happened(at_s=now, what="handover", to=self._offloading.plan.mode.value, detail=detail))

    def seen(self, address: bytes, now: float) -> None:
        """Somebody who is known asks from there."""
        for ended in self._offloading.seen(address, BASE_UNIX_S + now):
            self._held.pop(ended.prefix, None)

    def keeps_out(self, address: bytes, now: float) -> bool:
        """Whether the firewall drops what comes from there."""
        return any(self._held.get(address[:width], 0.0) > now for width in _WIDTHS)

    def apply(self, plan: FirewallPlan) -> None:
        """Decide by another plan from now on."""
        for ended in self._offloading.apply(plan):
            self._held.pop(ended.prefix, None)
        self.is_on = self._offloading.is_on
