"""What a service knows of somebody's account when a rehearsal begins: the same in both worlds.

It is assumed, for a scenario tells only groups. Somebody established has been here for two
months, was served on twelve days that still count, the last of them yesterday, and had two
requests at once at the most (a program: four). Somebody new made their account three days
ago, proved their address, and was served on one day. Attackers' accounts are the same as
new ones: nothing that they did before is known.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.standing.history import DAY_S, History
from tidegate.lab.acts import Group, Who

_ESTABLISHED_AGE_S: Final = 60 * DAY_S
_NEW_AGE_S: Final = 3 * DAY_S
_ESTABLISHED_DAYS: Final = 12.0
_PEAK: Final = 2.0
_PEAK_OF_PROGRAMS: Final = 4.0


def age_s(who: Who) -> float:
    """How long they have been members, in seconds."""
    return _ESTABLISHED_AGE_S if who.group is Group.ESTABLISHED else _NEW_AGE_S


def history_of(who: Who, now_s: float) -> History:
    """What they were served until `now_s` (Unix s)."""
    yesterday_s = now_s - DAY_S
    days, peak = 1.0, 1.0
    if who.group is Group.ESTABLISHED:
        days, peak = _ESTABLISHED_DAYS, _PEAK_OF_PROGRAMS if who.is_program else _PEAK
    return History(days=days, last_day=int(yesterday_s // DAY_S), counted_at_s=yesterday_s, peak=peak)
