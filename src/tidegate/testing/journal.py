"""A Journal that remembers everything it was told."""

from __future__ import annotations

from typing import TypeVar

from tidegate.core.events import AnyEvent

T = TypeVar("T")


class RecordingJournal:
    """Keeps all events in the order they came."""

    def __init__(self) -> None:
        """Start empty."""
        self.events: list[AnyEvent] = []

    def record(self, event: AnyEvent) -> None:
        """Keep one event."""
        self.events.append(event)

    def of(self, kind: type[T]) -> list[T]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]
