"""What it costs the way of a refusal to count who presses, beside what the guard's whole refusal costs.

Both guards judge the same heads in the same run, in turns: one with a handover and one
without. Figures are medians. What is measured by itself is what they differ by.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any

import msgspec
from service import pin, report

from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.credentials import Kind, ServerKeys, issue
from tidegate.core.firewall.elements import Mode
from tidegate.core.firewall.inhabited import DAY_S, Inhabited
from tidegate.core.firewall.offloading import Offloading
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.http.gate.clients import Clients
from tidegate.http.gate.credential import Credentials
from tidegate.http.gate.guard import Guard, Peer
from tidegate.http.gate.public import public_lanes
from tidegate.http.gate.refusing import Answer
from tidegate.services.handover import Handover
from tidegate.testing.journal import RecordingJournal

ROUNDS = 9
TIMES = 20_000
SOURCES = 100_000
TARGET_US = 1.0
KEYS = ServerKeys(1, {1: b"k" * 32})
HEADERS = [(b"host", b"tide.example"), (b"user-agent", b"curl/8"), (b"accept", b"*/*")]
STRICT = GatePlan(address_rate=0.001, address_burst=1, strangers_rate=1e6, strangers_burst=1e6)
DENYING = GatePlan(deny=Networks(["0.0.0.0/0"]))
PLAN = FirewallPlan(mode=Mode.ON)


async def _keep(_kept: object) -> None:
    """Nothing is kept."""


def handover(plan: FirewallPlan) -> Handover:
    """One whose journal remembers, and that is told of no firewall."""
    return Handover(
        offloading=Offloading(plan, Inhabited(b"k" * 32, time.time() - DAY_S), tuple),
        firewall=None,
        journal=RecordingJournal(),
        fingerprint=lambda _text: Fingerprint("0" * 16),
        clock=time.time,
        keep=_keep,
    )


def guard(told: Handover | None, plan: GatePlan) -> Guard:
    """A guard with a gate of its own."""
    gate = Gate(plan, Register(StandingPlan(), 1000))
    return Guard(
        gate=gate,
        credentials=Credentials(KEYS),
        clients=Clients(()),
        lanes=public_lanes(),
        clock=time.time,
        handover=told,
    )


def peers(count: int) -> Callable[[], Peer]:
    """So many callers in turns; of more than one each comes on a new connection."""
    if count == 1:
        one = Peer("203.0.113.7", 4000, bytes((203, 0, 113, 7)), is_proxy=False)
        return lambda: one
    numbers = cycle(range(count))
    return lambda: Peer("", 4000, (0x0B000000 + next(numbers)).to_bytes(4, "big"), is_proxy=False)


def refusing(judging: Guard, peer: Callable[[], Peer]) -> Callable[[], object]:
    """One refusal."""
    judge = judging.judge
    judge(b"GET", b"/", HEADERS, peer())  # The one that a budget lets in.
    if not isinstance(judge(b"GET", b"/", HEADERS, peer()), Answer):
        msg = "it was let in: this measures something else"
        raise TypeError(msg)
    return lambda: judge(b"GET", b"/", HEADERS, peer())


def meeting(judging: Guard) -> Callable[[], object]:
    """One request with a genuine key, each on a new connection."""
    key = issue(Kind.API_KEY, UserId.of(b"12345678"), KEYS, now=time.time(), entropy=b"e" * 16)
    headers = [*HEADERS, (b"authorization", b"Bearer " + key.encode())]
    judge, peer = judging.judge, peers(SOURCES)
    return lambda: judge(b"GET", b"/v1/models", headers, peer())


def us(act: Callable[[], object]) -> float:
    """Processor time of one, over many."""
    began = time.process_time()
    for _ in range(TIMES):
        act()
    return (time.process_time() - began) / TIMES * 1e6


def compare(without: Callable[[], object], beside: Callable[[], object]) -> dict[str, Any]:
    """Both in turns; the difference is taken within each turn, as the machine's speed changes."""
    turns = [(us(without), us(beside)) for _ in range(ROUNDS)]
    return {
        "without_us": statistics.median(one for one, _ in turns),
        "with_us": statistics.median(other for _, other in turns),
        "own_us": statistics.median(other - one for one, other in turns),
    }


def alone(plan: FirewallPlan, sources: int) -> float:
    """The counting by itself, the loop around it taken off."""
    offloading, address = handover(plan).offloading, peers(sources)
    turns = []
    for _ in range(ROUNDS):
        nothing = us(lambda: (address().address, time.time()))
        turns.append(us(lambda: offloading.refused(address().address or b"", time.time())) - nothing)
    return statistics.median(turns)


def main() -> None:
    """Measure and report."""
    pin(os.getpid(), {max(os.sched_getaffinity(0))})
    off = msgspec.structs.replace(PLAN, mode=Mode.OFF)
    makers: dict[str, Callable[[FirewallPlan | None], Callable[[], object]]] = {
        "refused by rate, one address on one connection": partial(_refused, 1, STRICT),
        f"refused by list, {SOURCES} addresses": partial(_refused, SOURCES, DENYING),
        "a genuine key, each on a new connection": _met,
    }
    rows = []
    for name, made in makers.items():
        for mode, plan in (("on", PLAN), ("off", off)):
            rows.append({"case": name, "mode": mode, **compare(made(None), made(plan))})
    counting = {str(count): alone(PLAN, count) for count in (1, SOURCES)}
    table: list[tuple[str, ...]] = [("judged", "firewall", "without, us", "with, us", "its own, us", "target")]
    table += [
        (
            row["case"],
            row["mode"],
            f"{row['without_us']:.2f}",
            f"{row['with_us']:.2f}",
            f"{row['own_us']:.2f}",
            f"<= {TARGET_US}" if "refused" in row["case"] else "",
        )
        for row in rows
    ]
    table += [
        (f"the counting alone, {count} addresses", "on", "", "", f"{cost:.2f}", f"<= {TARGET_US}")
        for count, cost in counting.items()
    ]
    report("offload", {"rows": rows, "counting_us": counting, "target_us": TARGET_US}, table)


def _refused(sources: int, by: GatePlan, plan: FirewallPlan | None) -> Callable[[], object]:
    return refusing(guard(None if plan is None else handover(plan), by), peers(sources))


def _met(plan: FirewallPlan | None) -> Callable[[], object]:
    return meeting(guard(None if plan is None else handover(plan), GatePlan(principal_rate=1e6, principal_burst=1e6)))


if __name__ == "__main__":
    main()
