"""Made-up sessions measured as `tidegate score` measures them, for tools/fit_score.py and tools/judge_score.py."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable
from typing import NamedTuple

from tidegate.core.score.crowd import facts_of, likenesses
from tidegate.core.score.gathering import Gathering, Subject
from tidegate.core.score.model import Measured, measure
from tools import synthetic_chats
from tools.synthetic_web import Made, web_logs

Facts = dict[str, float | None]


class Row(NamedTuple):
    """One session: what was measured, and what it was made up as."""

    facts: Facts
    family: str
    truth: str
    site: str
    log: str


def rows(seed: int, logs: int, *, is_apart: bool = False) -> list[Row]:
    """Make sessions and measure them; `is_apart`: people and each program as if in logs of their own."""
    dice = random.Random(seed)
    made = [*web_logs(dice, logs), *synthetic_chats.chat_logs(dice, logs, 2)]
    by_log: dict[str, list[Made]] = {}
    for one in made:
        by_log.setdefault(f"{one.log} {one.truth if is_apart else ''}", []).append(one)
    return [row for sessions in by_log.values() for row in _measured(sessions)]


def _measured(sessions: Iterable[Made]) -> list[Row]:
    sessions = list(sessions)
    known = {one.events[0].sess: one for one in sessions}
    gathering = Gathering(Subject.SESSION)
    ended: list[Measured] = []
    for event in heapq.merge(*(one.events for one in sessions), key=lambda event: event.t):
        ended += [measure(session, gathering.traits) for session in gathering.note(event)]
    ended += [measure(session, gathering.traits) for session in gathering.rest()]
    found = []
    for session, likeness in zip(ended, likenesses([one.outline for one in ended]), strict=True):
        one = known[session.name]
        found.append(Row(session.facts | facts_of(likeness), one.family, one.truth, one.site, one.log))
    return found
