"""The numbers that handing over goes by."""

from __future__ import annotations

import msgspec

from tidegate.core.admission.addresses import Networks
from tidegate.core.firewall.elements import Mode


class FirewallPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Named and meant as the settings of the same table; `listed` is what is never handed over, of all lists together.

    `forgotten_s`: whoever keeps still for so long is not held to have pressed before.
    """

    mode: Mode = Mode.OFF
    refused_rate: float = 20.0
    refused_burst: float = 1200.0
    first_s: float = 600.0
    longest_s: float = 14400.0
    widest_v4: int = 32
    widest_v6: int = 64
    pressing_for_network: int = 8
    most_elements: int = 4096
    most_per_minute: int = 120
    most_sources: int = 65536
    forgotten_s: float = 86400.0
    listed: Networks = Networks()
