"""Sessions told in a few words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

import tidegate.core.score
from tidegate.core.score.gathering import Gathering, GatheringPlan, Subject
from tidegate.core.score.model import Judged, Weights, judge_all, measure
from tidegate.core.score.observed import Observed

WEIGHTS = msgspec.json.decode(Path(tidegate.core.score.__file__).with_name("weights.json").read_bytes(), type=Weights)
START = 1_780_000_000.0


def request(t: float, **more: Any) -> Observed:
    usual: dict[str, Any] = {"sess": "one", "route": "page", "method": "GET", "status": 200}
    return Observed(t=START + t, kind="request", **(usual | more))


def call(t: float, **more: Any) -> Observed:
    return request(t, **({"route": "chat", "method": "POST"} | more))


def pages(gaps: Iterable[float], **more: Any) -> list[Observed]:
    t, told = 0.0, []
    for place, gap in enumerate([*gaps, 0.0]):
        # Neither counted up nor in the order of their names.
        told.append(request(t, **({"path": f"/{'kdzbxqfmawutcpe'[place % 15]}{place // 15}"} | more)))
        t += gap
    return told


def scored(
    events: Iterable[Observed], by: Subject = Subject.SESSION, plan: GatheringPlan | None = None
) -> dict[str, Judged]:
    gathering = Gathering(by, plan)
    sessions = [session for event in events for session in gathering.note(event)]
    ended = [measure(one, gathering.traits) for one in (*sessions, *gathering.rest())]
    return {one.name: one for one in judge_all(ended, WEIGHTS)}


def only(events: Iterable[Observed]) -> Judged:
    (judged,) = scored(events).values()
    return judged


def weight(judged: Judged, feature: str) -> float:
    """What a fact counted; nothing where it was not judged or said nothing."""
    return sum(cause.log_odds for cause in judged.reasons if cause.feature == feature)


def value(judged: Judged, feature: str) -> float | None:
    return next((cause.value for cause in judged.reasons if cause.feature == feature), None)
