"""Where events go: the structured log, and the figures made of it."""

from __future__ import annotations

from typing import Protocol

from tidegate.core.events import AnyEvent


class Journal(Protocol):
    """Takes events. Never raises and never blocks for long: a full disk must not stop the service."""

    def record(self, event: AnyEvent) -> None:
        """Keep one event."""
