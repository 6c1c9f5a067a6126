"""Plays lives against a scripted service, under a clock of its own: the smallest world there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

import pytest

from tidegate.lab.acts import Ask, Asked, Ended, Life, Outcome, Spawn, Wait, Who

FORMS = pytest.mark.parametrize("is_drawn", [False, True], ids=["individual", "drawn"])
"""Both forms of a source: everybody an actor, or drawn."""

Service = Callable[[Who, Asked, float], Outcome]
"""What becomes of something that somebody asks at that second: known at once, told when it has ended."""


class Heard(NamedTuple):
    """One try: when it was asked, by whom, what, and what became of it."""

    at_s: float
    who: Who
    what: Asked
    outcome: Outcome


class Played:
    """What was asked, in the order of asking; what ended, in the order of ending; `spawned` and `most` alive lives."""

    def __init__(self) -> None:
        self.asks: list[Heard] = []
        self.ends: list[Ended] = []
        self.spawned = 0
        self.alive = 0
        self.most = 0

    def asked(self, kind: type[Asked]) -> list[Heard]:
        return [heard for heard in self.asks if isinstance(heard.what, kind)]


def well(who: Who, what: Asked, now: float) -> Outcome:
    """Give everybody what they ask for, within a second."""
    del who, what
    return Outcome(asked_at_s=now, ended_at_s=now + 1.0, status=200, first_s=0.5, is_complete=True)


def refused(status: int = 429, retry_after_s: float | None = None) -> Service:
    """Refuse everybody, at once."""

    def refuse(who: Who, what: Asked, now: float) -> Outcome:
        del who, what
        return Outcome(
            asked_at_s=now,
            ended_at_s=now,
            status=status,
            reason="engine_full",
            retry_after_s=retry_after_s,
            first_s=0.0,
        )

    return refuse


def in_turn(*services: Service) -> Service:
    """Let each ask be answered by the next of them, and by the last from then on."""
    left = list(services)

    def serve(who: Who, what: Asked, now: float) -> Outcome:
        return (left.pop(0) if len(left) > 1 else left[0])(who, what, now)

    return serve


def play(lives: Iterable[Life], service: Service = well, until_s: float = 3600.0) -> Played:
    """Let them live until that second, from 0. Raises AssertionError at an act that no world could carry out."""
    played = Played()
    order = count()
    due: list[tuple[float, int, Life, Outcome | None]] = []

    def begin(life: Life, now: float) -> None:
        played.alive += 1
        played.most = max(played.most, played.alive)
        heappush(due, (now, next(order), life, None))

    for life in lives:
        begin(life, 0.0)
    while due and due[0][0] <= until_s:
        now, _, life, sent = heappop(due)
        while True:
            try:
                act = life.send(sent)
            except StopIteration:
                played.alive -= 1
                break
            sent = None
            if isinstance(act, Wait):
                assert 0.0 <= act.for_s < float("inf"), act
                heappush(due, (now + act.for_s, next(order), life, None))
                break
            if isinstance(act, Ask):
                outcome = service(act.who, act.what, now)
                assert outcome.asked_at_s == now <= outcome.ended_at_s, outcome
                played.asks.append(Heard(now, act.who, act.what, outcome))
                heappush(due, (outcome.ended_at_s, next(order), life, outcome))
                break
            if isinstance(act, Ended):
                assert act.since_s <= act.outcome.asked_at_s, act
                assert act.tries >= 1, act
                played.ends.append(act)
            else:
                assert isinstance(act, Spawn), act
                played.spawned += 1
                begin(act.life, now)
    for _, _, life, _ in due:
        life.close()
    return played
