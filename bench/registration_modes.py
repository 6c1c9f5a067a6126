"""Where the registration mode goes, and when, under floods, surges and oscillations: on a virtual clock.

Prints a table and, as its last line, JSON.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

from rooted import ROOT

from tests.core.registration.sampling import AT, EVERY_S, Watched, at
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.signals import Share, Signals

HOUR_S = 3600.0
CALM = Signals(at=AT, attempts_per_min=2.0, baseline_per_min=6.0, headroom=0.7, queue_s=0.0, mail_left=1.0)


def seen(per_min: float, headroom: float = 0.7, queue_s: float = 0.0, abuse: Share | None = None) -> Signals:
    """What is measured."""
    return Signals(
        at=AT,
        attempts_per_min=per_min,
        baseline_per_min=6.0,
        headroom=headroom,
        queue_s=queue_s,
        mail_left=1.0,
        abuse=abuse,
    )


def flood(now: float) -> Signals:
    """500 a second for three minutes from the tenth on, told as the number of the last minute."""
    within_s = max(0.0, min(now, 780.0) - max(now - 60.0, 600.0))
    return seen(2.0 + 500.0 * within_s)


def evening(now: float) -> Signals:
    """Six hours a day on which existing users need all there is, and hardly anybody signs up."""
    return seen(3.0, headroom=0.02 if now % 86_400.0 > 64_800.0 else 0.7)


def surge(now: float) -> Signals:
    """A crowd that comes within an hour and stays for three, and needs more than there is."""
    crowd = 60.0 * min(1.0, now / HOUR_S) if now < 4 * HOUR_S else 3.0
    return seen(crowd, headroom=max(0.0, 0.8 - crowd / 75.0), queue_s=3.0 * crowd if crowd > 20.0 else 0.0)


def solvers(now: float) -> Signals:
    """A flood whose programs solve the challenge: of the accounts made, nine in ten are theirs, for two hours."""
    is_on = 600.0 < now < 600.0 + 2 * HOUR_S
    return seen(30_000.0, abuse=Share(90, 100)) if is_on else seen(2.0)


def oscillating(period_s: float) -> Callable[[float], Signals]:
    """A flood on and off."""
    return lambda now: seen(500.0 if now % period_s < period_s / 2.0 else 1.0)


SCENES: tuple[tuple[str, Callable[[float], Signals], float], ...] = (
    ("flood of 3 min", flood, 2 * HOUR_S),
    ("busy evenings", evening, 72 * HOUR_S),
    ("surge", surge, 8 * HOUR_S),
    ("flood that solves", solvers, 6 * HOUR_S),
    *(
        (f"on and off, {period_s:.0f} s", oscillating(period_s), 12 * HOUR_S)
        for period_s in (60.0, 600.0, 1800.0, 7200.0)
    ),
)


def main() -> None:
    """Play each scene and print where it went."""
    print(f"{ROOT.name}: moves as seconds:mode")
    played = {}
    for name, scene, for_s in SCENES:
        watched = Watched()
        moves = at(watched.feed(scene, for_s))
        played[name] = moves
        shown = "  ".join(f"{seconds:.0f}:{mode}" for seconds, mode in moves[:9]) or "stays open"
        print(f"{name:22} {len(moves):3} moves  {shown}{' ...' if len(moves) > 9 else ''}")
    flooded = {mode: seconds for seconds, mode in reversed(played["flood of 3 min"])}
    reached_s = flooded[RegistrationMode.WAITING_ROOM.value] - 600.0
    print(f"waiting_room {reached_s:.0f} s after the onset of a flood; one sample costs {cost_us():.1f} us")
    print(json.dumps({"moves": played, "waiting_room_after_s": reached_s, "sample_us": cost_us()}))


def cost_us() -> float:
    """What a sample costs, in microseconds; the best of five."""
    best = math.inf
    for _ in range(5):
        watched = Watched()
        began = time.perf_counter()
        watched.feed(CALM, 2000 * EVERY_S)
        best = min(best, (time.perf_counter() - began) / 2000 * 1e6)
    return best


if __name__ == "__main__":
    main()
