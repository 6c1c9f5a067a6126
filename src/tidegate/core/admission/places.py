"""The engine's places, and whose prompt it read last in each.

An engine that reads several prompts fills its batches in the order of its
places (llama.cpp does): the prompt in the lowest place is read first. So those
who are known well get a low place, above those who came before them, and all
others the highest: a known person's prompt overtakes a stranger's at the next
batch, without a word to the engine.

A place's cache is offered to that owner again and to nobody else: how fast a
prompt is read, and how many of its tokens were known already, would tell what a
stranger has asked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from tidegate.core.admission.claims import Place


class Places:
    """Numbered from 0."""

    def __init__(self, count: int) -> None:
        """All are free and cold."""
        self._count = count
        self._free = list(range(count))
        self._last: dict[int, str] = {}  # Who had a free place last.
        self._own: dict[str, dict[int, None]] = {}  # The free ones that somebody had last, longest free first.
        self._held: dict[int, str] = {}

    def resize(self, count: int) -> None:
        """Have another number of them; those that are held beyond it are gone when they are given back."""
        self._count = count
        for number in [number for number in self._free if number >= count]:
            self._take(number)
        for number in range(count):
            if number not in self._held and number not in self._free:
                insort(self._free, number)

    def choose(self, owner: str, *, above: int | None) -> int:
        """Which free one an owner would get; there must be one.

        The owner's own, else the lowest above those whose prompts shall be read
        first, else the lowest; without `above` the last.
        """
        own = self._own.get(owner)
        if own:
            return next(iter(own))
        if above is None:
            return self._free[-1]
        at = bisect_right(self._free, above)
        return self._free[at if at < len(self._free) else 0]

    def take(self, number: int, owner: str) -> Place:
        """Take a free one."""
        last = self._take(number)
        self._held[number] = owner
        return Place(number, last == owner)

    def _take(self, number: int) -> str | None:
        del self._free[bisect_left(self._free, number)]
        last = self._last.pop(number, None)
        if last is not None:
            own = self._own[last]
            del own[number]
            if not own:
                del self._own[last]
        return last

    def give_back(self, number: int) -> None:
        """Free one that is held."""
        owner = self._held.pop(number)
        if number >= self._count:
            return
        insort(self._free, number)
        self._last[number] = owner
        self._own.setdefault(owner, {})[number] = None
