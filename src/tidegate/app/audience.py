"""Whoever watches a service or a gate while it runs, and tells a person."""

from __future__ import annotations

from typing import Protocol

from tidegate.core.identifiers import Replica
from tidegate.services.policy import Change


class Audience(Protocol):
    """Whoever watches the service start and stop."""

    def ready(self, start_s: float, setup_path: str | None) -> None:
        """The first token came, `start_s` after the process began.

        While there is no operator, whoever opens `setup_path` on the public port may become one, once.
        """

    def trouble(self, restarts: int, last_words: list[str]) -> None:
        """The engine failed and will be started again; `last_words` if it failed while loading."""

    def reloaded(self, change: Change | None, mistake: str | None) -> None:
        """The policy was read again on a signal: what changed, or why nothing did."""

    def draining(self, running: int, limit_s: float) -> None:
        """The service stops; `running` answers may still go on for `limit_s`."""

    def stopped(self, cut: int) -> None:
        """Nothing is served any more; `cut` answers were ended before they were complete."""


class ServeAudience(Audience, Protocol):
    """Hears of single engines, too."""

    def lost(self, replica: Replica, why: str) -> None:
        """One of the engines that run elsewhere does not answer any more; it is tried again."""


class LettersAudience(ServeAudience, Protocol):
    """Hears of letters, too."""

    def lost_letters(self, letters: int) -> None:
        """After it has stopped: so many letters, one at least, still waited to be sent and are lost."""
