"""Offloading with small numbers, addresses that press, and the clock at which they do."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address

import msgspec

from tidegate.core.admission.addresses import Networks
from tidegate.core.firewall.elements import ComesThrough, Element, Mode, Spared
from tidegate.core.firewall.inhabited import DAY_S, Inhabited
from tidegate.core.firewall.offloading import Offloading
from tidegate.core.firewall.plan import FirewallPlan

AT = 1.8e9
KEY = b"k" * 32
PLAN = FirewallPlan(
    mode=Mode.ON,
    refused_rate=1.0,
    refused_burst=10.0,
    first_s=600.0,
    longest_s=3600.0,
    most_elements=100,
    most_per_minute=50,
    pressing_for_network=4,
    most_sources=1024,
)
WIDE = msgspec.structs.replace(PLAN, widest_v4=24, widest_v6=56)
HERE = ip_address("192.0.2.1").packed


def packed(text: str) -> bytes:
    return ip_address(text).packed


def listing(*networks: str, plan: FirewallPlan = PLAN) -> FirewallPlan:
    return msgspec.structs.replace(plan, listed=Networks(networks))


class Watch:
    """Offloading that has watched for a day."""

    def __init__(self, plan: FirewallPlan = PLAN, own: Collection[bytes] | None = (HERE,)) -> None:
        self.now = AT
        self.own = own
        self.inhabited = Inhabited(KEY, AT - DAY_S)
        self.offloading = Offloading(plan, self.inhabited, lambda: self.own)

    def press(self, text: str, times: int = 12) -> ComesThrough | Element | Spared | None:
        """Refuse one address so often at once; the first answer that is one."""
        answers = [self.offloading.refused(packed(text), self.now) for _ in range(times)]
        return next((answer for answer in answers if answer is not None), None)

    def handed(self, text: str) -> Element:
        found = self.press(text)
        assert isinstance(found, Element), found
        return found

    def know(self, text: str) -> list[Element]:
        return self.offloading.seen(packed(text), self.now)

    @property
    def live(self) -> list[str]:
        return [str(element.network) for element in self.offloading.live]
