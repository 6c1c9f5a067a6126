"""Sessions gathered from a log in one pass, each let go when it has ended.

Who can fill a log can open as many sessions as they like: so many are kept, and beyond
that the one that was quiet for longest is judged with what is known of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from tidegate.core.score.entry import SignUp
from tidegate.core.score.features import FEATURES
from tidegate.core.score.observed import CHAT, READ_KINDS, Observed
from tidegate.core.score.session import LogTraits, Session

SHARED_BY: Final = 4
"""So many accounts, addresses or sessions with one template of prompts are not chance."""


_Kept = TypeVar("_Kept")


class Subject(StrEnum):
    """Of what the score is asked."""

    SESSION = "session"
    ACCOUNT = "account"
    SOURCE = "source"


class GatheringPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how many sessions are kept."""

    quiet_s: float = 1800.0
    named_quiet_s: float = 86_400.0
    most_sessions: int = 100_000
    most_names: int = 50_000


class Gathering:
    """Takes events in order of time, gives sessions back when they have ended."""

    def __init__(self, subject: Subject, plan: GatheringPlan | None = None) -> None:
        """Begin with no session."""
        self.traits = LogTraits()
        self.early = 0
        """Sessions that were judged before they had ended, for want of room."""
        self.backward = 0
        """Events that stood behind later ones: their pauses cannot be right."""
        self._latest = 0.0
        self._subject = subject
        self._plan = plan or GatheringPlan()
        self._fields = frozenset(need for feature in FEATURES for need in feature.needs)
        self._sessions: dict[str, Session] = {}
        self._sign_ups: dict[str, SignUp] = {}
        self._families: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._senders: dict[str, set[str]] = {}

    def note(self, event: Observed) -> Iterator[Session]:
        """Count one event, and give the sessions that have ended by then."""
        if event.kind not in READ_KINDS:
            return
        self.traits.note(event)
        self.backward += event.t < self._latest
        self._latest = max(self._latest, event.t)
        name, is_named = self._name(event)
        if name is None:
            return
        yield from self._end_quiet(event.t)
        session = self._sessions.pop(name, None)
        if session is not None and not is_named and event.t - session.ended_at > self._plan.quiet_s:
            yield self._finished(session)
            session = None
        if session is None:
            if len(self._sessions) >= self._plan.most_sessions:
                self.early += 1
                yield self._finished(self._sessions.pop(next(iter(self._sessions))))
            session = Session(name, event.t, self._fields)
        self._sessions[name] = session  # Last in line: the first is the one that was quiet for longest.
        session.note(event, self.traits, is_shared=self._is_shared(event, name))
        if event.acct is not None and event.kind in {"signup", "verify"}:
            self._note_sign_up(event, event.acct)

    def rest(self) -> Iterator[Session]:
        """Give what is left at the end of the log."""
        for name in list(self._sessions):
            yield self._finished(self._sessions.pop(name))

    def _name(self, event: Observed) -> tuple[str | None, bool]:
        if self._subject is Subject.ACCOUNT:
            return event.acct or event.key, True
        if self._subject is Subject.SOURCE:
            return event.src, True
        if event.sess:
            return event.sess, True
        if event.key or event.acct:
            return event.key or event.acct, False
        return (f"{event.src}/{event.ua or ''}", False) if event.src else (None, False)

    def _end_quiet(self, now: float) -> Iterator[Session]:
        while self._sessions:
            first = next(iter(self._sessions))
            if now - self._sessions[first].ended_at <= self._plan.named_quiet_s:
                return
            yield self._finished(self._sessions.pop(first))

    def _finished(self, session: Session) -> Session:
        if session.acct is not None:
            session.entry.sign_up = self._sign_ups.get(session.acct)
        return session

    def _is_shared(self, event: Observed, name: str) -> bool:
        if event.route != CHAT or event.tmpl is None:
            return False
        senders = self._senders.pop(event.tmpl, None) or set()
        if len(senders) <= SHARED_BY:
            senders.add(event.acct or event.key or name)
        _keep(self._senders, event.tmpl, senders, self._plan.most_names)
        return len(senders) >= SHARED_BY

    def _note_sign_up(self, event: Observed, account: str) -> None:
        sign_up = self._sign_ups.pop(account, None) or SignUp()
        if event.kind == "verify":
            sign_up.latency_s = event.latency_s
        else:
            sign_up.disposable, sign_up.name_entropy = event.disposable, event.name_entropy
            if event.family is not None:
                sign_up.family_size = _count(self._families, event.family, self._plan.most_names)
            if event.src is not None:
                sign_up.from_source = _count(self._sources, event.src, self._plan.most_names)
        _keep(self._sign_ups, account, sign_up, self._plan.most_names)


def _count(counts: dict[str, int], name: str, most: int) -> int:
    count = counts.pop(name, 0) + 1
    _keep(counts, name, count, most)
    return count


def _keep(kept: dict[str, _Kept], name: str, value: _Kept, most: int) -> None:
    if len(kept) >= most:
        del kept[next(iter(kept))]
    kept[name] = value
