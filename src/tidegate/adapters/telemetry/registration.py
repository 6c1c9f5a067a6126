"""Figures about registration: the mode in force, and challenges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from tidegate.core.events import AnyEvent, ChallengeTried, RegistrationMoved
from tidegate.core.registration.modes import RegistrationMode

LABELS: Final[dict[str, tuple[str, ...]]] = {
    "tidegate_registration_mode": ("mode",),
    "tidegate_registration_moves": ("to", "by"),
    "tidegate_challenges": ("outcome",),
}


class RegistrationMetrics:
    """Counts in the registry that it is given. The mode is what was told last: `in_force` tells it at the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Open, as far as anybody has said."""
        self._mode = Gauge(
            "tidegate_registration_mode",
            "1 at the registration mode in force.",
            LABELS["tidegate_registration_mode"],
            registry=registry,
        )
        self._moves = Counter(
            "tidegate_registration_moves",
            "Moves of the registration mode.",
            LABELS["tidegate_registration_moves"],
            registry=registry,
        )
        self._challenges = Counter(
            "tidegate_challenges",
            "Answers to challenges that were handed in.",
            LABELS["tidegate_challenges"],
            registry=registry,
        )
        self._places = Gauge("tidegate_waiting_room_places", "People in line for an account.", registry=registry)
        self._kept = Gauge(
            "tidegate_waiting_room_promises_kept",
            "People who were let in within the longer of the two waits that they were first told.",
            registry=registry,
        )
        self._missed = Gauge(
            "tidegate_waiting_room_promises_missed", "People who waited longer than that.", registry=registry
        )
        self.in_force(RegistrationMode.OPEN)

    def watch(self, places: Callable[[], int], kept: Callable[[], int], missed: Callable[[], int]) -> None:
        """Ask how the line is whenever somebody reads the figures."""
        for gauge, asked in ((self._places, places), (self._kept, kept), (self._missed, missed)):
            gauge.set_function(asked)

    def in_force(self, mode: RegistrationMode) -> None:
        """Say which mode is in force."""
        for one in RegistrationMode:
            self._mode.labels(one).set(one is mode)

    def record(self, event: AnyEvent) -> bool:
        """Count an event, if it is one of these."""
        match event:
            case RegistrationMoved(is_dry=False):
                self.in_force(event.to)
                self._moves.labels(event.to, event.by).inc()
            case ChallengeTried():
                self._challenges.labels(event.outcome).inc()
            case _:
                return False
        return True
