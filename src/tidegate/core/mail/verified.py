"""What part of the people who were written to have confirmed their address: whether those who come are reachable.

Counted by the minute in which a letter was written, over half an hour. The
newest minutes do not count yet: whoever was written to a moment ago has not had
the time to answer, and a crowd that comes all at once would look like bots.
"""

from __future__ import annotations

from typing import Final

_MINUTE_S: Final = 60.0
_WINDOW_MINUTES: Final = 30
_PATIENCE_MINUTES: Final = 5


class VerifiedShare:
    """Remembers as many minutes as count, and no names."""

    def __init__(self) -> None:
        """Nobody was written to."""
        self._sent: dict[int, int] = {}
        self._confirmed: dict[int, int] = {}

    def sent(self, written_at_s: float, now: float) -> None:
        """Count a letter that was handed over."""
        self._add(self._sent, written_at_s, now)

    def confirmed(self, written_at_s: float, now: float) -> None:
        """Count somebody who used the link that was written then."""
        self._add(self._confirmed, written_at_s, now)

    def share(self, now: float, since: float | None = None) -> tuple[float, int]:
        """The part of the letters in question that were answered, and how many those are; 1 where there are none.

        With `since`, of those written from the minute after it.
        """
        newest = _minute(now) - _PATIENCE_MINUTES
        oldest = newest - _WINDOW_MINUTES if since is None else max(newest - _WINDOW_MINUTES, _minute(since))
        minutes = [minute for minute in self._sent if oldest < minute <= newest]
        sent = sum(self._sent[minute] for minute in minutes)
        confirmed = sum(min(self._sent[minute], self._confirmed.get(minute, 0)) for minute in minutes)
        return (confirmed / sent if sent else 1.0), sent

    def _add(self, counts: dict[int, int], moment_s: float, now: float) -> None:
        oldest = _minute(now) - _WINDOW_MINUTES - _PATIENCE_MINUTES
        minute = _minute(moment_s)
        for kept in (self._sent, self._confirmed):
            for old in [one for one in kept if one < oldest]:
                del kept[old]
        if oldest <= minute <= _minute(now):
            counts[minute] = counts.get(minute, 0) + 1


def _minute(moment_s: float) -> int:
    return int(moment_s // _MINUTE_S)
