"""Which sources that keep sending are handed to a firewall, so that refusing them costs nothing at all.

A source (an IPv4 address, an IPv6 /64) that is refused much more often than
anybody is who can read presses (`pressing`). Then it is handed over, for ten
minutes the first time and twice as long each time it presses again after that,
up to a longest. When enough sources of one network have been, and the plan
allows networks, the next one's whole network is.

Never handed over, whatever it sends:

- an address of this machine, a proxy's, or one that is on a list (`listed`);
- an address from which a valid session or key came within a day, or a network
  that holds such an address (`inhabited`), however many bots share it;
- anything while the last day was not watched to its end;
- a network wider than the plan says, or than a /24 or a /56;
- more elements than the plan says, living at once or within a minute.

All maps are bounded. What is forgotten is how much a source has pressed, which
spares it; who lives where is never forgotten before its time.

An element ends by itself. One in whose prefix a valid session or key is seen
after all (it was let through: by a dry run, or before the firewall had it) ends
at once, wherever that can still be told. One whose source comes through all the
same is told again: somebody has emptied the firewall.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from ipaddress import IPv4Network, IPv6Network, ip_address

from tidegate.core.firewall.elements import (
    ADDRESS_BITS,
    IPV4_BYTES,
    NETWORK_BITS,
    ComesThrough,
    Element,
    Mode,
    OffloadReason,
    Spared,
)
from tidegate.core.firewall.inhabited import Inhabited
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.core.firewall.pressing import Pressing

_MINUTE_S = 60.0
_TAKES_EFFECT_S = 10.0
"""So long a firewall may take, and a proxy to read its map."""
_MOST_DOUBLINGS = 24
_IPV6_BYTES = 16
_IPV6_SOURCE_BYTES = ADDRESS_BITS[6] // 8

_SHARED = [*map(IPv6Network, ("64:ff9b::/47", "2001::/32"))]
"""Translators of IPv4 (RFC 6052, RFC 8215) and Teredo (RFC 4380): a /64 of these is everybody behind one machine."""

Own = Callable[[], Collection[bytes] | None]
"""Every packed address that this machine has at this moment; None when that cannot be told."""


class Offloading:
    """Decides. Synchronous; `now` is Unix seconds, best of a clock that only goes forward."""

    def __init__(self, plan: FirewallPlan, inhabited: Inhabited, own: Own) -> None:
        """Nothing is handed over yet."""
        self.inhabited = inhabited
        self.is_on = plan.mode is not Mode.OFF
        self.edition = 0  # Another one whenever what is live has changed.
        self._plan = plan
        self._own = own
        self._pressing = Pressing(plan.refused_rate, plan.refused_burst, plan.most_sources)
        self._live: dict[bytes, Element] = {}
        self._added_at: deque[float] = deque()
        # How often, and when the last time ends or ended.
        self._times: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    @property
    def plan(self) -> FirewallPlan:
        """What is decided by."""
        return self._plan

    @property
    def live(self) -> list[Element]:
        """What is handed over and has not ended, the oldest first."""
        return list(self._live.values())

    @property
    def remembered(self) -> dict[str, int]:
        """How many of each kind are remembered: each at most what the plan says."""
        return {"pressing": len(self._pressing), "live": len(self._live), "times": len(self._times)}

    def refused(self, address: bytes, now: float) -> Element | Spared | ComesThrough | None:
        """Count one refused request of a caller without a valid session or key. Mostly that is all: None."""
        source = address if len(address) == IPV4_BYTES else address[:_IPV6_SOURCE_BYTES]
        if self._pressing.is_pressing(source, now):
            return self._judge(address, source, now)
        return None

    def seen(self, address: bytes, now: float) -> list[Element]:
        """Note that a valid session or key came from there; answers the elements that it ends."""
        self.inhabited.note(address, now)
        return self._end(address) if self._live else []

    def expire(self, now: float) -> list[Element]:
        """Let go of what has ended, and say what that was, unless somebody pressed since then: that lets go, too."""
        ended = [element for element in self._live.values() if element.until_s <= now]
        return self._drop(ended)

    def forget(self, address: bytes) -> list[Element]:
        """End every element that holds this address, and what was held against them; answers which those were."""
        source = address[: ADDRESS_BITS[_version(address)] // 8]
        self._pressing.forget(source)
        for prefix in (source, source[:-1]):
            self._times.pop(prefix, None)
        return self._end(address)

    def apply(self, plan: FirewallPlan) -> list[Element]:
        """Decide by another plan from now on; answers the elements that it ends.

        Another mode ends all of them: what only a dry run has noted is in no firewall.
        """
        before, self._plan = self._plan, plan
        self.is_on = plan.mode is not Mode.OFF
        counted = (plan.refused_rate, plan.refused_burst, plan.most_sources)
        if counted != (before.refused_rate, before.refused_burst, before.most_sources):
            self._pressing.reshape(*counted)
        ended = [one for one in self._live.values() if plan.mode is not before.mode or plan.listed.touches(one.network)]
        return self._drop(ended)

    def _judge(self, address: bytes, source: bytes, now: float) -> Element | Spared | ComesThrough | None:
        self.expire(now)
        held_by = self._live.get(source) or self._live.get(source[:-1])
        if held_by is not None:
            is_old = self._plan.mode is Mode.ON and now - held_by.since_s >= _TAKES_EFFECT_S
            return ComesThrough(held_by) if is_old else None
        spared = self._spared(address, source, now)
        if spared is not None:
            return spared
        network = source[:-1]
        if self._is_network_pressing(network, now):
            return self._add(network, address, OffloadReason.NETWORK_KEPT_SENDING, now)
        return self._add(source, address, OffloadReason.KEPT_SENDING, now)

    def _spared(self, address: bytes, source: bytes, now: float) -> Spared | None:
        plan, own = self._plan, self._own()
        if own is None or _holds_any(source, len(address), own) or not _is_anybodys(address):
            return Spared.OWN
        if plan.listed.touches(_network(address, ADDRESS_BITS)):
            return Spared.LISTED
        if now < self.inhabited.unwatched_until_s:
            return Spared.UNWATCHED
        if self.inhabited.holds(address, now):
            return Spared.INHABITED
        while self._added_at and self._added_at[0] <= now - _MINUTE_S:
            self._added_at.popleft()
        if len(self._live) >= plan.most_elements or len(self._added_at) >= plan.most_per_minute:
            return Spared.TOO_MANY
        return None

    def _is_network_pressing(self, network: bytes, now: float) -> bool:
        plan = self._plan
        is_ipv4 = len(network) < IPV4_BYTES
        if (plan.widest_v4 if is_ipv4 else plan.widest_v6) > len(network) * 8:
            return False
        others = sum(prefix[:-1] == network for prefix in self._live)
        if others + 1 < plan.pressing_for_network:
            return False
        any_address = network.ljust(IPV4_BYTES if is_ipv4 else _IPV6_BYTES, b"\0")
        return not (
            self.inhabited.holds_network(any_address, now)
            or plan.listed.touches(_network(any_address, NETWORK_BITS))
            or _holds_any(network, len(any_address), self._own() or (any_address,))
        )

    def _add(self, prefix: bytes, address: bytes, reason: OffloadReason, now: float) -> Element:
        plan = self._plan
        times, ended_s = self._times.pop(prefix, (0, 0.0))
        times = 1 if now - ended_s > plan.forgotten_s else times + 1
        until_s = now + min(plan.longest_s, plan.first_s * 2.0 ** min(times - 1, _MOST_DOUBLINGS))
        self._times[prefix] = (times, until_s)
        if len(self._times) > plan.most_sources:
            self._times.popitem(last=False)
        self._added_at.append(now)
        element = Element(
            prefix=prefix,
            is_ipv4=len(address) == IPV4_BYTES,
            pressed_by=address,
            reason=reason,
            since_s=now,
            until_s=until_s,
            times=times,
        )
        self._live[prefix] = element
        self.edition += 1
        return element

    def _end(self, address: bytes) -> list[Element]:
        source = address[: ADDRESS_BITS[_version(address)] // 8]
        found = (self._live.get(prefix) for prefix in (source, source[:-1]))
        return self._drop([element for element in found if element is not None])

    def _drop(self, elements: list[Element]) -> list[Element]:
        for element in elements:
            del self._live[element.prefix]
        self.edition += len(elements)
        return elements


def _holds_any(prefix: bytes, size_bytes: int, addresses: Collection[bytes]) -> bool:
    return any(len(one) == size_bytes and one.startswith(prefix) for one in addresses)


def _version(address: bytes) -> int:
    return 4 if len(address) == IPV4_BYTES else 6


def _network(address: bytes, bits: dict[int, int]) -> IPv4Network | IPv6Network:
    kind = IPv4Network if len(address) == IPV4_BYTES else IPv6Network
    return kind((address, bits[_version(address)]), strict=False)


def _is_anybodys(address: bytes) -> bool:
    """Not one of those that mean this machine, its own link or no one; nor one that many share, as IPv4 in IPv6."""
    read = ip_address(address)
    if read.is_loopback or read.is_unspecified or read.is_multicast or read.is_link_local:
        return False
    if read.version == 6 and any(read in network for network in _SHARED):  # noqa: PLR2004 - as it is written
        return False
    return any(address[:_IPV6_SOURCE_BYTES]) if len(address) > IPV4_BYTES else bool(address[0])
