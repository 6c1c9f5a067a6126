"""All that is known of one session, and what a log has at all."""

from __future__ import annotations

from tidegate.core.score.agents import AgentClass
from tidegate.core.score.entry import Entry
from tidegate.core.score.observed import CHAT, EMBED, Observed
from tidegate.core.score.talk import Talk
from tidegate.core.score.visit import Visit, is_asset


class LogTraits:
    """What a log is seen to hold: what it never holds cannot be missed in a session."""

    __slots__ = ("agents", "has_assets", "has_favicons", "has_unchanged")

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.has_assets = self.has_favicons = self.has_unchanged = False
        self.agents: dict[str, AgentClass] = {}

    def note(self, event: Observed) -> None:
        """Learn from one event."""
        self.has_unchanged = self.has_unchanged or event.status == 304  # noqa: PLR2004 - HTTP's "not modified"
        if is_asset(event):
            self.has_assets = True
            self.has_favicons = self.has_favicons or "favicon" in (event.path or "")


class Session:
    """One session, account or source, and the names of the fields that its events had."""

    __slots__ = ("_lacking", "acct", "ended_at", "entry", "events", "name", "talk", "visit")

    def __init__(self, name: str, began_at: float, fields: frozenset[str]) -> None:
        """Begin with nothing seen; `fields` are those that are told when they never come."""
        self.name = name
        self.acct: str | None = None
        self.events = 0
        self.ended_at = began_at
        self.visit, self.talk, self.entry = Visit(began_at), Talk(), Entry()
        self._lacking = set(fields)

    def note(self, event: Observed, traits: LogTraits, *, is_shared: bool = False) -> None:
        """Count one event."""
        self.events += 1
        self.ended_at = event.t
        if event.acct is not None:
            self.acct = event.acct
        if self._lacking:
            self._lacking = {name for name in self._lacking if getattr(event, name) is None}
        self.entry.note(event, traits.agents)
        if event.kind == "request":
            if event.route in {CHAT, EMBED}:
                self.talk.note(event, is_shared=is_shared)
            self.visit.note(event)

    @property
    def lacking(self) -> frozenset[str]:
        """Fields that no event of this session had."""
        return frozenset(self._lacking)
