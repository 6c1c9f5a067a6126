"""Plain rate limiting by address before a service without a gate, as nginx is told to do it (docs/lab/baselines.md).

    limit_req_zone  $binary_remote_addr zone=ask:10m rate=30r/m;
    limit_conn_zone $binary_remote_addr zone=at:10m;
    limit_req  zone=ask burst=4 nodelay;     # what costs: questions, sign-ins, sign-ups
    limit_conn at 4;                         # at once, of one address

Whoever is over it is told 429, and not when to come again: nginx does not know. Pages and files pass.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.admission.bucket import Buckets
from tidegate.core.reasons import Reason
from tidegate.lab.acts import Asked, Hold, Outcome, Page, Who
from tidegate.lab.calibration import Calibration
from tidegate.lab.simulator.bare import Bare
from tidegate.lab.simulator.serving import Agenda, Done

_RATE: Final = 0.5
_BURST: Final = 4.0
_MOST_AT_ONCE: Final = 4
_MOST_ADDRESSES: Final = 160_000
"""What 10 MB hold, by nginx's documentation; the one that came longest ago is forgotten first."""
_TOO_MANY: Final = 429
_SLOW_S: Final = 60.0
"""The proxy closes a connection that sends no head, or takes no answer, for so long; it counts none of these."""


class ByAddress(Bare):
    """The same service as `Bare`, behind a proxy that counts by address."""

    def __init__(self, calibration: Calibration, agenda: Agenda, *, replicas: int = 1, seed: int = 1) -> None:
        """Idle."""
        super().__init__(calibration, agenda, replicas=replicas, seed=seed)
        self._buckets = Buckets(_RATE, _BURST + 1.0, _MOST_ADDRESSES)  # nginx counts a burst beside the first.
        self._at_once: dict[int, int] = {}

    def ask(self, who: Who, what: Asked, now: float, done: Done) -> None:
        """Take one ask, unless its address is over its rate, or has too many in already."""
        if isinstance(what, Page):
            super().ask(who, what, now, done)
            return
        if isinstance(what, Hold):
            super().ask(who, Hold(for_s=min(_SLOW_S, what.for_s), reads_nothing=what.reads_nothing), now, done)
            return
        address = who.address
        if self._at_once.get(address, 0) >= _MOST_AT_ONCE or self._buckets.take(address.to_bytes(4, "big"), 1.0, now):
            reason = Reason.SLOW_DOWN.value
            done(Outcome(asked_at_s=now, ended_at_s=now, status=_TOO_MANY, reason=reason, first_s=0.0))
            return
        self._at_once[address] = self._at_once.get(address, 0) + 1

        def ended(outcome: Outcome) -> None:
            left = self._at_once[address] - 1
            if left:
                self._at_once[address] = left
            else:
                del self._at_once[address]
            done(outcome)

        super().ask(who, what, now, ended)
