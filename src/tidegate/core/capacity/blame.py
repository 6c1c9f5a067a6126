"""Whose requests fail at more than one engine: they may be what is wrong, and not the engines.

A caller who fails at one engine only tells of that engine, as often as it fails.
One who has failed at another that could have served it as well counts once for
each engine, until that has answered somebody. So of engines that stand in for
each other one caller can have one left alone for a moment, and no other without
the word of as many callers as failures open a breaker. Who is a caller for this
is for whoever asks to say; names that are free should not be it.

Of callers at most `_MOST` are remembered, the one that failed longest ago is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set as AbstractSet
from typing import Final

_REMEMBERED_S: Final = 60.0
_MOST: Final = 1024


class Blame:
    """When callers failed last, and where. Times are monotonic seconds."""

    def __init__(self) -> None:
        """Nobody has failed."""
        self._failed_at: OrderedDict[str, dict[str, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many callers are remembered."""
        return len(self._failed_at)

    def counts(self, caller: str, name: str, others: AbstractSet[str], answered_at: float | None, now: float) -> bool:
        """Take a failure of a caller's at one engine; whether it counts against that, which `answered_at` last.

        `others` could have served the caller as well.
        """
        lately = {one: at for one, at in self._failed_at.get(caller, {}).items() if now - at < _REMEMBERED_S}
        has_counted = name in lately and (answered_at is None or lately[name] > answered_at)
        counts = not has_counted or others.isdisjoint(lately)
        lately[name] = now
        self._failed_at[caller] = lately
        self._failed_at.move_to_end(caller)
        if len(self._failed_at) > _MOST:
            self._failed_at.popitem(last=False)
        return counts
