"""One journal made of several."""

from __future__ import annotations

from tidegate.core.events import AnyEvent
from tidegate.ports.journal import Journal


class Journals:
    """Tells every journal in turn."""

    def __init__(self, *journals: Journal) -> None:
        """In the order given."""
        self._journals = journals

    def record(self, event: AnyEvent) -> None:
        """Tell them all."""
        for journal in self._journals:
            journal.record(event)
