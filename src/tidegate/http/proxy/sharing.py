"""What many share, so that one of them cannot have all of it."""

from __future__ import annotations


class Shared:
    """A bounded amount, of which each may hold as much as is left for the others: alone, half of it."""

    def __init__(self, most: int) -> None:
        """Nobody holds any."""
        self._most = most
        self._held: dict[str, int] = {}
        self.total = 0

    def __len__(self) -> int:
        """How many hold some."""
        return len(self._held)

    def take(self, whose: str, amount: int) -> bool:
        """Hold so much more, if there is room; whether there was."""
        own = self._held.get(whose, 0) + amount
        if own > self._most - self.total:
            return False
        self._held[whose] = own
        self.total += amount
        return True

    def give_back(self, whose: str, amount: int) -> None:
        """Hold so much less."""
        self.total -= amount
        own = self._held.pop(whose, 0) - amount
        if own:
            self._held[whose] = own
