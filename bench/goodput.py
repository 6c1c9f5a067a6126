"""Protected goodput: how well people are served while strangers flood the service.

The engine has one core; the gate, the people and the attackers share another. Ten
established users ask at their own times for at most half of what the engine can do;
an answer is good when it begins within 2 s, flows (95 % of its gaps within 200 ms, none
above 1 s) and is complete. Each row is one attack for some seconds, on a service that
has just come out of the last one. Peers face the same people and the same number of
attackers: `tidegate gate` before the bare engine knows keys, the others know addresses
only. How fast the engine's core is at the moment, which on a shared machine changes by
half within seconds, is measured before and after each row; people ask as much less as
it was slower before.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import aiohttp
import msgspec
import peers
from gating import before_bare
from load import FIRST_S, Outcome, closed_loop, offer, quantile
from service import cpu_s, machine_cpu_s, pin, report, speed_of
from worlds import RATE, USERS, World, floods, people, world_of

NEWCOMERS_AT = 64
CALIBRATION_S = 12.0
LOOK_EVERY_S = 0.25
CALM_WITHIN_S = 15.0
ATTACKS = {
    "none": "nobody attacks",
    "a": "no account, pages too",
    "b": "fresh accounts",
    "c": "one fresh key",
    "d": "fresh keys, long prompts",
    "f": "64 sleepers of 30 days",
    "g": "2,000 slow connections",
    "e1": "one stolen key",
    "e2": "two stolen keys",
}
"""In their order: stolen keys come last, because their owners are not the same afterwards."""

ATTACKS_ON = {
    "tidegate": (*ATTACKS,),
    # A key of the gate's is as old as its first use: nobody sleeps.
    "gate": tuple(attack for attack in ATTACKS if attack != "f"),
    # Those that differ where nobody is known.
    "bare": ("none", "b", "d", "g"),
    "nginx": ("none", "b", "d", "g"),
}
KEPT = ("tidegate", "gate")
"""Those that run through all rows. The bare engine keeps what it was asked for, so others begin each row anew."""


class Row(msgspec.Struct, kw_only=True):
    """One attack on one peer."""

    peer: str
    attack: str
    connections: int
    users_per_s: float
    speed: float = 1.0
    sent_per_s: float = 0.0
    statuses: dict[str, int] = {}
    asked: int = 0
    good: int = 0
    late: int = 0
    rough: int = 0
    of_baseline: float | None = None
    user_statuses: dict[str, int] = {}
    first_p50_s: float = 0.0
    first_p95_s: float = 0.0
    gap_p95_s: float = 0.0
    newcomers_asked: int = 0
    newcomers_good: int = 0
    newcomers_served: int = 0
    busy_while_waiting: float | None = None
    promises: int = 0
    promises_kept: int = 0
    promise_error_s: float | None = None
    cpu: dict[str, float] = {}


class Watch:
    """What the processes use, and how busy the engine is while anybody waits."""

    def __init__(self, world: World) -> None:
        """Look now and then, from `run` on."""
        self._peer = world.peer
        self._pids = {**world.peer.pids, "generator": os.getpid()}
        self._began_at = time.perf_counter()
        self._used = {name: cpu_s(pid) for name, pid in self._pids.items()}
        self._machine_s = machine_cpu_s()
        self._busy_s = self._waited_s = 0.0

    def shares(self) -> dict[str, float]:
        """Each process's share of one core since the beginning; `others` disturb the measurement."""
        wall_s = time.perf_counter() - self._began_at
        used = {name: cpu_s(pid) - self._used[name] for name, pid in self._pids.items()}
        used["others"] = max(0.0, machine_cpu_s() - self._machine_s - sum(used.values()))
        return {name: used_s / wall_s for name, used_s in used.items()}

    @property
    def busy_share(self) -> float | None:
        """The engine's share of its core while somebody waited; None when nobody ever did."""
        return self._busy_s / self._waited_s if self._waited_s >= 1.0 else None

    async def run(self) -> None:
        """Look until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as session:
            did_wait, used_s, looked_at = False, 0.0, 0.0
            while True:
                does_wait = await waiting(session, self._peer) > 0
                now, used = time.perf_counter(), cpu_s(self._peer.pids["engine"])
                if did_wait and does_wait:
                    self._busy_s += used - used_s
                    self._waited_s += now - looked_at
                did_wait, used_s, looked_at = does_wait, used, now
                await asyncio.sleep(LOOK_EVERY_S)


async def waiting(session: aiohttp.ClientSession, peer: peers.Peer) -> int:
    """How many wait for the engine. A server that does not even answer this has somebody waiting."""
    try:
        if peer.control_socket:
            async with session.get(f"http://127.0.0.1:{peer.state_port}/api/vitals") as response:
                return int((await response.json())["waiting"])
        async with session.get(f"http://127.0.0.1:{peer.state_port}/metrics") as response:
            for line in (await response.text()).splitlines():
                if line.startswith("llamacpp:requests_deferred "):
                    return int(float(line.split()[1]))
    except (TimeoutError, aiohttp.ClientError, ConnectionError):
        return 1
    return 0


async def row(world: World, attack: str, connections: int) -> Row:
    """Measure one attack."""
    untouched = world.users[: -int(attack[1:])] if attack.startswith("e") else world.users
    attacking = await floods(world, attack, connections)
    speed = world.speed()
    watch = Watch(world)
    watching = asyncio.create_task(watch.run())
    for flood in attacking:
        flood.start()
    if attacking:
        await asyncio.sleep(2.0)  # The flood stands before anybody is counted.
    seconds, began_at = world.wish.seconds, time.perf_counter()
    rate = world.rate * min(1.0, speed)
    users_rate = rate * len(untouched) / len(world.users)
    do_newcomers = attack == "none" or connections == NEWCOMERS_AT
    try:
        outcomes, newcomers = await asyncio.gather(
            offer(world.peer.port, untouched, users_rate, seconds, seed=11),
            offer(world.peer.port, world.newcomers, rate / 5, seconds, seed=12) if do_newcomers else nothing(),
        )
        shares, wall_s = watch.shares(), time.perf_counter() - began_at
    finally:
        watching.cancel()
        for flood in attacking:
            await flood.stop()
        await asyncio.gather(watching, return_exceptions=True)
    measured = Row(
        peer=world.peer.name,
        attack=attack,
        connections=connections,
        users_per_s=users_rate,
        sent_per_s=sum(flood.sent for flood in attacking) / (wall_s + 2.0),
        statuses=dict(sum((flood.statuses for flood in attacking), start=Counter[str]())),
        newcomers_asked=len(newcomers),
        newcomers_good=sum(outcome.is_good for outcome in newcomers),
        newcomers_served=sum(outcome.is_complete for outcome in newcomers),
        busy_while_waiting=watch.busy_share,
        cpu=shares,
    )
    judge(measured, outcomes, [*outcomes, *newcomers])
    await calm(world.peer)
    measured.speed = (speed + world.speed()) / 2
    return measured


async def nothing() -> list[Outcome]:
    """Nobody asked."""
    return []


def judge(measured: Row, outcomes: list[Outcome], everybody: list[Outcome]) -> None:
    """Fill in what became of the users' questions, and of what everybody was promised."""
    firsts = [outcome.first_s for outcome in outcomes if outcome.first_s is not None]
    measured.asked, measured.good = len(outcomes), sum(outcome.is_good for outcome in outcomes)
    complete = [outcome for outcome in outcomes if outcome.is_complete and outcome.first_s is not None]
    measured.late = sum(outcome.first_s > FIRST_S for outcome in complete if outcome.first_s is not None)
    measured.rough = sum(not outcome.is_good for outcome in complete) - measured.late
    measured.user_statuses = dict(Counter(str(outcome.status) for outcome in outcomes))
    measured.first_p50_s, measured.first_p95_s = quantile(firsts, 0.5), quantile(firsts, 0.95)
    measured.gap_p95_s = quantile([outcome.gap_s for outcome in outcomes if outcome.is_complete], 0.95)
    promised = [outcome for outcome in everybody if outcome.promised_s is not None]
    came = [(one.promised_s or 0.0, one.came_s) for one in promised if one.came_s is not None]
    measured.promises = len(promised)
    # From being admitted to the first word the prompt is read: that is not part of the wait.
    measured.promises_kept = sum(came_s <= promised_s + 1.0 for promised_s, came_s in came)
    if came:
        measured.promise_error_s = quantile([abs(came_s - promised_s) for promised_s, came_s in came], 0.5)


async def calm(peer: peers.Peer) -> None:
    """Wait until what the attackers left behind is done with."""
    ends_at = time.perf_counter() + CALM_WITHIN_S
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as session:
        while time.perf_counter() < ends_at and await waiting(session, peer) > 0:  # noqa: ASYNC110 - it is asked
            await asyncio.sleep(LOOK_EVERY_S)


Start = Callable[[peers.Shape, int, int], AbstractContextManager[peers.Peer]]
STARTS: dict[str, Start] = {
    "bare": peers.bare,
    "nginx": peers.nginx,
    "gate": before_bare,
    "tidegate": peers.tidegate,
}


async def capacity(peer: peers.Peer, shape: peers.Shape) -> float:
    """Answers a second that the bare engine can do, always as many at once as it has places."""
    return await closed_loop(peer.port, people(USERS), shape.slots, CALIBRATION_S)


async def rows_of(name: str, wish: argparse.Namespace, cores: list[int], rate: float, speed: float) -> list[Row]:
    """All rows of one peer."""
    todo = [
        (attack, connections)
        for attack in ATTACKS_ON[name]
        if attack in wish.attacks
        for connections in (wish.connections if attack in {"b", *wish.sweep} else wish.connections[:1])
    ]
    lots = [todo] if name in KEPT else [[one] for one in todo]
    measured: list[Row] = []
    for lot in lots:
        with STARTS[name](shape_of(wish), cores[0], cores[-1]) as peer:
            async with world_of(peer, wish, cores[0], rate, speed) as world:
                for attack, connections in lot:
                    measured.append(told(await row(world, attack, 0 if attack == "none" else connections)))
    return measured


def told(measured: Row) -> Row:
    """Say how far the run is."""
    print(
        f"  {measured.peer} {measured.attack} {measured.connections}: {measured.good}/{measured.asked} good, "
        f"statuses {measured.user_statuses}, attackers {measured.statuses}",
        flush=True,
    )
    return measured


def shape_of(wish: argparse.Namespace) -> peers.Shape:
    """The engine that was asked for."""
    return peers.Shape(slots=wish.slots, batch_tokens=wish.batch_tokens)


def options() -> argparse.Namespace:
    """The command line."""
    attacks = "; ".join(f"{letter}: {what}" for letter, what in ATTACKS.items())
    parser = argparse.ArgumentParser(description="Protected goodput under attack.", epilog=f"Attacks: {attacks}.")
    parser.add_argument("--peers", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    parser.add_argument("--connections", nargs="+", type=int, default=[64, 16, 256, 1024], help="first: all attacks")
    parser.add_argument("--sweep", nargs="*", choices=ATTACKS, default=[], help="attacks at all numbers, beside b")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each row")
    parser.add_argument("--load", type=float, default=0.4, help="users' share of the engine's capacity")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second of all attackers together")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--batch-tokens", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="Tidegate alone, 64 fresh accounts")
    wish = parser.parse_args()
    if wish.quick:
        wish.peers, wish.attacks, wish.connections = ["tidegate"], ["none", "b"], [64]
    return wish


def table(rows: list[Row]) -> list[tuple[str, ...]]:
    """What people read."""
    lines: list[tuple[str, ...]] = [
        (
            *(
                "peer",
                "attack",
                "conns",
                "speed",
                "sent/s",
                "users good",
                "late/rough",
                "of baseline",
                "first p50/p95 s",
                "gap p95 ms",
            ),
            *("newcomers good", "engine busy", "promises", "cpu engine/gate/generator/others"),
        )
    ]
    return [*lines, *(_line(one) for one in rows)]


def _line(one: Row) -> tuple[str, ...]:
    return (
        one.peer,
        ATTACKS[one.attack],
        str(one.connections),
        f"{one.speed:.2f}",
        f"{one.sent_per_s:.1f}",
        f"{one.good}/{one.asked}",
        f"{one.late}/{one.rough}",
        "-" if one.of_baseline is None else f"{one.of_baseline:.0%}",
        f"{one.first_p50_s:.2f}/{one.first_p95_s:.2f}" if one.first_p50_s else "-",
        f"{one.gap_p95_s * 1000:.0f}",
        f"{one.newcomers_good}/{one.newcomers_asked}" if one.newcomers_asked else "-",
        "-" if one.busy_while_waiting is None else f"{one.busy_while_waiting:.0%}",
        "-" if not one.promises else f"{one.promises_kept}/{one.promises}",
        "/".join(f"{one.cpu.get(name, 0.0):.0%}" for name in ("engine", "gate", "generator", "others")),
    )


async def measure(wish: argparse.Namespace) -> dict[str, Any]:
    """Everything."""
    cores = sorted(os.sched_getaffinity(0))
    pin(os.getpid(), {cores[-1]})
    with peers.bare(shape_of(wish), cores[0], cores[-1]) as peer:
        speed = speed_of(cores[0])
        answers_per_s = await capacity(peer, shape_of(wish))
        speed = (speed + speed_of(cores[0])) / 2
    rate = answers_per_s * wish.load
    print(f"  the engine can do {answers_per_s:.2f} answers/s; the users offer {rate:.2f}/s", flush=True)
    rows = [one for name in wish.peers for one in await rows_of(name, wish, cores, rate, speed)]
    for one in rows:
        calm_row = next((row for row in rows if row.peer == one.peer and row.attack == "none"), None)
        if calm_row is not None and one is not calm_row and calm_row.good and one.asked:
            one.of_baseline = (one.good / one.asked) / (calm_row.good / calm_row.asked)
    return {"capacity_answers_per_s": answers_per_s, "users_per_s": rate, "rows": rows}


def main() -> None:
    """Measure and report."""
    wish = options()
    figures = asyncio.run(measure(wish))
    rows: list[Row] = figures.pop("rows")
    report(
        "goodput",
        {"wish": vars(wish), **figures, "rows": [msgspec.to_builtins(one) for one in rows]},
        table(rows),
    )


if __name__ == "__main__":
    main()
