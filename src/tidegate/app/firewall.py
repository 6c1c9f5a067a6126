"""The firewall that the settings name, and what is handed to it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from tidegate.adapters.firewall.mapfile import MapFirewall, MapForm
from tidegate.adapters.firewall.memory import InhabitedFile
from tidegate.adapters.firewall.nftables import NftablesFirewall
from tidegate.adapters.firewall.webhook import WebhookFirewall
from tidegate.config import Settings
from tidegate.config.settings import FirewallSettings
from tidegate.core.admission.addresses import Networks
from tidegate.core.firewall.elements import Mode
from tidegate.core.firewall.inhabited import Inhabited
from tidegate.core.firewall.offloading import Offloading, Own
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.core.firewall.signing import secret_of
from tidegate.core.identifiers import Fingerprint
from tidegate.ports.firewall import Firewall
from tidegate.ports.journal import Journal
from tidegate.services.handover import Handover

_ASKED_EVERY_S: Final = 60.0
_KEY_BYTES: Final = 32
_PROC: Final = Path("/proc/net")


def firewall_plan(settings: Settings) -> FirewallPlan:
    """The numbers, and everything that is never handed over."""
    given = settings.firewall
    by_default = Mode.OFF if given.target == "none" else Mode.DRY_RUN
    return FirewallPlan(
        mode=by_default if given.mode is None else Mode(given.mode),
        refused_rate=given.refused_rate,
        refused_burst=given.refused_burst,
        first_s=given.first_s,
        longest_s=given.longest_s,
        widest_v4=given.widest_v4,
        widest_v6=given.widest_v6,
        pressing_for_network=given.pressing_for_network,
        most_elements=given.most_elements,
        most_per_minute=given.most_per_minute,
        most_sources=settings.gate.most_sources,
        listed=Networks((*settings.gate.allow, *settings.server.trusted_proxies, *given.never)),
    )


def open_firewall(
    given: FirewallSettings, clock: Callable[[], float], wall: Callable[[], float] = time.time
) -> Firewall | None:
    """The one that is named; None where none is. The settings have been checked.

    `clock` tells Unix seconds and never steps; `wall` is what everybody else reads, and may have been set.
    """

    def ahead_s() -> float:
        # In whole seconds: what is told twice must be the same.
        return float(round(wall() - clock()))

    match given.target:
        case "nftables":
            return NftablesFirewall(given.socket, clock)
        case "map" if given.map_file is not None:
            return MapFirewall(given.map_file, MapForm(given.map_form), ahead_s)
        case "webhook" if given.webhook_url is not None and given.webhook_secret is not None:
            return WebhookFirewall(given.webhook_url, secret_of(given.webhook_secret), wall, ahead_s)
        case _:
            return None


def open_handover(
    settings: Settings,
    plan: FirewallPlan,
    *,
    key: bytes,
    memory: InhabitedFile,
    is_nobody_known: bool,
    journal: Journal,
    fingerprint: Callable[[str], Fingerprint],
    clock: Callable[[], float],
) -> Handover:
    """Go on with what is remembered of where known people live."""
    now = clock()
    inhabited = Inhabited(key[:_KEY_BYTES], now, is_nobody_known=is_nobody_known)
    kept = memory.read()
    if kept is not None:
        inhabited.recall(kept, now)
    return Handover(
        offloading=Offloading(plan, inhabited, now_and_then(own_addresses, clock)),
        firewall=open_firewall(settings.firewall, clock),
        journal=journal,
        fingerprint=fingerprint,
        clock=clock,
        keep=memory.write,
    )


def now_and_then(ask: Own, clock: Callable[[], float]) -> Own:
    """Ask once a minute only: on a router the answer is long."""
    asked_at, told = -math.inf, None

    def answer() -> Collection[bytes] | None:
        nonlocal asked_at, told
        if not asked_at <= clock() < asked_at + _ASKED_EVERY_S:
            asked_at, told = clock(), ask()
        return told

    return answer


def own_addresses(proc: Path = _PROC) -> frozenset[bytes] | None:
    """Every address that this machine has now, packed; None where the kernel does not tell.

    From proc: the local routes of IPv4 (fib_trie), and the list of IPv6 (if_inet6), which is not there without IPv6.
    """
    found: set[bytes] = set()
    try:
        leaf = ""
        for line in (proc / "fib_trie").read_text("ascii").splitlines():
            words = line.split()
            if words[:1] == ["|--"]:
                leaf = words[1]
            elif words[1:] == ["host", "LOCAL"]:
                found.add(ip_address(leaf).packed)
        if (proc / "if_inet6").exists():
            lines = (proc / "if_inet6").read_text("ascii").splitlines()
            found.update(bytes.fromhex(line.split()[0]) for line in lines)
    except (OSError, ValueError):
        return None
    return frozenset(found)
