"""Who keeps sending after being refused: a leaky count for each source, in bounded memory.

A refusal adds one, `rate` of them a second leak away, and who is more than `burst`
above that presses. What is stored is one number, as in the generic cell rate
algorithm (ITU-T I.371): when the count will have leaked away.

It stands on the way of every refusal, which costs 17 microseconds in all, so it
is one look into one map. At most `most` sources are counted; the one refused
longest ago is forgotten first, and whoever is forgotten has not pressed: a crowd
of sources can have a presser forgotten, and nobody taken for one.
"""

from __future__ import annotations

from collections import OrderedDict


class Pressing:
    """Counts refusals by source."""

    def __init__(self, rate: float, burst: float, most: int) -> None:
        """Nobody was refused yet."""
        self._marks: OrderedDict[bytes, float] = OrderedDict()
        self._each_s = self._most_s = 0.0
        self._most = most
        self.reshape(rate, burst, most)

    def __len__(self) -> int:
        """How many sources are counted."""
        return len(self._marks)

    def is_pressing(self, source: bytes, now: float) -> bool:
        """Count one refusal; whether it is the one that was too many. Then the count begins anew."""
        marks = self._marks
        mark = marks.get(source, 0.0)
        # A clock set back would have held everybody's count as it was: whatever is too far ahead begins anew.
        mark = (mark if now < mark <= now + self._most_s else now) + self._each_s
        if mark > now + self._most_s:
            del marks[source]
            return True
        marks[source] = mark
        marks.move_to_end(source)
        if len(marks) > self._most:
            marks.popitem(last=False)
        return False

    def forget(self, source: bytes) -> None:
        """It has not been refused."""
        self._marks.pop(source, None)

    def reshape(self, rate: float, burst: float, most: int) -> None:
        """Count by other numbers from now on, everybody from nothing."""
        self._each_s = 1.0 / rate
        self._most_s = burst / rate
        self._most = most
        self._marks.clear()
