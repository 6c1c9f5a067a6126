"""What one session asked a model, and how it read the answers.

A person reads an answer, or at least looks at it, before the next question; a program
goes on when the last byte is there, or before. This is what a chat service sees and a
web site does not.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.score.observed import Observed

MOST_TURNS: Final = 256
_MOST_KINDS: Final = 256
_INSTANT_S: Final = 1.0


class Talk:
    """Counts of a session's calls to the model."""

    __slots__ = (
        "_ended_at",
        "_last_out_tok",
        "_last_service_s",
        "abandoned",
        "bodies",
        "calls",
        "first_at",
        "instant",
        "known_bodies",
        "known_overlaps",
        "known_streams",
        "known_templates",
        "last_at",
        "limited",
        "overlapping",
        "pegged",
        "plain",
        "prompt_tokens",
        "rates",
        "read_of",
        "reads",
        "refused",
        "retries",
        "shared",
        "templates",
    )

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.calls = self.abandoned = self.refused = self.retries = 0
        self.limited = self.pegged = self.known_streams = self.plain = 0
        self.overlapping = self.known_overlaps = self.instant = 0
        self.known_templates = self.known_bodies = self.shared = 0
        self.first_at = self.last_at = 0.0
        self.reads: list[float] = []
        self.read_of: list[float] = []
        self.rates: list[float] = []
        self.prompt_tokens: list[float] = []
        self.templates: dict[str, int] = {}
        self.bodies: set[str] = set()
        self._ended_at: float | None = None
        self._last_out_tok: float | None = None
        self._last_service_s = 0.0

    def note(self, event: Observed, *, is_shared: bool = False) -> None:
        """Count one call; `is_shared` tells that other accounts sent prompts of the same template."""
        if self.calls == 0:
            self.first_at = event.t
        self.calls += 1
        self.last_at = event.t
        self.abandoned += event.abandoned is True
        self.refused += (event.status or 0) in {429, 503}
        self.retries += bool(event.retry)
        if event.stream is not None:
            self.known_streams += 1
            self.plain += not event.stream
        if event.max_tok and event.out_tok is not None:
            self.limited += 1
            self.pegged += event.out_tok >= event.max_tok
        if event.in_tok and len(self.prompt_tokens) < MOST_TURNS:
            self.prompt_tokens.append(event.in_tok)
        self._note_words(event, is_shared=is_shared)
        self._note_reading(event)

    def _note_words(self, event: Observed, *, is_shared: bool) -> None:
        if event.tmpl is not None:
            self.known_templates += 1
            self.shared += is_shared
            if event.tmpl in self.templates or len(self.templates) < _MOST_KINDS:
                self.templates[event.tmpl] = self.templates.get(event.tmpl, 0) + 1
        if event.body is not None and self.known_bodies < _MOST_KINDS:
            self.known_bodies += 1
            self.bodies.add(event.body)

    def _note_reading(self, event: Observed) -> None:
        read_s = event.read_s
        if self._ended_at is not None and event.service_s is not None:
            # An event is written when the request ends: it began as much earlier as it took.
            since_s = event.t - event.service_s - (event.queue_s or 0.0) - self._ended_at
            self.known_overlaps += 1
            self.overlapping += since_s < -_INSTANT_S
            read_s = max(0.0, since_s) if read_s is None else read_s
        if read_s is not None and read_s >= 0 and self._ended_at is not None and len(self.reads) < MOST_TURNS:
            self.reads.append(read_s)
            self.instant += read_s < _INSTANT_S
            self.read_of.append(self._last_out_tok or 0.0)
            if self._last_out_tok:
                # Who watches an answer being written reads along: its own time counts.
                self.rates.append(self._last_out_tok / max(0.1, read_s + self._last_service_s))
        self._ended_at = event.t
        self._last_out_tok, self._last_service_s = event.out_tok, event.service_s or 0.0
