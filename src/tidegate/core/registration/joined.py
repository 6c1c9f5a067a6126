"""How many of the accounts made lately are abused, and how many confirmed their address.

Counted by the minute in which an account was made, for half an hour: 31 rows, however
many accounts. What is learned of an account later is counted where it was made.

Each network counts once in that half hour: who is to show that the mode does not hold,
and with that shut the door on everybody, must come from many networks. Whoever makes
many accounts from a few is bounded by the line, where others go first.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.registration.signals import Share

_MINUTE_S: Final = 60.0
_MINUTES: Final = 30
_CONFIRMED_WITHIN_MIN: Final = 10
MOST_NETWORKS: Final = 8192
"""Networks that are counted within the half hour; beyond that the share is known well enough."""


class Joined:
    """Accounts made within the last half hour. Times are Unix seconds."""

    def __init__(self) -> None:
        """None yet."""
        self._rows: dict[int, list[int]] = {}
        self._networks: dict[str, int] = {}

    def made(self, at: float, network: str) -> bool:
        """An account was made from this network (whatever stands for it); False when that counts no more."""
        minute = _minute(at)
        if minute not in self._rows:
            self._rows = {row: counts for row, counts in self._rows.items() if row >= minute - _MINUTES}
            self._networks = {one: seen for one, seen in self._networks.items() if seen >= minute - _MINUTES}
        if network in self._networks or len(self._networks) >= MOST_NETWORKS:
            return False
        self._networks[network] = minute
        self._rows.setdefault(minute, [0, 0, 0])[0] += 1
        return True

    def abused(self, made_at: float) -> None:
        """One that was made then, and counted, is held to be abused. Tell each once."""
        self._add(made_at, 1)

    def confirmed(self, made_at: float) -> None:
        """One that was made then has confirmed its address."""
        self._add(made_at, 2)

    def abuse(self, since: float | None, now: float) -> Share:
        """Of those made since the mode began, and within the half hour."""
        return self._share(since, now, 1, 0)

    def verified(self, since: float | None, now: float) -> Share:
        """The same of those that have had ten minutes to confirm."""
        return self._share(since, now, 2, _CONFIRMED_WITHIN_MIN)

    def _add(self, made_at: float, column: int) -> None:
        row = self._rows.get(_minute(made_at))
        if row is not None:
            row[column] = min(row[column] + 1, row[0])

    def _share(self, since: float | None, now: float, column: int, age_min: int) -> Share:
        # The minute in which the mode began belongs to the one before: what is counted was made under this one.
        first = _minute(now) - _MINUTES if since is None else max(_minute(now) - _MINUTES, _minute(since) + 1)
        rows = [row for minute, row in self._rows.items() if first <= minute <= _minute(now) - age_min]
        return Share(sum(row[column] for row in rows), sum(row[0] for row in rows))


def _minute(at: float) -> int:
    return int(at // _MINUTE_S)
