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

from tidegate.core.admission.claims import Place


class Places:
    """Numbered from 0."""

    def __init__(self, count: int) -> None:
        """All are free and cold."""
        self._free: dict[int, str | None] = dict.fromkeys(range(count))
        self._held: dict[int, str] = {}

    def choose(self, owner: str, *, above: int | None) -> int:
        """Which free one an owner would get; there must be one.

        The owner's own, else the lowest above those whose prompts shall be read
        first, else the lowest; without `above` the last.
        """
        own = [number for number, last in self._free.items() if last == owner]
        if own:
            return own[0]
        if above is None:
            return max(self._free)
        return min(self._free, key=lambda number: (number <= above, number))

    def take(self, number: int, owner: str) -> Place:
        """Take a free one."""
        is_warm = self._free.pop(number) == owner
        self._held[number] = owner
        return Place(number, is_warm)

    def give_back(self, number: int) -> None:
        """Free one that is held."""
        self._free[number] = self._held.pop(number)
