"""Numbers in order, of which one can ask how many come before: a list of short sorted lists.

Adding, removing and ranking search in the list of lists and then in one of them; the
rest is C that moves or sums some hundred numbers, which at 100,000 costs less than the
bookkeeping of a tree would (`bench/waiting_room.py`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

_SPLIT_AT: Final = 512


class Order:
    """Distinct numbers, the lowest first."""

    def __init__(self) -> None:
        """Empty."""
        self._lists: list[list[int]] = []
        self._lasts: list[int] = []
        self._lengths: list[int] = []
        self._total = 0

    def __len__(self) -> int:
        return self._total

    @property
    def first(self) -> int | None:
        """The lowest."""
        return self._lists[0][0] if self._lists else None

    @property
    def last(self) -> int | None:
        """The highest."""
        return self._lasts[-1] if self._lasts else None

    def add(self, number: int) -> None:
        """Put it in its place. It must not be there yet."""
        self._total += 1
        if not self._lists:
            self._put(0, [[number]], 0)
            return
        at = min(bisect_left(self._lasts, number), len(self._lists) - 1)
        numbers = self._lists[at]
        insort(numbers, number)
        if len(numbers) > _SPLIT_AT:
            half = len(numbers) // 2
            self._put(at, [numbers[:half], numbers[half:]], 1)
        else:
            self._lasts[at], self._lengths[at] = numbers[-1], len(numbers)

    def remove(self, number: int) -> None:
        """Take it out. It must be there."""
        self._total -= 1
        at = bisect_left(self._lasts, number)
        numbers = self._lists[at]
        del numbers[bisect_left(numbers, number)]
        self._put(at, [numbers] if numbers else [], 1)

    def rank(self, number: int) -> int:
        """How many are lower; the number itself need not be there."""
        at = bisect_left(self._lasts, number)
        before = sum(self._lengths[:at])
        return before + bisect_left(self._lists[at], number) if at < len(self._lists) else before

    def _put(self, at: int, lists: list[list[int]], instead_of: int) -> None:
        self._lists[at : at + instead_of] = lists
        self._lasts[at : at + instead_of] = [numbers[-1] for numbers in lists]
        self._lengths[at : at + instead_of] = [len(numbers) for numbers in lists]
