"""What a firewall is given: addresses and networks with an end, and why."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

import msgspec

IPV4_BYTES = 4
ADDRESS_BITS = {4: 32, 6: 64}
"""One source, as the gate counts them: an IPv4 address, or the /64 that an IPv6 customer holds."""
NETWORK_BITS = {4: 24, 6: 56}
"""What many sources may be handed over as; nothing wider ever is."""


class Mode(StrEnum):
    """What becomes of sources that press: nothing, a line in the log, or that and a firewall's element."""

    OFF = "off"
    DRY_RUN = "dry_run"
    ON = "on"


class OffloadReason(StrEnum):
    """Why it was handed over."""

    KEPT_SENDING = "kept_sending"
    NETWORK_KEPT_SENDING = "network_kept_sending"


class Spared(StrEnum):
    """Why a source that presses is left to the gate, which goes on refusing it.

    `own`: an address of this machine. `listed`: a proxy's, or on a list of
    addresses that are never handed over. `inhabited`: a valid session or key came
    from there within a day. `unwatched`: not known, because the last day was not
    watched to its end. `too_many`: as many are handed over as may be.
    `comes_through`: it is handed over, and the firewall, which does not keep it
    out, is told again.
    """

    OWN = "own"
    LISTED = "listed"
    INHABITED = "inhabited"
    UNWATCHED = "unwatched"
    TOO_MANY = "too_many"
    COMES_THROUGH = "comes_through"


class EndedBy(StrEnum):
    """What let an element go before its end: the operator, another policy, or a valid session or key from there."""

    OPERATOR = "operator"
    POLICY = "policy"
    INHABITANT = "inhabitant"


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """One address or network that a firewall is to keep out, from `since_s` to `until_s` (Unix seconds).

    `prefix` holds its first `bits` bits, whole bytes of them. `pressed_by` is the address that tipped the scale,
    `times` how often the same was handed over lately, this time too.
    """

    prefix: bytes
    is_ipv4: bool
    pressed_by: bytes
    reason: OffloadReason
    since_s: float
    until_s: float
    times: int = 1

    @property
    def bits(self) -> int:
        """The length of the prefix."""
        return len(self.prefix) * 8

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """As a network; a single address is one of 32 bits."""
        if self.is_ipv4:
            return IPv4Network((self.prefix.ljust(4, b"\0"), self.bits))
        return IPv6Network((self.prefix.ljust(16, b"\0"), self.bits))


class ComesThrough(msgspec.Struct, frozen=True):
    """A source that presses though this element, which holds it, was handed over a while ago."""

    element: Element
