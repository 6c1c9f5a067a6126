"""What a ticket of the waiting room costs at 100,000, and how often its promises are kept.

Prints a table and, as its last line, JSON.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable

from rooted import ROOT

from tests.core.registration.crowds import AT, KEY, WEATHERS, run
from tidegate.core.registration.waiting import WaitingPlan
from tidegate.core.registration.waiting_room import WaitingRoom

TICKETS = 100_000
ROUNDS = 5
ACTS = 5000


def main() -> None:
    """Measure and print."""
    figures = {"tickets": TICKETS, **costs()}
    print(f"{ROOT.name}: a room of {TICKETS:,} tickets")
    for name, value in figures.items():
        print(f"  {name:24} {value:10.2f}")
    told = {weather.name: kept(weather.name) for weather in WEATHERS}
    print(f"{'weather':20} {'promises':>9} {'kept':>7} {'p90/p50':>8}")
    for name, (count, share, ratio) in told.items():
        print(f"{name:20} {count:9} {share:7.3f} {ratio:8.2f}")
    print(json.dumps({"costs": figures, "promises": told}))


def costs() -> dict[str, float]:
    """Microseconds of each act in a full room, and bytes of a place."""
    tracemalloc.start()
    room = WaitingRoom(WaitingPlan(), KEY)
    before = tracemalloc.get_traced_memory()[0]
    for each in range(TICKETS):
        room.poll(room.issue(each.to_bytes(4, "big"), AT, each.to_bytes(8, "big")), AT, proved=True)
    held = len(room)
    place_bytes = (tracemalloc.get_traced_memory()[0] - before) / TICKETS
    tracemalloc.stop()
    texts = [room.issue(b"more", AT + 12.0, (TICKETS + each).to_bytes(8, "big")) for each in range(ACTS)]
    room.admit(AT + 10.0, 20)
    room.admit(AT + 12.0, 20)
    again = WaitingRoom(WaitingPlan(), KEY)
    shown = [again.issue(each.to_bytes(4, "big"), AT, each.to_bytes(8, "big")) for each in range(ACTS)]
    number = itertools.count()
    return {
        "places held": held,
        "bytes a place": place_bytes,
        "issue us": timed(lambda: room.issue(b"net", AT + 12.0, next(number).to_bytes(8, "big"))),
        "poll us": timed(lambda: room.poll(shown[next(number) % ACTS], AT + 12.0)),
        "poll not counted us": timed(lambda: room.poll(texts[next(number) % ACTS], AT + 12.0)),
        "forged us": timed(lambda: room.poll("A" + texts[0][1:], AT + 12.0)),
        "admit us": timed(lambda: room.admit(AT + 13.0, 1), 1000),
    }


def timed(act: Callable[[], object], acts: int = ACTS) -> float:
    """Median microseconds of an act over some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(acts):
            act()
        rounds.append((time.perf_counter() - began) / acts * 1e6)
    return statistics.median(rounds)


def kept(name: str) -> tuple[int, float, float]:
    """Promises in one weather: how many, the share that was kept, the mean ratio."""
    weather = next(one for one in WEATHERS if one.name == name)
    told = run(weather).promises()
    return len(told), sum(is_kept for is_kept, _ in told) / len(told), sum(ratio for _, ratio in told) / len(told)


if __name__ == "__main__":
    main()
