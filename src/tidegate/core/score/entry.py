"""How one session came in: its name, its network, its sign-up, its sign-ins and its challenges."""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.score.agents import AgentClass, class_of
from tidegate.core.score.observed import Observed

_MOST_NAMES: Final = 64


class SignUp(msgspec.Struct, kw_only=True, gc=False):
    """What is known of how an account was made."""

    disposable: bool | None = None
    name_entropy: float | None = None
    family_size: int | None = None
    from_source: int | None = None
    latency_s: float | None = None


class Entry:
    """Counts of what a session said of itself and how it came in."""

    __slots__ = (
        "age_s",
        "agents",
        "challenges_failed",
        "challenges_passed_by",
        "challenges_solved",
        "classes",
        "logins",
        "logins_failed",
        "net_kinds",
        "sign_up",
        "solve_rates",
        "sources",
        "users",
    )

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.agents: set[str] = set()
        self.classes: dict[AgentClass, int] = {}
        self.net_kinds: set[str] = set()
        self.age_s: float | None = None
        self.sign_up: SignUp | None = None
        self.users: set[str] = set()
        self.sources: set[str] = set()
        self.logins = self.logins_failed = 0
        self.challenges_solved = self.challenges_failed = self.challenges_passed_by = 0
        self.solve_rates: list[float] = []

    def note(self, event: Observed, agents: dict[str, AgentClass]) -> None:
        """Count what one event says; `agents` remembers what user agents were found to be."""
        if event.ua is not None:
            self._note_agent(event.ua, agents)
        if event.src is not None and len(self.sources) < _MOST_NAMES:
            self.sources.add(event.src)
        if event.net_kind is not None and len(self.net_kinds) < _MOST_NAMES:
            self.net_kinds.add(event.net_kind)
        if event.age_s is not None:
            self.age_s = max(self.age_s or 0.0, event.age_s)
        if event.kind == "login":
            self.logins += 1
            self.logins_failed += event.outcome not in {"ok", "waiting", None}
            if event.user is not None and len(self.users) < _MOST_NAMES:
                self.users.add(event.user)
        elif event.kind == "challenge":
            self._note_challenge(event)

    def _note_agent(self, agent: str, agents: dict[str, AgentClass]) -> None:
        kind = agents.get(agent)
        if kind is None:
            kind = class_of(agent)
            if len(agents) < 4096:  # noqa: PLR2004 - names are strangers' words: so many are remembered
                agents[agent] = kind
        self.classes[kind] = self.classes.get(kind, 0) + 1
        if len(self.agents) < _MOST_NAMES:
            self.agents.add(agent)

    def _note_challenge(self, event: Observed) -> None:
        if event.outcome in {"solved", "ok"}:
            self.challenges_solved += 1
            if event.solve_s is not None and event.effort and len(self.solve_rates) < _MOST_NAMES:
                self.solve_rates.append(event.solve_s / event.effort)
        elif event.outcome == "failed":
            self.challenges_failed += 1
        elif event.outcome == "persisted":
            self.challenges_passed_by += 1
